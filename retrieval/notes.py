"""Notes: short Markdown texts on findings, each sentence with the references it rests on.

A note is a YAML front matter and sections under ``##`` headings. A sentence ends with one or more
markers such as ``[^nhlbi-pneumonia]``, each an id in ``references.yaml`` beside the notes. Markers
are taken out of the plain text, and remembered with each sentence.
"""

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from overread.domains import covers
from retrieval.errors import NoteError

STARTER = Path(__file__).parent / "knowledge"
"""The folder of the starter notes that come with the package."""

SECTIONS = ("What it is", "How it looks", "What else looks like it", "How it is confirmed", "Pitfalls")
"""The headings a starter note may have, in this order."""

REFERENCES_FILE = "references.yaml"
MAX_FILE_BYTES = 4 * 2**20
"""A note or reference list larger than this is refused before it is read."""

MARKER = re.compile(r"\[\^([a-z0-9][a-z0-9-]*)\]")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)
_MARKED = re.compile(r"(.+?)((?:\s*\[\^[a-z0-9][a-z0-9-]*\])+)(?=\s|$)", re.DOTALL)
_UNMARKED = re.compile(r".+?(?:[.!?](?=\s+[A-Z0-9])|$)", re.DOTALL)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Strict):
    """A document that was opened and read: what it is, where it is, and how it was read."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    source: str = Field(min_length=1, description="Publisher or journal.")
    url: str | None = Field(None, pattern=r"^https?://\S+$")
    licence: str | None = None
    opened: str = Field(min_length=1, description="Where and how the document was read.")

    @property
    def label(self) -> str:
        """Publisher and title in one line."""
        return f"{self.source}, {self.title}"


class _FrontMatter(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    domains: tuple[str, ...] = Field(description="Domain labels the note speaks of; () for any.")
    findings: tuple[str, ...] = Field((), description="Labels of the tools' findings this note explains.")
    synonyms: tuple[str, ...] = Field((), description="Other names and abbreviations a question may use.")
    signs: tuple[str, ...] = Field((), description="What the note tells of beside its subject: signs, measures, kinds.")
    licence: str
    date: datetime.date


@dataclass(frozen=True)
class Sentence:
    """One sentence: ``note.text[start:end] == text``, with the ids of its references."""

    text: str
    start: int
    end: int
    references: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A heading and its sentences, in order."""

    heading: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Note:
    """A note as plain text with offsets. ``text`` holds the title, the headings and every sentence."""

    id: str
    title: str
    domains: tuple[str, ...]
    findings: tuple[str, ...]
    synonyms: tuple[str, ...]
    signs: tuple[str, ...]
    licence: str
    date: datetime.date
    text: str
    sections: tuple[Section, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What a question may call this note's subject: its title and synonyms."""
        return (self.title, *self.synonyms)

    def speaks_of(self, domain: str) -> bool:
        """Whether the note is about images of a domain, or of its modality where only that is known."""
        return any(covers(domain, own) or covers(own, domain) for own in self.domains)

    def sentences(self) -> Iterator[Sentence]:
        """All sentences in order."""
        for section in self.sections:
            yield from section.sentences


@dataclass(frozen=True)
class Library:
    """Notes and the references they name, by id."""

    notes: tuple[Note, ...]
    references: Mapping[str, Reference]


def read_library(folder: Path) -> Library:
    """Every note (``*.md``) of a folder and its reference list. Raises ``NoteError``.

    A folder without ``references.yaml`` is a library whose notes name no references.
    """
    paths = sorted(folder.glob("*.md")) if folder.is_dir() else []
    if not paths:
        raise NoteError(f"the knowledge folder {folder.name!r} holds no note; put Markdown notes (*.md) in it")
    listed = folder / REFERENCES_FILE
    references = read_references(listed) if listed.is_file() else {}
    notes = tuple(read_note(path) for path in paths)
    seen: dict[str, str] = {}
    for note, path in zip(notes, paths, strict=True):
        if note.id in seen:
            raise NoteError(f"{path.name} and {seen[note.id]} have the same id {note.id!r}; give one another id")
        seen[note.id] = path.name
        for sentence in note.sentences():
            for reference in sentence.references:
                if reference not in references:
                    raise NoteError(f"{path.name} names the reference {reference!r}, which {REFERENCES_FILE} lacks")
    return Library(notes, references)


def read_references(path: Path) -> dict[str, Reference]:
    """The reference list by id. Raises ``NoteError`` on a malformed or repeated entry."""
    entries = _yaml(_read(path), path.name)
    if not isinstance(entries, list):
        raise NoteError(f"{path.name} is not a list of references")
    found: dict[str, Reference] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            reference = Reference.model_validate(entry)
        except ValidationError as error:
            raise NoteError(f"{path.name}: entry {number}: {_first(error)}") from None
        if reference.id in found:
            raise NoteError(f"{path.name}: the id {reference.id!r} is there twice")
        found[reference.id] = reference
    return found


def read_note(path: Path) -> Note:
    """One note. Raises ``NoteError`` when its form is broken."""
    return parse_note(_read(path), path.name)


def parse_note(markdown: str, name: str) -> Note:
    """A note from its Markdown. ``name`` is used in messages. Raises ``NoteError``."""
    match = _FRONT.match(markdown.replace("\r\n", "\n"))
    if match is None:
        raise NoteError(f"{name} does not start with a front matter between two lines of ---")
    try:
        front = _FrontMatter.model_validate(_yaml(match[1], name))
    except ValidationError as error:
        raise NoteError(f"{name}: {_first(error)}") from None
    body = match[2]
    headings = list(_HEADING.finditer(body))
    if not headings:
        raise NoteError(f"{name} has no section; start one with a line such as '## {SECTIONS[0]}'")
    if body[: headings[0].start()].strip():
        raise NoteError(f"{name} has text before its first section; move it under a heading")
    text = front.title
    sections = []
    ends = [heading.start() for heading in headings[1:]] + [len(body)]
    for heading, end in zip(headings, ends, strict=True):
        text += f"\n\n{heading[1]}\n"
        sentences: list[Sentence] = []
        for plain, references in split_sentences(body[heading.end() : end]):
            if sentences:
                text += " "
            sentences.append(Sentence(plain, len(text), len(text) + len(plain), references))
            text += plain
        sections.append(Section(heading[1], tuple(sentences)))
    return Note(text=text, sections=tuple(sections), **dict(front))


def split_sentences(body: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The sentences of a section with the ids of their references, white space made single.

    A run of markers ends a sentence. Text after the last marker, or text with none, is split at
    full stops that a capital follows, and has no references.
    """
    rest = body.strip()
    while rest:
        match = _MARKED.match(rest)
        if match is None:
            for loose in _UNMARKED.findall(rest):
                if loose.strip():
                    yield " ".join(loose.split()), ()
            return
        yield " ".join(match[1].split()), tuple(MARKER.findall(match[2]))
        rest = rest[match.end() :].lstrip()


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise NoteError(f"{path.name} is larger than {MAX_FILE_BYTES} bytes; split it")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoteError(f"{path.name} cannot be read as UTF-8 text ({type(error).__name__})") from None


def _yaml(text: str, name: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise NoteError(f"{name}: its YAML cannot be parsed; check indentation and quotes") from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole entry"
    return f"{where}: {first['msg']}"
