"""When a sentence leaves the gate, whether the stream equals the whole, and the pattern stage beside Presidio."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation import pattern_speed, stream_equality
from evaluation.figure import Aim, Figure, as_lines, at_least, at_most, share
from evaluation.gate_latency import BEHIND, answers, detectors, figures, leaving
from guardrails.gate import HOLD_BACK, Gate
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector

QUERIES = (
    "Can I give lisinopril to David S., seen at Elm Clinic on Jan 15th, 2023 (MRN: 998877)?",
    "What is the usual dose of metformin in a patient with an eGFR of 45? Seen by Dr. Smith.",
)


@pytest.fixture
def phi(tmp_path: Path) -> Path:
    rows = [{"text": text, "phi": [{"value": "Jan 15th, 2023", "identifier_type": "DATE"}]} for text in QUERIES]
    (tmp_path / "asq_phi_dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    texts = [{"full_text": text, "spans": []} for text in QUERIES]
    (tmp_path / "presidio_generated_large.json").write_text(json.dumps(texts), "utf-8")
    return tmp_path


def test_a_connective_text_waits_for_the_hold_back_alone() -> None:
    ((text, ledger),) = answers(most=1)
    left = list(leaving(Gate(Identity(), ledger, TextDetector()), text))
    waited = [one.behind for one in left if one.behind is not None]
    # One character of white space belongs to the sentence, and one more is the chunk that decides.
    assert waited
    assert all(HOLD_BACK <= behind <= HOLD_BACK + 2 for behind in waited)
    assert left[0].verdict == "not_checkable"
    assert [one.verdict for one in left].count("not_checkable") >= BEHIND.count(".")


def test_the_time_covers_the_gates_work_for_each_released_sentence() -> None:
    found = {figure.name: figure for figure in figures(most=3)}
    assert set(detectors()) >= {"without the tagger"}
    p50, p95 = found["gate, ms p50 without the tagger"], found["gate, ms p95 without the tagger"]
    assert p50.value is not None
    assert p95.value is not None
    assert 0 < p50.value <= p95.value
    assert p95.n == p50.n >= 12


def test_every_chunking_is_tried_and_none_differs(phi: Path) -> None:
    (figure,) = stream_equality.figures(phi)
    alone = sum(len(text) + 2 for text in QUERIES)
    together = 1 + len(range(0, len(" ".join(QUERIES)) + 1, stream_equality.STEP))
    assert figure.n == alone + together
    assert figure.value == 0
    assert figure.met


def test_both_see_the_same_texts_in_turn(phi: Path) -> None:
    found = pattern_speed.figures(phi)
    assert found[0].name.endswith("with 17 recognizers")
    assert found[0].aim == at_least(10)
    assert all(figure.value is not None and figure.value > 0 for figure in found)
    seen: list[tuple[str, str]] = []
    pattern_speed.block_times(
        [lambda text: seen.append(("a", text)), lambda text: seen.append(("b", text))], ["x", "y", "z"], block=2
    )
    assert seen[2:] == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("a", "z"), ("b", "z")]


def test_presidio_fetches_nothing_and_finds_what_it_should() -> None:
    look, recognizers = pattern_speed.presidio()
    assert recognizers == 17
    assert look("mail john.doe@example.com")


def test_a_figure_says_whether_its_aim_is_met() -> None:
    assert share("x", 9, 10, at_least(0.9)).met
    assert not share("x", 8, 10, at_least(0.9)).met
    assert share("x", 0, 10, at_most(0)).met
    assert Figure("x", None, 0, aim=Aim("at most", 1)).met is None
    assert Figure("x", 1, 1).met is None
    row = json.loads(as_lines([share("x", 1, 4, at_most(0.5))]))
    assert (row["value"], row["aim"], row["met"], row["n"]) == (0.25, "<= 0.5", True, 4)
    assert row["interval"][0] < 0.25 < row["interval"][1]


def test_block_times_have_a_row_a_block() -> None:
    times = pattern_speed.block_times([len, len], ["x"] * 5, block=2)
    assert times.shape == (3, 2)
    assert np.isfinite(times).all()
