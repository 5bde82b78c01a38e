"""The lung fields of a frontal chest X-ray, without a prompt: their outline, areas and symmetry.

Sides are those of the image as it is shown, never the patient's: on a PA or AP film the image's left is
the patient's right by convention, but only a marker or a header can say so of one film.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.cards import CardFile, ModelCard
from overread.errors import CardError
from overread.records import Context, Measurement
from tools.admission import check_domains
from tools.contract import Picture, ToolImage, ToolOutput
from tools.findings import grey_square
from tools.passes import Pass, chosen_device
from tools.segmentation.uncertainty import doubt, entropy
from tools.segmentation.window import paste, whole
from tools.unet import shape_of, unet
from tools.weights import fill, read_weights

if TYPE_CHECKING:
    from torch import nn

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

AT_ONCE = 16
"""Images the network sees together."""

LEAST_FIELD = 0.02
"""The smallest part of the image's area that a lung field covers."""

MOST_FIELDS = 0.8
"""The largest part of the image's area that both cover."""

SIDES = ("on the image's left", "on the image's right")

SIDE_NOTE = "left and right are the image's, not the patient's"


@dataclass(frozen=True)
class Fields:
    """The two lung fields, each bool ``(H, W)``, in the order left and right of the image as it is shown."""

    left: Bools
    right: Bools


class Lungs:
    """Outlines lung fields as its card describes. Implements ``Tool``.

    The card's calibration, of kind ``expected-dice``, names the doubt from which on nothing is measured.
    """

    def __init__(self, file: CardFile) -> None:
        """Raises ``CardError`` when the card's input or calibration makes no sense."""
        self._file = file
        self._lock = threading.Lock()
        self._network: nn.Module | None = None
        self.forward: Pass = self._forward
        self._shape = shape_of(file.card.input, file.card.name)
        given = file.card.calibration
        try:
            if given["kind"] != "expected-dice":
                raise ValueError(given["kind"])
            self._distrust_from = float(given["distrust_from"])
        except (KeyError, TypeError, ValueError) as error:
            raise CardError(f"card {file.card.name}: its calibration must be expected-dice, with a limit") from error

    @property
    def name(self) -> str:
        """The card's name."""
        return self._file.card.name

    @property
    def card(self) -> ModelCard:
        """The card."""
        return self._file.card

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order: a mask, where it is in doubt, and measurements of the two fields.

        Nothing is drawn of an image known to be outside the card's population. Where age or view are not
        known, the outline comes with that as the ``reason``. Where no two fields are seen, or the outline is in
        too much doubt, nothing is measured and the reason says so.

        Raises ``ToolError`` for an image of a domain the card does not name, ``CardError`` for weights
        that are missing or altered.
        """
        check_domains(self.card, images)
        drawn = [not self._outside(image.context) for image in images]
        logits = iter(self.logits([image.display for image, draw in zip(images, drawn, strict=True) if draw]))
        return [
            self._output(image, next(logits)) if draw else ToolOutput(reason=self.card.population.misfit(image.context))
            for image, draw in zip(images, drawn, strict=True)
        ]

    def logits(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Log odds of lung, float32 ``(N, S/2, S/2)``, the mean over each image and its mirror image.

        Each image is uint8 ``(H, W, 3)`` RGB of any size, stretched to a square; only its grey is used.
        """
        cells = self._shape.size // 2
        out = [np.zeros((0, cells, cells), dtype=np.float32)]
        for begin in range(0, len(images), AT_ONCE):
            pixels = np.stack([grey_square(image, self._shape.size) for image in images[begin : begin + AT_ONCE]])
            out += self.forward(pixels)
        return np.concatenate(out)

    def _forward(self, pixels: NDArray[np.uint8]) -> tuple[Floats]:
        """The log odds of grey squares, uint8 ``(N, S, S)``."""
        import torch

        network = self._load()
        with torch.inference_mode():
            x = torch.from_numpy(pixels).to(chosen_device())[:, None].float() / 255
            both = (network(x) + network(x.flip(3)).flip(3)) / 2
        return (both[:, 0].float().cpu().numpy(),)

    def _load(self) -> "nn.Module":
        with self._lock:
            if self._network is None:
                tensors, _ = read_weights(self._file)
                self._network = fill(unet(self._shape), tensors, "", self.name).to(chosen_device())
            return self._network

    def _outside(self, context: Context) -> bool:
        """Whether what is known of the patient and the film rules the card's population out."""
        population = self.card.population
        return bool(
            (population.age_bands and context.age_band and context.age_band not in population.age_bands)
            or (population.views and context.view and context.view not in population.views)
        )

    def _output(self, image: ToolImage, logits: Floats) -> ToolOutput:
        shape = image.display.shape[0], image.display.shape[1]
        odds = paste(logits, whole(shape, stretch=True), shape, 0.0)
        mask, fields = lung_fields(odds > 0)
        unsure = doubt(1 / (1 + np.exp(-logits.clip(-30, 30))))
        pictures = (
            Picture(id="A1", kind="mask", pixels=mask, title="lung fields"),
            Picture(id="A2", kind="uncertainty", pixels=entropy(odds), title="lung fields"),
        )
        if fields is None:
            reason = "two separate lung fields could not be told apart, so nothing was measured"
            return ToolOutput(pictures=pictures if mask.any() else (), reason=reason)
        if unsure >= self._distrust_from:
            return ToolOutput(pictures=pictures, reason="the outline is in too much doubt, so nothing was measured")
        unknown = self.card.population.misfit(image.context)
        return ToolOutput(measurements=measure_fields(fields, image.spacing_mm), pictures=pictures, reason=unknown)


