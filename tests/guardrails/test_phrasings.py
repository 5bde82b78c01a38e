"""Many ways of saying the same: each holds of evidence that bears it out, and of no evidence that says the opposite."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guardrails.claims import check_claim
from guardrails.ledger import Ledger
from overread.records import Artifact, Case, Decision, Finding, Measurement

WAYS = yaml.safe_load(Path(__file__).with_name("phrasings.yaml").read_text("utf-8"))
OPPOSITE: dict[Decision, tuple[Decision, ...]] = {
    "present": ("absent",),
    "absent": ("present", "indeterminate"),
    "indeterminate": (),
}
LIKELY: dict[Decision, float] = {"present": 0.87, "absent": 0.06, "indeterminate": 0.45}


def of_one(label: str, decision: Decision) -> Ledger:
    made = Ledger()
    made.add_domain("D1", "chest X-ray", 0.97)
    made.add_finding(
        Finding(id="F1", label=label, probability=LIKELY[decision], decision=decision),
        "Chest model",
    )
    return made


def of_many() -> Ledger:
    made = Ledger()
    made.add_domain("D1", "chest X-ray", 0.968)
    for id_, label, probability, interval, decision, side in (
        ("F1", "pneumonia", 0.87, (0.81, 0.91), "present", "left"),
        ("F2", "pleural effusion", 0.06, (0.03, 0.09), "absent", None),
        ("F3", "cardiomegaly", 0.45, (0.4, 0.5), "indeterminate", None),
        ("F4", "mild atelectasis", 0.9, None, "present", None),
    ):
        finding = Finding.model_validate(
            {"id": id_, "label": label, "probability": probability, "interval": interval, "decision": decision}
        )
        made.add_finding(finding, "Chest model", side=side)
    made.add_measurement(Measurement(id="M1", name="longest diameter", value=23.46, unit="mm", method="mask"))
    made.add_measurement(Measurement(id="M2", name="cardiothoracic ratio", value=0.523, unit="ratio", method="mask"))
    for id_, label, similarity in (("C1", "pneumonia", 0.81), ("C2", "pneumonia", 0.79), ("C3", "unlabelled", 0.7)):
        made.add_case(Case(id=id_, label=label, similarity=similarity))
    made.add_artifact(Artifact(id="A1", kind="heatmap", href="x"))
    return made


def sentence(way: str, label: str) -> str:
    said = way.format(label)
    return f"{said[0].upper()}{said[1:]} [F1]."


@pytest.mark.parametrize("label", ["pneumonia", "kidney stone"])
@pytest.mark.parametrize(
    ("decision", "way"),
    [
        (decision, way)
        for name, decision in (("present", "present"), ("absent", "absent"), ("undecided", "indeterminate"))
        for way in WAYS[name]
    ],
)
def test_a_way_of_saying_it_holds_and_its_opposite_does_not(decision: Decision, way: str, label: str) -> None:
    said = sentence(way, label)
    claim = check_claim("c", said, of_one(label, decision))
    assert claim.verdict == "supported", claim.checks
    for other in OPPOSITE[decision]:
        assert check_claim("c", said, of_one(label, other)).verdict in ("contradicted", "unsupported")


@pytest.mark.parametrize("said", WAYS["true"])
def test_what_the_evidence_says_is_shown(said: str) -> None:
    claim = check_claim("c", f"{said}.", of_many())
    assert claim.verdict == "supported", claim.checks


@pytest.mark.parametrize("said", WAYS["false"])
def test_what_the_evidence_does_not_say_is_withheld(said: str) -> None:
    assert check_claim("c", f"{said}.", of_many()).verdict in ("contradicted", "unsupported")


@given(st.sampled_from(WAYS["before"]), st.sampled_from(WAYS["behind"]), st.booleans())
def test_what_stands_around_a_statement_does_not_change_it(before: str, behind: str, there: bool) -> None:
    comma = "" if before.endswith((" that", " like")) else ","
    core = "there is pneumonia" if there else "there is no pneumonia"
    said = f"{before}{comma} {core}, {behind} [F1]."
    for decision, holds in (("present", there), ("absent", not there)):
        assert (check_claim("c", said, of_one("pneumonia", decision)).verdict == "supported") == holds  # type: ignore[arg-type]
