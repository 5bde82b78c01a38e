"""Many files, one question: a row of JSONL for each, in order, and where to go on after an end that came too early."""

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overread.events import DomainEvent, DoneEvent, ErrorEvent, Event, RefusalEvent, StudyEvent, ToolResultEvent
from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from agent.assistant import Assistant
    from overread.records import Context


@dataclass(frozen=True)
class Task:
    """What is asked of every file."""

    question: str
    context: "Context"

    @property
    def digest(self) -> str:
        """Names the task without telling it: the SHA-256 of question and context."""
        return hashlib.sha256(f"{self.question}\x00{self.context.model_dump_json()}".encode()).hexdigest()


@dataclass
class Output:
    """The file of rows. ``done`` holds the files it has a row for; ``counts`` how many rows have each status.

    Beside it, ``NAME.task`` names the question it answers, so that rows of two questions never mix.
    """

    path: Path
    done: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def open(cls, path: Path, task: Task) -> "Output":
        """Go on with a file of rows, or begin one. Raises ``ArgumentsError`` when it answers something else.

        A last line that was not written to its end is cut off.
        """
        if path.is_dir() or not path.parent.is_dir():
            raise ArgumentsError("--out cannot be written: its folder is not there, or it names a folder")
        output, note = cls(path), path.with_name(f"{path.name}.task")
        try:
            there = path.exists() and path.stat().st_size > 0
            if there and (not note.is_file() or note.read_text("utf-8").strip() != task.digest):
                raise ArgumentsError("--out holds rows of another question or context; give another name")
            note.write_text(task.digest + "\n", encoding="utf-8")
            with path.open("a+b") as file:
                file.seek(0)
                file.truncate(sum(len(line) for line in output._whole_lines(file)))
        except OSError as error:
            raise ArgumentsError(f"--out cannot be written ({type(error).__name__}); check its folder") from None
        return output

    def _whole_lines(self, file: Any) -> Iterator[bytes]:
        for line in file:
            try:
                row = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                row = None
            if not isinstance(row, dict) or not isinstance(row.get("file"), str):
                return
            self.done.add(row["file"])
            self.counts[str(row.get("status"))] += 1
            yield line

    def write(self, row: dict[str, Any]) -> None:
        """Add a row, and see that it is on the disk before the next file is read."""
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.done.add(row["file"])
        self.counts[row["status"]] += 1


def files_under(paths: Sequence[Path], but: Path) -> list[str]:
    """Every file given or found under a folder given, each once, in order; hidden ones and ``but``'s own are left out.

    Each is one study: a zip archive of DICOM too. Raises ``ArgumentsError`` for a path that is not there,
    by its place, and when there is no file at all.
    """
    found: dict[str, None] = {}
    own = {but.absolute(), but.absolute().with_name(f"{but.name}.task")}
    for place, path in enumerate(paths, 1):
        if path.is_dir():
            below = (Path(folder) / name for folder, _, names in sorted(os.walk(path)) for name in sorted(names))
            seen = [one for one in below if not any(part.startswith(".") for part in one.relative_to(path).parts)]
        elif path.is_file():
            seen = [path]
        else:
            raise ArgumentsError(f"path {place} is no file or folder that is there; check it")
        found |= dict.fromkeys(str(one) for one in seen if one.absolute() not in own and one.is_file())
    if not found:
        raise ArgumentsError("there is no file under the paths given")
    return list(found)


async def rows(assistant: "Assistant", files: Sequence[str], task: Task) -> AsyncGenerator[dict[str, Any], None]:
    """The row of each file, as soon as it is there."""
    from agent.request import Request

    for file in files:
        began = time.monotonic()
        request = Request(question=task.question, images=(Path(file),), context=task.context)
        async with aclosing(assistant.ask(request)) as events:
            heard = [event async for event in events]
        yield row_of(file, heard, round((time.monotonic() - began) * 1000, 1))


def row_of(file: str, events: Sequence[Event], elapsed_ms: float) -> dict[str, Any]:
    """One line of the output: what a run's events say, each part as in the event of that name.

    A refused file keeps its domain and whatever was found.
    """
    last = {type(event): event for event in events}
    results = [event for event in events if isinstance(event, ToolResultEvent)]
    refusal, error, done = last.get(RefusalEvent), last.get(ErrorEvent), last.get(DoneEvent)
    return {
        "file": file,
        "status": "error" if error else "refused" if refusal else "ok",
        "study": _plain(last.get(StudyEvent)),
        "domain": _plain(last.get(DomainEvent)),
        "findings": [one.model_dump(mode="json") for result in results for one in result.findings],
        "measurements": [one.model_dump(mode="json") for result in results for one in result.measurements],
        "answer": done.answer if isinstance(done, DoneEvent) else None,
        "refusal": _plain(refusal),
        "error": _plain(error),
        "elapsed_ms": elapsed_ms,
    }


def _plain(event: Event | None) -> dict[str, Any] | None:
    return None if event is None else event.model_dump(mode="json")
