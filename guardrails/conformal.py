"""Mondrian conformal sets: which labels cannot be ruled out, with a stated coverage for each group by itself.

Split conformal prediction (Vovk, Gammerman and Shafer, 2005; Sadinle, Lei and Wasserman, 2019) with the score
1 - p(label). For each group, P(the true label is in the set) >= 1 - alpha over the draw of calibration rows and the
new case, if they are exchangeable within the group. Few rows make wide sets, never wrong bounds.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from guardrails.errors import CertificateError
from overread.records import Record

Floats = NDArray[np.float64]
Outcome = Literal["answer", "hedge", "refuse"]


class Category(Record):
    """One group, or one label of one: ``n`` calibration rows, and the largest score that stays in a set.

    ``largest`` is ``None`` where there are too few rows to rule out anything.
    """

    group: str
    label: str | None = None
    n: int = Field(ge=0)
    largest: float | None


class LabelSet(Record):
    """The labels that cannot be ruled out, likeliest first, and what may be done with them.

    One label answers, several hedge. None, more than ``most`` of them, or all there are (which says nothing)
    refuse, and ``reason`` says why.
    """

    labels: tuple[str, ...]
    outcome: Outcome
    reason: str | None = None


class ConformalSets(Record):
    """Calibrated sets of a classifier. ``by_label``: each label of a group has its own rows and its own coverage."""

    alpha: float = Field(gt=0, lt=1)
    labels: tuple[str, ...] = Field(min_length=2)
    most: int = Field(ge=1)
    by_label: bool
    categories: tuple[Category, ...]

    def predict(self, probabilities: Floats, group: str) -> LabelSet:
        """The set of one case. ``probabilities`` float64 ``(len(labels),)`` in [0, 1], in the order of ``labels``.

        Raises ``CertificateError`` when they are no such numbers.
        """
        row = _checked(np.asarray(probabilities, np.float64)[None, :], len(self.labels))[0]
        known = {one.label: one for one in self.categories if one.group == group}
        if not known:
            return LabelSet(labels=(), outcome="refuse", reason="no rows of this group were calibrated on")
        kept = [
            (-probability, label)
            for label, probability in zip(self.labels, row, strict=True)
            if _stays(1 - probability, known.get(label if self.by_label else None))
        ]
        labels = tuple(label for _, label in sorted(kept, key=lambda pair: pair[0]))
        if len(labels) == 1:
            return LabelSet(labels=labels, outcome="answer")
        if not labels:
            return LabelSet(labels=labels, outcome="refuse", reason="no label fits: the case is like none seen before")
        if len(labels) == len(self.labels) or len(labels) > self.most:
            return LabelSet(labels=labels, outcome="refuse", reason=f"{len(labels)} labels cannot be told apart")
        return LabelSet(labels=labels, outcome="hedge")


def calibrate_sets(
    probabilities: Floats,
    truth: Sequence[str],
    groups: Sequence[str],
    labels: Sequence[str],
    alpha: float,
    most: int = 3,
    by_label: bool = False,
) -> ConformalSets:
    """Sets from calibration rows: ``probabilities`` float64 ``(n, len(labels))``, the true label and group of each.

    The rows must not be those that the classifier learned from. Raises ``CertificateError``.
    """
    if not 0 < alpha < 1:
        raise CertificateError("alpha is a share between 0 and 1, both ends excluded; give for example 0.1")
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise CertificateError("a classifier has two labels or more, each once")
    rows = _checked(np.asarray(probabilities, np.float64), len(labels))
    if not len(rows) == len(truth) == len(groups):
        raise CertificateError("probabilities, true labels and groups must be lists of the same length")
    if not set(truth) <= set(labels):
        raise CertificateError("a true label is none of the classifier's")
    column = {label: number for number, label in enumerate(labels)}
    scores = 1 - rows[np.arange(len(rows)), [column[label] for label in truth]]
    parts: dict[tuple[str, str | None], list[float]] = {}
    for group, label, score in zip(groups, truth, scores, strict=True):
        parts.setdefault((group, label if by_label else None), []).append(float(score))
    categories = [
        Category(group=group, label=label, n=len(own), largest=largest_score(own, alpha))
        for (group, label), own in parts.items()
    ]
    return ConformalSets(alpha=alpha, labels=tuple(labels), most=most, by_label=by_label, categories=tuple(categories))


def largest_score(scores: Sequence[float], alpha: float) -> float | None:
    """The ceil((n + 1)(1 - alpha))-th smallest of n scores, or ``None`` when n is too small for there to be one.

    A new score that is exchangeable with them is at most this with a probability of at least 1 - alpha.
    """
    rank = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
    return sorted(scores)[rank - 1] if rank <= len(scores) else None


def _stays(score: float, category: Category | None) -> bool:
    """Whether a label with this score cannot be ruled out; one that was never seen cannot."""
    return category is None or category.largest is None or score <= category.largest


def _checked(rows: Floats, labels: int) -> Floats:
    if rows.ndim != 2 or rows.shape[1] != labels:
        raise CertificateError("there must be one probability for each label")
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows <= 1).all()):
        raise CertificateError("a probability is not a number from 0 to 1")
    return rows
