import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from evaluation.measure import auroc, balanced, bootstrap, ece, proportion


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


def test_balanced_weights_make_both_classes_count_the_same() -> None:
    truth = np.array([True] * 30 + [False] * 10)
    w = balanced(truth)
    assert abs(w[truth].sum() - w[~truth].sum()) < 1e-9
    assert abs(w.mean() - 1) < 1e-9


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_the_rank_sum_is_the_area_scikit_learn_gives(rows: list[tuple[bool, int]]) -> None:
    truth = np.array([yes for yes, _ in rows])
    score = np.array([value for _, value in rows], dtype=np.float64)
    if truth.all() or not truth.any():
        assert auroc(truth, score) == 0.5
    else:
        assert abs(auroc(truth, score) - roc_auc_score(truth, score)) < 1e-9


def test_a_draw_without_a_number_is_left_out() -> None:
    low, high = bootstrap(lambda rows: float("nan") if rows.sum() % 2 else 1.0, ["a", "b", "c"], rounds=50)
    assert (low, high) == (1, 1)
    assert all(np.isnan(bootstrap(lambda _: float("nan"), ["a", "b"], rounds=5)))


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_ece_is_that_of_bins_cut_as_numpy_cuts_them(n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    p, truth, weight = draw.random(n), draw.random(n) < 0.4, draw.random(n) + 0.1
    bins = np.array_split(np.argsort(p, kind="stable"), min(10, n))
    expected = sum(abs((weight[part] * (p[part] - truth[part])).sum()) for part in bins) / weight.sum()
    assert ece(truth, p, weight) == pytest.approx(expected)
