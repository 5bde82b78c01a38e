"""Kinds of question: what is asked of a subject (its symptoms, its treatment …), and what a passage tells of one.

A question's kind is read from its sentence vector, so that a new wording is understood; a passage's from its
words, so that nothing has to be encoded again. Both are multinomial logistics, fitted by ``training.ranking``
on the developing part of MedQuAD (CC BY 4.0).
"""

import json
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from overread.packaged import packaged_text

Probabilities = NDArray[np.float64]


class KindWeights(BaseModel):
    """As stored: one row a kind. ``words`` name the columns of ``passage``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]
    question: list[list[float]]
    question_bias: list[float]
    words: tuple[str, ...]
    passage: list[list[float]]
    passage_bias: list[float]


class Kinds:
    """Tells the kinds of questions and passages as probabilities, float64 ``(len(names),)``, sum 1."""

    def __init__(self, weights: KindWeights) -> None:
        self.names = weights.names
        self._question = np.array(weights.question)
        self._question_bias = np.array(weights.question_bias)
        self._passage = np.array(weights.passage)
        self._passage_bias = np.array(weights.passage_bias)
        self._places = {word: place for place, word in enumerate(weights.words)}

    def of_question(self, vector: NDArray[np.float32]) -> Probabilities:
        """What a question asks for; ``vector`` is its sentence vector, ``(384,)``."""
        return _softmax(self._question @ vector + self._question_bias)

    @property
    def words(self) -> tuple[str, ...]:
        """The terms that tell a passage's kinds, in the order of their columns."""
        return tuple(self._places)

    def column(self, term: str) -> int:
        """The place of a term in ``words``, or -1."""
        return self._places.get(term, -1)

    def of_passages(self, columns: NDArray[np.int64], owners: NDArray[np.int64], count: int) -> Probabilities:
        """What ``count`` passages tell, ``(count, len(names))``. ``columns`` are their distinct terms' places in
        ``words``, ``owners`` the passage of each, in order.
        """
        logits = np.tile(self._passage_bias, (count, 1))
        if len(columns):
            there, first = np.unique(owners, return_index=True)
            logits[there] += np.add.reduceat(self._passage.T[columns], first, axis=0)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def of_passage(self, terms: Iterable[str]) -> Probabilities:
        """What a passage tells; ``terms`` are its distinct terms, stemmed."""
        known = [self._places[term] for term in terms if term in self._places]
        return _softmax(self._passage[:, known].sum(axis=1) + self._passage_bias)


@lru_cache(maxsize=1)
def kinds() -> Kinds:
    """The kinds in ``data/kinds.json``."""
    text = packaged_text("retrieval", "data/kinds.json")
    return Kinds(KindWeights.model_validate(json.loads(text)))


def _softmax(logits: NDArray[np.float64]) -> Probabilities:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
