"""Check the notes: form, headings, a reference on every sentence, every reference listed and used.

Run it as ``python -m retrieval.check_notes [FOLDER]``; without a folder it checks the starter notes,
and that they speak enough of every domain.
"""

import re
import sys
from pathlib import Path

from overread.domains import domains
from retrieval.errors import NoteError
from retrieval.notes import SECTIONS, STARTER, Library, Note, read_library
from retrieval.question import Names
from retrieval.search import searchable_texts
from retrieval.starter_vectors import key, shipped

LICENCES = ("CC0-1.0", "Apache-2.0")
LONGEST_SENTENCE = 320
"""Characters. A longer one is two statements, or text that was copied."""

FEWEST_NOTES = 5
"""Starter notes that speak of a domain."""
FEWEST_SENTENCES = 3
FEWEST_SECTIONS = 2
"""Of a starter note."""

_INSIDE = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bca)[.!?]\s+[A-Z]")


def problems(library: Library) -> list[str]:
    """What is wrong with a library, one line each; empty when nothing is."""
    found = [line for note in library.notes for line in _of_note(note)]
    used = {reference for note in library.notes for sentence in note.sentences() for reference in sentence.references}
    found += [f"references: {id_!r} is used by no note" for id_ in sorted(set(library.references) - used)]
    addresses: dict[str, str] = {}
    for reference in library.references.values():
        if reference.url is None:
            found.append(f"references: {reference.id!r} has no url")
        elif addresses.setdefault(reference.url, reference.id) != reference.id:
            found.append(f"references: {reference.id!r} and {addresses[reference.url]!r} have the same url")
    names = Names(library.notes)
    for note in library.notes:
        if names.of_finding(note.title) != (note.id,):
            found.append(f"{note.id}: its title {note.title!r} is a name of another note too")
    return found


def thin(library: Library) -> list[str]:
    """Where the starter notes say too little, one line each: a domain with few notes, a note with few sentences."""
    found = []
    for label in domains():
        speaking = sum(note.speaks_of(label) for note in library.notes)
        if speaking < FEWEST_NOTES:
            found.append(f"{label}: {speaking} notes; at least {FEWEST_NOTES} are wanted")
    for note in library.notes:
        sentences = sum(1 for _ in note.sentences())
        if sentences < FEWEST_SENTENCES or len(note.sections) < FEWEST_SECTIONS:
            found.append(
                f"{note.id}: {sentences} sentences in {len(note.sections)} sections;"
                f" at least {FEWEST_SENTENCES} in {FEWEST_SECTIONS} are wanted"
            )
    return found


def unencoded(library: Library) -> list[str]:
    """A line where starter passages have no shipped vector."""
    missing = sum(key(text) not in shipped() for text in searchable_texts(library))
    return [f"{missing} passages have no vector; run: python -m retrieval.starter_vectors"] if missing else []


def _of_note(note: Note) -> list[str]:
    found = []
    if note.licence not in LICENCES:
        found.append(f"{note.id}: the licence is {note.licence!r}; a note is {' or '.join(LICENCES)}")
    found += [f"{note.id}: no domain is called {label!r}" for label in note.domains if label not in domains()]
    headings = [section.heading for section in note.sections]
    if headings != [heading for heading in SECTIONS if heading in headings]:
        found.append(f"{note.id}: the headings are {headings}; use {list(SECTIONS)}, each once and in this order")
    for section in note.sections:
        if not section.sentences:
            found.append(f"{note.id}: {section.heading!r} is empty; leave it out")
        for sentence in section.sentences:
            start = f"{note.id}: {section.heading}: {sentence.text[:50]!r}"
            if not sentence.references:
                found.append(f"{start} has no reference")
            if len(set(sentence.references)) != len(sentence.references):
                found.append(f"{start} names a reference twice")
            if not sentence.text.endswith((".", "!", "?")):
                found.append(f"{start} does not end with a full stop before its reference")
            if _INSIDE.search(sentence.text):
                found.append(f"{start} holds more than one sentence; give each its reference")
            if len(sentence.text) > LONGEST_SENTENCE:
                found.append(f"{start} is longer than {LONGEST_SENTENCE} characters")
            if note.text[sentence.start : sentence.end] != sentence.text:
                found.append(f"{start} is not where its offsets say")
    return found


def main(arguments: list[str]) -> int:
    """Print what is wrong; 0 when nothing is, 1 otherwise."""
    folder = Path(arguments[0]) if arguments else STARTER
    try:
        library = read_library(folder)
    except NoteError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    lines = problems(library) + ([] if arguments else thin(library) + unencoded(library))
    sentences = sum(1 for note in library.notes for _ in note.sentences())
    lines.append(f"{len(library.notes)} notes, {sentences} sentences, {len(library.references)} references")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if len(lines) > 1 else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
