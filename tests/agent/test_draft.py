"""The composer's report draft: its sections, its ladder, and that its own gate withholds nothing of it."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.engines.composer import compose
from agent.engines.ladder import ladder, rung, say, sections
from agent.evidence import Evidence, ledger_of
from agent.gaps import gaps_of
from agent.state import SeenFinding, SeenImage, SeenMeasurement
from guardrails.gate import Gate, Released
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.domains import domains
from overread.records import Change, Context, Decision, Finding, Measurement

DETECTOR = TextDetector()
REASONS = (
    None,
    "the age is not known, and this model speaks only for infants and children",
    "this model speaks only for adults and the elderly",
    "the view is not known, and this model speaks only for the views PA and AP",
    "this model is not calibrated on such images",
)
LABELS = ("pneumonia", "glioma", "pituitary tumour", "no tumour", "melanoma", "pleural effusion", "infiltration")
contexts = st.builds(
    Context,
    age_band=st.sampled_from([None, "newborn", "infant", "child", "adolescent", "adult", "elderly"]),
    sex=st.sampled_from([None, "F", "M", "O"]),
    view=st.sampled_from([None, "PA", "AP", "LL"]),
)
probabilities = st.floats(0, 1)
modalities = st.sampled_from([None, "CR", "MR"])
indications = st.sampled_from(
    [(), ("a 4-year-old with fever and cough",), ("Is there a pneumonia?", "since 3 days, worse than before")]
)
counts = st.integers(1, 14)
tools = st.sampled_from([("chest-child", "The chest X-ray model for children"), ("x", "TorchXRayVision")])


def around(probability: float | None, spread: float) -> tuple[float, float] | None:
    return None if probability is None else (max(0, probability - spread), min(1, probability + spread))


@st.composite
def packs(draw: st.DrawFn) -> Evidence:
    """Evidence for a report: up to three images, or one with slices, or one with its prior."""
    kind = draw(st.sampled_from(["plain", "several", "volume", "prior"]))
    told = draw(contexts)
    count = {"plain": 1, "volume": 1, "prior": 2, "several": 3}[kind]
    slices = (4, 11) if kind == "volume" else ()
    domain = st.sampled_from([*domains(), "xray", "ct", "mr", "ultrasound"])
    images, findings, measurements = [], [], []
    for n in range(1, count + 1):
        known = draw(contexts).merged(told)
        images.append(
            SeenImage(
                id=f"D{n}", study_id=f"study-{n}", frame=7, slices=slices,
                modality=draw(modalities),
                domain=draw(domain), probability=draw(probabilities), context=known,
                frames=40 if slices else draw(st.sampled_from([1, 1, 3])), images=40 if slices else draw(counts),
                spacing_mm=draw(st.sampled_from([None, (0.139, 0.139), (0.5, 0.75)])),
                prior_of="D1" if kind == "prior" and n == 2 else None,
            )
        )  # fmt: skip
    number = 0
    for image in images:
        for label in draw(st.lists(st.sampled_from(LABELS), unique=True, max_size=3)):
            tool = draw(tools)
            reason = draw(st.sampled_from(REASONS))
            for frame in (image.frame, *image.slices):
                number += 1
                probability = draw(st.none() | probabilities)
                decision: Decision = draw(st.sampled_from(["present", "absent", "indeterminate"]))
                finding = Finding(
                    id=f"F{number}", label=label, probability=probability,
                    interval=around(probability, draw(st.sampled_from([0.0, 0.03, 0.2]))),
                    decision="indeterminate" if reason else decision,
                )  # fmt: skip
                findings.append(
                    SeenFinding(
                        image=image.id, tool=tool[0], title=tool[1], experimental=draw(st.booleans()), reason=reason,
                        covers=(label,), finding=finding, frame=frame,
                    )
                )  # fmt: skip
        if draw(st.booleans()):
            value = Measurement(
                id=f"M{image.id[1:]}", name="area of the lung fields", unit="mm²", value=draw(st.floats(0, 1e5)),
                method="pixels of the mask",
            )  # fmt: skip
            measurements.append(SeenMeasurement(image=image.id, measurement=value, frame=image.frame))
    changes = []
    if kind == "prior":
        pairs = [
            (a, b) for a in findings for b in findings
            if (a.image, b.image) == ("D1", "D2") and a.finding.label == b.finding.label
            and a.finding.probability is not None and b.finding.probability is not None
        ]  # fmt: skip
        changes = [
            Change(
                name=a.finding.label, now=a.finding.id, before=b.finding.id,
                direction="higher" if (a.finding.probability or 0) > (b.finding.probability or 0) else "lower",
            )
            for a, b in pairs
        ]  # fmt: skip
    said = draw(
        st.sampled_from([(), ("a 4-year-old with fever and cough",), ("Is there a pneumonia", "since 3 days, worse")])
    )
    return Evidence(
        about_image=True, knowledge=False, report=True, images=tuple(images), findings=tuple(findings),
        measurements=tuple(measurements), changes=tuple(changes), told=told, indication=said,
        not_compared=None if changes or kind != "prior" else "single slices of volumes",
        gaps=gaps_of(images, findings, "Is there a fracture? Write a report."),
    )  # fmt: skip


def released(evidence: Evidence) -> list[Released]:
    return Gate(Identity(), ledger_of(evidence), DETECTOR).offline("".join(compose(evidence)))


@settings(max_examples=60)
@given(packs())
def test_the_gate_withholds_nothing_of_a_draft(evidence: Evidence) -> None:
    text = "".join(compose(evidence))
    units = released(evidence)
    assert [unit.claim for unit in units if unit.withheld] == []
    assert "".join(unit.text for unit in units).strip() == text.strip()


@given(st.sampled_from(["present", "absent", "indeterminate"]), st.lists(probabilities, min_size=2, max_size=2))
def test_the_ladder_knows_every_probability_and_never_turns(decision: Decision, pair: list[float]) -> None:
    low, high = (rung(decision, one) for one in sorted(pair))
    rungs = list(ladder()[decision])
    assert rungs.index(low) <= rungs.index(high)


@settings(max_examples=25)
@given(packs())
def test_the_impression_is_short_and_no_surer_than_the_decisions(evidence: Evidence) -> None:
    text = "".join(compose(evidence))
    assert [line for line in text.split("\n") if line in sections()] == list(sections())
    impression = text.partition("Impression\n\n")[2]
    decisions = {seen.finding.id: seen.finding.decision for seen in evidence.findings}
    units = [unit for unit in released(evidence) if unit.text.strip() and unit.text.strip() in impression]
    # A sentence of the impression may stand in the findings too.
    said = list({unit.text.strip(): unit for unit in units}.values())
    assert len(said) <= 3
    assert said[-1].text.strip() == say("draft")
    for unit in said[:-1]:
        cited = [decisions[one] for one in (unit.claim.evidence if unit.claim else ()) if one in decisions]
        if re.search(r"is (?:very )?likely", unit.text):
            assert set(cited) == {"present"}


def test_an_item_that_was_looked_for_is_no_gap() -> None:
    finding = Finding(id="F1", label="Pleural_Effusion", probability=None, decision="indeterminate")
    image = SeenImage(
        id="D1", study_id="s", frame=0, modality=None, domain="xray/chest", probability=1, context=Context()
    )
    seen = SeenFinding(
        image="D1", tool="t", title="The model", finding=finding, covers=("Pleural_Effusion", "Cardiomegaly")
    )
    (gap,) = gaps_of([image], [seen], "Is there a fracture?")
    assert gap.items[0] == "fracture"
    assert "fractures" not in gap.items
    assert "pleural effusion" not in gap.items
    assert "pneumothorax" in gap.items
    assert gaps_of([image.model_copy(update={"prior_of": "D0"})], [seen], "") == ()


def test_a_sentence_that_no_tool_looked_is_withheld_where_one_did() -> None:
    finding = Finding(id="F1", label="pneumonia", probability=0.9, decision="present")
    image = SeenImage(
        id="D1", study_id="s", frame=0, modality="CR", domain="xray/chest", probability=1,
        context=Context(view="PA"), spacing_mm=(0.2, 0.2),
    )  # fmt: skip
    seen = SeenFinding(image="D1", tool="t", title="The model", finding=finding, covers=("pneumonia",))
    evidence = Evidence(
        about_image=True, knowledge=False, report=True, images=(image,), findings=(seen,), indication=("a cough",)
    )
    wrong = [
        "No tool looked for pneumonia.",
        "The pixel spacing of this image is not known [D1].",
        "Chest X-ray, three images [D1].",
        'The request says: "a fever".',
        "The view of this image is AP [D1].",
        "The pixel spacing of this image is 0.3 x 0.3 mm [D1].",
    ]
    right = [
        "No tool looked for fractures.",
        'The request says: "a cough".',
        "The pixel spacing of this image is 0.2 x 0.2 mm [D1].",
    ]
    gate = Gate(Identity(), ledger_of(evidence), DETECTOR)
    shown = [unit.text.strip() for unit in gate.offline("\n".join([*wrong, *right])) if unit.text]
    assert shown == right
