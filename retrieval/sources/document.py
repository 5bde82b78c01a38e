"""Documents: what a reader makes of a file, as plain text with its sections, pages and origin."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["knowledge", "report"]
"""A report is about one patient: it is found when it is looked for, and never quoted as knowledge."""

Status = Literal["current", "outdated", "retracted"]

MAX_TITLE = 300
MAX_NAMES = 50
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\ud800-\udfff]")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_MONTHS = {
    name: at
    for at, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}


@dataclass(frozen=True)
class Part:
    """A run of text under one heading: ``document.text[start:end]``; lines in it are paragraphs or list items.

    ``path`` are the headings above it, the outermost first. ``page`` counts from 1, or is ``None``.
    """

    path: tuple[str, ...]
    start: int
    end: int
    page: int | None = None


@dataclass(frozen=True)
class Document:
    """One document. ``key`` tells it from the others of the same file. ``date`` is YYYY, YYYY-MM or YYYY-MM-DD.

    ``note`` says why a document is outdated or retracted, where its source says so. ``names`` are what else its source
    calls its subject.
    """

    key: str
    title: str
    text: str
    parts: tuple[Part, ...]
    format: str
    source: str
    url: str | None = None
    licence: str | None = None
    date: str | None = None
    status: Status = "current"
    note: str | None = None
    domains: tuple[str, ...] = ()
    role: Role = "knowledge"
    names: tuple[str, ...] = ()


@dataclass
class Writer:
    """Builds a document part by part. White space is made single; the text is then what citations open."""

    key: str
    title: str
    format: str
    source: str
    about: dict[str, Any] = field(default_factory=dict)
    """Further fields of the document: url, licence, date, status, note, domains, role, names."""
    _pieces: list[str] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)
    _length: int = 0
    _path: tuple[str, ...] = ()

    def add(self, text: str, path: tuple[str, ...] = (), page: int | None = None) -> None:
        """Add a paragraph, or several lines, under the headings of ``path``. Text of white space alone is left out."""
        cleaned = clean(text)
        if not cleaned:
            return
        path = tuple(filter(None, (one_line(heading) for heading in path)))
        if path != self._path and path:
            self._put("\n".join(path[_common(path, self._path) :] or path[-1:]), "\n\n")
        last = self._parts[-1] if self._parts else None
        follows = last is not None and (last.path, last.page) == (path, page) and last.end == self._length
        start = self._put(cleaned, "\n" if follows or (path and path != self._path) else "\n\n")
        self._path = path
        if follows and last is not None:
            self._parts[-1] = replace(last, end=self._length)
        else:
            self._parts.append(Part(path, start, self._length, page))

    @property
    def empty(self) -> bool:
        """Whether nothing has been added."""
        return not self._parts

    def document(self) -> Document:
        """The document as it is now. Its title opens the text."""
        title = one_line(self.title)[:MAX_TITLE] or "Untitled"
        shift = len(title) + 2
        text = f"{title}\n\n" + "".join(self._pieces)
        parts = tuple(replace(part, start=part.start + shift, end=part.end + shift) for part in self._parts)
        return Document(self.key, title, text, parts, self.format, self.source, **self.about)

    def _put(self, text: str, gap: str) -> int:
        if self._pieces:
            self._pieces.append(gap)
            self._length += len(gap)
        start = self._length
        self._pieces.append(text)
        self._length += len(text)
        return start


def other_names(names: Iterable[str | None], title: str) -> tuple[str, ...]:
    """Names that a source lists, each once, on one line, without the title itself; at most ``MAX_NAMES``."""
    sound = (one_line(name or "")[:MAX_TITLE] for name in names)
    return tuple(dict.fromkeys(name for name in sound if name and name.lower() != one_line(title).lower()))[:MAX_NAMES]


def clean(text: str) -> str:
    """A text without control characters, white space made single, lines kept, blank lines gone."""
    lines = (" ".join(line.split()) for line in _sound(text).replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """A text with all its white space made single."""
    return " ".join(_sound(text).split())


def flowing(text: str) -> str:
    """Text whose line breaks mean nothing: paragraphs stay apart, the lines of each become one, words cut at a
    line's end are joined. List items keep their own line.
    """
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", text.replace("\r\n", "\n"))
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*•▪●]|\d{1,2}[.)])\s)", text)
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())


def iso_date(value: object) -> str | None:
    """A date such as 2013, 2013-8-1 or 2013-08-01T10:00Z as YYYY[-MM[-DD]], or ``None`` where it is none."""
    match = _DATE.match(str(value).strip()) if value is not None else None
    return date_of(match[1], match[2], match[3]) if match else None


def date_of(year: str | None, month: str | None = None, day: str | None = None) -> str | None:
    """A date from its parts as text; the month may be a name. What is not sound is left out."""
    if not year or not re.fullmatch(r"\d{4}", year.strip()):
        return None
    out = year.strip()
    number = _number(month, 12) or _MONTHS.get((month or "").strip()[:3].lower(), 0)
    if not number:
        return out
    out += f"-{number:02d}"
    date = _number(day, 31)
    return f"{out}-{date:02d}" if date else out


def _sound(text: str) -> str:
    return _CONTROL.sub("", text if text.isascii() else unicodedata.normalize("NFC", text))


def _number(text: str | None, most: int) -> int:
    text = (text or "").strip()
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0
    return value if 1 <= value <= most else 0


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return at
