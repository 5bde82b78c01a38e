"""Wording: the terms of every passage of a generation as numbers, so that judging need not read its text again."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import BaseError
from retrieval.kinds import kinds
from retrieval.presence import Asked, Presence
from retrieval.storage.words import Words

_TERMS, _PARTS, _PASSAGES, _STOP = "terms.npy", "parts.npy", "passages.npy", "stop.json"


@dataclass(frozen=True)
class Said:
    """What a passage says, in terms of one spelling: its title, its heading (``None`` without one), its sentences."""

    title: list[str]
    section: list[str] | None
    sentences: list[list[str]]

    @property
    def parts(self) -> list[list[str]]:
        """All of it, in order: the title, the heading where there is one, the sentences."""
        return [self.title, *([] if self.section is None else [self.section]), *self.sentences]


def write(said: Iterable[Said], numbers: dict[str, int], folder: Path) -> None:
    """Write what passages say into a generation's folder. ``numbers`` are those of the word index."""
    known = dict(numbers)
    terms: list[NDArray[np.int32]] = []
    parts, passages = [0], [0]
    for one in said:
        some = one.parts
        terms.append(np.array([known.setdefault(t, len(known)) for part in some for t in part], dtype=np.int32))
        for part in some:
            parts.append(parts[-1] + len(part))
        passages.append(len(parts) - 1)
    np.save(folder / _TERMS, np.concatenate(terms) if terms else np.zeros(0, np.int32))
    np.save(folder / _PARTS, np.array(parts, dtype=np.int64))
    np.save(folder / _PASSAGES, np.array(passages, dtype=np.int64))
    (folder / _STOP).write_text(json.dumps(list(known)[len(numbers) :]), encoding="utf-8")


class Wording:
    """The terms of a generation's passages, memory-mapped. Safe to share between threads.

    Terms that can name a subject have the numbers of the word index; the others (stop words) come after them.
    """

    def __init__(self, folder: Path, words: Words) -> None:
        """Open what is in a generation's folder. Raises ``BaseError`` when it cannot be read."""
        try:
            self._terms: NDArray[np.int32] = np.load(folder / _TERMS, mmap_mode="r").view(np.ndarray)
            self._parts: NDArray[np.int64] = np.load(folder / _PARTS, mmap_mode="r").view(np.ndarray)
            self._passages: NDArray[np.int64] = np.load(folder / _PASSAGES, mmap_mode="r").view(np.ndarray)
            stop = json.loads((folder / _STOP).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BaseError(f"the terms of the knowledge base cannot be read ({type(error).__name__})") from None
        self._words = words
        self._content = words.size
        self._size = words.size + len(stop)
        columns = np.full(self._size, -1, dtype=np.int32)
        for column, word in enumerate(kinds().words):
            number = words.number(word)
            if number is not None:
                columns[number] = column
        for at, word in enumerate(stop):
            columns[words.size + at] = kinds().column(word)
        self._columns = columns

    def __len__(self) -> int:
        return len(self._passages) - 1

    def presence(self, asked: Asked, rows: NDArray[np.int32], with_kinds: bool) -> Presence:
        """Which words of a question are where in some passages."""
        read = self._read(rows)
        count, width = len(rows), len(asked.words)
        place = np.full(self._size, -1, dtype=np.int32)
        for at, word in enumerate(asked.words):
            number = self._words.number(word)
            if number is not None:
                place[number] = at
        places = place[read.terms]
        hit = places >= 0
        has = np.zeros((len(read.owners), width), dtype=np.bool_)
        has[read.part_of[hit], places[hit]] = True
        titled = np.zeros(len(read.owners), dtype=np.bool_)
        titled[read.first] = True
        in_title = titled[read.part_of]
        owner = read.owners[read.part_of]
        named = read.terms < self._content
        return Presence(
            np.bincount(owner[named & in_title], minlength=count) > 0,
            has[read.first],
            has[~titled],
            np.asarray(read.first - np.arange(count), dtype=np.int64),
            self._pairs(asked, places[named], owner[named], in_title[named], count),
            self._named(read.terms[in_title & named], owner[in_title & named], place, count),
            np.bincount(owner[named & ~in_title], minlength=count),
            self._kinds(read.terms[~in_title], owner[~in_title], count) if with_kinds else None,
        )

    def kinds_of_sentences(self, row: int) -> NDArray[np.float64]:
        """What each part of a passage but its title tells, ``(parts, kinds)``: the heading, if any, then sentences."""
        read = self._read(np.array([row], dtype=np.int32))
        return self._kinds(read.terms, read.part_of, len(read.owners))[1:]

    def _read(self, rows: NDArray[np.int32]) -> "_Read":
        starts, ends = self._passages[rows], self._passages[rows + 1]
        parts = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        begins, stops = self._parts[parts], self._parts[parts + 1]
        terms = np.concatenate([self._terms[a:b] for a, b in zip(self._parts[starts], self._parts[ends], strict=True)])
        return _Read(
            np.asarray(terms),
            np.repeat(np.arange(len(parts)), stops - begins),
            np.repeat(np.arange(len(rows)), ends - starts),
            np.cumsum([0, *(ends - starts)])[:-1],
        )

    @staticmethod
    def _pairs(
        asked: Asked, places: NDArray[np.int32], owner: NDArray[np.int64], in_title: NDArray[np.bool_], count: int
    ) -> NDArray[np.float64]:
        if not asked.pairs:
            return np.zeros(count)
        width = len(asked.words)
        together = (owner[1:] == owner[:-1]) & (in_title[1:] == in_title[:-1]) & (places[1:] >= 0) & (places[:-1] >= 0)
        has = np.zeros((count, width * width), dtype=np.bool_)
        has[owner[1:][together], places[:-1][together] * width + places[1:][together]] = True
        return np.asarray(has[:, [a * width + b for a, b in asked.pairs]].mean(axis=1))

    def _named(
        self, terms: NDArray[np.int32], owner: NDArray[np.int64], place: NDArray[np.int32], count: int
    ) -> NDArray[np.float64]:
        distinct, owners = _distinct(terms, owner, self._size)
        rarity = self._words.rarity(distinct)
        whole = np.bincount(owners, rarity, minlength=count)
        known = np.bincount(owners, rarity * (place[distinct] >= 0), minlength=count)
        return np.asarray(np.divide(known, whole, out=np.zeros(count), where=whole > 0))

    def _kinds(self, terms: NDArray[np.int32], owner: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        columns = self._columns[terms]
        known = columns >= 0
        distinct, owners = _distinct(columns[known], owner[known], len(kinds().words))
        return kinds().of_passages(distinct, owners, count)


@dataclass(frozen=True)
class _Read:
    """The terms of some passages in a row, the part each is in, the passage of each part, each passage's first part."""

    terms: NDArray[np.int32]
    part_of: NDArray[np.int64]
    owners: NDArray[np.int64]
    first: NDArray[np.int64]


def _distinct(
    numbers: NDArray[np.int32], owner: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each number once an owner, and the owners."""
    both = np.unique(owner * size + numbers)
    return both % size, both // size
