"""How probably a textbook claim is supported by the evidence beside it: a logistic regression on 17 features.

The features lay the claim's words and word pieces beside those of the evidence (after BERTScore, Zhang et al., 2020,
over MiniLM), and count what does not agree. The weights are data, written by ``python -m training.entailment``.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.errors import RuleFileError
from guardrails.findings import content_stems
from guardrails.rules import rule
from guardrails.sentences import split_sentences
from overread.encoder import sentence_encoder
from overread.packaged import packaged_text

FEATURES = (
    "words", "words_best", "pairs", "pieces", "soft", "soft_best", "weakest", "uncovered", "cosine", "cosine_two",
    "soft_window", "weakest_window", "cosine_window", "log_cover", "negation", "numbers", "length",
)  # fmt: skip
"""Names of the features, in order. All lie in [-1, 1] but ``log_cover``, in [-4, 0], and ``length``, a logarithm.
A window is three sentences in a row."""

_MOST_SENTENCES = 400
_FIRST_WORD_PIECE = 999
"""Pieces below this are punctuation, single characters and unused."""

Pieces = tuple[NDArray[np.int64], NDArray[np.float32]]


def evidence_sentences(evidence: Sequence[str]) -> list[str]:
    """The sentences of all pieces of evidence, at most 400."""
    found = (sentence.strip() for text in evidence for sentence in split_sentences(text))
    return [sentence for sentence in found if sentence][:_MOST_SENTENCES]


def features(claim: str, sentences: Sequence[str], pieces: Sequence[Pieces]) -> NDArray[np.float64]:
    """The features ``(17,)`` of a claim beside sentences; ``pieces`` are those of the claim, then of each sentence."""
    stems = content_stems(claim)
    each = [content_stems(sentence) for sentence in sentences]
    here = set(stems)
    there = {stem for found in each for stem in found}
    pairs = set(pairwise(stems))
    theirs = {pair for found in each for pair in pairwise(found)}
    (numbers, vectors), others = pieces[0], pieces[1:]
    kept = numbers >= _FIRST_WORD_PIECE
    weights = np.log(numbers[kept] - _FIRST_WORD_PIECE + 100.0)
    best = [(vectors[kept] @ other.T).max(axis=1, initial=-1.0) for _, other in others]
    cover = np.max(best, axis=0)
    cosines = np.array([float(_mean(vectors) @ _mean(other)) for _, other in others])
    nearest = int(cosines.argmax())
    windows = [np.max(best[at : at + 3], axis=0) for at in range(max(len(best) - 2, 1))]
    wide = [_mean(np.concatenate([other for _, other in others[at : at + 3]])) for at in range(len(windows))]
    softest = max(windows, key=lambda one: _weighted(one, weights))
    said = re.findall(r"\d+(?:\.\d+)?", claim)
    known = set(re.findall(r"\d+(?:\.\d+)?", " ".join(sentences)))
    return np.array(
        [
            _share(here, there),
            max(_share(here, set(found)) for found in each),
            _share(pairs, theirs),
            _weighted(np.isin(numbers[kept], np.concatenate([ids for ids, _ in others])), weights),
            _weighted(cover, weights),
            max(_weighted(one, weights) for one in best),
            float(np.sort(cover)[:3].mean()) if cover.size else 0.0,
            _weighted(cover < 0.5, weights),
            float(cosines.max()),
            float(np.sort(cosines)[-2:].mean()),
            _weighted(softest, weights),
            float(np.sort(softest)[:2].mean()) if softest.size else 0.0,
            max(float(_mean(vectors) @ one) for one in wide),
            _weighted(np.log(np.clip(cover + 0.05, 0.02, 1.0)), weights),
            float(_negated(claim) != _negated(sentences[nearest])),
            sum(number not in known for number in said) / max(len(said), 1),
            float(np.log1p(len(stems))),
        ]
    )


def feature_rows(claims: Sequence[tuple[str, Sequence[str]]]) -> NDArray[np.float64]:
    """The features ``(len(claims), 17)`` of claims, each with its evidence; NaN where there is none."""
    texts: dict[str, None] = {}
    parts = [(claim, evidence_sentences(evidence)) for claim, evidence in claims]
    for claim, sentences in parts:
        texts.update(dict.fromkeys([claim, *sentences]))
    known = dict(zip(texts, sentence_encoder().tokens(list(texts)), strict=True))
    rows = np.full((len(parts), len(FEATURES)), np.nan)
    for place, (claim, sentences) in enumerate(parts):
        if sentences and known[claim][0].size:
            rows[place] = features(claim, sentences, [known[claim], *(known[one] for one in sentences)])
    return rows


def support(claims: Sequence[tuple[str, Sequence[str]]]) -> NDArray[np.float64]:
    """The probability that each claim is supported by its evidence, in [0, 1]; 0 where there is no evidence."""
    weights = _weights()
    rows = (feature_rows(claims) - weights["mean"]) / weights["scale"]
    scores = 1 / (1 + np.exp(-np.clip(rows @ weights["weight"] + weights["offset"], -30, 30)))
    return np.where(np.isnan(scores), 0.0, scores)


def word_overlap(claim: str, evidence: Sequence[str]) -> float:
    """The plain baseline: the share of a claim's content words that stand in the evidence."""
    return _share(set(content_stems(claim)), {stem for text in evidence for stem in content_stems(text)})


def _share(some: set[Any], of: set[Any]) -> float:
    return len(some & of) / len(some) if some else 0.0


def _weighted(values: NDArray[Any], weights: NDArray[np.float64]) -> float:
    return float(np.average(values, weights=weights)) if weights.size else 0.0


def _mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = vectors.sum(axis=0)
    unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return unit


def _negated(text: str) -> bool:
    return rule("negation").search(text) is not None


@lru_cache(maxsize=1)
def _weights() -> dict[str, Any]:
    read = json.loads(packaged_text("guardrails", "data/entailment.json"))
    if tuple(read["features"]) != FEATURES:
        raise RuleFileError("entailment.json was written for other features; run python -m training.entailment")
    arrays = {name: np.array(read[name], float) for name in ("mean", "scale", "weight")}
    return {**arrays, "offset": float(read["offset"])}
