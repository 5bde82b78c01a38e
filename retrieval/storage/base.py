"""A stored base: a user's own library on disk, opened read-only and searched."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overread.encoder import sentence_encoder
from overread.records import Passage
from retrieval.cache import MANIFEST
from retrieval.errors import BaseError
from retrieval.names import renamed
from retrieval.presence import Asked
from retrieval.sources.document import Role
from retrieval.storage.generations import current, damage
from retrieval.storage.scoring import Judged, Scoring
from retrieval.storage.texts import Stored, Texts
from retrieval.storage.vectors import ROWS, Vectors
from retrieval.storage.wording import Wording
from retrieval.storage.words import Words

ABOUT = "base.json"
FORMAT = 3
"""Raised when the layout of a generation changes."""

CANDIDATES = 100
"""How many passages each of words and meaning brings in."""

LOOKED_AT = 12
"""How many of the likeliest are looked at, where fewer are asked for: some may be retracted."""

_TRIES = 5
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_MARKS = {"retracted": "RETRACTED", "outdated": "OUTDATED"}


@dataclass(frozen=True)
class Found:
    """A passage that was found, with how likely it answers. ``cosine`` is ``None`` where words alone were compared.

    ``answer`` is the run of its sentences that says most of what was asked, as offsets in the document's text.
    ``headed`` says that its heading asks just what was asked. ``likely`` says that it is taken to answer.
    """

    stored: Stored
    score: float
    likely: bool
    bm25: float
    cosine: float | None
    answer: tuple[tuple[int, int], ...]
    headed: bool

    @property
    def title(self) -> str:
        """The document's title, with a mark where it is outdated or retracted."""
        document = self.stored.document
        return f"[{_MARKS[document.status]}] {document.title}" if document.status in _MARKS else document.title

    @property
    def source(self) -> str:
        """Source, page, date and what is wrong with the document, in one line."""
        document = self.stored.document
        page = f"p. {self.stored.page}" if self.stored.page else None
        wrong = f"{document.status}: {document.note}" if document.note else document.status
        parts = (document.source, page, document.date, wrong if document.status in _MARKS else None)
        return ", ".join(filter(None, parts))

    def passage(self, id: str) -> Passage:  # noqa: A002
        """The same as the record that events carry, under an evidence id such as "S1"."""
        section = f": {self.stored.section}" if self.stored.section else ""
        return Passage(
            id=id,
            title=self.title + section,
            source=self.source,
            url=self.stored.document.url,
            text=self.stored.text,
            score=round(self.score, 4),
        )


@dataclass(frozen=True)
class _Reading:
    """What one reading of a question found: candidates with their scores, and the likeliest of them in order."""

    asked: Asked
    vector: NDArray[np.float32] | None
    rows: NDArray[np.int32]
    bm25: NDArray[np.float32]
    cosines: NDArray[np.float32] | None
    ranked: list[Judged]

    @property
    def likeliest(self) -> float:
        return self.ranked[0].probability if self.ranked else 0.0


