import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.calibrate import decision_band, fit_logistic
from training.measure import auroc, balanced, bootstrap, ece, proportion


def test_auroc_of_a_perfect_a_reversed_and_a_constant_score() -> None:
    truth = np.array([False, False, True, True])
    assert auroc(truth, np.array([0.1, 0.2, 0.8, 0.9])) == 1
    assert auroc(truth, np.array([0.9, 0.8, 0.2, 0.1])) == 0
    assert auroc(truth, np.zeros(4)) == 0.5
    assert auroc(np.ones(4, dtype=bool), np.arange(4.0)) == 0.5


def test_ece_of_probabilities_that_hold_and_that_do_not() -> None:
    draw = np.random.default_rng(0)
    p = draw.random(20_000)
    assert ece(draw.random(20_000) < p, p) < 0.02
    assert abs(ece(np.zeros(100, dtype=bool), np.full(100, 0.9)) - 0.9) < 1e-9


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share(right: int, n: int) -> None:
    right = min(right, n)
    low, high = proportion(right, n)
    assert 0 <= low <= right / n + 1e-4
    assert right / n - 1e-4 <= high <= 1


def test_the_bootstrap_draws_whole_patients() -> None:
    values = np.repeat([0.0, 1.0], 50)
    low, high = bootstrap(lambda rows: float(values[rows].mean()), ["a"] * 50 + ["b"] * 50, rounds=100)
    assert (low, high) == (0, 1)


def test_calibration_finds_the_map_and_its_doubt() -> None:
    draw = np.random.default_rng(1)
    score = draw.normal(0, 2, 4000)
    truth = draw.random(4000) < 1 / (1 + np.exp(-(1.5 * score - 0.5)))
    found = fit_logistic(score, truth, np.ones(4000), list(np.arange(4000).astype(str)), rounds=30)
    assert abs(found.slope - 1.5) < 0.2
    assert abs(found.offset + 0.5) < 0.2
    assert 0 < found.slope_variance < 0.05


def test_the_decision_band_keeps_to_the_risk() -> None:
    draw = np.random.default_rng(2)
    p = draw.random(5000)
    truth = draw.random(5000) < p
    absent, present = decision_band(p, truth, np.ones(5000), risk=0.1)
    assert absent is not None
    assert present is not None
    assert truth[p < absent].mean() <= 0.1
    assert (~truth[p >= present]).mean() <= 0.1
    assert decision_band(draw.random(50), draw.random(50) < 0.5, np.ones(50), risk=0.01) == (None, None)


def test_balanced_weights_make_both_classes_count_the_same() -> None:
    truth = np.array([True] * 30 + [False] * 10)
    w = balanced(truth)
    assert abs(w[truth].sum() - w[~truth].sum()) < 1e-9
    assert abs(w.mean() - 1) < 1e-9
