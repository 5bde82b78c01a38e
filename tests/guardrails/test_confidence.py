import pytest

from guardrails.confidence import answer_confidence
from overread.records import Decision, Finding


def finding(probability: float | None, decision: Decision) -> Finding:
    return Finding(id="F1", label="x", probability=probability, decision=decision)


def test_nothing_asserted_is_none() -> None:
    assert answer_confidence([]) is None
    assert answer_confidence([finding(0.5, "indeterminate")]) is None


def test_a_decision_without_calibration_is_none() -> None:
    assert answer_confidence([finding(None, "present")], [0.9]) is None


def test_the_product_over_what_was_asserted() -> None:
    shown = [finding(0.9, "present"), finding(0.1, "absent"), finding(0.5, "indeterminate")]
    assert answer_confidence(shown, [0.8]) == pytest.approx(0.9 * 0.9 * 0.8)
