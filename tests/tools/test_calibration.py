import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.cards import Label, ModelCard, Weights
from overread.errors import CardError
from tools.calibration import LogisticCalibration, decide, read_calibration

reals = st.floats(-1e6, 1e6)
slopes = st.floats(1e-3, 1e3)
spreads = st.floats(0, 10)


@given(slopes, reals, spreads, spreads, reals)
def test_interval_holds_the_probability(slope: float, offset: float, a: float, b: float, score: float) -> None:
    calibration = LogisticCalibration(slope, offset, a, b, 0.5 * math.sqrt(a * b))
    low, high = calibration.interval(score)
    assert 0 <= low <= calibration.probability(score) <= high <= 1


@given(slopes, reals, reals, reals)
def test_a_higher_score_is_never_less_likely(slope: float, offset: float, one: float, two: float) -> None:
    calibration = LogisticCalibration(slope, offset)
    low, high = sorted((one, two))
    assert calibration.probability(low) <= calibration.probability(high)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_decisions_keep_to_the_band(one: float, two: float, probability: float) -> None:
    absent, present = sorted((one, two))
    decision = decide(Label(name="x", absent_below=absent, present_from=present), probability)
    assert (decision == "present") == (probability >= present)
    assert (decision == "absent") == (probability < absent and probability < present)


def test_without_probability_or_band_nothing_is_decided() -> None:
    assert decide(Label(name="x", absent_below=0.2, present_from=0.8), None) == "indeterminate"
    assert decide(Label(name="x"), 0.99) == "indeterminate"


def card(given: dict[str, object], *labels: Label) -> ModelCard:
    return ModelCard(
        name="c",
        version="1",
        title="A model",
        task="classification",
        domains=("mr/brain",),
        architecture="activation-resnet",
        labels=labels or (Label(name="x"),),
        calibration=given,
        training=(),
        weights=Weights(file="w.safetensors", sha256="0" * 64, licence="CC0"),
        limits=(),
    )


def test_a_label_without_calibration_has_none() -> None:
    assert read_calibration(card({})).chances([1.0]) == [(None, None)]
    other = {"kind": "logistic", "labels": {"y": {"slope": 1, "offset": 0}}}
    assert read_calibration(card(other)).chances([1.0]) == [(None, None)]


def softmax(labels: int, spread: float = 0.1, scale: float = 1.3) -> dict[str, object]:
    rows = [[spread * (i == j) for j in range(labels + 1)] for i in range(labels + 1)]
    return {
        "kind": "softmax",
        "scale": scale,
        "offsets": {f"l{k}": 0.1 * k for k in range(labels)},
        "covariance": rows,
    }


@given(st.lists(reals, min_size=2, max_size=6), spreads)
def test_labels_that_exclude_each_other_share_one(scores: list[float], spread: float) -> None:
    labels = [Label(name=f"l{k}", absent_below=0.1, present_from=0.7) for k in range(len(scores))]
    chances = read_calibration(card(softmax(len(scores), spread), *labels)).chances(scores)
    assert sum(p or 0.0 for p, _ in chances) == pytest.approx(1, abs=1e-6)
    for probability, interval in chances:
        assert probability is not None
        assert interval is not None
        assert 0 <= interval[0] <= probability <= interval[1] <= 1
    said = [decide(label, p) for label, (p, _) in zip(labels, chances, strict=True)]
    assert said.count("present") <= 1


def test_with_two_labels_softmax_is_the_logistic_map_of_their_difference() -> None:
    labels = (Label(name="l0"), Label(name="l1"))
    (first, _), (second, _) = read_calibration(card(softmax(2), *labels)).chances([0.4, -0.7])
    assert first == pytest.approx(LogisticCalibration(1.3, -0.1).probability(1.1))
    assert second == pytest.approx(1 - (first or 0))


def test_exclusive_labels_that_could_both_be_present_are_a_card_error() -> None:
    with pytest.raises(CardError, match=r"above 0\.5"):
        read_calibration(card(softmax(2), Label(name="l0", present_from=0.5), Label(name="l1")))


def test_exclusive_labels_that_could_all_be_absent_are_a_card_error() -> None:
    with pytest.raises(CardError, match="must hold"):
        read_calibration(card(softmax(2), Label(name="l0", absent_below=0.6), Label(name="l1")))


@pytest.mark.parametrize(
    "change",
    [
        {"scale": 0},
        {"scale": "hot"},
        {"offsets": {"l0": 0.0}},
        {"offsets": {"l0": 0.0, "l1": float("inf")}},
        {"covariance": [[0.0]]},
        {"covariance": "none"},
    ],
)
def test_a_softmax_that_makes_no_sense_is_a_card_error(change: dict[str, object]) -> None:
    with pytest.raises(CardError, match="softmax calibration"):
        read_calibration(card(softmax(2) | change, Label(name="l0"), Label(name="l1")))


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "magic"},
        {"kind": "logistic", "labels": {"x": {"slope": "steep", "offset": 0}}},
        {"kind": "logistic", "labels": {"x": {"slope": -1, "offset": 0}}},
        {"kind": "logistic", "labels": {"x": {"slope": float("nan"), "offset": 0}}},
        {"kind": "logistic", "labels": {"x": {"slope": 1, "offset": 0, "colour": 3}}},
        {"kind": "logistic", "labels": {"x": [1, 2]}},
    ],
)
def test_a_calibration_that_makes_no_sense_is_a_card_error(given: dict[str, object]) -> None:
    with pytest.raises(CardError, match="calibration"):
        read_calibration(card(given))
