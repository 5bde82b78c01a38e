"""How well the right documents are found: BM25, dense, fused and reranked, side by side, on unseen questions."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.retrieval_runs import METHODS, Found, Progress, Searchable, encode_one, encode_questions, open_sets
from evaluation.retrieval_sets import Asked, Part, RetrievalSet, everyday, medquad, pubmedqa

RESAMPLES = 2_000
SEED = 5
MEASURES = ("ndcg@10", "mrr", "r@10")

_TIMED = 60
_TAKEN_OUT = 150
"""Questions asked again of a base without their answers."""


@dataclass(frozen=True)
class Figure:
    """A mean over questions, with a 95 % bootstrap interval over subjects."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One method on one set. ``gain`` is its nDCG@10 above BM25's, paired; ``p`` that of no gain, two-sided."""

    set: str
    method: str
    questions: int
    documents: int
    passages: int
    figures: dict[str, Figure]
    gain: Figure
    p: float


@dataclass(frozen=True)
class Refusal:
    """How well questions that nothing answers are told apart by the best candidate's probability.

    ``kept``: share of answerable questions at or above the threshold; ``refused``: of the others, those below it.
    """

    set: str
    against: str
    questions: int
    auroc: Figure
    auroc_by_words: Figure
    auroc_of_bm25: Figure
    kept: float
    refused: float


