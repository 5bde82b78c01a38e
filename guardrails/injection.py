"""Instructions hidden in text: told by patterns and by a logistic head over MiniLM sentence vectors.

A text is looked at whole and in windows of a few sentences, so that one planted sentence in a long document is
not lost in it; the surest window decides. The weights are data, written by ``python -m training.injection``.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import RuleFileError
from guardrails.phi.folding import fold
from guardrails.sentences import split_sentences
from overread.encoder import DIMENSIONS, sentence_encoder
from overread.packaged import packaged_text, packaged_yaml

Origin = Literal["question", "document", "ocr", "header"]
_SENTENCES = 3
_MOST_WINDOWS = 400
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Flag:
    """Whether a text holds instructions to the machine, and how probably, in [0, 1]."""

    flagged: bool
    score: float


def windows(text: str) -> list[str]:
    """The whole text, and every stretch of three sentences of a longer one, each starting two further on."""
    sentences = [one.strip() for one in split_sentences(text) if one.strip()]
    if len(sentences) <= _SENTENCES:
        return [text.strip()]
    starts = range(0, len(sentences) - 1, _SENTENCES - 1)
    return [text.strip(), *(" ".join(sentences[at : at + _SENTENCES]) for at in starts)][:_MOST_WINDOWS]


def window_features(texts: Sequence[str]) -> Floats:
    """A row a window: its sentence vector, then 1 or 0 for each pattern. Float64 ``(len(texts), 384 + patterns)``."""
    folded = [fold(text).text for text in texts]
    hits = [[pattern.search(text) is not None for pattern in _patterns().values()] for text in folded]
    vectors = sentence_encoder().encode(folded) if folded else np.zeros((0, DIMENSIONS), np.float32)
    return np.hstack([vectors, np.array(hits, float).reshape(len(folded), len(_patterns()))])


def check_texts(texts: Sequence[str], origins: Sequence[Origin | None] = ()) -> list[Flag]:
    """A flag for each text, in order. An origin that is not known is taken for a question."""
    scores = score_texts(texts, _weights())
    from_score = _rules()["flag_from"]
    given = [*origins, *[None] * (len(texts) - len(origins))]
    return [
        Flag(bool(score >= from_score[origin or "question"]), float(score))
        for score, origin in zip(scores, given, strict=True)
    ]


def score_texts(texts: Sequence[str], weights: dict[str, Any]) -> Floats:
    """The surest window's probability for each text, by weights as they are stored."""
    cut = [windows(text) for text in texts]
    rows = window_features([window for found in cut for window in found])
    values = 1 / (1 + np.exp(-np.clip(rows @ np.asarray(weights["weight"]) + weights["offset"], -30, 30)))
    ends = np.cumsum([len(found) for found in cut])
    return np.array([values[end - len(found) : end].max() for found, end in zip(cut, ends, strict=True)])


def shows_pattern(text: str) -> bool:
    """Whether one of the patterns is in a text."""
    folded = fold(text).text
    return any(pattern.search(folded) for pattern in _patterns().values())


def disarm_rule() -> tuple[int, float]:
    """From how many words on a flag alone disarms a question's text, and from which score on anything else does."""
    rule = _rules()["run"]
    return int(rule["words"]), float(rule["sure"])


def fragment_rule() -> tuple[int, float]:
    """From how many words on a fragment can give orders, and how sure the score must be where no pattern is."""
    rule = _rules()["fragment"]
    return int(rule["words"]), float(rule["sure"])


def pattern_names() -> tuple[str, ...]:
    """The patterns, in the order of their features."""
    return tuple(_patterns())


@lru_cache(maxsize=1)
def _weights() -> dict[str, Any]:
    read = json.loads(packaged_text("guardrails", "data/injection.json"))
    if tuple(read["patterns"]) != pattern_names() or len(read["weight"]) != DIMENSIONS + len(pattern_names()):
        raise RuleFileError("injection.json was written for other patterns; run python -m training.injection")
    return {"weight": np.array(read["weight"], float), "offset": float(read["offset"])}


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(text, re.IGNORECASE | re.MULTILINE) for name, text in _rules()["patterns"].items()}


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return dict(packaged_yaml("guardrails", "data/injection.yaml"))
