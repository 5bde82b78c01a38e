"""ONNX classifiers: one picture in, one row of outputs out, on the processor."""

from typing import TYPE_CHECKING, Any

import numpy as np

from overread.cards import CardFile
from overread.errors import CardError
from tools.classifiers.classifier import Floats, Seen
from tools.classifiers.preparation import Preparation
from tools.errors import ToolError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MOST_BYTES = 2 << 30
"""ONNX files hold at most this much; a larger one keeps its weights in other files, which are not read."""

NO_FOLDER = "/nowhere/overread-reads-no-external-weights"
THREADS = 2


class OnnxNetwork:
    """A session with one input ``(N, C, S, S)`` and one output ``(N, outputs)``, both float32. No heatmap."""

    def __init__(self, session: "InferenceSession", name: str) -> None:
        self._session, self._name = session, name
        self._input = session.get_inputs()[0]
        self._output = session.get_outputs()[0].name

    def __call__(self, pixels: Floats) -> Seen:
        """The outputs of a batch; one by one where the network takes no more than one."""
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

        step = self._input.shape[0] if isinstance(self._input.shape[0], int) else len(pixels)
        if step < 1 or len(pixels) % step:
            raise CardError(f"card {self._name}: the network takes batches of {step}; export it with a free batch axis")
        try:
            rows = [
                self._session.run([self._output], {self._input.name: pixels[begin : begin + step]})[0]
                for begin in range(0, len(pixels), step)
            ]
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise ToolError(f"{self._name} could not run the network on this image ({type(error).__name__})") from None
        outputs = np.concatenate([np.asarray(row) for row in rows])
        if outputs.ndim != 2:
            raise CardError(f"card {self._name}: the network must give one row of outputs an image")
        return Seen(outputs.astype(np.float32))


def load_onnx(file: CardFile, preparation: Preparation, outputs: int) -> OnnxNetwork:
    """The network of a card's ONNX file. Raises ``CardError`` for one that is broken or of another shape."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as faults

    card, path = file.card, file.weights()
    if path.stat().st_size > MOST_BYTES:
        raise CardError(f"card {card.name}: {path.name} is larger than {MOST_BYTES} bytes; ONNX files are not")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = THREADS, 1, 4
    # Weights in other files would escape the checksum, so none is found.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except (
        faults.Fail,
        faults.InvalidProtobuf,
        faults.InvalidGraph,
        faults.InvalidArgument,
        faults.NotImplemented,
        faults.NoSuchFile,
        faults.RuntimeException,
    ) as error:
        raise CardError(f"card {card.name}: {path.name} cannot be read as ONNX ({type(error).__name__})") from None
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise CardError(f"card {card.name}: the network must have one input and one output")
    _check(card.name, session.get_inputs()[0], (None, preparation.channels, preparation.size, preparation.size))
    _check(card.name, session.get_outputs()[0], (None, outputs))
    return OnnxNetwork(session, card.name)


def _check(card: str, argument: Any, expected: tuple[int | None, ...]) -> None:
    """Whether an input or output has the shape a card says; an axis with a name may have any length."""
    shape = argument.shape
    fits = len(shape) == len(expected) and all(
        want is None or not isinstance(axis, int) or axis == want for axis, want in zip(shape, expected, strict=True)
    )
    if argument.type != "tensor(float)" or not fits:
        raise CardError(
            f"card {card}: the ONNX file takes or gives {argument.type} {shape}, which the card does not say"
        )