def lung_fields(mask: Bools) -> tuple[Bools, Fields | None]:
    """What of a mask bool ``(H, W)`` is lung, with its holes filled, and the two fields.

    The fields are the two largest connected parts. They are ``None`` unless both are of the size of a lung,
    neither much smaller than the other, and side by side.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    largest = [int(part) for part in np.argsort(-areas, kind="stable")[:2] if areas[part] >= LEAST_FIELD * mask.size]
    parts = [np.asarray(ndimage.binary_fill_holes(labels == part + 1), dtype=np.bool_) for part in largest]
    whole_ = np.zeros_like(mask)
    for part in parts:
        whole_ |= part
    if len(parts) != 2 or whole_.mean() > MOST_FIELDS:
        return whole_, None
    parts.sort(key=lambda part: float(np.nonzero(part)[1].mean()))
    left, right = (np.flatnonzero(part.any(0)) for part in parts)
    middles = [float(np.nonzero(part)[1].mean()) for part in parts]
    if not (middles[0] < right[0] and middles[1] > left[-1]):
        return whole_, None
    return whole_, Fields(parts[0], parts[1])


def measure_fields(fields: Fields, spacing_mm: tuple[float, float] | None) -> tuple[Measurement, ...]:
    """Areas of both fields, how equal they are, and their heights; in mm only with a spacing (row, column)."""
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    unit = "px" if spacing_mm is None else "mm"
    how = "in pixels; the image has no spacing" if spacing_mm is None else "pixel spacing of the image"
    both = (fields.left, fields.right)
    areas = [float(field.sum()) * row_mm * column_mm for field in both]
    heights = [float(np.flatnonzero(field.any(1)).size) * row_mm for field in both]
    found = [
        (f"area of the lung field {side}", area, f"{unit}²", f"pixels of the outline, {how}; {SIDE_NOTE}")
        for side, area in zip(SIDES, areas, strict=True)
    ]
    found += [
        (f"height of the lung field {side}", height, unit, f"rows the outline reaches over, {how}; {SIDE_NOTE}")
        for side, height in zip(SIDES, heights, strict=True)
    ]
    found.append(("area of both lung fields", sum(areas), f"{unit}²", f"pixels of both outlines, {how}"))
    found.append(
        ("lung-field symmetry", 100 * min(areas) / max(areas), "%", "area of the smaller field over that of the larger")
    )
    return tuple(
        Measurement(id=f"M{number}", name=name, value=round(value, 4), unit=unit_, method=method)
        for number, (name, value, unit_, method) in enumerate(found, start=1)
    )
