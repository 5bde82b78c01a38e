"""A model that a user plugs in, on pictures of which the truth is known: each part must find what was planted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.trust.bench import Bench
from evaluation.trust.explanation import taken
from evaluation.trust.fairness import fairness
from evaluation.trust.groups import groupings, holm
from evaluation.trust.leaks import Planted
from evaluation.trust.manifest import read_manifest
from evaluation.trust.outcome import Measured, Outcome, drawn_again, share_of
from evaluation.trust.outlines import dice, largest_part, moved, parts_of, points_in
from evaluation.trust.reliability import aurc, reliability
from evaluation.trust.robustness import robustness

Write = Callable[[Sequence[Mapping[str, str]]], Path]
NAME = "my-skin-model"


def figure(outcome: Outcome, name: str, subject: str = NAME) -> Measured:
    (found,) = [one for one in outcome.figures if one.name == name and one.subject == subject]
    return found


def only(bench: Bench, write: Write, rows: Sequence[Mapping[str, str]]) -> Bench:
    return replace(bench, manifest=read_manifest(write(rows)), _images={}, _decisions={})


def test_any_model_that_has_a_card_is_audited(bench: Bench) -> None:
    assert [subject.card.name for subject in bench.subjects] == [NAME]


def test_reliability_of_a_model_that_is_right_for_one_site(
    bench: Bench, write: Write, skin_rows: list[dict[str, str]]
) -> None:
    right = reliability(only(replace(bench, quick=True), write, [row for row in skin_rows if row["site"] == "a"]))
    assert figure(right, "AUROC, melanoma").value == 1
    assert figure(right, "wrong among the decided, melanoma").value == 0
    wrong = reliability(only(replace(bench, quick=True), write, [row for row in skin_rows if row["site"] == "b"]))
    assert figure(wrong, "AUROC, melanoma").value == 0
    ece = figure(wrong, "ECE, melanoma")
    assert ece.value is not None
    assert ece.value > 0.5
    assert ece.interval is not None
    assert ece.unshown
    assert any("domain none" in said for said in right.not_done)


def test_a_planted_gap_is_found_and_one_by_chance_is_not(bench: Bench) -> None:
    full = replace(bench, sizes=replace(bench.sizes, images=120))
    outcome = fairness(full)
    gap = figure(outcome, "worst gap, AUROC, melanoma, site")
    assert gap.value == 1
    assert "worst for b" in gap.note
    assert "beyond chance" in gap.note
    assert "may be chance" in figure(outcome, "worst gap, AUROC, melanoma, sex").note
    assert figure(outcome, "AUROC, melanoma, site b").value == 0


def test_too_few_is_said(bench: Bench, write: Write, skin_rows: list[dict[str, str]]) -> None:
    rows = [{**row, "site": "c" if number < 7 else row["site"]} for number, row in enumerate(skin_rows)]
    outcome = fairness(only(bench, write, rows))
    assert not [one for one in outcome.figures if one.name.endswith("site c")]
    assert any("too few to say" in said and "site c (n " in said for said in outcome.not_done)


def test_a_manifest_without_groups(bench: Bench, write: Write, skin_rows: list[dict[str, str]]) -> None:
    bare = [{name: row[name] for name in ("file", "domain", "labels")} for row in skin_rows]
    assert "no groups" in fairness(only(bench, write, bare)).not_done[0]


def test_brightness_harms_a_model_that_looks_at_brightness(
    bench: Bench, write: Write, skin_rows: list[dict[str, str]]
) -> None:
    outcome = robustness(only(bench, write, [row for row in skin_rows if row["site"] == "a"]))
    worst = figure(outcome, "change of the probability, worst corruption")
    assert worst.value is not None
    assert worst.value > 0.2
    assert worst.note.startswith("brightness")
    assert any(curve.title.startswith(NAME) for curve in outcome.curves)


def test_figures_without_rows_or_spread_have_no_interval() -> None:
    assert share_of("x", 0, 0, "m", None, "").value is None
    alike = drawn_again("x", lambda _: 1.0, ["a", "b"], "m", None, "")
    assert (alike.value, alike.interval) == (1, None)
    assert "no interval" in alike.note
    assert drawn_again("x", lambda _: float("nan"), ["a", "b"], "m", None, "").value is None
    one = drawn_again("x", lambda rows: float(rows.sum()), ["a", "a"], "m", None, "")
    assert one.interval is None


def test_a_share_without_spread_has_wilsons_interval() -> None:
    patients = [f"p{n // 2}" for n in range(40)]
    none = drawn_again("x", lambda _: 0.0, patients, "m", "lower", "", counted=20)
    assert none.interval == pytest.approx((0, 0.1611), abs=1e-4)
    assert "of 20 patients" in none.note
    assert drawn_again("x", lambda _: 0.5, patients, "m", None, "", counted=20).interval is None


def test_columns_of_which_one_tells_the_other_are_not_crossed(bench: Bench) -> None:
    rows = [
        replace(row, groups={"age": age, "band": "old" if age == "65+" else "adult", "sex": sex})
        for row, age, sex in zip(
            bench.manifest.rows, ["18-39", "40-64", "65+"] * 20, ["F", "F", "M", "M"] * 15, strict=False
        )
    ]
    named = replace(bench.manifest, rows=tuple(rows), group_columns=("age", "band", "sex"))
    found = groupings(replace(bench, manifest=named), rows)
    assert set(found) == {"age", "band", "sex", "age and sex", "band and sex"}
    assert len(found["age and sex"]) == 6


def test_an_outcome_comes_back_from_json_as_it_was(bench: Bench) -> None:
    outcome = reliability(replace(bench, quick=True))
    assert Outcome.of_json(outcome.as_json()) == outcome


def test_holm_never_calls_a_later_gap_likelier() -> None:
    gaps = [Measured(str(p), 0.1, 9, note=f"p = {p:.4f}") for p in (0.04, 0.001, 0.03)]
    found = [one.note.split("p = ")[1].split()[0] for one in holm(gaps)]
    assert found == ["0.060", "0.003", "0.060"]


def test_aurc_of_a_model_that_knows_when_it_is_wrong() -> None:
    correct = np.array([True] * 9 + [False])
    knows, not_ = np.linspace(1, 0.5, 10), np.linspace(0.5, 1, 10)
    assert aurc(knows, correct) == pytest.approx(0.01)
    assert aurc(not_, correct) > 0.2


def test_what_is_taken_away_is_the_hottest() -> None:
    display = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    heat = np.zeros((32, 32))
    heat[:16, :16] = 1
    gone = (taken(display, heat, 0.25) != display).any(axis=2)
    assert gone[:32, :32].mean() > 0.9
    assert not gone[32:].any()
    left = (taken(display, heat, 0.25, insert=True) != display).any(axis=2)
    assert not left[:32, :32].any()
    assert np.array_equal(taken(display, heat, 0.0), display)


def test_prompts_are_made_from_masks() -> None:
    mask = np.zeros((40, 50), bool)
    mask[5:25, 10:30] = True
    mask[35:38, 40:44] = True
    part = largest_part(mask)
    assert part.sum() == 400
    draw = np.random.default_rng(0)
    assert moved((10, 5, 30, 25), 0.0, (40, 50), draw).box == (10, 5, 30, 25)
    for _ in range(50):
        moved((10, 5, 30, 25), 0.5, (40, 50), draw).checked((40, 50))
    (best,) = points_in(part, 1, draw).points
    ten = points_in(part, 10, draw).points
    assert len(set(ten)) == 10
    assert ten[0] == best
    assert all(part[p.y, p.x] for p in ten)
    assert [one.sum() for one in parts_of(mask)] == [400]
    mask[30:36, 2:10] = True
    assert [one.sum() for one in parts_of(mask)] == [400, 48]
    assert dice(part, part) == 1
    assert dice(part, ~part) == 0


def test_planted_values_are_found_whatever_stands_between(tmp_path: Path) -> None:
    planted = Planted()
    assert planted.found_in("seen: QUILLIGAN, born 1953-02-17") == {"Quilligan", "19530217"}
    assert planted.found_in("a clean text of 2024") == frozenset()
    path = planted.dicom(tmp_path / "x.dcm")
    assert planted.found_in(path.read_bytes()) == frozenset(planted.values)
    (tmp_path / f"{planted.family}.txt").write_text("nothing")
    assert planted.found_under(tmp_path, but=[path]) == {"Quilligan"}


def test_an_image_that_cannot_be_read_is_named_by_its_line(
    bench: Bench, write: Write, skin_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    from evaluation.errors import ManifestError

    (tmp_path / "images" / "000.png").write_bytes(b"no picture")
    with pytest.raises(ManifestError, match="line 2"):
        reliability(only(bench, write, skin_rows[:4] + skin_rows[:1]))
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "000.png")
