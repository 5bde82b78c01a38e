"""Ranking: the candidates that BM25 and the sentence vectors found, in the order in which they answer.

Each candidate gets a calibrated probability that it answers the question. It is a logistic of a few features that can
be read; no other passage, no order of input and no state enters it, but the best scores of the list. The weights are
in ``data/ranking.json``, fitted by ``training.ranking`` on developing questions only.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from overread.packaged import packaged_text
from retrieval.kinds import kinds
from retrieval.presence import Asked, Presence, Rarity, ask, presence_in

POOL = 40
"""How many fused candidates are worth ranking."""

TITLE_WEIGHT = 3
"""How often a title's words count in BM25."""


@dataclass(frozen=True)
class Candidate:
    """A passage found: its text, its title ("" where it has none), and its scores for the question.

    ``bm25`` is 0 or more; ``cosine`` is in [-1, 1], or ``None`` where only words were compared. ``section`` is the
    heading it stands under, which is read as its first sentence.
    """

    text: str
    title: str = ""
    bm25: float = 0.0
    cosine: float | None = None
    section: str = ""


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
    "untitled",
    "few",
)
"""What a candidate is judged by, in the order of the weights."""


FREE = frozenset({"length", "untitled", "few"})
"""What may count for a passage or against it. Of everything else, more is never worse: its weight is not below 0."""


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

    def probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """In [0, 1], rising with the score; ``(n,)``."""
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(self.slope * scores + self.shift, -60.0, 60.0))))


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

    def __init__(self, rarity: Rarity, size: int = POOL, weights: RankingWeights | None = None) -> None:
        """``rarity`` is the inverse document frequency of a term in the base, positive (``Index.idf``).

        ``size`` is how many passages the base has: in a base of few, fewer others may answer better.
        """
        self._rarity = rarity
        self._few = 1 - math.log(max(1, min(size, POOL))) / math.log(POOL)
        self._weights = weights or ranking_weights()

    def rank(
        self, query: str, candidates: Sequence[Candidate], vector: NDArray[np.float32] | None = None
    ) -> list[Ranked]:
        """All candidates, the likeliest answer first; of equals, by text and title. ``[]`` for none.

        ``vector`` is the sentence vector of the query, ``(384,)``. Without it, or where a candidate has no
        cosine, words alone are compared.
        """
        if vector is not None and any(candidate.cosine is None for candidate in candidates):
            vector = None
        scores, likely = self._judged(self.features(query, candidates, vector), vector is not None)
        order = sorted(range(len(candidates)), key=lambda at: (-scores[at], candidates[at].text, candidates[at].title))
        return [Ranked(at, likely[at], float(scores[at])) for at in order]

    def judge(
        self,
        asked: Asked,
        there: Presence,
        bm25: NDArray[np.float32],
        cosines: NDArray[np.float32] | None,
        vector: NDArray[np.float32] | None,
    ) -> list[Ranked]:
        """The same of candidates whose words are known already; of equals, in the order given."""
        table = features(asked, there, bm25, cosines, vector, self._few)
        scores, likely = self._judged(table, vector is not None)
        return [Ranked(int(at), likely[at], float(scores[at])) for at in np.argsort(-scores, kind="stable")]

    def threshold(self, dense: bool) -> float:
        """The probability from which a candidate answers, with the encoder or by words alone."""
        return self._weights.threshold if dense else self._weights.words_threshold

    def answers(self, ranked: Sequence[Ranked], dense: bool = True) -> bool:
        """Whether the best candidate is likely enough to answer; otherwise nothing here does."""
        return any(candidate.probability >= self.threshold(dense) for candidate in ranked)

    def features(
        self, query: str, candidates: Sequence[Candidate], vector: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """What the candidates are judged by: float64 ``(n, len(FEATURES))``."""
        asked = ask(query, self._rarity)
        there = presence_in(
            asked,
            [candidate.title for candidate in candidates],
            [[part for part in (candidate.section, candidate.text) if part] for candidate in candidates],
            self._rarity,
            vector is not None,
        )
        bm25 = np.array([candidate.bm25 for candidate in candidates])
        cosines = None if vector is None else np.array([candidate.cosine for candidate in candidates], dtype=np.float64)
        return features(asked, there, bm25, cosines, vector, self._few)

    def _judged(self, table: NDArray[np.float64], dense: bool) -> tuple[NDArray[np.float64], list[float]]:
        logistic = self._weights.with_meaning if dense else self._weights.words_alone
        scores = logistic.scores(table)
        return scores, logistic.probabilities(scores).tolist()


def features(
    asked: Asked,
    there: Presence,
    bm25: NDArray[Any],
    cosines: NDArray[Any] | None,
    vector: NDArray[np.float32] | None,
    few: float,
) -> NDArray[np.float64]:
    """What candidates are judged by: float64 ``(n, len(FEATURES))``, from where the question's words are in them.

    ``bm25`` and ``cosines`` are their scores, ``(n,)``; ``vector`` is the sentence vector of the question, ``(384,)``.
    Without it, all that needs the encoder is 0. ``few`` is 1 for a base of one passage, and 0 from ``POOL`` on.
    """
    count = len(there.starts)
    nothing = np.zeros(count)
    if not count:
        return np.zeros((0, len(FEATURES)))
    titles = there.titles
    text = np.logical_or.reduceat(there.sentences, there.starts, axis=0)
    owners = np.repeat(np.arange(count), np.diff(np.append(there.starts, len(there.sentences))))
    best = np.maximum.reduceat(asked.share(there.sentences | titles[owners]), there.starts)
    cosine = nothing if cosines is None or vector is None else np.asarray(cosines, dtype=np.float64)
    kind = nothing
    if vector is not None and there.kinds is not None:
        kind = there.kinds @ kinds().of_question(vector)
    scores = np.asarray(bm25, dtype=np.float64)
    whole = float(asked.rarity.sum()) or 1.0
    columns = {
        "bm25_share": np.minimum(2.0, scores / whole / 2.2),
        "bm25_of_best": scores / (float(scores.max()) or 1.0),
        "cosine": cosine,
        "cosine_below_best": cosine - max(0.0, float(cosine.max())),
        "coverage": asked.share(text | titles),
        "title_coverage": asked.share(titles),
        "title_named": there.named,
        "best_sentence": best,
        "opening": asked.share(there.sentences[there.starts]),
        "pairs": there.pairs,
        "kind": kind,
        "kind_below_best": kind - float(kind.max()),
        "kind_of_named": kind * there.named,
        "length": np.log1p(there.lengths) / 6,
        "untitled": ~there.titled,
        "few": np.full(count, few),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1)


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
    text = packaged_text("retrieval", "data/ranking.json")
    return RankingWeights.model_validate(json.loads(text))
