"""The lung fields: on drawn masks, on a network with random weights, and with the starter on real films."""

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from overread.cards import CardFile, Label, ModelCard, Population, Weights, find_cards
from overread.errors import CardError
from overread.records import Context
from tools.contract import ToolImage
from tools.errors import ToolError
from tools.lungs import Lungs, lung_fields, measure_fields
from tools.registry import ToolRegistry
from tools.unet import shape_of, unet

SMALL = {"size": 64, "widths": [4, 8, 8]}
ADULTS = Population(age_bands=("adult", "elderly"), views=("AP", "PA"))
KNOWN = Context(age_band="adult", view="PA")

MakeCard = Callable[..., CardFile]


@pytest.fixture
def make_card(tmp_path: Path) -> MakeCard:
    def make(**changed: object) -> CardFile:
        path = tmp_path / "weights.safetensors"
        if not path.exists():
            torch.manual_seed(1)
            save_file(unet(shape_of(SMALL, "small")).state_dict(), path)
        card = ModelCard(
            name="small-lungs",
            version="1",
            title="The outline of the lung fields",
            task="segmentation",
            domains=("xray/chest",),
            population=ADULTS,
            architecture="lung-unet",
            input=SMALL,
            labels=(Label(name="lung fields"),),
            calibration={"kind": "expected-dice", "distrust_from": 1.1},
            training=(),
            weights=Weights(file=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), licence="Apache-2.0"),
            limits=(),
        )
        return CardFile(card=card.model_copy(update=changed), folder=tmp_path)

    return make


def film(seed: int = 0, shape: tuple[int, int] = (90, 70), context: Context = KNOWN) -> ToolImage:
    pixels = np.random.default_rng(seed).integers(0, 255, (*shape, 3), dtype=np.uint8)
    return ToolImage(pixels, "xray/chest", context)


def two_fields(left: int = 30, right: int = 30, gap: int = 20) -> np.ndarray:
    """Two upright boxes beside each other, ``left`` and ``right`` pixels wide."""
    mask = np.zeros((120, 160), dtype=bool)
    mask[20:100, 20 : 20 + left] = True
    mask[20:100, 20 + left + gap : 20 + left + gap + right] = True
    return mask


@given(st.integers(12, 40), st.integers(12, 40))
def test_fields_are_told_apart_by_the_side_of_the_image(left: int, right: int) -> None:
    mask, fields = lung_fields(two_fields(left, right))
    assert fields is not None
    assert int(fields.left.sum()) == 80 * left
    assert int(fields.right.sum()) == 80 * right
    assert (mask == (fields.left | fields.right)).all()


def test_the_mirror_image_swaps_the_sides() -> None:
    _, fields = lung_fields(two_fields(30, 20)[:, ::-1])
    assert fields is not None
    assert fields.left.sum() < fields.right.sum()


def test_crumbs_are_left_out_and_holes_filled() -> None:
    mask = two_fields()
    mask[5:8, 5:8] = True
    mask[50:54, 30:34] = False
    found, fields = lung_fields(mask)
    assert fields is not None
    assert (found == two_fields()).all()


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((40, 40), dtype=bool),
        np.ones((40, 40), dtype=bool),
        two_fields(gap=0),
        two_fields()[:, :60],
        np.concatenate([two_fields(), np.zeros((40, 160), bool)]).T,
    ],
    ids=["empty", "everything", "run together", "one alone", "one above the other"],
)
def test_what_is_no_pair_of_fields_is_not_measured(mask: np.ndarray) -> None:
    assert lung_fields(mask)[1] is None


def test_measurements_name_the_images_side_and_their_method() -> None:
    _, fields = lung_fields(two_fields(30, 20))
    assert fields is not None
    found = {one.name: one for one in measure_fields(fields, None)}
    assert found["area of the lung field on the image's left"].value == 2400
    assert found["area of the lung field on the image's right"].value == 1600
    assert found["area of both lung fields"].value == 4000
    assert found["lung-field symmetry"].value == pytest.approx(66.6667)
    assert {one.unit for one in found.values()} == {"px²", "px", "%"}
    assert "not the patient's" in found["area of the lung field on the image's left"].method
    assert not any(re.search(r"\b(left|right) lung\b", name) for name in found)


def test_lengths_are_in_mm_only_with_a_spacing() -> None:
    _, fields = lung_fields(two_fields())
    assert fields is not None
    found = {one.name: one for one in measure_fields(fields, (2.0, 0.5))}
    assert found["area of both lung fields"].value == 2 * 80 * 30 * 2.0 * 0.5
    assert found["height of the lung field on the image's left"].value == 160
    assert {one.unit for one in found.values()} == {"mm²", "mm", "%"}


def test_the_pictures_are_of_the_images_own_size(make_card: MakeCard) -> None:
    outputs = Lungs(make_card()).run([film(), film(1, (33, 200))])
    for output, shape in zip(outputs, [(90, 70), (33, 200)], strict=True):
        for picture in output.pictures:
            assert picture.pixels.shape == shape


