"""Ranking: the candidates that BM25 and the sentence vectors found, in the order in which they answer.

Each candidate gets a calibrated probability that it answers the question. It is a logistic of a few features that can
be read; no other passage, no order of input and no state enters it, but the best scores of the list. The weights are
in ``data/ranking.json``, fitted by ``training.ranking`` on developing questions only.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from retrieval.kinds import kinds
from retrieval.terms import content, terms

POOL = 40
"""How many fused candidates are worth ranking."""

TITLE_WEIGHT = 3
"""How often a title's words count in BM25."""

_SENTENCE = re.compile(r"(?<=[.?!])\s+")


@dataclass(frozen=True)
class Candidate:
    """A passage found: its text, its title ("" where it has none), and its scores for the question.

    ``bm25`` is 0 or more; ``cosine`` is in [-1, 1], or ``None`` where only words were compared.
    """

    text: str
    title: str = ""
    bm25: float = 0.0
    cosine: float | None = None


@dataclass(frozen=True)
class Ranked:
    """A candidate's place in the list given, the calibrated probability that it answers, and the raw score."""

    place: int
    probability: float
    score: float


FEATURES = (
    "bm25_share",
    "bm25_of_best",
    "cosine",
    "cosine_below_best",
    "coverage",
    "title_coverage",
    "title_named",
    "best_sentence",
    "opening",
    "pairs",
    "kind",
    "kind_below_best",
    "kind_of_named",
    "length",
)
"""What a candidate is judged by, in the order of the weights."""


class Logistic(BaseModel):
    """Weights over ``FEATURES``, and Platt's line from the score to the probability."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    weights: dict[str, float]
    slope: float = Field(gt=0)
    shift: float

    def scores(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The raw scores, ``(n,)``, of features ``(n, len(FEATURES))``."""
        return np.asarray(features @ np.array([self.weights[name] for name in FEATURES]) + self.bias)

    def probability(self, score: float) -> float:
        """In [0, 1], rising with the score."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, self.slope * score + self.shift))))


class RankingWeights(BaseModel):
    """Both logistics, the share of the cosine in the fusion, and the probability below which nothing answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cosine_share: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)
    words_threshold: float = Field(ge=0, le=1)
    with_meaning: Logistic
    words_alone: Logistic


