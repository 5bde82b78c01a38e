"""A question about a folder or a zip archive: one study, and the identity of every file in it stays in."""

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from agent.assistant import Assistant
from agent.request import Request
from overread.events import DomainEvent, DoneEvent, ErrorEvent, Event, StudyEvent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five slices, a letter, and a report that alone states who referred the patient."""
    found = tmp_path / "series"
    found.mkdir()
    for level in range(5):
        dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{level + 1}"
        dataset.ImagePositionPatient = [-158, -179, 5 * level]
        dataset.PatientName, dataset.PatientID = "Quisling^Thorvald", "ZX-4471829"
        if level == 4:
            dataset.ReferringPhysicianName = "Blomkvist^Annika"
        dataset.save_as(found / f"{(level * 7) % 5}.dcm")
    (found / "letter.txt").write_text("Dear Dr Blomkvist")
    return found


async def ask(assistant: Assistant, question: str, *images: Path, frame: int | None = None) -> list[Event]:
    return [event async for event in assistant.ask(Request(question, images, frame=frame))]


@pytest.mark.parametrize("kind", ["folder", "zip"])
async def test_a_series_is_one_study(assistant: Assistant, folder: Path, kind: str) -> None:
    given = folder if kind == "folder" else Path(shutil.make_archive(str(folder), "zip", folder))
    events = await ask(assistant, "Is Mr Quisling ill? Dr Blomkvist asks.", given)
    (study,) = (event for event in events if isinstance(event, StudyEvent))
    assert (study.images, study.frames, study.modality) == (5, 5, "CT")
    assert study.contents.not_dicom == 1
    assert study.privacy.header_removed
    (domain,) = (event for event in events if isinstance(event, DomainEvent))
    assert domain.frame == 2
    assert isinstance(events[-1], DoneEvent)
    written = "\n".join(event.model_dump_json() for event in events).lower()
    for secret in ("quisling", "4471829", "blomkvist", "series"):
        assert secret not in written.replace('"series":1', ""), secret


async def test_a_slice_can_be_asked_for(assistant: Assistant, folder: Path) -> None:
    events = await ask(assistant, "What is this?", folder, frame=4)
    assert [event.frame for event in events if isinstance(event, DomainEvent)] == [4]
    missing = await ask(assistant, "What is this?", folder, frame=5)
    assert isinstance(missing[-1], ErrorEvent)


async def test_two_patients_in_a_folder_are_one_error(assistant: Assistant, folder: Path) -> None:
    other = pydicom.dcmread(folder / "0.dcm")
    other.PatientID, other.SOPInstanceUID = "ZX-1", "1.2.3.99"
    other.save_as(folder / "other.dcm")
    events = await ask(assistant, "What is this?", folder)
    assert [type(event) for event in events] == [ErrorEvent]
    error = events[0]
    assert isinstance(error, ErrorEvent)
    assert error.code == "unreadable_input"
    assert "more than one patient" in error.message
