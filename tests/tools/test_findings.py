import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from overread.cards import STARTER, read_card
from overread.errors import CardError
from overread.records import Context
from tools.contract import ToolImage, ToolOutput
from tools.errors import ToolError
from tools.findings import Findings, heatmap, hot_box

SHARED = Path(os.environ.get("OVERREAD_SHARED", Path(__file__).parents[3] / "shared")) / "data"
CHILD = Findings(read_card(STARTER / "chest-findings-child" / "card.yaml"))
ADULT = Findings(read_card(STARTER / "chest-findings-adult" / "card.yaml"))
A_CHILD = Context(age_band="child", view="AP")


def run(tool: Findings, *images: NDArray[np.uint8], context: Context = A_CHILD) -> list[ToolOutput]:
    return tool.run([ToolImage(image, "xray/chest", context) for image in images])


def radiograph(size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """Two dark lungs in a bright chest, with noise: enough to run on, not to judge by."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / np.array(size)[:, None, None]
    lungs = sum(np.exp(-(((x - cx) / 0.14) ** 2 + ((y - 0.45) / 0.26) ** 2)) for cx in (0.3, 0.7))
    grey = 190 - 140 * lungs + np.random.default_rng(seed).normal(0, 6, size)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("size", [(200, 240), (64, 300), (3, 2), (7, 900)])
def test_an_image_of_any_shape_gets_findings_and_a_heatmap_of_its_size(size: tuple[int, int]) -> None:
    (output,) = run(CHILD, radiograph(size))
    (finding,) = output.findings
    assert finding.label == "pneumonia"
    assert finding.probability is not None
    assert finding.interval is not None
    assert finding.interval[0] <= finding.probability <= finding.interval[1]
    (picture,) = output.pictures
    assert picture.kind == "heatmap"
    assert picture.pixels.shape == size
    assert picture.pixels.dtype == np.float32
    assert 0 <= float(picture.pixels.min()) <= float(picture.pixels.max()) <= 1  # type: ignore[arg-type]


def test_a_batch_says_the_same_as_one_by_one() -> None:
    images = [radiograph((180, 200 + 9 * k), seed=k) for k in range(3)]
    together = run(CHILD, *images)
    alone = [run(CHILD, image)[0] for image in images]
    for one, other in zip(together, alone, strict=True):
        assert one.findings[0].decision == other.findings[0].decision
        assert one.findings[0].probability == pytest.approx(other.findings[0].probability, abs=1e-4)


@pytest.mark.parametrize(
    ("tool", "context"),
    [
        (CHILD, Context()),
        (CHILD, Context(age_band="adult", view="AP")),
        (ADULT, Context(age_band="adult")),
        (CHILD, Context(age_band="child", view="LL")),
        (ADULT, Context(age_band="child", view="PA")),
        (ADULT, Context(view="PA")),
    ],
)
def test_outside_its_population_nothing_is_decided_and_no_probability_shown(tool: Findings, context: Context) -> None:
    (output,) = run(tool, radiograph((120, 120)), context=context)
    assert output.reason == tool.card.population.misfit(context)
    assert {f.label for f in output.findings} == {label.name for label in tool.card.labels}
    for finding in output.findings:
        assert (finding.decision, finding.probability, finding.interval, finding.region) == (
            "indeterminate",
            None,
            None,
            None,
        )


def test_patients_of_several_kinds_in_one_batch_keep_their_order() -> None:
    image = radiograph((150, 150))
    contexts = [Context(age_band="adult", view="AP"), A_CHILD, Context(), A_CHILD]
    outputs = CHILD.run([ToolImage(image, "xray/chest", context) for context in contexts])
    assert [o.reason is None for o in outputs] == [False, True, False, True]


def test_a_decision_keeps_to_the_card() -> None:
    label = CHILD.card.labels[0]
    assert label.absent_below is not None
    assert label.present_from is not None
    for seed in range(6):
        finding = run(CHILD, radiograph((144, 144), seed))[0].findings[0]
        assert finding.probability is not None
        assert (finding.decision == "present") == (finding.probability >= label.present_from)
        assert (finding.region is not None) == (finding.decision == "present")


@pytest.mark.parametrize("localises", [True, False])
def test_only_a_model_whose_heatmap_points_gives_a_finding_a_place(localises: bool) -> None:
    file = read_card(STARTER / "chest-findings-child" / "card.yaml")
    label = file.card.labels[0].model_copy(update={"absent_below": None, "present_from": 0.0})
    card = file.card.model_copy(update={"labels": (label,), "localises": localises})
    (output,) = run(Findings(file.model_copy(update={"card": card})), radiograph((160, 160)))
    assert output.findings[0].decision == "present"
    assert (output.findings[0].region is not None) == localises
    assert [picture.kind for picture in output.pictures] == ["heatmap"]


def test_the_model_for_adults_gives_no_place() -> None:
    assert not ADULT.card.localises


@pytest.mark.parametrize("change", ["truncate", "rotate", "invert"])
def test_a_changed_image_is_answered(change: str) -> None:
    image = radiograph((200, 160))
    changed = {
        "truncate": image[:40],
        "rotate": np.rot90(image),
        "invert": 255 - image,
    }[change]
    (output,) = run(CHILD, changed)
    assert output.findings[0].decision in ("present", "absent", "indeterminate")
    assert np.isfinite(output.pictures[0].pixels).all()  # type: ignore[arg-type]


def test_weights_that_were_altered_or_are_gone_are_a_card_error(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(STARTER / "chest-findings-child", folder)
    bytes_ = bytearray((folder / "weights.safetensors").read_bytes())
    bytes_[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(bytes_)
    with pytest.raises(CardError, match="SHA-256"):
        run(Findings(read_card(folder / "card.yaml")), radiograph((50, 50)))
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CardError, match="missing"):
        run(Findings(read_card(folder / "card.yaml")), radiograph((50, 50)))


def test_a_card_that_names_another_shape_is_a_card_error(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(STARTER / "chest-findings-child", folder)
    text = (folder / "card.yaml").read_text(encoding="utf-8")
    (folder / "card.yaml").write_text(text.replace("size: 144", "size: 0"), encoding="utf-8")
    with pytest.raises(CardError, match="out of range"):
        Findings(read_card(folder / "card.yaml"))
    (folder / "card.yaml").write_text(text.replace("[32, 64, 128, 192]", "[8, 16, 32, 64]"), encoding="utf-8")
    with pytest.raises(CardError, match="do not fit"):
        run(Findings(read_card(folder / "card.yaml")), radiograph((50, 50)))


@settings(max_examples=50)
@given(
    hnp.arrays(np.float32, (9, 9), elements=st.floats(-50, 50, width=32)),
    st.integers(1, 700),
    st.integers(1, 700),
)
def test_the_box_lies_in_the_image_and_the_heat_in_its_range(cells: NDArray[np.float32], high: int, wide: int) -> None:
    x0, y0, x1, y1 = hot_box(cells, (high, wide))
    assert 0 <= x0 < x1 <= wide
    assert 0 <= y0 < y1 <= high
    heat = heatmap(cells, (high, wide))
    assert heat.shape == (high, wide)
    assert heat.min() >= 0
    assert heat.max() <= 1


def test_the_box_is_round_the_hot_cells() -> None:
    cells = np.zeros((9, 9), dtype=np.float32)
    cells[2:4, 5:7] = 5
    cells[8, 0] = 4.5
    assert hot_box(cells, (90, 90)) == (50, 20, 70, 40)


def test_an_empty_batch_gives_nothing() -> None:
    assert CHILD.run([]) == []


def test_another_domain_is_refused_before_any_pixel_is_read() -> None:
    with pytest.raises(ToolError):
        CHILD.run([ToolImage(radiograph((20, 20)), "ct/chest", A_CHILD)])


@pytest.mark.skipif(not (SHARED / "images.csv").is_file(), reason="the data to measure on is not on this machine")
def test_children_never_trained_on_are_told_apart() -> None:
    from training.chest_child import SEED
    from training.pictures import read_pictures, share

    unseen = [p for p in read_pictures(SHARED, ["cxr_kermany"]) if share(p.patient, SEED) >= 0.85]
    ill = [p for p in unseen if p.label != "normal"][:40]
    well = [p for p in unseen if p.label == "normal"][:40]
    images = []
    for picture in (*ill, *well):
        with Image.open(picture.path) as image:
            images.append(np.asarray(image.convert("RGB")))
    said = [output.findings[0].decision for output in run(CHILD, *images)]
    assert said[: len(ill)].count("present") >= 0.8 * len(ill)
    assert said[: len(ill)].count("absent") <= 0.1 * len(ill)
    assert said[len(ill) :].count("absent") >= 0.75 * len(well)
    assert said[len(ill) :].count("present") <= 0.1 * len(well)


@pytest.mark.skipif(not (SHARED / "images.csv").is_file(), reason="the data to measure on is not on this machine")
def test_the_lists_are_those_the_card_was_trained_on() -> None:
    with (SHARED / "train" / "images.csv").open(newline="", encoding="utf-8") as lines:
        kermany = [row for row in csv.DictReader(lines) if row["domain"] == "cxr_kermany"]
    assert 0 < CHILD.card.training[0].images < len(kermany)