class Ranker:
    """Orders candidates for a question. Has no state but its weights; safe to share between threads."""

    def __init__(self, rarity: Callable[[str], float], weights: RankingWeights | None = None) -> None:
        """``rarity`` is the inverse document frequency of a term in the base, positive (``Index.idf``)."""
        self._rarity = rarity
        self._weights = weights or ranking_weights()

    def rank(
        self, query: str, candidates: Sequence[Candidate], vector: NDArray[np.float32] | None = None
    ) -> list[Ranked]:
        """All candidates, the likeliest answer first; of equals, by text and title. ``[]`` for none.

        ``vector`` is the sentence vector of the query, ``(384,)``. Without it, or where a candidate has no
        cosine, words alone are compared.
        """
        dense = vector is not None and all(candidate.cosine is not None for candidate in candidates)
        logistic = self._weights.with_meaning if dense else self._weights.words_alone
        scores = logistic.scores(self.features(query, candidates, vector if dense else None))
        order = sorted(range(len(candidates)), key=lambda at: (-scores[at], candidates[at].text, candidates[at].title))
        return [Ranked(at, logistic.probability(float(scores[at])), float(scores[at])) for at in order]

    def answers(self, ranked: Sequence[Ranked], dense: bool = True) -> bool:
        """Whether the best candidate is likely enough to answer; otherwise nothing here does."""
        threshold = self._weights.threshold if dense else self._weights.words_threshold
        return any(candidate.probability >= threshold for candidate in ranked)

    def features(
        self, query: str, candidates: Sequence[Candidate], vector: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """What the candidates are judged by: float64 ``(n, len(FEATURES))``."""
        words = tuple(dict.fromkeys(content(terms(query))))
        rarity = {word: self._rarity(word) for word in words}
        whole = sum(rarity.values()) or 1.0
        together = list(pairwise(content(terms(query))))
        asked = None if vector is None else kinds().of_question(vector)
        bm25 = max((candidate.bm25 for candidate in candidates), default=0.0) or 1.0
        cosine = max((candidate.cosine or 0.0 for candidate in candidates), default=0.0)
        rows = []
        for candidate in candidates:
            read, title = _read(candidate.text), _read(candidate.title)

            def share(there: frozenset[str]) -> float:
                return sum(rarity[word] for word in words if word in there) / whole

            named = _share_of(title.ordered, frozenset(words), self._rarity)
            kind = 0.0 if asked is None else float(asked @ read.kinds)
            rows.append(
                (
                    min(2.0, candidate.bm25 / whole / 2.2),
                    candidate.bm25 / bm25,
                    candidate.cosine or 0.0,
                    (candidate.cosine or 0.0) - cosine if asked is not None else 0.0,
                    share(read.words | title.words),
                    share(title.words),
                    named,
                    max(share(sentence | title.words) for sentence in read.sentences),
                    share(read.sentences[0]),
                    sum(pair in read.pairs or pair in title.pairs for pair in together) / max(1, len(together)),
                    kind,
                    kind,
                    kind * named,
                    math.log1p(len(read.ordered)) / 6,
                )
            )
        table = np.array(rows, dtype=np.float64).reshape(-1, len(FEATURES))
        if len(table):
            place = FEATURES.index("kind_below_best")
            table[:, place] -= table[:, place].max()
        return table


def searchable(title: str, text: str) -> str:
    """What BM25 should index of a passage: its text, and its title three times over."""
    return f"{title}. " * (TITLE_WEIGHT if title else 0) + text


def fuse_convex(bm25: NDArray[np.float32], cosines: NDArray[np.float32], share: float) -> NDArray[np.float64]:
    """``share`` of the cosine and the rest of BM25, each divided by the best of its list; ``(n,)``, at most 1."""
    words = np.asarray(bm25, dtype=np.float64) / (float(bm25.max(initial=0.0)) or 1.0)
    best = float(cosines.max(initial=0.0))
    meaning = np.clip(np.asarray(cosines, dtype=np.float64), 0, None) / (best if best > 0 else 1.0)
    return (1 - share) * words + share * meaning


@lru_cache(maxsize=1)
def ranking_weights() -> RankingWeights:
    """The weights in ``data/ranking.json``."""
    text = files("retrieval").joinpath("data/ranking.json").read_text(encoding="utf-8")
    return RankingWeights.model_validate(json.loads(text))


@dataclass(frozen=True)
class _Read:
    """A text, its words made alike: all in order, the distinct, the pairs, the sentences', and the kinds told."""

    ordered: tuple[str, ...]
    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    sentences: tuple[frozenset[str], ...]
    kinds: NDArray[np.float64]


@lru_cache(maxsize=8_192)
def _read(text: str) -> _Read:
    sentences = [terms(sentence) for sentence in _SENTENCE.split(text)]
    everything = [term for sentence in sentences for term in sentence]
    ordered = tuple(content(everything))
    return _Read(
        ordered,
        frozenset(ordered),
        frozenset(pairwise(ordered)),
        tuple(frozenset(content(sentence)) for sentence in sentences),
        kinds().of_passage(sorted(set(everything))),
    )


def _share_of(there: Sequence[str], asked: frozenset[str], rarity: Callable[[str], float]) -> float:
    """How much of a title the question names, rare words counting more; 0 where there is no title."""
    distinct = sorted(set(there))
    whole = sum(rarity(word) for word in distinct)
    return sum(rarity(word) for word in distinct if word in asked) / whole if whole else 0.0
