"""Scoring: the order of a base's candidates, how likely each answers, and which of its sentences do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.evidence import run, telling
from retrieval.kinds import kinds
from retrieval.presence import Asked, ask
from retrieval.ranking import POOL, Ranker, fuse_convex, ranking_weights
from retrieval.storage.texts import Stored
from retrieval.storage.wording import Wording
from retrieval.storage.words import Words

_ALL = 0.95
"""How much of a question a heading must say to count as all of it."""

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Judged:
    """A candidate's place in the list given, the calibrated probability that it answers, and whether it is taken to.

    ``title`` and ``sentences`` are which of the question's words they have, ``(w,)`` and ``(s, w)``; a heading is the
    first sentence.
    """

    place: int
    probability: float
    likely: bool
    title: NDArray[np.bool_]
    sentences: NDArray[np.bool_]


class Scoring:
    """Judges the passages of one generation. Has no state but what it was made of; safe to share between threads."""

    def __init__(self, words: Words, wording: Wording) -> None:
        self._words = words
        self._wording = wording
        self._ranker = Ranker(words.idf, len(words))

    def ask(self, query: str) -> Asked:
        """Read a query against the words of the base."""
        return ask(query, self._words.idf)

    def rank(
        self,
        asked: Asked,
        rows: NDArray[np.int32],
        bm25: NDArray[np.float32],
        cosines: NDArray[np.float32] | None,
        vector: NDArray[np.float32] | None,
        most: int,
    ) -> list[Judged]:
        """The likeliest of some candidates, the best first, at most ``most`` of them.

        ``bm25`` and ``cosines`` are their scores, ``(n,)``; without the encoder the latter are ``None``, and so is the
        ``vector`` of the query. First they are fused, and the best of that are judged by what they say.
        """
        fused = bm25 if cosines is None else fuse_convex(bm25, cosines, ranking_weights().cosine_share)
        pool = np.argsort(-fused, kind="stable")[: max(POOL, most)]
        if not len(pool):
            return []
        there = self._wording.presence(asked, rows[pool], vector is not None)
        own = None if cosines is None else cosines[pool]
        ends = np.append(there.starts[1:], len(there.sentences))
        return [
            Judged(
                int(pool[one.place]),
                one.probability,
                one.probability >= self._ranker.threshold(vector is not None),
                there.titles[one.place],
                there.sentences[there.starts[one.place] : ends[one.place]],
            )
            for one in self._ranker.judge(asked, there, bm25[pool], own, vector)[:most]
        ]

    def answer(
        self, asked: Asked, judged: Judged, candidate: Stored, vector: NDArray[np.float32] | None
    ) -> tuple[Spans, bool]:
        """The run of a passage's sentences to read first, and whether its heading asks just what is asked."""
        headings = 1 if candidate.section else 0
        headed = bool(headings) and asked.named_in(judged.sentences[0]) >= _ALL
        told = None
        if vector is not None:
            told = self._wording.kinds_of_sentences(candidate.row)[headings:] @ kinds().of_question(vector)
        given = judged.title | judged.sentences[0] if headings else judged.title
        texts = [candidate.sentence(span) for span in candidate.sentences]
        scores = telling(asked, judged.sentences[headings:], given, texts, told)
        start, end = run(scores, [text.count(" ") + 1 for text in texts], headed)
        return candidate.sentences[start:end], headed
