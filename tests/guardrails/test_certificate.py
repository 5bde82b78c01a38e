from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from guardrails.certificate import (
    Outcomes,
    certify,
    certify_groups,
    load,
    smallest_certifiable,
    spread,
    store,
)
from guardrails.errors import CertificateError
from overread.records import ModelRef


def outcomes(scores: list[float], correct: list[bool]) -> Outcomes:
    return Outcomes(np.array(scores, float), np.array(correct, bool))


rows = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(-5, 5), st.booleans()), max_size=200)
shares = st.floats(0.02, 0.6)


@pytest.mark.parametrize(("alpha", "delta", "n"), [(0.1, 0.1, 22), (0.05, 0.1, 45), (0.1, 0.05, 29), (0.5, 0.5, 1)])
def test_the_fewest_answers_that_can_certify(alpha: float, delta: float, n: int) -> None:
    assert smallest_certifiable(alpha, delta) == n
    assert certify(outcomes([0.5] * n, [True] * n), alpha, delta).answered == n
    if n > 1:
        short = certify(outcomes([0.5] * (n - 1), [True] * (n - 1)), alpha, delta)
        assert short.threshold is None
        assert short.reason is not None
        assert f"at least {n}" in short.reason


@pytest.mark.parametrize(
    ("alpha", "delta"), [(0.0, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, 1.0), (-1, 2), (float("nan"), 0.1)]
)
def test_shares_outside_0_and_1_are_refused(alpha: float, delta: float) -> None:
    with pytest.raises(CertificateError, match="between 0 and 1"):
        smallest_certifiable(alpha, delta)


@given(st.integers(0, 400), st.sampled_from([0.05, 0.1, 0.2]))
def test_all_right_is_certified_as_soon_as_it_can_be(n: int, alpha: float) -> None:
    made = certify(outcomes(list(np.linspace(0, 1, n)), [True] * n), alpha, 0.1)
    assert (made.threshold is not None) == (n >= smallest_certifiable(alpha, 0.1))
    if made.threshold is not None:
        assert made.answered == n


@settings(max_examples=150)
@given(rows, shares, shares)
def test_what_is_certified_is_shown_by_the_exact_interval(
    drawn: list[tuple[float, bool]], alpha: float, delta: float
) -> None:
    """scipy's Clopper-Pearson interval is the oracle: its one-sided upper end must lie at or below alpha."""
    given_rows = outcomes([score for score, _ in drawn], [right for _, right in drawn])
    made = certify(given_rows, alpha, delta)
    assert made.n == len(drawn)
    if made.threshold is None:
        assert made.reason
        assert made.answered == 0
        return
    above = given_rows.scores >= made.threshold
    assert made.answered == above.sum()
    assert made.threshold in given_rows.scores
    wrong = int((~given_rows.correct[above]).sum())
    upper = binomtest(wrong, made.answered).proportion_ci(1 - 2 * delta, "exact").high if delta < 0.5 else None
    assert upper is None or upper <= alpha + 1e-9


@given(rows, st.randoms())
def test_the_order_of_the_rows_does_not_matter(drawn: list[tuple[float, bool]], random: Random) -> None:
    shuffled = list(drawn)
    random.shuffle(shuffled)
    first, second = (
        certify(outcomes([s for s, _ in some], [c for _, c in some]), 0.2, 0.2) for some in (drawn, shuffled)
    )
    assert first == second


@given(rows)
def test_only_the_order_of_the_scores_matters(drawn: list[tuple[float, bool]]) -> None:
    scores = [round(s, 3) for s, _ in drawn]
    right = [c for _, c in drawn]
    plain = certify(outcomes(scores, right), 0.2, 0.2)
    moved = certify(outcomes([3 * s + 7 for s in scores], right), 0.2, 0.2)
    assert plain.answered == moved.answered


def test_rows_of_one_score_are_answered_together() -> None:
    made = certify(outcomes([1.0] * 60 + [0.5] * 60, [True] * 60 + [True, False] * 30), 0.1, 0.1)
    assert (made.threshold, made.answered) == (1.0, 60)


def test_groups_are_certified_apart() -> None:
    good, bad = outcomes([1.0] * 50, [True] * 50), outcomes([1.0] * 50, [False] * 50)
    first, second, third = certify_groups({"a": good, "b": bad, "c": outcomes([], [])}, 0.1, 0.1)
    assert (first.group, first.threshold, first.answered) == ("a", 1.0, 50)
    assert second.threshold is None
    assert third.n == 0
    assert third.reason is not None


def test_bad_rows_are_refused() -> None:
    with pytest.raises(CertificateError, match="same length"):
        outcomes([1.0], [True, False])
    with pytest.raises(CertificateError, match="finite"):
        outcomes([float("nan")], [True])


def test_a_changed_model_voids_a_stored_certificate(tmp_path: Path) -> None:
    groups = {"all": outcomes([1.0] * 50, [True] * 50)}
    model = ModelRef(name="m", version="1", sha256="a" * 64)
    stored = store(groups, certify_groups(groups, 0.1, 0.1), "0" * 64, [model])
    stored.save(tmp_path / "c.json")
    again = load(tmp_path / "c.json")
    assert again == stored
    assert again.void_because([model]) is None
    assert "calibrate again" in str(again.void_because([model.model_copy(update={"sha256": "b" * 64})]))
    assert "not here" in str(again.void_because([]))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"data_sha256": "x"}'])
def test_a_broken_certificate_file_is_one_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text, "utf-8")
    with pytest.raises(CertificateError, match="certificate file"):
        load(tmp_path / "c.json")


@given(st.lists(st.floats(-10, 10) | st.sampled_from([0.0, 1.0]), max_size=100))
def test_the_spread_counts_every_score_once(scores: list[float]) -> None:
    bins = spread(np.array(scores, float))
    assert sum(bins.counts) == len(scores)
    assert len(bins.counts) == len(bins.edges) + 1
    assert list(bins.edges) == sorted(set(bins.edges))