@dataclass(frozen=True)
class Calibration:
    """The probability of the first candidate beside how often it was right, in ten bins."""

    set: str
    ece: float
    mean_probability: float
    right: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds a query, the median and the 95th percentile, warm."""

    what: str
    p50: float
    p95: float


@dataclass(frozen=True)
class Report:
    """All that was measured."""

    rows: list[Row]
    refusals: list[Refusal]
    calibrations: list[Calibration]
    latencies: list[Latency]


def measure_retrieval(
    data: Path,
    folder: Path,
    *,
    quick: bool = False,
    full: bool = False,
    part: Part = "reporting",
    progress: Progress | None = None,
) -> Report:
    """Measure on ``data`` (``shared/data/retrieval``); indexes and vectors are cached in ``folder``.

    MedQuAD by a quarter of its subjects, ``quick``: by a sixteenth, ``full``: whole.
    """
    one_in = 16 if quick else 1 if full else 4
    sets = [*pubmedqa(data / "pubmedqa_ori_pqal.json", 4 if quick else 1), *medquad(data / "medquad_xml.zip", one_in)]
    rows: list[Row] = []
    refusals: list[Refusal] = []
    calibrations: list[Calibration] = []
    latencies: list[Latency] = []
    for base in open_sets(sets, folder, progress):
        report = measure_set(base, folder, part)
        rows += report.rows
        refusals += report.refusals
        calibrations += report.calibrations
        if base.set is sets[-1]:
            latencies = measure_latency(base, base.set.questions)
    return Report(rows, refusals, calibrations, latencies)


def measure_set(base: Searchable, folder: Path, part: Part) -> Report:
    """Every method on the questions of one part of a set."""
    asked = [question for question in base.set.questions if question.part == part]
    vectors = encode_questions([*(question.text for question in asked), *everyday(part)], folder)
    found = [base.find(question.text, vectors[question.text]) for question in asked]
    return Report(
        _rows(base, asked, found),
        _refusals(base, asked, found, vectors, part),
        [_calibration(base.set, asked, found)],
        [],
    )


def scores_of(documents: Sequence[int], relevant: frozenset[int]) -> tuple[float, float, float]:
    """nDCG@10 of yes-or-no relevance, the reciprocal rank of the first, and recall at 10 of those that fit in 10."""
    gains = np.array([document in relevant for document in documents[:10]], dtype=float)
    discounts = 1 / np.log2(np.arange(2, 12))
    ideal = discounts[: min(10, len(relevant))].sum()
    first = next((1 / at for at, document in enumerate(documents, start=1) if document in relevant), 0.0)
    return float(gains @ discounts[: len(gains)] / ideal), first, float(gains.sum() / min(10, len(relevant)))


def resampled(groups: Sequence[str]) -> NDArray[np.float64]:
    """How often each question is drawn in each resample of whole subjects: ``(RESAMPLES, len(groups))``."""
    names, place = np.unique(np.array(groups), return_inverse=True)
    drawn = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    return np.asarray(drawn[:, place], dtype=np.float64)


def _figure(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Figure:
    means = (weights @ values) / weights.sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(round(float(values.mean()), 4), round(float(low), 4), round(float(high), 4))


def _rows(base: Searchable, asked: list[Asked], found: list[Found]) -> list[Row]:
    weights = resampled([question.subject for question in asked])
    table = {
        name: np.array([scores_of(f.documents[name], q.relevant) for f, q in zip(found, asked, strict=True)])
        for name in METHODS
    }
    rows = []
    for name in METHODS:
        gains = table[name][:, 0] - table["bm25"][:, 0]
        means = (weights @ gains) / weights.sum(axis=1)
        p = min(1.0, 2 * min(float((means <= 0).mean()), float((means >= 0).mean())) + 1 / RESAMPLES)
        figures = {measure: _figure(table[name][:, at], weights) for at, measure in enumerate(MEASURES)}
        sizes = len(asked), len(base.set.texts), len(base.texts)
        rows.append(Row(base.set.name, name, *sizes, figures, _figure(gains, weights), round(p, 4)))
    return rows


def _refusals(
    base: Searchable, asked: list[Asked], found: list[Found], vectors: dict[str, NDArray[np.float32]], part: Part
) -> list[Refusal]:
    answerable = _tops(base, [(q.text, frozenset[int]()) for q in asked], vectors, found)
    groups = [question.subject for question in asked]
    some = asked[:_TAKEN_OUT]
    cases = {"answer taken out": [(q.text, q.relevant) for q in some]}
    if any(question.related != question.relevant for question in asked):
        cases["subject taken out"] = [(q.text, q.related) for q in some]
    cases["everyday questions"] = [(text, frozenset[int]()) for text in everyday(part)]
    out = []
    everything: list[NDArray[np.float64]] = []
    names: list[str] = []
    for name, questions in cases.items():
        against = _tops(base, questions, vectors)
        own = [q.subject for q in some] if name != "everyday questions" else [text for text, _ in questions]
        everything.append(against)
        names += own
        out.append(_refusal(base, name, answerable, against, groups, own))
    out.append(_refusal(base, "all of these", answerable, np.vstack(everything), groups, names))
    return out


def _tops(
    base: Searchable,
    questions: list[tuple[str, frozenset[int]]],
    vectors: dict[str, NDArray[np.float32]],
    found: list[Found] | None = None,
) -> NDArray[np.float64]:
    """For each question the best probability, that by words alone, and the best BM25: ``(n, 3)``."""
    out = []
    for at, (text, without) in enumerate(questions):
        if found:
            out.append((found[at].probability, found[at].words_probability, found[at].best_bm25))
        else:
            out.append(base.tops(text, vectors[text], without))
    return np.array(out, dtype=np.float64)


def _refusal(
    base: Searchable,
    name: str,
    answerable: NDArray[np.float64],
    against: NDArray[np.float64],
    groups: list[str],
    own: list[str],
) -> Refusal:
    from retrieval.ranking import ranking_weights

    scores = np.vstack([answerable, against])
    labels = np.arange(len(scores)) < len(answerable)
    weights = resampled([*groups, *own])[:300]
    threshold = ranking_weights().threshold
    areas = [_auroc(scores[:, at], labels, weights) for at in range(3)]
    return Refusal(
        set=base.set.name,
        against=name,
        questions=len(against),
        auroc=areas[0],
        auroc_by_words=areas[1],
        auroc_of_bm25=areas[2],
        kept=round(float((answerable[:, 0] >= threshold).mean()), 4),
        refused=round(float((against[:, 0] < threshold).mean()), 4),
    )


def _auroc(scores: NDArray[np.float64], labels: NDArray[np.bool_], weights: NDArray[np.float64]) -> Figure:
    """The share of pairs in the right order, ties counting half; resamples that lack one kind are left out."""
    bins = np.unique(scores, return_inverse=True)[1]

    def of(drawn: NDArray[np.float64]) -> float:
        negatives = np.bincount(bins, drawn * ~labels)
        below = np.cumsum(negatives) - negatives / 2
        return float((drawn * labels) @ below[bins] / (drawn @ labels) / (drawn @ ~labels))

    areas = [of(drawn) for drawn in weights if 0 < drawn @ labels < drawn.sum()]
    low, high = np.percentile(areas, [2.5, 97.5])
    return Figure(round(of(np.ones(len(labels))), 4), round(float(low), 4), round(float(high), 4))


def _calibration(chosen: RetrievalSet, asked: list[Asked], found: list[Found]) -> Calibration:
    probabilities = np.array([f.probability for f in found])
    right = np.array(
        [
            f.documents["reranked"][:1] and f.documents["reranked"][0] in q.relevant
            for f, q in zip(found, asked, strict=True)
        ],
        dtype=float,
    )
    bins = np.minimum((probabilities * 10).astype(int), 9)
    ece = sum(abs(probabilities[bins == b].sum() - right[bins == b].sum()) for b in range(10)) / len(right)
    return Calibration(
        chosen.name, round(float(ece), 4), round(float(probabilities.mean()), 4), round(float(right.mean()), 4)
    )


def measure_latency(base: Searchable, questions: Sequence[Asked]) -> list[Latency]:
    """Words alone; words, meaning and fusion with the encoder; and all of it with the reranker. Warm."""
    asked = [question.text for question in questions[:_TIMED]]

    def by_words(text: str) -> None:
        base.lexical(text)

    def hybrid(text: str) -> None:
        base.pool(text, encode_one(text))

    def reranked(text: str) -> None:
        vector = encode_one(text)
        base.ranker.rank(text, base.pool(text, vector)[1], vector)

    out = []
    for name, run in (("BM25", by_words), ("hybrid with the encoder", hybrid), ("hybrid and reranked", reranked)):
        taken = []
        for text in [*asked[:5], *asked]:
            start = time.perf_counter()
            run(text)
            taken.append(1_000 * (time.perf_counter() - start))
        p50, p95 = np.percentile(taken[5:], [50, 95])
        out.append(Latency(name, round(float(p50), 2), round(float(p95), 2)))
    return out
