"""When the evidence does not carry an answer: undecided findings, whose reason is told, and measurements."""

from agent.evidence import Evidence
from agent.nodes.write import too_little
from agent.state import SeenFinding, SeenImage, SeenMeasurement
from overread.records import Context, Finding, Measurement

IMAGE = SeenImage(
    id="D1", study_id="study-1", frame=0, modality=None, domain="xray/chest", probability=0.99, context=Context()
)
OTHERS = "this model speaks only for infants and children"
AREA = SeenMeasurement(
    image="D1", tool="lungs", frame=0,
    measurement=Measurement(id="M1", name="area of both lung fields", value=9.0, unit="px²", method="pixels"),
)  # fmt: skip


def undecided(number: int, probability: float | None, reason: str | None) -> SeenFinding:
    finding = Finding(id=f"F{number}", label="pneumonia", probability=probability, decision="indeterminate")
    return SeenFinding(image="D1", tool=f"model-{number}", title="The model", frame=0, finding=finding, reason=reason)


def evidence(*findings: SeenFinding, **more: object) -> Evidence:
    return Evidence.model_validate(
        {"about_image": True, "knowledge": False, "images": (IMAGE,), "findings": findings, **more}
    )


def test_the_reason_of_a_model_for_others_is_not_told_where_one_for_this_patient_looked() -> None:
    refused = too_little(evidence(undecided(1, 0.6, None), undecided(2, None, OTHERS)), 0.5)
    assert refused is not None
    assert refused.reason == "low_confidence"
    assert refused.missing is not None
    assert "limits" in refused.missing
    refused = too_little(evidence(undecided(2, None, OTHERS)), 0.5)
    assert refused is not None
    assert refused.missing == OTHERS


def test_a_measurement_is_told_to_who_asks_for_one() -> None:
    finding = undecided(1, 0.6, None)
    assert too_little(evidence(finding, measurements=(AREA,), measure_asked=True), 0.5) is None
    assert too_little(evidence(finding, measurements=(AREA,)), 0.5) is not None
    assert too_little(evidence(finding, measure_asked=True), 0.5) is not None
