"""Every DICOM file and one image of every set of the shared data goes through the whole agent."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pydicom

from agent.assistant import Assistant
from agent.request import Request
from overread.events import DomainEvent, DoneEvent, ErrorEvent, Event, ToolStartEvent, parse_event

IDENTIFYING = (
    "PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber", "StudyID",
    "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "InstitutionName", "InstitutionAddress",
    "StationName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "DeviceSerialNumber", "StudyDate",
    "StudyDescription", "SeriesDescription", "PatientComments", "ImageComments",
)  # fmt: skip


async def ask(assistant: Assistant, path: Path) -> list[Event]:
    events = [event async for event in assistant.ask(Request("What is this, and is it normal?", (path,)))]
    assert all(parse_event(event.model_dump_json()) == event for event in events)
    assert isinstance(events[-1], DoneEvent | ErrorEvent)
    return events


def header_values(path: Path) -> Iterator[str]:
    dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    for keyword in IDENTIFYING:
        value = str(dataset.get(keyword, "") or "")
        # A value of two letters, or one that is an ordinary word of the field, would be found in any text.
        if len(value) >= 4 and re.search(r"\d{4}|\^|[A-Z][a-z]+ [A-Z]", value):
            yield value
            yield from (part for part in value.split("^") if len(part) >= 4 and keyword.endswith("Name"))


def stands_in(value: str, text: str) -> bool:
    """Whether a value is in a text, and not only by chance within a random id or a checksum."""
    return re.search(rf"(?<![0-9a-z]){re.escape(value)}(?![0-9a-z])", text) is not None


async def test_every_dicom_file_ends_well_and_keeps_its_header_in(assistant: Assistant, shared_data: Path) -> None:
    files = sorted((shared_data / "dicom").glob("*.dcm"))
    assert len(files) > 20
    unread = []
    for path in files:
        events = await ask(assistant, path)
        written = "\n".join(event.model_dump_json() for event in events).lower()
        leaked = [value for value in header_values(path) if stands_in(value.lower(), written)]
        assert not leaked, path.name
        if isinstance(events[-1], ErrorEvent):
            assert events[-1].code == "unreadable_input"
            unread.append(path.stem)
    assert unread == ["RG3_JPLY"]


async def test_one_image_of_every_set_ends_well(assistant: Assistant, shared_data: Path) -> None:
    with (shared_data / "images.csv").open(newline="") as file:
        first = {row["domain"]: shared_data / row["file"] for row in csv.DictReader(file)}
    assert len(first) > 30
    for name, path in first.items():
        events = await ask(assistant, path)
        assert isinstance(events[-1], DoneEvent), name
        (domain,) = [event for event in events if isinstance(event, DomainEvent)]
        if name == "nonmedical_food":
            assert not domain.accepted
        if not domain.accepted:
            assert not [event for event in events if isinstance(event, ToolStartEvent)]