class StoredBase:
    """One generation of a knowledge base, read-only. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        """Use ``open``."""
        if read_about(folder).get("format") != FORMAT:
            raise BaseError("the knowledge base was made by another version; run once more: overread index add PATH")
        self.folder = folder
        self.texts = Texts(folder)
        self._words = Words(folder) if self.texts.passages else None
        self._scoring = Scoring(self._words, Wording(folder, self._words)) if self._words is not None else None
        self._vectors = Vectors(folder, self.texts.passages) if (folder / ROWS).is_file() else None
        self.checksum = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        if self._words is not None and len(self._words) != self.texts.passages:
            raise BaseError("the word index is of other documents; remove the knowledge base's folder and add again")

    @classmethod
    def open(cls, base: Path) -> "StoredBase":
        """The current generation of a base. Raises ``BaseError`` where there is none, or none that is whole."""
        for left in reversed(range(_TRIES)):
            folder = current(base)
            if folder is None:
                raise BaseError(f"there is no knowledge base in {base.name!r}; make one: overread index add PATH")
            try:
                return cls(folder)
            except (BaseError, OSError) as error:
                # A newer generation may have taken this one's place meanwhile.
                if not left or folder == current(base):
                    raise BaseError(str(error) if isinstance(error, BaseError) else "its files are gone") from None
        raise AssertionError

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self.texts.passages

    @property
    def vectors(self) -> int:
        """How many passages have a vector."""
        return len(self._vectors) if self._vectors is not None else 0

    @property
    def compares_meaning(self) -> bool:
        """Whether enough passages have a vector to compare by meaning."""
        return self._vectors is not None and self._vectors.searchable

    def about(self) -> dict[str, Any]:
        """What the generation says of itself. Raises ``BaseError`` where it is damaged."""
        problem = damage(self.folder, thorough=True)
        if problem is not None:
            raise BaseError(f"the knowledge base is damaged: {problem}")
        return read_about(self.folder)

    def search(
        self,
        query: str,
        *,
        k: int = 8,
        dense: bool = True,
        source: str | None = None,
        since: str | None = None,
        domain: str | None = None,
        role: Role | None = None,
        retracted: bool = True,
        instead: Sequence[str] = (),
    ) -> list[Found]:
        """The passages nearest to a query, best first, at most ``k``. A subject may go by any name its documents list.

        What is retracted comes after what answers. ``source`` is a format, or a part of a source's name;
        ``since`` a date YYYY[-MM[-DD]]: what is older, or has no date, is left out; ``domain`` a domain the document is
        marked with. ``dense=False`` compares words only and does not load the sentence encoder. ``instead`` is what a
        query is about that names nothing. Raises ``BaseError`` on a date that is none.
        """
        if since is not None and not _DATE.fullmatch(since):
            raise BaseError("the date is not one: write YYYY, YYYY-MM or YYYY-MM-DD")
        words, scoring = self._words, self._scoring
        if words is None or scoring is None:
            return []
        allowed = self.texts.allowed(source=source, since=since, domain=domain, role=role, retracted=retracted)
        k = max(0, k)
        if instead and not scoring.ask(query).naming.any():
            query = " ".join([query, *instead])
        best = self._rank(words, scoring, query, allowed, dense, k)
        other = renamed(query, self.texts.other_names)
        if other != query:
            # A word that is a name somewhere may be meant as a word here: the reading that is answered better counts.
            best = max(
                best, self._rank(words, scoring, other, allowed, dense, k), key=lambda reading: reading.likeliest
            )
        stored = self.texts.stored([int(best.rows[one.place]) for one in best.ranked])
        looked_at = sorted(zip(best.ranked, stored, strict=True), key=lambda pair: _place(*pair))
        found = []
        for one, candidate in looked_at[:k]:
            answer, headed = scoring.answer(best.asked, one, candidate, best.vector)
            cosine = float(best.cosines[one.place]) if best.cosines is not None else None
            own = float(best.bm25[one.place])
            found.append(Found(candidate, one.probability, one.likely, own, cosine, answer, headed))
        return found

    def _rank(
        self, words: Words, scoring: Scoring, query: str, allowed: NDArray[np.bool_] | None, dense: bool, k: int
    ) -> "_Reading":
        """The likeliest passages for one reading of a question: ``k``, or as many as are looked at."""
        asked = scoring.ask(query)
        bm25 = words.scores(asked.ordered)
        if allowed is not None:
            bm25 = np.where(allowed, bm25, np.float32(0))
        rows, cosines, vector = _best(bm25, CANDIDATES), None, None
        if dense and self._vectors is not None and self._vectors.searchable:
            vector = sentence_encoder().encode([query])[0]
            rows = np.union1d(rows, self._vectors.nearest(vector, CANDIDATES, allowed)).astype(np.int32)
            cosines = self._vectors.cosines(vector, rows)
        ranked = scoring.rank(asked, rows, bm25[rows], cosines, vector, max(k, LOOKED_AT))
        return _Reading(asked, vector, rows, bm25[rows], cosines, ranked)


def read_about(folder: Path) -> dict[str, Any]:
    """What a generation says of itself. Raises ``BaseError`` where that cannot be read."""
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseError(f"the knowledge base cannot be read ({type(error).__name__})") from None
    return about


def _place(judged: Judged, stored: Stored) -> int:
    """What answers comes first, then what answers but is retracted, then the rest, each in the order it had."""
    return int(stored.document.status == "retracted") if judged.likely else 2


def _best(scores: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    """The rows with the highest scores above 0."""
    rows = np.flatnonzero(scores > 0)
    if len(rows) > count:
        rows = rows[np.argpartition(-scores[rows], count)[:count]]
    return rows.astype(np.int32)
