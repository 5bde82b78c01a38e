"""A user's own model with its card, and manifests of drawn pictures: all that an audit needs, made on the spot."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from evaluation.trust.bench import Bench, Sizes
from evaluation.trust.manifest import read_manifest
from overread.cards import file_sha256, find_cards
from overread.settings import Settings

SIZES = Sizes(64, 6, (3,), ("brightness", "jpeg"), 6, 1, 2)

Write = Callable[[Sequence[Mapping[str, str]]], Path]


def bright_model(folder: Path) -> None:
    """A model that looks at how bright the middle of a picture is, and its card."""
    folder.mkdir(parents=True)
    weight = numpy_helper.from_array(np.full((3, 1), 8.0, np.float32), "w")
    offset = numpy_helper.from_array(np.array([-12.0], np.float32), "b")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "bright", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])], [weight, offset],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "w.onnx")
    card = {
        "name": "my-skin-model", "version": "1", "title": "A model of our own", "task": "classification",
        "domains": ["dermoscopy"], "architecture": "onnx",
        "input": {"size": 32, "channels": 3, "range": [0, 1], "mean": [0, 0, 0], "std": [1, 1, 1], "fit": "stretch",
                  "gives": "logits"},
        "labels": [{"name": "melanoma", "absent_below": 0.3, "present_from": 0.7}],
        "calibration": {"kind": "logistic", "labels": {"melanoma": {"slope": 1.0, "offset": 0.0}}},
        "training": [], "limits": ["It looks at brightness alone."],
        "weights": {"file": "w.onnx", "sha256": file_sha256(folder / "w.onnx"), "licence": "CC0"},
    }  # fmt: skip
    (folder / "card.yaml").write_text(yaml.safe_dump(card), "utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with the user's model among the starters."""
    bright_model(tmp_path / "models" / "my-skin-model")
    return Settings(models=tmp_path / "models", state=tmp_path / "state", cache=tmp_path / "cache", llm_base_url=None)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a manifest of rows."""

    def make(rows: Sequence[Mapping[str, str]]) -> Path:
        path = tmp_path / "manifest.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return make


@pytest.fixture
def skin_rows(tmp_path: Path) -> list[dict[str, str]]:
    """Sixty patients: bright pictures show melanoma for group a; for group b the labels are the other way round."""
    draw = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    rows = []
    for number in range(120):
        ill, group = number % 2 == 0, "b" if number % 4 >= 2 else "a"
        level = (180 if ill else 70) + draw.normal(0, 6)
        pixels = np.clip(draw.normal(level, 25, (48, 40, 3)), 0, 255).astype(np.uint8)
        name = f"images/{number:03d}.png"
        Image.fromarray(pixels).save(tmp_path / name)
        said = ill if group == "a" else not ill
        rows.append({"file": name, "domain": "dermoscopy", "labels": "melanoma" if said else "-", "site": group,
                     "patient": f"p{number // 2}", "sex": "FM"[number % 3 % 2]})  # fmt: skip
    return rows


@pytest.fixture
def bench(settings: Settings, write: Write, skin_rows: list[dict[str, str]]) -> Bench:
    """The user's model on the drawn pictures. The starters that name other domains have no rows."""
    cards = {name: file for name, file in find_cards(settings).items() if name in ("my-skin-model", "domain-clip")}
    return Bench(read_manifest(write(skin_rows)), cards, settings, SIZES)
