"""The composer writes only what its evidence says, and nothing that its own gate would withhold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from agent.engines.composer import ComposerChatModel, compose
from agent.errors import EngineError
from agent.evidence import Evidence, ask_message, ledger_of, read_message
from agent.state import SeenCase, SeenFinding, SeenImage, SeenMeasurement
from guardrails.gate import Gate
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.domains import domains
from overread.records import Case, Context, Decision, Finding, Measurement, Passage

DETECTOR = TextDetector()
PASSAGE = Passage(
    id="S1",
    title="Pneumonia",
    source="Notes",
    text="Pneumonia is an infection of the lungs. On a chest X-ray it shows as an opacity, e.g. in one lobe.",
    score=0.9,
)
REASONS = (
    None,
    "the age is not known, and this model speaks only for infants and children",
    "this model speaks only for infants and children",
    "the view is not known, and this model speaks only for the views PA and AP",
)
probabilities = st.floats(0, 1)
images = st.builds(
    SeenImage,
    id=st.just("D1"),
    study_id=st.just("study-1"),
    frame=st.just(0),
    modality=st.none(),
    domain=st.sampled_from([*domains(), "xray", "ct", "mr", "ultrasound"]),
    probability=probabilities,
    context=st.just(Context()),
)
findings = st.builds(
    lambda label, probability, decision, reason, spread, experimental: SeenFinding(
        image="D1",
        tool="chest-findings-child",
        title="The chest X-ray model for children",
        experimental=experimental,
        reason=reason,
        covers=(label,),
        finding=Finding(
            id="F1",
            label=label,
            probability=probability,
            decision="indeterminate" if reason else decision,
            interval=None
            if spread is None or probability is None
            else (max(0, probability - spread), min(1, probability + spread)),
        ),
    ),
    st.sampled_from(["pneumonia", "glioma", "pituitary tumour", "no tumour", "melanoma"]),
    st.none() | probabilities,
    st.sampled_from(["present", "absent", "indeterminate"]),
    st.sampled_from(REASONS),
    st.none() | st.floats(0, 0.2),
    st.booleans(),
)
measurements = st.builds(
    lambda value: SeenMeasurement(
        image="D1",
        measurement=Measurement(id="M1", name="lung area", value=value, unit="mm²", method="counting pixels"),
    ),
    st.floats(0, 1e5),
)
cases = st.builds(
    lambda likeness: SeenCase(image="D1", case=Case(id="C1", label="pneumonia", similarity=likeness)), st.floats(0, 1)
)
evidence_packs = st.builds(
    Evidence,
    about_image=st.booleans(),
    knowledge=st.booleans(),
    images=st.lists(images, min_size=1, max_size=1).map(tuple),
    findings=st.lists(findings, max_size=1).map(tuple),
    measurements=st.lists(measurements, max_size=1).map(tuple),
    cases=st.lists(cases, max_size=1).map(tuple),
    cases_asked=st.booleans(),
    passages=st.sampled_from([(), (PASSAGE,)]),
    untested=st.sampled_from([(), ("fracture",)]),
)


@settings(deadline=None, max_examples=150)
@given(evidence_packs)
def test_the_gate_withholds_nothing_the_composer_writes(evidence: Evidence) -> None:
    text = "".join(compose(evidence))
    released = Gate(Identity(), ledger_of(evidence), DETECTOR).offline(text)
    assert [unit.claim for unit in released if unit.withheld] == []
    assert "".join(unit.text for unit in released).strip() == text.strip()


@settings(deadline=None, max_examples=50)
@given(evidence_packs)
def test_every_sentence_about_the_image_cites_it(evidence: Evidence) -> None:
    released = Gate(Identity(), ledger_of(evidence), DETECTOR).offline("".join(compose(evidence)))
    known = {"D1", "F1", "M1", "C1", "S1"}
    for unit in released:
        assert unit.claim is not None
        assert set(unit.claim.evidence) <= known
        assert unit.claim.evidence or unit.claim.verdict == "not_checkable"


@given(st.text(max_size=80), evidence_packs)
def test_an_engine_gets_back_what_was_sent(question: str, evidence: Evidence) -> None:
    assert read_message([ask_message(question, evidence)]) == (question, evidence)


def test_the_model_streams_what_it_composes() -> None:
    evidence = Evidence(about_image=False, knowledge=True, passages=(PASSAGE,))
    message = ask_message("What is pneumonia?", evidence)
    streamed = "".join(chunk.text for chunk in ComposerChatModel().stream([message]))
    assert streamed == "".join(compose(evidence)) == ComposerChatModel().invoke([message]).text
    assert "Pneumonia is an infection of the lungs [S1]." in streamed


def test_a_sentence_of_two_passages_is_quoted_once() -> None:
    again = PASSAGE.model_copy(update={"id": "S2"})
    evidence = Evidence(about_image=False, knowledge=True, passages=(PASSAGE, again))
    once = Evidence(about_image=False, knowledge=True, passages=(PASSAGE,))
    assert "".join(compose(evidence)) == "".join(compose(once))


def test_a_heading_within_a_passage_is_not_quoted() -> None:
    headed = PASSAGE.model_copy(update={"text": f"Risk factors\nAge. {PASSAGE.text}"})
    evidence = Evidence(about_image=False, knowledge=True, passages=(headed,))
    said = "".join(compose(evidence))
    assert "Risk factors" not in said
    assert "Age" not in said


def test_without_evidence_it_writes_nothing() -> None:
    with pytest.raises(EngineError, match="evidence"):
        ComposerChatModel().invoke([HumanMessage("What is this?")])


@given(probabilities)
def test_no_probability_is_shown_as_certain(probability: float) -> None:
    finding = Finding(id="F1", label="pneumonia", probability=probability, decision="present")
    seen = SeenFinding(image="D1", tool="t", title="The model", finding=finding)
    image = SeenImage(
        id="D1", study_id="s", frame=0, modality=None, domain="xray/chest", probability=0.9, context=Context()
    )
    text = "".join(compose(Evidence(about_image=True, knowledge=False, images=(image,), findings=(seen,))))
    assert " 0 %" not in text
    assert " 100 %" not in text


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ("present", "The model finds no tumour, with a probability of 40 % [F1]."),
        ("absent", "The model finds signs of tumour: the probability of no tumour is 40 % [F1]."),
        ("indeterminate", "The model cannot decide between tumour and none: the probability of no tumour is 40 %"),
    ],
)
def test_a_label_that_says_an_absence_has_its_own_sentences(decision: Decision, said: str) -> None:
    finding = Finding(id="F1", label="no tumour", probability=0.4, decision=decision)
    seen = SeenFinding(image="D1", tool="t", title="The model", finding=finding)
    image = SeenImage(
        id="D1", study_id="s", frame=0, modality=None, domain="mr/brain", probability=0.9, context=Context()
    )
    assert said in "".join(compose(Evidence(about_image=True, knowledge=False, images=(image,), findings=(seen,))))
