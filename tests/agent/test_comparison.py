from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.comparison import compare
from agent.engines.change import sentences
from agent.evidence import Evidence, ledger_of
from agent.state import SeenFinding, SeenImage, SeenMeasurement
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.records import Context, Finding, Measurement

DETECTOR = TextDetector()


def image(number: int, prior_of: str | None = None, **more: Any) -> SeenImage:
    known = {"domain": "xray/chest", "context": Context(), "modality": None, "frame": 0, "probability": 0.9} | more
    return SeenImage(id=f"D{number}", study_id=f"study-{number}", prior_of=prior_of, **known)


def finding(number: int, probability: float | None, **more: Any) -> SeenFinding:
    spread = None if probability is None else (max(0.0, probability - 0.03), min(1.0, probability + 0.03))
    made = Finding(id=f"F{number}", label="pneumonia", probability=probability, interval=spread, decision="present")
    known = {"tool": "t", "title": "The model", "version": "1"} | more
    return SeenFinding(image=f"D{number}", finding=made, **known)


def measured(number: int, value: float, unit: str = "mm", **more: Any) -> SeenMeasurement:
    made = Measurement(id=f"M{number}", name="longest axis", value=value, unit=unit, method="mask")
    return SeenMeasurement(image=f"D{number}", measurement=made, **({"tool": "m", "version": "1"} | more))


PAIR = (image(1), image(2, "D1"))


@pytest.mark.parametrize(
    ("now", "before", "direction"),
    [(0.9, 0.2, "higher"), (0.2, 0.9, "lower"), (0.5, 0.45, "same"), (0.95, 0.88, "same")],
)
def test_a_probability_of_the_same_weights_is_compared(now: float, before: float, direction: str) -> None:
    (change,), reason = compare(PAIR, [finding(1, now), finding(2, before)], [])
    assert (change.now, change.before, change.direction, reason) == ("F1", "F2", direction, None)


@pytest.mark.parametrize(("now", "before", "direction"), [(14, 10, "higher"), (9, 12, "lower"), (10.2, 10, "same")])
def test_a_measurement_in_the_same_unit_is_compared(now: float, before: float, direction: str) -> None:
    (change,), _ = compare(PAIR, [], [measured(1, now), measured(2, before)])
    assert (change.name, change.direction) == ("longest axis", direction)


@pytest.mark.parametrize(
    ("findings", "measurements"),
    [
        ([finding(1, 0.9), finding(2, 0.1, version="2")], []),
        ([finding(1, 0.9), finding(2, 0.1, tool="other")], []),
        ([finding(1, 0.9), finding(2, None)], []),
        ([finding(1, 0.9)], []),
        ([], [measured(1, 14, "px"), measured(2, 10, "px")]),
        ([], [measured(1, 14, "mm"), measured(2, 10, "px")]),
        ([], [measured(1, 14), measured(2, 10, version="2")]),
        ([], [measured(1, 14), measured(1, 3), measured(2, 10)]),
    ],
)
def test_what_means_something_else_is_not(findings: list[SeenFinding], measurements: list[SeenMeasurement]) -> None:
    changes, reason = compare(PAIR, findings, measurements)
    assert changes == ()
    assert reason
    assert "no tool measured the same thing" in reason


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (image(2, "D1", domain="fundus"), "a chest X-ray with a retinal fundus photograph"),
        (image(2, "D1", context=Context(view="AP")), "images of different views"),
        (image(2, "D1", incomparable="these two"), "these two"),
    ],
)
def test_images_that_may_not_be_compared(before: SeenImage, reason: str) -> None:
    now = image(1, context=Context(view="PA"))
    assert compare([now, before], [finding(1, 0.9), finding(2, 0.1)], []) == ((), reason)


def test_without_a_prior_there_is_nothing_to_say() -> None:
    assert compare([image(1), image(2)], [finding(1, 0.9), finding(2, 0.1)], []) == ((), None)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 500), st.floats(0, 500), st.booleans())
def test_the_gate_lets_through_what_the_composer_compares(p: float, q: float, v: float, w: float, asked: bool) -> None:
    findings = (finding(1, p), finding(2, q))
    measurements = (measured(1, v), measured(2, w))
    changes, reason = compare(PAIR, findings, measurements)
    evidence = Evidence(
        about_image=True, knowledge=False, images=PAIR, findings=findings, measurements=measurements,
        changes=changes, not_compared=reason, change_asked=asked,
    )  # fmt: skip
    text = " ".join(sentences(evidence))
    released = Gate(Identity(), ledger_of(evidence), DETECTOR).offline(text)
    assert [unit.claim for unit in released if unit.withheld] == []
    assert len(changes) == 2
