"""A retrieval set made searchable: BM25 and vectors over its passages, and the documents that each method finds."""

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval_sets import RetrievalSet, passages
from evaluation.vector_cache import vectors_of
from overread.encoder import sentence_encoder
from retrieval.index import Index
from retrieval.ranking import POOL, Candidate, Ranked, Ranker, fuse_convex, ranking_weights, searchable
from retrieval.search import fuse
from retrieval.terms import content, terms

METHODS = ("bm25", "dense", "rrf", "fused", "reranked by words", "reranked")
DEPTH = 100
"""How many documents of each method's list are looked at."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Found:
    """What one question found: for each method its documents, best first, and the best candidate's probability."""

    documents: dict[str, list[int]]
    probability: float
    words_probability: float
    best_bm25: float


class Searchable:
    """A set's passages, each of which belongs to a document, with BM25 and vectors."""

    def __init__(self, chosen: RetrievalSet, folder: Path, progress: Progress | None = None) -> None:
        """``folder`` is where indexes and vectors are cached."""
        self.set = chosen
        cut = [(owner, passage) for owner, text in enumerate(chosen.texts) for passage in passages("", text)]
        self.owners = np.array([owner for owner, _ in cut], dtype=np.int64)
        self.titles = [chosen.titles[owner] for owner, _ in cut]
        self.texts = [passage for _, passage in cut]
        headings = chosen.headings or ("",) * len(chosen.texts)
        self.headings = [headings[owner] for owner, _ in cut]
        above = [". ".join(filter(None, part)) for part in zip(chosen.titles, headings, strict=True)]
        embedded = [p for above, text in zip(above, chosen.texts, strict=True) for p in passages(above, text)]
        self.vectors = vectors_of(embedded, folder / "vectors", progress)
        self._folder = folder
        self._index()

    def _index(self) -> None:
        under = [f"{heading} {text}".strip() for heading, text in zip(self.headings, self.texts, strict=True)]
        texts = [searchable(title, text) for title, text in zip(self.titles, under, strict=True)]
        self.index = Index(texts, self._folder / "words")
        self.ranker = Ranker(self.index.idf, len(self.texts))

    def some(self, documents: Collection[int]) -> "Searchable":
        """These documents alone, as a base of their own. They keep their numbers."""
        rows = np.flatnonzero(np.isin(self.owners, list(documents)))
        fewer = copy(self)
        fewer.owners, fewer.vectors = self.owners[rows], self.vectors[rows]
        fewer.titles, fewer.texts, fewer.headings = (
            [column[row] for row in rows] for column in (self.titles, self.texts, self.headings)
        )
        fewer._index()
        return fewer

    def of(self, chosen: RetrievalSet) -> "Searchable":
        """The same documents, already indexed, with another set's questions. Raises ``ValueError`` for others."""
        if not _same_documents(chosen, self.set):
            raise ValueError(f"{chosen.name} has other documents than {self.set.name}")
        same = copy(self)
        same.set = chosen
        return same

    def lexical(self, query: str) -> NDArray[np.float32]:
        """BM25 of every passage."""
        return self.index.lexical(content(terms(query)))

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine of every passage."""
        return np.asarray(self.vectors @ vector, dtype=np.float32)

    def pool(
        self, query: str, vector: NDArray[np.float32], without: Collection[int] = (), dense: bool = True
    ) -> tuple[NDArray[np.int64], list[Candidate]]:
        """The candidates worth ranking, and their rows; no passage of the documents ``without``."""
        bm25, cosines = self._scores(query, vector, without)
        fused = fuse_convex(bm25, cosines, ranking_weights().cosine_share) if dense else bm25
        rows = best(np.asarray(fused, dtype=np.float64), POOL)
        return rows, [
            Candidate(
                self.texts[r],
                self.titles[r],
                float(bm25[r]),
                float(cosines[r]) if dense else None,
                self.headings[r],
            )
            for r in rows
        ]

    def find(self, query: str, vector: NDArray[np.float32], without: Collection[int] = ()) -> Found:
        """What each method finds."""
        bm25, cosines = self._scores(query, vector, without)
        fused = fuse_convex(bm25, cosines, ranking_weights().cosine_share)
        scores = {"bm25": bm25, "dense": cosines, "rrf": fuse([bm25, cosines]), "fused": fused}
        found = {
            name: self.documents(best(np.asarray(values, dtype=np.float64), 4 * DEPTH))
            for name, values in scores.items()
        }
        ranked: dict[str, list[Ranked]] = {}
        for name, dense, first in (("reranked by words", False, bm25), ("reranked", True, fused)):
            rows, candidates = self.pool(query, vector, without, dense)
            ranked[name] = self.ranker.rank(query, candidates, vector if dense else None)
            order = [int(rows[candidate.place]) for candidate in ranked[name]]
            rest = [row for row in best(np.asarray(first, dtype=np.float64), 4 * DEPTH) if row not in set(order)]
            found[name] = self.documents([*order, *rest])
        meaning, words = (
            max((r.probability for r in ranked[n]), default=0.0) for n in ("reranked", "reranked by words")
        )
        return Found(found, meaning, words, float(bm25.max(initial=0.0)))

    def tops(self, query: str, vector: NDArray[np.float32], without: Collection[int]) -> tuple[float, float, float]:
        """The best probability, the best by words alone, and the best BM25."""
        likeliest = []
        for dense in (True, False):
            _, candidates = self.pool(query, vector, without, dense)
            ranked = self.ranker.rank(query, candidates, vector if dense else None)
            likeliest.append(max((one.probability for one in ranked), default=0.0))
        return likeliest[0], likeliest[1], max((candidate.bm25 for candidate in candidates), default=0.0)

    def _scores(
        self, query: str, vector: NDArray[np.float32], without: Collection[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        bm25, cosines = self.lexical(query), self.cosines(vector)
        if without:
            gone = np.isin(self.owners, list(without))
            bm25 = np.where(gone, np.float32(0), bm25)
            cosines = np.where(gone, np.float32(-1), cosines)
        return bm25, cosines

    def documents(self, rows: Sequence[int] | NDArray[np.int64]) -> list[int]:
        """The documents of passages, each where its first passage stands."""
        return list(dict.fromkeys(int(self.owners[row]) for row in rows))[:DEPTH]


def open_sets(sets: Sequence[RetrievalSet], folder: Path, progress: Progress | None = None) -> Iterator[Searchable]:
    """Each set made searchable; documents that two sets in a row share are indexed once."""
    base: Searchable | None = None
    for chosen in sets:
        same = base is not None and _same_documents(chosen, base.set)
        base = base.of(chosen) if base is not None and same else Searchable(chosen, folder, progress)
        yield base


def _same_documents(one: RetrievalSet, other: RetrievalSet) -> bool:
    return (one.titles, one.texts, one.headings) == (other.titles, other.texts, other.headings)


def encode_questions(queries: Sequence[str], folder: Path) -> dict[str, NDArray[np.float32]]:
    """The sentence vectors of questions, from the cache where they are."""
    distinct = sorted(set(queries))
    return dict(zip(distinct, vectors_of(distinct, folder / "vectors"), strict=True))


def encode_one(query: str) -> NDArray[np.float32]:
    """The sentence vector of one question."""
    vector: NDArray[np.float32] = sentence_encoder().encode([query])[0]
    return vector


def best(scores: NDArray[np.float32] | NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The rows of the best scores above 0, best first; of equals, the first."""
    count = min(count, len(scores))
    if not count:
        return np.zeros(0, dtype=np.int64)
    rows = np.argpartition(-scores, count - 1)[:count]
    rows = rows[np.lexsort((rows, -scores[rows]))]
    return np.asarray(rows[scores[rows] > 0], dtype=np.int64)
