"""A second study given as the prior, whole: what is compared, what is not, and what is said of it."""

import csv
from pathlib import Path

import pydicom
import pytest
import skimage
from pydicom.data import get_testdata_file

from agent.assistant import Assistant
from agent.request import Request
from overread.events import (
    ClaimEvent,
    DomainEvent,
    DoneEvent,
    ErrorEvent,
    Event,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
)
from overread.records import Context

SAMPLES = Path(skimage.__file__).parent / "data"
RETINA, CAT = SAMPLES / "retina.jpg", SAMPLES / "chelsea.png"


async def ask(assistant: Assistant, question: str, *images: Path, **more: object) -> list[Event]:
    return [event async for event in assistant.ask(Request(question, images, **more))]  # type: ignore[arg-type]


def answer(events: list[Event]) -> str:
    done = events[-1]
    assert isinstance(done, DoneEvent)
    return done.answer


def slice_of(folder: Path, name: str, **values: str) -> Path:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(folder / name)
    return folder / name


def kermany(root: Path, label: str) -> Path:
    with (root / "images.csv").open(newline="", encoding="utf-8") as lines:
        return next(
            root / r["file"] for r in csv.DictReader(lines) if r["domain"] == "cxr_kermany" and r["label"] == label
        )


async def test_the_same_tool_on_both_makes_a_comparison(assistant: Assistant, shared_data: Path) -> None:
    new, old = kermany(shared_data, "pneumonia_bacterial"), kermany(shared_data, "normal")
    child = Context(age_band="child")
    events = await ask(assistant, "Has it changed?", new, prior=old, context=child, thread="films")
    studies = [event for event in events if isinstance(event, StudyEvent)]
    assert [study.prior for study in studies] == [False, True]
    results = [event for event in events if isinstance(event, ToolResultEvent) and event.tool == "chest-findings-child"]
    assert [result.study_id for result in results] == [study.study_id for study in studies]
    now, before = (result.findings[0] for result in results)
    said = next(
        event for event in events if isinstance(event, ClaimEvent) and {now.id, before.id} <= set(event.evidence)
    )
    assert said.verdict == "supported"
    assert "which is higher" in said.text
    assert "in the earlier image" in answer(events)
    # The next question is about the new image, and still knows the old one.
    assert "which is higher" in answer(await ask(assistant, "Has it changed?", thread="films"))


async def test_a_prior_of_another_kind_is_not_compared(assistant: Assistant, tmp_path: Path) -> None:
    events = await ask(assistant, "Has it grown?", slice_of(tmp_path, "a.dcm"), prior=RETINA)
    assert "I cannot compare a CT slice of the abdomen with a retinal fundus photograph." in answer(events)
    assert "The earlier image looks like a retinal fundus photograph" in answer(events)


async def test_a_prior_that_nothing_was_measured_in(assistant: Assistant) -> None:
    assert "no tool measured the same thing in both" in answer(
        await ask(assistant, "Has it grown?", RETINA, prior=RETINA)
    )


async def test_no_prior(assistant: Assistant) -> None:
    said = answer(await ask(assistant, "Has it grown?", RETINA))
    assert "I cannot compare with an earlier image, as none was given." in said
    assert "earlier image" not in answer(await ask(assistant, "What is this?", RETINA))


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        ({"PatientID": "ZX-1"}, {"PatientID": "ZX-2"}, "whose headers name different patients"),
        ({"StudyDate": "20040119"}, {"StudyDate": "20040120"}, "it is the later one"),
        ({}, {}, "no tool measured the same thing in both"),
    ],
)
async def test_the_header_decides_what_may_be_compared(
    assistant: Assistant, tmp_path: Path, new: dict[str, str], old: dict[str, str], reason: str
) -> None:
    events = await ask(
        assistant, "Has it grown?", slice_of(tmp_path, "a.dcm", **new), prior=slice_of(tmp_path, "b.dcm", **old)
    )
    assert reason in answer(events)
    written = "\n".join(event.model_dump_json() for event in events)
    assert not any(value in written for value in (*new.values(), *old.values()))


async def test_a_prior_that_is_no_medical_image(assistant: Assistant) -> None:
    events = await ask(assistant, "Has it grown?", RETINA, prior=CAT)
    assert [event.accepted for event in events if isinstance(event, DomainEvent)] == [True, False]
    assert "I do not know what kind of image it is" in answer(events)
    assert "retinal fundus photograph" in answer(events)


async def test_a_prior_that_cannot_be_read(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    events = await ask(assistant, "Has it grown?", RETINA, prior=tmp_path / "broken.png")
    assert [event.reason for event in events if isinstance(event, RefusalEvent)] == ["unreadable_input"]
    assert "as it cannot be read" in answer(events)


async def test_a_prior_of_an_image_that_is_refused_is_not_spoken_of(assistant: Assistant) -> None:
    events = await ask(assistant, "Has it grown?", CAT, prior=RETINA)
    assert not [event for event in events if isinstance(event, ToolResultEvent)]
    assert "retina" not in answer(events).lower()


async def test_a_prior_needs_one_image(assistant: Assistant) -> None:
    (event,) = await ask(assistant, "Has it grown?", RETINA, RETINA, prior=RETINA)
    assert isinstance(event, ErrorEvent)
    assert event.code == "bad_request"
