"""From a network's score to a probability with an interval, and to a decision.

The map is logistic: ``p = sigmoid(slope * score + offset)`` (Platt, 1999). The card holds the two
parameters and their covariance, from drawing the calibration patients again many times, so that
every probability has a 95 % interval.
"""

import math
from dataclasses import dataclass
from typing import Any

from overread.cards import Label
from overread.errors import CardError
from overread.records import Decision


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
        half = 1.959964 * math.sqrt(max(variance, 0.0))
        return _sigmoid(centre - half), _sigmoid(centre + half)


def read_calibration(card: str, given: dict[str, Any], label: str) -> LogisticCalibration | None:
    """The calibration of one label in a card's ``calibration`` field, or ``None`` when it has none.

    Raises ``CardError`` for a kind that is not known or parameters that are not finite numbers.
    """
    if not given:
        return None
    if given.get("kind") != "logistic":
        raise CardError(f"card {card}: calibration kind must be 'logistic'")
    labels = given.get("labels")
    if not isinstance(labels, dict) or label not in labels:
        return None
    try:
        found = LogisticCalibration(**{key: float(value) for key, value in labels[label].items()})
    except (TypeError, ValueError, AttributeError):
        raise CardError(f"card {card}: the calibration of {label} must name slope and offset as numbers") from None
    numbers = (found.slope, found.offset, found.slope_variance, found.offset_variance, found.covariance)
    if not all(math.isfinite(number) for number in numbers) or found.slope <= 0:
        raise CardError(f"card {card}: the calibration of {label} must be finite, with a slope above 0")
    return found


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
