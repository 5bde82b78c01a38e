import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.cards import Label
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


def test_a_label_without_calibration_has_none() -> None:
    assert read_calibration("c", {}, "x") is None
    assert read_calibration("c", {"kind": "logistic", "labels": {"y": {"slope": 1, "offset": 0}}}, "x") is None


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
        read_calibration("c", given, "x")
