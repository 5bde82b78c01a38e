"""The assistant against the engine that writes for it: a language model over HTTP that says what a test has planted."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from evaluation.trust.asking import Answer
from evaluation.trust.backbone import against_the_engine, labels_for, right_in_words
from evaluation.trust.bench import Bench
from evaluation.trust.manifest import Row
from evaluation.trust.outcome import Measured, Outcome

LABELS = ["melanoma"]


@pytest.fixture
def rows(bench: Bench) -> list[Row]:
    """Three pictures with melanoma and one without."""
    ill = [row for row in bench.manifest.rows if row.holds("melanoma")]
    well = [row for row in bench.manifest.rows if not row.holds("melanoma")]
    return [*ill[:3], well[0]]


Measure = Callable[..., tuple[Outcome, Mapping[str, Measured]]]


@pytest.fixture
def measure(bench: Bench, tmp_path: Path) -> Measure:
    """``against_the_engine`` with the engine at a URL, in a state folder of its own."""

    def measured(rows: Sequence[Row], url: str | None, **chosen: object) -> tuple[Outcome, Mapping[str, Measured]]:
        own = {"state": tmp_path / "own", "llm_base_url": url, **chosen}
        outcome, silent = Outcome(), [cast(Answer, _Refused())] * len(rows)
        told = against_the_engine(bench, bench.settings.model_copy(update=own), rows, silent, outcome)
        outcome.figures = asyncio.run(told)
        return outcome, {one.name: one for one in outcome.figures}

    return measured


class _Refused:
    """An assistant's answer that says nothing: what the engine says alone is all there is to count."""

    refused = True

    def right(self, row: Row) -> None:
        """Nothing is decided."""


def test_what_a_model_says_in_its_own_words_is_held_against_the_manifest(rows: list[Row]) -> None:
    ill, well = rows[0], rows[-1]
    assert right_in_words("The lesion is brown. This is a melanoma.", LABELS, ill) is True
    assert right_in_words("There are no signs of melanoma.", LABELS, ill) is False
    assert right_in_words("There are no signs of melanoma.", LABELS, well) is True
    assert right_in_words("It may be a melanoma, which I cannot decide.", LABELS, ill) is None
    assert right_in_words("", LABELS, ill) is None


def test_an_engine_that_always_says_melanoma(measure: Measure, rows: list[Row], llm_server: Any) -> None:
    llm_server.script = ["This image ", "shows a melanoma."]
    outcome, told = measure(rows, llm_server.url("good"))
    assert told["the language model alone: decided something, and all of it right"].value == 0.75
    assert told["the language model alone: decided something wrongly"].value == 0.25
    assert told["whole assistant less the language model alone: right answers"].value == -0.5
    # Beside it stands what the same tools come to without its words.
    assert told["the composer with the tools: not refused"].n == 4
    assert "whole assistant less the composer with the tools: right answers" in told
    # Each is a conversation of its own, with the question alone: no tool, no evidence, no picture unless it sees.
    assert all([one["role"] for one in request["messages"]] == ["user"] for request in llm_server.requests)
    assert "image_url" not in str(llm_server.requests)
    assert any("no picture" in said for said in outcome.done)


def test_a_model_that_sees_is_shown_the_picture(measure: Measure, rows: list[Row], llm_server: Any) -> None:
    llm_server.script = ["No melanoma."]
    measure(rows[:1], llm_server.url("good"), llm_images=1)
    assert "data:image/png;base64," in str(llm_server.requests[-1]["messages"])


def test_an_engine_that_answers_nothing_is_said_and_not_counted(
    measure: Measure, rows: list[Row], llm_server: Any
) -> None:
    outcome, told = measure(rows, llm_server.url("fails"))
    assert told == {}
    assert any("answered 500" in said for said in outcome.not_done)


def test_the_composer_decides_nothing_without_tools(measure: Measure, rows: list[Row]) -> None:
    outcome, told = measure(rows[:1], None)
    assert told["the composer alone: decided something, and all of it right"].value == 0
    assert told["the composer alone: decided something wrongly"].value == 0
    assert any("no server is set" in said for said in outcome.not_done)


def test_labels_are_those_of_the_tools_that_look_at_the_kind(bench: Bench, rows: list[Row]) -> None:
    assert labels_for(bench, rows[0]) == LABELS
    assert labels_for(bench, replace(rows[0], domain=None)) == []
