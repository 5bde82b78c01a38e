"""Similar cases, whole: added by a user, found by a question, gone when removed."""

from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from agent.assistant import Assistant
from agent.casebook import Casebook
from agent.cases import case_key, without_cases
from agent.engines import neighbours
from agent.errors import CaseError
from agent.evidence import Evidence, ledger_of
from agent.parts import Parts
from agent.request import Request
from agent.state import SeenCase
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.events import DoneEvent, Event, ToolResultEvent
from overread.records import Case
from overread.settings import Settings

RETINA = Path(skimage.__file__).parent / "data" / "retina.jpg"
DETECTOR = TextDetector()
QUESTION = "Show me similar cases."


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache", llm_base_url=None)


@pytest.fixture
def parts(own: Settings) -> Parts:
    return Parts(own)


async def ask(assistant: Assistant, question: str, *images: Path, thread: str | None = None) -> list[Event]:
    return [event async for event in assistant.ask(Request(question, images, thread=thread))]


def labels_in(events: list[Event]) -> list[str]:
    return [case.label for event in events if isinstance(event, ToolResultEvent) for case in event.cases]


def answer(events: list[Event]) -> str:
    (done,) = [event for event in events if isinstance(event, DoneEvent)]
    return done.answer


async def test_a_case_is_found_until_it_is_removed(own: Settings, parts: Parts) -> None:
    casebook = Casebook(own, parts)
    (added,) = casebook.add([RETINA], "seldom seen", "confirmed elsewhere")
    assert added.case is not None
    assert added.case.domain == "fundus"
    async with Assistant(own, parts) as assistant:
        events = await ask(assistant, QUESTION, RETINA, thread="mine")
        assert labels_in(events)[0] == "seldom seen"
        assert 'one is labelled "seldom seen"' in answer(events)
        assert "seldom seen" in answer(await ask(assistant, "Are there similar cases?", thread="mine"))

        casebook.own.remove(added.case.id)
        later = await ask(assistant, "Are there similar cases?", thread="mine")
        assert "seldom seen" not in answer(later)
        assert "four cases" in answer(later)
        assert "seldom seen" not in labels_in(await ask(assistant, QUESTION, RETINA))
    written = b"".join(file.read_bytes() for file in own.state.rglob("*") if file.is_file())
    assert added.case.id.encode() not in written


async def test_every_image_of_a_kind_with_cases_reaches_the_tool(own: Settings, parts: Parts) -> None:
    async with Assistant(own, parts) as assistant:
        events = await ask(assistant, "What is this?", RETINA)
    (result,) = [event for event in events if isinstance(event, ToolResultEvent)]
    assert (result.tool, result.status) == ("similar-cases", "ok")
    assert len(result.cases) == 5
    assert "cases of the index" not in answer(events)


def test_identity_in_a_label_or_a_note_is_refused(own: Settings, parts: Parts) -> None:
    casebook = Casebook(own, parts)
    with pytest.raises(CaseError, match="note"):
        list(casebook.add([RETINA], "drusen", "Mrs Margaret Thatcherson, born 13 October 1925"))
    with pytest.raises(CaseError, match="200"):
        list(casebook.add([RETINA], "drusen", "x" * 201))
    assert casebook.own.entries() == ()


def test_a_bad_file_stops_no_other(own: Settings, parts: Parts, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64), dtype=np.uint8)).save(tmp_path / "noise.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    results = list(Casebook(own, parts).add([tmp_path / "noise.png", tmp_path / "broken.png", RETINA], "drusen"))
    assert [result.case is None for result in results] == [True, True, False]
    assert all(result.reason for result in results[:2])


@given(
    st.lists(st.sampled_from(["glioma", "pituitary tumour", "no tumour", "unlabelled", "a, b"]), min_size=1, max_size=5)
)
def test_the_gate_lets_through_what_the_composer_counts(labels: list[str]) -> None:
    cases = [Case(id=f"C{number}", label=label, similarity=0.5) for number, label in enumerate(labels, 1)]
    seen = tuple(SeenCase(image="D1", case=case) for case in cases)
    text = " ".join(neighbours.sentences(cases, (), asked=True))
    released = Gate(Identity(), ledger_of(Evidence(about_image=True, knowledge=False, cases=seen)), DETECTOR).offline(
        text
    )
    assert [unit.claim for unit in released if unit.withheld] == []
    assert list(neighbours.sentences(cases, (), asked=False)) == []


def test_what_cites_a_removed_case_is_taken_out_of_earlier_turns() -> None:
    turns = [{"role": "assistant", "text": "It is a retina [D1]. One case is labelled “x” [C1, C2]. So much [C3]."}]
    (kept,) = without_cases(turns, ["C2"])
    assert kept["text"] == "It is a retina [D1]. So much [C3]."
    assert without_cases(turns, []) == turns
    assert case_key("a") != case_key("b")
