import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.events import ErrorEvent, Event
from overread.records import Context
from serve.batch import Output, Task, files_under, row_of
from serve.errors import ArgumentsError

TASK = Task("What is this?", Context())
FIELDS = [
    "file",
    "status",
    "study",
    "domain",
    "findings",
    "measurements",
    "answer",
    "refusal",
    "error",
    "elapsed_ms",
]


def row(name: str) -> dict[str, object]:
    return {"file": name, "status": "ok"}


def test_a_row_holds_the_parts_of_the_run_as_in_its_events(answered: list[Event]) -> None:
    made = row_of("a.dcm", answered, 12.5)
    assert list(made) == FIELDS
    assert (made["file"], made["status"], made["elapsed_ms"]) == ("a.dcm", "ok", 12.5)
    assert made["study"]["modality"] == "CR"
    assert made["domain"]["label"] == "xray/chest"
    assert [one["label"] for one in made["findings"]] == ["pneumonia"]
    assert [one["unit"] for one in made["measurements"]] == ["mm"]
    assert made["answer"] == answered[-1].answer  # type: ignore[union-attr]
    assert made["refusal"] is made["error"] is None
    json.dumps(made)


def test_a_refused_file_keeps_its_domain_and_an_unreadable_one_its_error(refused: list[Event]) -> None:
    made = row_of("a.png", refused, 1.0)
    assert (made["status"], made["refusal"]["reason"]) == ("refused", "out_of_domain")
    assert made["domain"]["accepted"] is False
    broken = row_of("b.png", [ErrorEvent(code="unreadable_input", message="no image")], 1.0)
    assert (broken["status"], broken["error"]["code"], broken["answer"]) == ("error", "unreadable_input", None)


def test_files_come_once_in_order_and_without_the_hidden_and_the_output(tmp_path: Path) -> None:
    for name in ("b/2.dcm", "b/1.dcm", "a.png", ".hidden/x.png", "b/.DS_Store", "out.jsonl", "out.jsonl.task"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = files_under([tmp_path / "b", tmp_path], but=tmp_path / "out.jsonl")
    assert found == [str(tmp_path / name) for name in ("b/1.dcm", "b/2.dcm", "a.png")]
    with pytest.raises(ArgumentsError, match="path 2"):
        files_under([tmp_path, tmp_path / "none"], but=tmp_path / "out.jsonl")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentsError, match="no file"):
        files_under([tmp_path / "empty"], but=tmp_path / "out.jsonl")


@given(written=st.integers(0, 4), torn=st.integers(0, 30))
def test_whatever_moment_it_was_killed_at_whole_rows_stay_and_a_torn_one_goes(
    tmp_path_factory: pytest.TempPathFactory, written: int, torn: int
) -> None:
    path = tmp_path_factory.mktemp("batch") / "out.jsonl"
    output = Output.open(path, TASK)
    for number in range(written):
        output.write(row(f"{number}.dcm"))
    whole = path.read_bytes() if path.exists() else b""
    with path.open("ab") as file:
        file.write(json.dumps(row("torn.dcm")).encode()[:torn])
    again = Output.open(path, TASK)
    assert path.read_bytes() == whole
    assert again.done == {f"{number}.dcm" for number in range(written)}
    assert again.counts["ok"] == written


def test_rows_of_two_questions_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    Output.open(path, TASK).write(row("1.dcm"))
    for other in (Task("Is it?", Context()), Task(TASK.question, Context(age_band="child"))):
        with pytest.raises(ArgumentsError, match="another question"):
            Output.open(path, other)
    stranger = tmp_path / "notes.jsonl"
    stranger.write_text("not ours\n", "utf-8")
    with pytest.raises(ArgumentsError, match="another question"):
        Output.open(stranger, TASK)
    assert stranger.read_text("utf-8") == "not ours\n"
