import numpy as np
import pytest

from guardrails.certificate import spread
from guardrails.drift import ErrorWatch, score_drift
from guardrails.errors import CertificateError


def test_scores_of_the_same_kind_are_no_drift_and_shifted_ones_are() -> None:
    generator = np.random.default_rng(0)
    before = spread(generator.random(500))
    same = [score_drift(before, generator.random(200)) for _ in range(200)]
    assert sum(p < 0.01 for p in same) <= 8
    assert score_drift(before, generator.random(200) * 0.7) < 1e-6


@pytest.mark.parametrize("scores", [[], [1.0] * 9])
def test_nothing_to_compare_is_no_drift(scores: list[float]) -> None:
    assert score_drift(spread(np.ones(50)), np.array(scores)) == 1.0


def test_a_rate_at_the_bound_seldom_raises_the_alarm_however_often_one_looks() -> None:
    generator = np.random.default_rng(1)
    alarms = sum(ErrorWatch(0.1, 0.05).see(generator.random(1000) >= 0.1) for _ in range(200))
    assert alarms / 200 <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5


def test_twice_the_bound_raises_the_alarm_and_it_stays() -> None:
    generator = np.random.default_rng(2)
    watch = ErrorWatch(0.1)
    assert watch.see(generator.random(400) >= 0.25)
    assert watch.see([True] * 500)
    assert watch.evidence < 1


def test_a_watch_needs_shares() -> None:
    with pytest.raises(CertificateError, match="between 0 and 1"):
        ErrorWatch(1.5)
