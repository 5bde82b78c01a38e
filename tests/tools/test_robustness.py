"""Every classifier that is shipped, on images no one should hand in: it answers, within its bounds, and calmly."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from overread.cards import find_cards
from overread.records import Context
from overread.settings import Settings
from tools.contract import ToolImage, ToolOutput
from tools.domain import flat
from tools.findings import Findings

SHARED = Path(os.environ.get("OVERREAD_SHARED", Path(__file__).parents[3] / "shared")) / "data"
FOLDERS = {
    "chest-findings-child": "cxr_kermany",
    "chest-findings-adult": "cxr_nih",
    "brain-mr-findings": "mr_brain_nickparvar",
    "dermoscopy-findings": "dermoscopy_isic2017",
}
CARDS = find_cards(Settings(models=None))
TOOLS = {name: Findings(CARDS[name]) for name in FOLDERS}
every = pytest.mark.parametrize("name", FOLDERS)
needs_data = pytest.mark.skipif(not (SHARED / "images.csv").is_file(), reason="no images to change on this machine")


def run(name: str, *images: NDArray[np.uint8]) -> list[ToolOutput]:
    tool = TOOLS[name]
    bands = tool.card.population.age_bands
    context = Context(age_band=bands[0] if bands else None, view="AP")
    return tool.run([ToolImage(image, tool.card.domains[0], context) for image in images])


def chances(output: ToolOutput) -> NDArray[np.float64]:
    return np.array([finding.probability for finding in output.findings], dtype=np.float64)


def pictures(name: str, number: int = 6) -> list[NDArray[np.uint8]]:
    """Real images of the tool's own kind, every tenth or so of its folder."""
    found = sorted((SHARED / "images" / FOLDERS[name]).glob("*.*"))
    out = []
    for path in found[:: max(1, len(found) // number)][:number]:
        with Image.open(path) as image:
            out.append(np.asarray(image.convert("RGB")))
    assert len(out) == number
    return out


def holds(name: str, output: ToolOutput, shape: tuple[int, ...]) -> None:
    """What must be true of every answer."""
    p = chances(output)
    assert np.isfinite(p).all()
    assert ((p >= 0) & (p <= 1)).all()
    if TOOLS[name].card.calibration["kind"] == "softmax":
        assert p.sum() == pytest.approx(1, abs=1e-6)
        assert [finding.decision for finding in output.findings].count("present") <= 1
    for finding, picture in zip(output.findings, output.pictures, strict=True):
        assert finding.interval is not None
        assert finding.interval[0] <= finding.probability <= finding.interval[1]  # type: ignore[operator]
        assert picture.pixels.shape == shape[:2]
        assert np.isfinite(picture.pixels).all()  # type: ignore[arg-type]


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (3, 5), (64, 300), (700, 500)])
def test_noise_of_any_shape_is_answered(name: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    (output,) = run(name, image)
    holds(name, output, image.shape)


@every
@needs_data
@pytest.mark.parametrize("change", ["truncate", "rotate", "upside down", "mirror", "invert", "crop", "tiny", "grey"])
def test_a_changed_image_is_answered(name: str, change: str) -> None:
    image = pictures(name, 1)[0]
    changed = {
        "truncate": np.concatenate([image[: len(image) // 3], np.zeros_like(image[len(image) // 3 :])]),
        "rotate": np.rot90(image),
        "upside down": image[::-1],
        "mirror": image[:, ::-1],
        "invert": 255 - image,
        "crop": image[40:90, 30:110],
        "tiny": image[::16, ::16],
        "grey": np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2),
    }[change]
    (output,) = run(name, changed)
    holds(name, output, changed.shape)


@every
@pytest.mark.parametrize("tone", [0, 3, 128, 255])
def test_an_empty_image_is_refused_and_a_tool_would_not_decide_on_it(name: str, tone: int) -> None:
    image = np.full((120, 150, 3), tone, dtype=np.uint8)
    assert flat(image)
    (output,) = run(name, image)
    assert output.reason is not None
    assert "empty" in output.reason
    assert {(one.decision, one.probability) for one in output.findings} == {("indeterminate", None)}


@every
@needs_data
def test_a_small_change_moves_the_probability_little(name: str) -> None:
    images = pictures(name)
    draw = np.random.default_rng(0)
    plain = np.stack([chances(one) for one in run(name, *images)])
    changes = {
        "noise": [np.clip(i + draw.normal(0, 2, i.shape), 0, 255).astype(np.uint8) for i in images],
        "brighter": [np.clip(i.astype(np.float32) * 1.04 + 3, 0, 255).astype(np.uint8) for i in images],
        "shifted": [np.roll(i, 1, axis=1) for i in images],
        "larger": [np.asarray(Image.fromarray(i).resize((i.shape[1] * 2, i.shape[0] * 2))) for i in images],
    }
    for what, changed in changes.items():
        moved = np.abs(np.stack([chances(one) for one in run(name, *changed)]) - plain)
        assert moved.mean() < 0.06, what
        assert moved.max() < 0.3, what


@every
@needs_data
def test_mirrored_it_says_the_same(name: str) -> None:
    if TOOLS[name].card.input.get("described"):
        pytest.skip("the numbers beside the network tell left from right")
    images = pictures(name, 3)
    plain = np.stack([chances(one) for one in run(name, *images)])
    turned = np.stack([chances(one) for one in run(name, *[i[:, ::-1] for i in images])])
    assert np.abs(plain - turned).max() < 0.12


@every
@needs_data
def test_a_batch_says_the_same_as_one_by_one(name: str) -> None:
    images = pictures(name, 4)
    together = run(name, *images)
    for one, image in zip(together, images, strict=True):
        (alone,) = run(name, image)
        assert chances(one) == pytest.approx(chances(alone), abs=2e-3)
        assert [f.decision for f in one.findings] == [f.decision for f in alone.findings]
