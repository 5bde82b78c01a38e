"""From a network's scores to probabilities with intervals, and to decisions.

Two kinds, named by the card. ``logistic``: each label by itself, ``p = sigmoid(slope * score + offset)`` (Platt,
1999). ``softmax``: labels of which exactly one holds, ``p = softmax(scale * scores + offsets)`` (Guo et al.,
2017: one temperature, and an offset a label). The card holds the parameters and their covariance, from drawing
the calibration patients again many times, so that every probability has a 95 % interval.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from overread.cards import Label, ModelCard
from overread.errors import CardError
from overread.records import Decision

Z = 1.959964
Chance = tuple[float | None, tuple[float, float] | None]
"""A probability with its 95 % interval; ``None`` twice for a label that has no calibration."""


class Calibration(Protocol):
    """From the scores of all labels of a card to their probabilities."""

    def chances(self, scores: Sequence[float]) -> list[Chance]:
        """One a label, in the card's order. ``scores`` are logits, any real numbers."""


@dataclass(frozen=True)
class LogisticCalibration:
    """``slope`` and ``offset`` with their variances and covariance."""

    slope: float
    offset: float
    slope_variance: float = 0.0
    offset_variance: float = 0.0
    covariance: float = 0.0

    def probability(self, score: float) -> float:
        """The calibrated probability in [0, 1] of a score (a logit, any real number)."""
        return _sigmoid(self.slope * score + self.offset)

    def interval(self, score: float) -> tuple[float, float]:
        """A 95 % interval that holds the probability: by the delta method on the logit."""
        centre = self.slope * score + self.offset
        variance = self.slope_variance * score * score + 2 * self.covariance * score + self.offset_variance
        half = Z * math.sqrt(max(variance, 0.0))
        return _sigmoid(centre - half), _sigmoid(centre + half)


@dataclass(frozen=True)
class LabelCalibrations:
    """A logistic map a label, or ``None`` for one that has none."""

    maps: tuple[LogisticCalibration | None, ...]

    def chances(self, scores: Sequence[float]) -> list[Chance]:
        """Each label by itself."""
        pairs = zip(self.maps, scores, strict=True)
        return [(one.probability(s), one.interval(s)) if one else (None, None) for one, s in pairs]


@dataclass(frozen=True)
class SoftmaxCalibration:
    """``scale`` and an offset a label, with the covariance of ``(scale, *offsets)``, float64 ``(K + 1, K + 1)``."""

    scale: float
    offsets: tuple[float, ...]
    covariance: NDArray[np.float64]

    def chances(self, scores: Sequence[float]) -> list[Chance]:
        """Probabilities that sum to 1, each with an interval by the delta method on its logit.

        The logit of a label is its own ``z`` less the logarithm of the sum of the others' ``exp(z)``, so its slope is
        its own score less the others' mean score, weighted by their shares.
        """
        s = np.asarray(scores, dtype=np.float64)
        z = self.scale * s + np.asarray(self.offsets)
        out: list[Chance] = []
        for k in range(len(z)):
            rest = np.delete(z, k)
            top = float(rest.max())
            weight = np.exp(rest - top)
            logit = float(z[k]) - top - math.log(float(weight.sum()))
            share = np.insert(weight / weight.sum(), k, -1.0)
            slope = np.concatenate([[-float(share @ s)], -share])
            half = Z * math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))
            out.append((_sigmoid(logit), (_sigmoid(logit - half), _sigmoid(logit + half))))
        return out


def read_calibration(card: ModelCard) -> Calibration:
    """The calibration in a card's ``calibration`` field.

    Raises ``CardError`` for a kind that is not known, parameters that are not finite numbers, and labels that
    exclude each other but could both be ``present``, or all be ``absent``.
    """
    given = card.calibration
    names = [label.name for label in card.labels]
    kind = given.get("kind") if given else "logistic"
    if kind == "softmax":
        return _read_softmax(card, given, names)
    if kind != "logistic":
        raise CardError(f"card {card.name}: calibration kind must be 'logistic' or 'softmax'")
    labels = given.get("labels")
    found = labels if isinstance(labels, dict) else {}
    return LabelCalibrations(
        tuple(_read_logistic(card.name, found[name], name) if name in found else None for name in names)
    )


def read_label_maps(card: ModelCard) -> dict[str, LogisticCalibration | None]:
    """The logistic map of each label by its name, for a tool that may leave labels out.

    Raises ``CardError`` as ``read_calibration`` does, and for labels that exclude each other.
    """
    found = read_calibration(card)
    if not isinstance(found, LabelCalibrations):
        raise CardError(f"card {card.name}: a tool that may leave labels out needs the calibration kind 'logistic'")
    return {label.name: one for label, one in zip(card.labels, found.maps, strict=True)}


def _read_logistic(card: str, given: Mapping[str, Any], label: str) -> LogisticCalibration:
    try:
        found = LogisticCalibration(**{key: float(value) for key, value in given.items()})
    except (TypeError, ValueError, AttributeError):
        raise CardError(f"card {card}: the calibration of {label} must name slope and offset as numbers") from None
    numbers = (found.slope, found.offset, found.slope_variance, found.offset_variance, found.covariance)
    if not all(math.isfinite(number) for number in numbers) or found.slope <= 0:
        raise CardError(f"card {card}: the calibration of {label} must be finite, with a slope above 0")
    return found


def _read_softmax(card: ModelCard, given: Mapping[str, Any], names: Sequence[str]) -> SoftmaxCalibration:
    try:
        offsets = tuple(float(given["offsets"][name]) for name in names)
        scale = float(given["scale"])
        covariance = np.array(given["covariance"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise CardError(
            f"card {card.name}: a softmax calibration must name scale, an offset a label, and covariance"
        ) from None
    fits = covariance.shape == (len(names) + 1, len(names) + 1) and len(names) > 1
    if not fits or not np.isfinite(covariance).all() or not all(map(math.isfinite, (scale, *offsets))) or scale <= 0:
        raise CardError(
            f"card {card.name}: the softmax calibration must be finite, with a scale above 0 and a covariance of "
            "scale and offsets"
        )
    if any(label.present_from is not None and label.present_from <= 0.5 for label in card.labels):
        raise CardError(f"card {card.name}: of labels that exclude each other, present_from must be above 0.5")
    if any(label.absent_below is not None and label.absent_below > 1 / len(names) for label in card.labels):
        raise CardError(
            f"card {card.name}: one of the labels must hold, so absent_below must not exceed 1 / {len(names)}"
        )
    return SoftmaxCalibration(scale, offsets, covariance)


def decide(label: Label, probability: float | None) -> Decision:
    """The three-way decision of a calibrated probability. Without thresholds or probability: ``indeterminate``."""
    if probability is None:
        return "indeterminate"
    if label.present_from is not None and probability >= label.present_from:
        return "present"
    if label.absent_below is not None and probability < label.absent_below:
        return "absent"
    return "indeterminate"


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1 / (1 + math.exp(-min(x, 700.0)))
    e = math.exp(max(x, -700.0))
    return e / (1 + e)
