import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from guardrails.conformal import ConformalSets, calibrate_sets, largest_score
from guardrails.errors import CertificateError

LABELS = ("a", "b", "c", "d")
ALPHA = 0.093  # (n + 1) * alpha is whole for none of the sizes here: there the packages differ in how ties are counted


def drawn(n: int, seed: int, sharp: float = 2.0) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """Cases of a classifier that is honest in group g0, and overconfident in g1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharp, (n, len(LABELS)))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = [LABELS[rng.choice(len(LABELS), p=row)] for row in honest]
    groups = [f"g{number}" for number in rng.integers(0, 2, n)]
    over = honest**3 / (honest**3).sum(1, keepdims=True)
    return np.where(np.array([group == "g1" for group in groups])[:, None], over, honest), truth, groups


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]) | st.floats(0, 1), min_size=2, max_size=40),
    st.floats(0.01, 0.99),
)
def test_of_exchangeable_scores_enough_are_covered_whatever_they_are(scores: list[float], alpha: float) -> None:
    """Each in turn is the new one: at least the share 1 - alpha of them must be covered. This is the whole theorem."""
    covered = 0
    for place, score in enumerate(scores):
        limit = largest_score(scores[:place] + scores[place + 1 :], alpha)
        covered += limit is None or score <= limit
    assert covered >= (1 - alpha) * len(scores) - 1e-6


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.1, 0.3]), st.booleans())
def test_coverage_holds_in_each_group_over_draws(seed: int, alpha: float, by_label: bool) -> None:
    draws, covered = 40, {"g0": [0, 0], "g1": [0, 0]}
    for draw in range(draws):
        probabilities, truth, groups = drawn(240, seed + draw)
        sets = calibrate_sets(probabilities[:200], truth[:200], groups[:200], LABELS, alpha, by_label=by_label)
        for row, label, group in zip(probabilities[200:], truth[200:], groups[200:], strict=True):
            covered[group][0] += label in sets.predict(row, group).labels
            covered[group][1] += 1
    for hit, n in covered.values():
        # Cases of one draw share their limits: the spread of a draw's coverage comes on top of the binomial one.
        spread = (alpha * (1 - alpha) * (1 / n + 1 / (100 * draws))) ** 0.5
        assert hit / n >= 1 - alpha - 5 * spread


def test_one_answers_several_hedge_none_or_too_many_refuse() -> None:
    sets = ConformalSets.model_validate(
        {
            "alpha": 0.1, "labels": LABELS, "most": 2, "by_label": False,
            "categories": [{"group": "g", "n": 99, "largest": 0.75}, {"group": "few", "n": 3, "largest": None}],
        }
    )  # fmt: skip
    for probabilities, labels, outcome in (
        ([0.9, 0.1, 0.0, 0.0], ("a",), "answer"),
        ([0.3, 0.6, 0.1, 0.0], ("b", "a"), "hedge"),
        ([0.3, 0.3, 0.3, 0.1], ("a", "b", "c"), "refuse"),
        ([0.2, 0.2, 0.2, 0.2], (), "refuse"),
    ):
        found = sets.predict(np.array(probabilities), "g")
        assert (found.labels, found.outcome) == (labels, outcome)
        assert (found.reason is None) == (outcome != "refuse")
    assert sets.predict(np.array([1.0, 0, 0, 0]), "few").outcome == "refuse"
    assert sets.predict(np.array([1.0, 0, 0, 0]), "never seen").outcome == "refuse"


def test_both_of_two_labels_say_nothing() -> None:
    sets = calibrate_sets(np.array([[0.6, 0.4]] * 3), ["x"] * 3, ["g"] * 3, ("x", "y"), 0.1)
    assert sets.predict(np.array([0.99, 0.01]), "g").outcome == "refuse"


def test_an_overconfident_group_gets_wider_sets_than_its_probabilities_would() -> None:
    probabilities, truth, groups = drawn(4000, 7)
    sets = calibrate_sets(probabilities, truth, groups, LABELS, 0.1)
    limits = {one.group: one.largest for one in sets.categories}
    assert limits["g1"] is not None
    assert limits["g0"] is not None
    assert limits["g1"] > limits["g0"] > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_sets_equal_those_of_mapie(seed: int) -> None:
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """A classifier whose input is its output."""

        classes_ = np.arange(len(LABELS))
        n_features_in_ = len(LABELS)

        def fit(self, x: object, y: object) -> "Given":  # noqa: ARG002
            return self

        def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(x)

        def predict(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
            return np.asarray(x).argmax(1)

        def __sklearn_is_fitted__(self) -> bool:
            return True

    probabilities, truth, groups = drawn(700, seed)
    sets = calibrate_sets(probabilities[:500], truth[:500], groups[:500], LABELS, ALPHA)
    for group in ("g0", "g1"):
        own = np.array([one == group for one in groups])
        numbers = np.array([LABELS.index(one) for one in truth])
        seen, new = np.flatnonzero(own[:500]), 500 + np.flatnonzero(own[500:])
        mapie = SplitConformalClassifier(Given(), confidence_level=1 - ALPHA, conformity_score="lac", prefit=True)
        mapie.conformalize(probabilities[seen], numbers[seen])
        theirs = mapie.predict_set(probabilities[new])[1][:, :, 0]
        ours = [[label in sets.predict(row, group).labels for label in LABELS] for row in probabilities[new]]
        assert np.array_equal(theirs, ours)


@pytest.mark.parametrize("by_label", [False, True])
def test_sets_equal_those_of_crepes(by_label: bool) -> None:
    from crepes import ConformalClassifier

    probabilities, truth, groups = drawn(700, 11)
    sets = calibrate_sets(probabilities[:500], truth[:500], groups[:500], LABELS, ALPHA, by_label=by_label)
    column = np.array([LABELS.index(one) for one in truth])
    scores = 1 - probabilities
    crepes = ConformalClassifier()
    bins = np.array([f"{g}{t if by_label else ''}" for g, t in zip(groups, truth, strict=True)])
    crepes.fit(scores[np.arange(500), column[:500]], bins=bins[:500])
    for number, label in enumerate(LABELS):
        new = np.array([f"{group}{label if by_label else ''}" for group in groups[500:]])
        p_values = crepes.predict_p(scores[500:, number : number + 1], bins=new, smoothing=False)[:, 0]
        ours = [
            label in sets.predict(row, group).labels
            for row, group in zip(probabilities[500:], groups[500:], strict=True)
        ]
        assert np.array_equal(p_values > ALPHA, ours)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.0}, {"alpha": 1.0}, {"labels": ("a", "a", "b", "c")}, {"labels": ("a",)}, {"truth": ["a"]},
        {"truth": ["z", "a"]}, {"probabilities": np.array([[0.1, 0.2, 0.3, np.nan]] * 2)},
        {"probabilities": np.array([[0.1, 0.2, 0.3, 1.4]] * 2)}, {"probabilities": np.zeros((2, 3))},
    ],
)  # fmt: skip
def test_what_cannot_be_calibrated_on_is_an_error(change: dict[str, object]) -> None:
    given_ = {"probabilities": np.full((2, 4), 0.25), "truth": ["a", "b"], "groups": ["g", "g"], "labels": LABELS,
              "alpha": 0.1} | change  # fmt: skip
    with pytest.raises(CertificateError):
        calibrate_sets(**given_)  # type: ignore[arg-type]
    with pytest.raises(CertificateError):
        calibrate_sets(np.full((2, 4), 0.25), ["a", "b"], ["g"] * 2, LABELS, 0.1).predict(np.zeros(3), "g")
