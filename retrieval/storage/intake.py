"""Intake: reads files into staged texts, and reports what could not be read."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.chunks import cut
from retrieval.errors import SourceError
from retrieval.sources import reading
from retrieval.sources.document import Document
from retrieval.sources.files import File, opened
from retrieval.storage.staging import Staging

Progress = Callable[[str, int, int], None]
"""Told of a stage ("read", "words", "vectors"), how much of it is done and how much there is in all."""

_COMMIT_SECONDS = 5.0
_APART = ("readme", "license", "licence", "copying", "changelog", "contributing", "notice")
"""Files that lie beside documents and are none, unless they are named themselves."""


@dataclass
class Report:
    """What adding did. Counts are of documents but for ``files_unchanged`` and ``files_passed_over``.

    ``problems`` are the files, or members of archives, that could not be read whole, and why.
    """

    added: int = 0
    replaced: int = 0
    same: int = 0
    files_unchanged: int = 0
    files_passed_over: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)


def document_id(path: str, key: str) -> str:
    """The id of a document: of the file it came from, and its key there."""
    return hashlib.sha256(f"{path}\x00{key}".encode("utf-8", "surrogateescape")).hexdigest()[:12]


def take_in(
    staging: Staging, files: Sequence[tuple[Path, bool]], base: Path, progress: Progress, again: bool = False
) -> Report:
    """Read files on disk, with whether each was named itself, into staged texts.

    What has not changed is not read, unless ``again``. The base's own files are never read.
    """
    report = Report()
    sizes = [path.stat().st_size for path, _ in files]
    done, total, last = 0, sum(sizes), time.monotonic()
    inside = base.absolute()
    for (path, named), size in zip(files, sizes, strict=True):
        if inside not in path.parents:
            for at in _read_file(staging, path, named, report, again):
                progress("read", done + min(at, size), total)
            if time.monotonic() - last > _COMMIT_SECONDS:
                staging.commit()
                last = time.monotonic()
        done += size
        progress("read", done, total)
    staging.commit()
    return report


def _read_file(staging: Staging, path: Path, named: bool, report: Report, again: bool) -> Iterator[int]:
    """Read one file on disk with all its members; yields how many bytes of it are done."""
    where = str(path)
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").digest()
    except OSError as error:
        report.problems.append((where, f"it cannot be opened ({type(error).__name__})"))
        return
    if not again and staging.digest(where) == digest:
        report.files_unchanged += 1
        report.problems += staging.problems(where)
        return
    gone = staging.begin_file(where)
    before = report.added
    problem = None
    for file in opened(path, named):
        reason = _add(staging, file, report)
        if reason is not None:
            report.problems.append((file.path, reason))
            if file.path == where:
                problem = reason
            else:
                staging.end_file(file.path, b"", reason)
        yield file.at
    replaced = min(gone, report.added - before)
    report.replaced += replaced
    report.added -= replaced
    staging.end_file(where, digest, problem)


def _add(staging: Staging, file: File, report: Report) -> str | None:
    """Store the documents of a file; why it could not be read whole, or ``None``."""
    if file.problem is not None:
        return file.problem
    if not file.named and (reading.kind_of(file.data, file.path) is None or file.name.lower().startswith(_APART)):
        report.files_passed_over += 1
        return None
    seen: dict[str, int] = {}
    try:
        for document in reading.read(file.data, Path(file.path).name):
            seen[document.key] = seen.get(document.key, 0) + 1
            times = seen[document.key]
            key = document.key if times == 1 else f"{document.key}#{times}"
            content = _content(document)
            if staging.same_content(content) is not None:
                report.same += 1
                continue
            staging.add(document_id(file.path, key), file.path, content, document, cut(document))
            report.added += 1
    except SourceError as error:
        return str(error)
    return None


def _content(document: Document) -> bytes:
    parts = [
        document.title, document.text, document.source, document.url, document.licence, document.date, document.status,
        document.note, document.role, *document.domains, *document.names,
    ]  # fmt: skip
    return hashlib.sha256("\x00".join(str(part) for part in parts).encode()).digest()
