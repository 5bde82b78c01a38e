"""Questions: what is asked, of which subject, and what has no section to answer it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from overread.packaged import packaged_yaml
from retrieval.notes import Note
from retrieval.terms import content, generic, placed_terms, terms

MAX_CHARACTERS = 2_000
"""A question is read up to here."""

_SUBJECT = "§"
_DEFINITION = "definition"


@dataclass(frozen=True)
class _Intent:
    name: str
    sections: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]


@dataclass(frozen=True)
class Question:
    """A question as understood.

    ``words`` are its content terms. ``subject_words`` are those of them that are left when the names
    of known subjects, the words of intents and generic words are taken out: what else it is about.
    ``topics`` are the ids of the notes it names, in order. ``sections`` are the headings that
    answer it, in the order asked. ``unanswered`` names what is asked that no section speaks of.
    ``of_sign`` says that it names signs only, and no subject.
    """

    text: str
    words: tuple[str, ...]
    subject_words: tuple[str, ...]
    topics: tuple[str, ...]
    sections: tuple[str, ...]
    unanswered: tuple[str, ...]
    of_sign: bool


@dataclass(frozen=True)
class Named:
    """A name found in a run of terms: ``words[start:end]``, and the notes it may mean.

    A ``sign`` is something the notes tell of; any other name is their subject.
    """

    start: int
    end: int
    notes: tuple[str, ...]
    sign: bool


class Names:
    """The names under which notes are asked for: titles, synonyms, signs, and the labels of findings.

    A name may belong to several notes ("mass"); a domain, where known, says which is meant.
    """

    def __init__(self, notes: Iterable[Note]) -> None:
        self._notes = {note.id: note for note in notes}
        self._subjects: dict[tuple[str, ...], list[str]] = {}
        self._signs: dict[tuple[str, ...], list[str]] = {}
        self._labels: dict[tuple[str, ...], list[str]] = {}
        for note in self._notes.values():
            for name in note.names:
                _add(self._subjects, name, note.id)
            for name in note.signs:
                _add(self._signs, name, note.id)
            for name in (note.title, *note.findings):
                _add(self._labels, name, note.id)
        self._longest = max((len(key) for key in (*self._subjects, *self._signs)), default=0)

    def find(self, words: Sequence[str], domain: str | None = None) -> list[Named]:
        """The names in a run of terms, the longest at each place, in order."""
        found = []
        at = 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                key = tuple(words[at : at + length])
                notes = self._subjects.get(key) or self._signs.get(key)
                if notes:
                    found.append(Named(at, at + length, self._meant(notes, domain), key not in self._subjects))
                    at += length
                    break
            else:
                at += 1
        return found

    def scattered(self, words: Sequence[str], found: Sequence[Named], domain: str | None = None) -> list[str]:
        """Notes with a name of several words that are all there, in any order ("child ... pneumonia").

        Names that lie within one of those already found are not looked for.
        """
        there = set(words)
        spans = [set(words[named.start : named.end]) for named in found]
        whole = [
            key
            for key in self._subjects
            if len(set(content(list(key)))) > 1
            and there.issuperset(key)
            and not any(span.issuperset(key) for span in spans)
        ]
        ordered = sorted(whole, key=len, reverse=True)
        return [note for key in ordered for note in self._meant(self._subjects[key], domain)]

    def of_finding(self, label: str, domain: str | None = None) -> tuple[str, ...]:
        """The notes that explain a finding's label, or ``()``."""
        words = terms(label)
        exact = self._labels.get(tuple(words))
        if exact:
            return self._meant(exact, domain)
        return tuple(dict.fromkeys(note for named in self.find(words, domain) for note in named.notes))

    def _meant(self, notes: Sequence[str], domain: str | None) -> tuple[str, ...]:
        fitting = [note for note in notes if domain is not None and self._notes[note].speaks_of(domain)]
        return tuple(fitting or notes)


def understand(text: str, names: Names, domain: str | None = None) -> Question:
    """Read a question about an image of ``domain``: its subjects, its intents, and the words beyond them.

    A sign leads to its notes, where no subject is named, and stays a word to be found; "what is" then
    asks for the passage that tells of it, and not for the section that says what the note is about.
    """
    text = text[:MAX_CHARACTERS]
    placed = placed_terms(text)
    words = [term for term, _, _ in placed]
    found = names.find(words, domain)
    subjects = [named for named in found if not named.sign]
    masked = text.lower()
    for named in reversed(subjects):
        masked = masked[: placed[named.start][1]] + _SUBJECT + masked[placed[named.end - 1][2] :]
    asked, rest = _asked(masked)
    of_sign = bool(found) and not subjects
    if of_sign:
        asked = [intent for intent in asked if intent.name != _DEFINITION]
    topics = [note for named in subjects or found for note in named.notes]
    return Question(
        text=text,
        words=tuple(content(words)),
        subject_words=tuple(word for word in content(terms(rest)) if not generic(word)),
        topics=tuple(dict.fromkeys([*names.scattered(words, found, domain), *topics])),
        sections=tuple(dict.fromkeys(section for intent in asked for section in intent.sections)),
        unanswered=tuple(intent.name for intent in asked if not intent.sections),
        of_sign=of_sign,
    )


def _add(named: dict[tuple[str, ...], list[str]], name: str, note: str) -> None:
    key = tuple(terms(name))
    if key and note not in named.setdefault(key, []):
        named[key].append(note)


def _asked(masked: str) -> tuple[list[_Intent], str]:
    """The intents of a question in the order they are asked, and the text without their words.

    Words that one intent took are gone for the next, so the order of the data file is a priority.
    """
    places: dict[str, tuple[int, _Intent]] = {}
    for intent in _intents():
        for pattern in intent.patterns:
            for match in list(pattern.finditer(masked)):
                at = min(match.start(), places.get(intent.name, (len(masked), intent))[0])
                places[intent.name] = (at, intent)
                masked = masked[: match.start()] + " " * len(match[0]) + masked[match.end() :]
    return [intent for _, intent in sorted(places.values(), key=lambda place: place[0])], masked


@lru_cache(maxsize=1)
def _intents() -> tuple[_Intent, ...]:
    raw = packaged_yaml("retrieval", "data/intents.yaml")
    return tuple(
        _Intent(entry["name"], tuple(entry["sections"]), tuple(re.compile(pattern) for pattern in entry["patterns"]))
        for entry in raw
    )