def test_a_batch_equals_one_by_one(make_card: MakeCard) -> None:
    lungs = Lungs(make_card())
    films = [film(seed).display for seed in range(3)]
    alone = np.concatenate([lungs.logits([one]) for one in films])
    assert lungs.logits(films) == pytest.approx(alone, abs=1e-4)
    assert lungs.logits([]).shape == (0, 32, 32)


def test_a_mirrored_film_has_the_mirrored_outline(make_card: MakeCard) -> None:
    lungs = Lungs(make_card())
    pixels = film(shape=(64, 64)).display
    straight, mirrored = lungs.logits([pixels, pixels[:, ::-1]])
    assert mirrored[:, ::-1] == pytest.approx(straight, abs=1e-4)


@pytest.mark.parametrize("context", [Context(age_band="child", view="PA"), Context(age_band="adult", view="LL")])
def test_nothing_is_drawn_outside_the_population(make_card: MakeCard, context: Context) -> None:
    (output,) = Lungs(make_card()).run([film(context=context)])
    assert output.pictures == ()
    assert output.measurements == ()
    assert output.reason


def test_too_much_doubt_is_not_measured(make_card: MakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    lungs = Lungs(make_card(calibration={"kind": "expected-dice", "distrust_from": 0.1}))
    half = two_fields()[::2, ::2].astype(np.float32)
    for sure, measured in ((20.0, True), (0.5, False)):
        monkeypatch.setattr(lungs, "logits", lambda _images, sure=sure: (half * 2 - 1)[None] * sure)
        (output,) = lungs.run([film(shape=(120, 160))])
        assert bool(output.measurements) is measured
        assert (output.reason is None) is measured
        assert {picture.kind for picture in output.pictures} == {"mask", "uncertainty"}


def test_an_unknown_age_is_told_beside_the_outline(make_card: MakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    lungs = Lungs(make_card())
    half = two_fields()[::2, ::2].astype(np.float32)
    monkeypatch.setattr(lungs, "logits", lambda _images: (half * 40 - 20)[None])
    (output,) = lungs.run([film(shape=(120, 160), context=Context())])
    assert output.measurements
    assert "age is not known" in (output.reason or "")


def test_another_domain_is_refused(make_card: MakeCard) -> None:
    image = ToolImage(film().display, "ct/chest", Context())
    with pytest.raises(ToolError, match="card does not name"):
        Lungs(make_card()).run([image])


@pytest.mark.parametrize(
    "changed",
    [
        {"input": {}},
        {"input": {"size": 63, "widths": [4, 8, 8]}},
        {"input": {"size": 64, "widths": [4, 10**6]}},
        {"calibration": {}},
        {"calibration": {"kind": "logistic"}},
    ],
)
def test_a_card_that_makes_no_sense_is_a_card_error(make_card: MakeCard, changed: dict[str, object]) -> None:
    with pytest.raises(CardError):
        Lungs(make_card(**changed))


def test_weights_of_another_shape_are_a_card_error(make_card: MakeCard) -> None:
    with pytest.raises(CardError, match="do not fit"):
        Lungs(make_card(input={"size": 64, "widths": [4, 8, 16]})).run([film()])


def test_the_registry_makes_the_tool_of_its_card(make_card: MakeCard) -> None:
    registry = ToolRegistry({"small-lungs": make_card()})
    assert [tool.name for tool in registry.tools_for("xray/chest")] == ["small-lungs"]
    assert registry.tools_for("ct/chest") == []


def real_films(shared_data: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Films that never teach, spread over the list, with their masks."""
    with (shared_data / "images.csv").open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["domain"] == "cxr_cohen" and row["mask"]]
    rows = [row for row in rows if not re.match("CC BY [34]", row["license"])]
    out = []
    for row in rows[:: len(rows) // count][:count]:
        with Image.open(shared_data / row["file"]) as image, Image.open(shared_data / row["mask"]) as mask:
            out.append((np.asarray(image.convert("RGB")), np.asarray(mask.convert("L").resize(image.size)) > 127))
    return out


@pytest.fixture(scope="module")
def starter() -> Lungs:
    cards = find_cards()
    if "lungs" not in cards:
        pytest.skip("the starter has no card here; run: python -m training.lungs")
    return Lungs(cards["lungs"])


def test_the_starter_outlines_films_it_never_saw(starter: Lungs, shared_data: Path) -> None:
    films = real_films(shared_data, 8)
    outputs = starter.run([ToolImage(pixels, "xray/chest", KNOWN) for pixels, _ in films])
    masks = [next((one.pixels for one in output.pictures if one.kind == "mask"), None) for output in outputs]
    dice = [
        0.0 if mask is None else 2 * (mask & wanted).sum() / (mask.sum() + wanted.sum())
        for mask, (_, wanted) in zip(masks, films, strict=True)
    ]
    assert np.mean(dice) >= 0.88


@pytest.mark.parametrize("blank", [0, 128, 255])
def test_the_starter_measures_nothing_on_a_blank_film(starter: Lungs, blank: int) -> None:
    image = ToolImage(np.full((200, 180, 3), blank, dtype=np.uint8), "xray/chest", KNOWN)
    assert starter.run([image])[0].measurements == ()


def test_the_starter_measures_nothing_on_noise(starter: Lungs) -> None:
    assert starter.run([film(3, (256, 256))])[0].measurements == ()
