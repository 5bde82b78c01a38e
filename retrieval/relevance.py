"""Relevance: the probability that a passage answers a question, so that "nothing here does" can be said."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from overread.packaged import packaged_yaml


@dataclass(frozen=True)
class Features:
    """What relevance is judged by, each in [0, 1] but the cosine, which is in [-1, 1].

    ``cosine`` is 0 where the question was compared by words alone.
    """

    topic: float
    section: float
    coverage: float
    together: float
    complete: float
    cosine: float


_NAMES = tuple(field.name for field in fields(Features))


class Weights(BaseModel):
    """The logistic's weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: float
    topic: float
    section: float
    coverage: float
    together: float
    complete: float
    cosine: float

    def probability(self, features: Features) -> float:
        """In [0, 1]."""
        logit = self.bias + sum(getattr(self, name) * getattr(features, name) for name in _NAMES)
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))


class Relevance(BaseModel):
    """The fitted weights, with and without the sentence encoder, and the probability to answer from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(ge=0, le=1)
    with_meaning: Weights
    words_alone: Weights

    def weights(self, dense: bool) -> Weights:
        """The weights for a search with or without the dense half."""
        return self.with_meaning if dense else self.words_alone


@lru_cache(maxsize=1)
def relevance() -> Relevance:
    """The weights in ``data/relevance.yaml``."""
    return Relevance.model_validate(packaged_yaml("retrieval", "data/relevance.yaml"))
