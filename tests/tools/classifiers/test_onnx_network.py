from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from overread.cards import CardFile
from overread.errors import CardError
from tools.contract import Tool
from tools.registry import ToolRegistry

from .conftest import CALIBRATED, MakeCard, toolimage

INPUT = {"size": 32, "channels": 3, "gives": "probabilities"}
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 1, (3, 2)).astype(np.float32)


def save_onnx(path: Path, batch: Any = "N", outputs: int = 2, size: int = 32, kind: int = TensorProto.FLOAT) -> Path:
    """The mean of each channel, times a matrix, through a sigmoid."""
    matrix = np.resize(WEIGHTS, (3, outputs)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, [batch, 3, size, size])],
        [helper.make_tensor_value_info("y", kind, [batch, outputs])],
        [numpy_helper.from_array(matrix, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def tool_of(file: CardFile) -> Tool:
    return ToolRegistry({"tiny": file}).get("tiny")


@pytest.mark.parametrize("batch", ["N", 1])
def test_an_onnx_network_gives_what_it_computes(make_card: MakeCard, tmp_path: Path, batch: Any) -> None:
    path = save_onnx(tmp_path / "w.onnx", batch)
    images = [toolimage(seed, (32, 32)) for seed in range(3)]
    outputs = tool_of(make_card(path, "onnx", INPUT, calibration=CALIBRATED)).run(images)
    for image, output in zip(images, outputs, strict=True):
        wanted = 1 / (1 + np.exp(-(image.display.mean(axis=(0, 1)) / 255) @ WEIGHTS))
        assert [f.probability for f in output.findings] == pytest.approx(wanted.tolist(), abs=1e-4)
        assert output.pictures == ()


def test_a_fixed_batch_that_does_not_fit_is_a_card_error(make_card: MakeCard, tmp_path: Path) -> None:
    with pytest.raises(CardError, match="batches of 2"):
        tool_of(make_card(save_onnx(tmp_path / "w.onnx", 2), "onnx", INPUT)).run([toolimage()])


@pytest.mark.parametrize("wrong", [{"outputs": 3}, {"size": 64}, {"kind": TensorProto.DOUBLE}])
def test_a_network_of_another_shape_is_a_card_error(make_card: MakeCard, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(CardError, match=r"does not say|cannot be read"):
        tool_of(make_card(save_onnx(tmp_path / "w.onnx", **wrong), "onnx", INPUT)).run([toolimage()])


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x08\x07\x12"])
def test_a_broken_file_is_a_card_error(make_card: MakeCard, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.onnx"
    path.write_bytes(content)
    with pytest.raises(CardError, match="card tiny"):
        tool_of(make_card(path, "onnx", INPUT)).run([toolimage()])
    whole = save_onnx(tmp_path / "whole.onnx").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CardError, match="card tiny"):
        tool_of(make_card(path, "onnx", INPUT)).run([toolimage()])


def test_weights_in_another_file_are_not_read(make_card: MakeCard, tmp_path: Path, monkeypatch: Any) -> None:
    model = onnx.load(save_onnx(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "w.onnx", save_as_external_data=True, location="outside.bin", size_threshold=0)
    assert (tmp_path / "outside.bin").is_file()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CardError, match="cannot be read as ONNX"):
        tool_of(make_card(tmp_path / "w.onnx", "onnx", INPUT)).run([toolimage()])
