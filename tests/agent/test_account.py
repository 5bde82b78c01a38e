"""What a run leaves in the audit log: real runs, the real log."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pydicom
import skimage
from pydicom.data import get_testdata_file

from agent.account import rules_sha256
from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from guardrails.audit import AuditLog, find, verify
from overread.cards import find_cards
from overread.events import DoneEvent, ErrorEvent, Event
from overread.settings import Settings

RETINA = Path(skimage.__file__).parent / "data" / "retina.jpg"
PLANTED = ("quisling", "thorvald", "4471829", "19430517", "blomkvist", "sundhagen")


async def ask(assistant: Assistant, question: str, *images: Path, **more: Any) -> list[Event]:
    return [event async for event in assistant.ask(Request(question, images, **more))]


def entries(settings: Settings) -> list[dict[str, Any]]:
    path = AuditLog(settings.state).path
    seen = verify(path)
    assert (seen.problems, seen.notes) == ([], [])
    return [json.loads(line)["entry"] for line in path.read_text("utf-8").splitlines()]


async def test_done_names_the_entry_and_the_entry_tells_the_run(assistant: Assistant) -> None:
    events = await ask(assistant, "What kind of image is this, and what is it used for?", RETINA)
    done = events[-1]
    assert isinstance(done, DoneEvent)
    entry = find(AuditLog(assistant.settings.state).path, done.audit_id)
    assert entry["run"] == done.run_id
    assert list(entry["inputs"].values()) == [hashlib.sha256(RETINA.read_bytes()).hexdigest()]
    assert entry["outcome"] == {"ended": "done", "citations": list(done.citations), "confidence": done.confidence}
    assert entry["answer_sha256"] == hashlib.sha256(done.answer.encode()).hexdigest()
    told = [(event["seq"], event["type"]) for event in entry["events"]]
    assert told == [(e.seq, e.type) for e in events if e.type not in ("delta", "done")]
    lines = done.run_id + "".join(event.model_dump_json() + "\n" for event in events[:-1])
    assert entry["events_sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    cards = {file.card.ref.sha256 for file in find_cards(assistant.settings).values()}
    assert entry["models"]
    assert all(model["sha256"] in cards for model in entry["models"])
    assert len(entry["index_sha256"]) == 64
    assert entry["software"]["rules_sha256"] == rules_sha256()
    verdicts = [event["verdict"] for event in entry["events"] if event["type"] == "claim"]
    assert verdicts == [event.verdict for event in events if event.type == "claim"]


async def test_the_same_question_has_the_same_hash_and_its_words_are_not_there(assistant: Assistant) -> None:
    for question in ("What is pneumonia?", "What is pneumonia?", "What is asthma?"):
        await ask(assistant, question)
    first, again, other = (entry["question"]["keyed_sha256"] for entry in entries(assistant.settings))
    assert first == again != other
    assert "neumonia" not in AuditLog(assistant.settings.state).path.read_text("utf-8")


async def test_no_planted_identity_is_in_the_log(own_settings: Settings, parts: Parts, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Quisling^Thorvald", "ZX-4471829", "19430517"
    dataset.ReferringPhysicianName, dataset.InstitutionName = "Blomkvist^Annika", "Sundhagen Sykehus"
    dataset.save_as(tmp_path / "Quisling_Thorvald.dcm")
    chosen = own_settings.model_copy(update={"audit_question": "redacted"})
    async with Assistant(chosen, parts) as assistant:
        question = "Is Mr Quisling (ZX-4471829) ill? Dr Blomkvist of Sundhagen Sykehus asks. What is a CT used for?"
        await ask(assistant, question, tmp_path / "Quisling_Thorvald.dcm", thread="Thorvald-Quisling")
    (entry,) = entries(chosen)
    assert "used for?" in entry["question"]["redacted"]
    written = json.dumps(entry).lower()
    assert not [secret for secret in PLANTED if secret in written]


async def test_a_run_that_fails_or_is_left_is_in_the_log_too(assistant: Assistant, tmp_path: Path) -> None:
    (tmp_path / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    await ask(assistant, "What is this?", tmp_path / "broken.dcm")
    stream = assistant.ask(Request("What is this?", (RETINA,)))
    await anext(stream)
    await stream.aclose()
    ends = [entry["outcome"] for entry in entries(assistant.settings)]
    assert ends == [{"ended": "error", "code": "unreadable_input"}, {"ended": "cancelled"}]


async def test_nothing_runs_when_it_cannot_be_written_down(assistant: Assistant) -> None:
    await ask(assistant, "What is pneumonia?")
    path = AuditLog(assistant.settings.state).path
    path.write_bytes(b"")
    (event,) = await ask(assistant, "What is pneumonia?")
    assert isinstance(event, ErrorEvent)
    assert event.code == "audit_failed"


async def test_without_a_log_the_id_is_the_digest_of_the_events(own_settings: Settings, parts: Parts) -> None:
    chosen = own_settings.model_copy(update={"audit": False})
    async with Assistant(chosen, parts) as assistant:
        events = await ask(assistant, "What is pneumonia?")
    done = events[-1]
    assert isinstance(done, DoneEvent)
    lines = done.run_id + "".join(event.model_dump_json() + "\n" for event in events[:-1])
    assert done.audit_id == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
    assert not AuditLog(chosen.state).path.exists()
