"""Takes identity out of files: text, JSONL, DICOM, PNG and JPEG. Originals are never changed.

One ``Redactor`` serves one call. Images go first, so that what their headers said of a patient is known when
the texts are read, and the same UID or patient becomes the same pseudonym in every file. What is written is
numbered: file names can hold a name.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from agent.errors import RedactionError
from overread.errors import OverreadError
from overread.records import Record
from overread.settings import Settings

if TYPE_CHECKING:
    from guardrails.phi.profile import Retained
    from guardrails.phi.spans import Redacted
    from tools.imaging.study import Study

Kind = Literal["dicom", "picture", "jsonl", "text"]
_SUFFIX: dict[Kind, str] = {"dicom": ".dcm", "jsonl": ".jsonl", "text": ".txt"}
_TEXT_SUFFIXES = frozenset((".txt", ".md", ".csv", ".tsv", ".json", ".xml", ".html", ".log", ".yaml", ".yml"))
_SHORTEST_KEY, _LONGEST_KEY = 16, 4096
_BLOCK = 100_000
"""Characters of a text that are looked at together; longer texts are cut between lines."""


class Receipt(Record):
    """What became of one file. ``removed`` counts by kind; values and file names are in no receipt.

    ``number`` is the file's place: arguments in order, a folder's files by path. ``output`` is the name that
    was written, ``None`` when the file could not be redacted, and ``reason`` then says why. ``carried`` names the
    columns of a JSONL file that were not looked at.
    """

    number: int
    kind: Kind | None = None
    status: Literal["ok", "error"] = "ok"
    output: str | None = None
    reason: str | None = None
    removed: dict[str, int] = Field(default_factory=dict)
    carried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """Which files are read, in order, and where to: one file, or a folder of numbered ones."""

    files: tuple[Path, ...]
    out: Path
    is_folder: bool


def plan(paths: Sequence[Path], out: Path) -> Work:
    """The files under ``paths`` and where they go, checked before anything is read. Raises ``RedactionError``.

    One file goes to the file ``out`` when that has a suffix, or the file is JSONL; else ``out`` is a folder,
    which must be new or empty. It never lies in what is read, nor is it one of the files.
    """
    files: list[Path] = []
    target = out.resolve()
    for path in paths:
        source = path.resolve()
        if not path.exists():
            raise RedactionError("one of the paths is not there; check them")
        if target == source or (path.is_dir() and target.is_relative_to(source)):
            raise RedactionError("the output lies in the input; give a place outside it")
        files += _files_in(path) if path.is_dir() else [path]
    if not files:
        raise RedactionError("there are no files in what was given")
    alone = len(paths) == 1 and paths[0].is_file()
    if alone and not out.is_dir() and (out.suffix or files[0].suffix.lower() == ".jsonl"):
        if out.exists() and out.samefile(files[0]):
            raise RedactionError("the output is the input; give another name")
        if not out.parent.is_dir():
            raise RedactionError("the output cannot be written: its folder is not there")
        return Work(tuple(files), out, is_folder=False)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RedactionError("the output is there already; give a folder that is new or empty")
    return Work(tuple(files), out, is_folder=True)


class Redactor:
    """Redacts the files of one call. Not thread-safe.

    ``retained`` is what stays of a DICOM header beside the Basic Profile. With a ``key``, pseudonyms, UIDs and moved
    dates are the same in every call with that key.
    """

    def __init__(self, settings: Settings, retained: "Retained | None" = None, key: bytes | None = None) -> None:
        from guardrails.phi.header import HeaderStripper
        from guardrails.phi.pixels import TextReader
        from guardrails.phi.text import TextDetector

        self._settings = settings
        self._detector = TextDetector()
        self._stripper = HeaderStripper(
            max_depth=settings.max_sequence_depth, retained=retained, key=key, detector=self._detector
        )
        self._reader = TextReader()

    def run(self, work: Work) -> Iterator[Receipt]:
        """Redact every file; a receipt each as it is done, images first. A bad file stops nothing."""
        if work.is_folder:
            work.out.mkdir(parents=True, exist_ok=True)
        later: list[int] = []
        for number, path in enumerate(work.files, start=1):
            if _looks_like_text(path):
                later.append(number)
            else:
                yield self._receipt(number, path, work)
        for number in later:
            yield self._receipt(number, work.files[number - 1], work)

    def text(self, text: str) -> "Redacted":
        """A text without the identity in it, and where that was. Raises ``DetectorError``."""
        from guardrails.phi.spans import Span, replace

        identity, spans = self._stripper.identity, []
        for start, block in _blocks(text):
            found = [*identity.find(block), *self._detector.spans(block)]
            spans += [Span(span.start + start, span.end + start, span.kind) for span in found]
        return replace(text, spans)

    def _receipt(self, number: int, path: Path, work: Work) -> Receipt:
        from tools.imaging.bounds import FAULTS, read_bytes

        try:
            data = read_bytes(path, self._settings)
            kind, suffix = _kind_of(data, path)
            clean, removed, carried = self._redacted(kind, data)
            target = work.out / f"{number:04d}{suffix}" if work.is_folder else work.out
            _write(target, clean)
        except OverreadError as error:
            return Receipt(number=number, status="error", reason=str(error))
        except FAULTS as error:
            return Receipt(
                number=number, status="error", reason=f"the file cannot be redacted ({type(error).__name__})"
            )
        return Receipt(
            number=number,
            kind=kind,
            output=target.name if work.is_folder else "the output",
            removed=dict(sorted((+removed).items())),
            carried=carried,
        )

    def _redacted(self, kind: Kind, data: bytes) -> tuple[bytes, Counter[str], tuple[str, ...]]:
        if kind == "dicom":
            return *self._dicom(data), ()
        if kind == "picture":
            return *self._picture(data), ()
        text = _decoded(data)
        if kind == "jsonl":
            return self._jsonl(text)
        redacted = self.text(text)
        return redacted.text.encode(), Counter(span.kind for span in redacted.spans), ()

    def _dicom(self, data: bytes) -> tuple[bytes, Counter[str]]:
        from agent.dicom_writing import dicom_bytes, without_regions
        from guardrails.phi.header import HeaderStripper
        from guardrails.phi.pixels import header_speaks_of_text
        from tools.imaging.dataset import parse
        from tools.imaging.reader import read_study_bytes

        before = self._stripper.removed, self._stripper.replaced
        parsed = parse(data, self._settings)
        counts: Counter[str] = Counter()
        if parsed.pixels is not None and header_speaks_of_text(parsed.header):
            study = read_study_bytes(data, HeaderStripper(self._stripper.identity), self._settings)
            counts["regions_masked"] = self._mask(study)
            parsed = without_regions(parsed, study.masked, self._settings)
        clean = dicom_bytes(parsed, self._stripper)
        counts["header_removed"] = self._stripper.removed - before[0]
        counts["header_replaced"] = self._stripper.replaced - before[1]
        return clean, counts

    def _picture(self, data: bytes) -> tuple[bytes, Counter[str]]:
        from guardrails.phi.pictures import without_metadata, without_regions
        from tools.imaging.reader import read_study_bytes

        before = self._stripper.removed
        # Read whole, so that a file that is no picture is told, and what its texts say of a patient is known.
        study = read_study_bytes(data, self._stripper, self._settings)
        counts = Counter({"metadata_removed": self._stripper.removed - before, "regions_masked": self._mask(study)})
        return without_regions(without_metadata(data), study.masked), counts

    def _mask(self, study: "Study") -> int:
        from agent.burned_in import mask_burned_in

        identity = self._stripper.identity
        return mask_burned_in(study, self._reader, identity, self._detector, always=True) or 0

    def _jsonl(self, text: str) -> tuple[bytes, Counter[str], tuple[str, ...]]:
        removed: Counter[str] = Counter()
        carried: set[str] = set()
        lines: list[str] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            row = _row(number, line)
            redacted = self.text(row["text"])
            spans = [{"start": span.start, "end": span.end, "kind": span.kind} for span in redacted.spans]
            removed.update(span.kind for span in redacted.spans)
            carried |= row.keys() - {"text", "spans"}
            lines.append(json.dumps({**row, "text": redacted.text, "spans": spans}, ensure_ascii=False) + "\n")
        return "".join(lines).encode(), removed, tuple(sorted(carried))


def read_key(path: Path) -> bytes:
    """The key in a file, which is made when it is not there, for its owner alone. Raises ``RedactionError``."""
    try:
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
        with path.open("rb") as file:
            key = file.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise RedactionError(f"the key file cannot be read or made ({type(error).__name__})") from None
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise RedactionError(f"a key file has {_SHORTEST_KEY} to {_LONGEST_KEY} bytes that nobody can guess")
    return key


def _row(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise RedactionError(f"line {number}: it is not JSON; every line must be one JSON object") from None
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise RedactionError(f'line {number}: it needs to be an object with "text", a string')
    return row


def _files_in(folder: Path) -> list[Path]:
    """Every file under a folder, by path. Links to folders are not followed."""
    found = [Path(parent) / name for parent, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if path.is_file())


def _kind_of(data: bytes, path: Path) -> tuple[Kind, str]:
    """What a file is by its content, and the suffix of what is written. Raises ``RedactionError``."""
    from tools.imaging.dataset import looks_like_dicom

    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "picture", ".png"
    if data.startswith(b"\xff\xd8\xff"):
        return "picture", ".jpg"
    if data[128:132] == b"DICM" or (b"\0" in data[:4096] and looks_like_dicom(data)):
        return "dicom", ".dcm"
    if b"\0" in data:
        raise RedactionError("the file is of no kind that can be redacted: give text, JSONL, DICOM, PNG or JPEG")
    suffix = path.suffix.lower()
    kind: Kind = "jsonl" if suffix == ".jsonl" else "text"
    return kind, suffix if kind == "text" and suffix in _TEXT_SUFFIXES else _SUFFIX[kind]


def _looks_like_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return False
    return b"\0" not in head and not head.startswith((b"\x89PNG", b"\xff\xd8\xff")) and head[128:132] != b"DICM"


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RedactionError("the text is not UTF-8; save it as UTF-8") from None


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces of at most about ``_BLOCK`` characters, cut behind a line where there is one, else a space."""
    start = 0
    while len(text) - start > _BLOCK:
        end = start + _BLOCK
        cut = max(
            text.rfind("\n", start + 1, end), text.rfind(" ", start + 1, end) if "\n" not in text[start:end] else -1
        )
        end = cut + 1 if cut > start else end
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _write(target: Path, data: bytes) -> None:
    """Whole or not at all, and never through a link that is there."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    except OSError as error:
        raise RedactionError(f"the output cannot be written ({type(error).__name__})") from None
    finally:
        part.unlink(missing_ok=True)
