"""Passages: the pieces of a note that are searched and quoted, verbatim."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.notes import Note, Reference, Section, Sentence

MAX_SENTENCES = 5
"""A section with more sentences than this is cut into passages of like length."""


@dataclass(frozen=True)
class NotePassage:
    """A run of sentences of one section: ``note.text[start:end] == text``."""

    note: Note
    section: str
    start: int
    end: int
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """The passage, verbatim from the note's plain text."""
        return self.note.text[self.start : self.end]

    @property
    def searchable(self) -> str:
        """What is indexed: title, section and text."""
        return f"{self.note.title}. {self.section}. {self.text}"

    @property
    def reference_ids(self) -> tuple[str, ...]:
        """The ids of its references, the most used first."""
        counts = Counter(reference for sentence in self.sentences for reference in sentence.references)
        return tuple(reference for reference, _ in counts.most_common())


def cut_passages(notes: Sequence[Note]) -> list[NotePassage]:
    """All passages of all notes, in order."""
    return [passage for note in notes for section in note.sections for passage in _cut(note, section)]


def source_line(note: Note, primary: Reference | None) -> str:
    """How a citation names a passage's source: the note, and the document it mainly rests on."""
    return f"Overread notes: {note.title}" + (f" (from: {primary.label})" if primary else "")


def _cut(note: Note, section: Section) -> list[NotePassage]:
    if not section.sentences:
        return []
    count = math.ceil(len(section.sentences) / MAX_SENTENCES)
    size = math.ceil(len(section.sentences) / count)
    runs = [section.sentences[at : at + size] for at in range(0, len(section.sentences), size)]
    return [NotePassage(note, section.heading, run[0].start, run[-1].end, run) for run in runs]
