import pytest

from guardrails.claims import about_image, check_claim, is_connective
from guardrails.ledger import Ledger, cited_ids, without_citations
from overread.records import Artifact, Case, Finding, Measurement, Passage

SOURCE = (
    "Pneumonia is an infection of the lung tissue. It is usually confirmed by a chest radiograph. "
    "About 90 % of children recover within 14 days. A nodule is smaller than 30 mm."
)


def ledger() -> Ledger:
    made = Ledger()
    made.add_domain("D1", "chest X-ray", 0.984)
    made.add_finding(
        Finding(id="F1", label="pneumonia", probability=0.931, interval=(0.88, 0.96), decision="present"),
        "Child pneumonia",
    )
    made.add_finding(Finding(id="F2", label="pleural_effusion", probability=0.03, decision="absent"))
    made.add_finding(Finding(id="F3", label="cardiomegaly", probability=0.48, decision="indeterminate"))
    made.add_finding(Finding(id="F4", label="pneumothorax", probability=0.004, decision="absent"))
    made.add_measurement(Measurement(id="M1", name="cardiothoracic ratio", value=0.523, unit="ratio", method="mask"))
    made.add_measurement(Measurement(id="M2", name="longest diameter", value=12.34, unit="mm", method="mask"))
    made.add_case(Case(id="C1", label="pneumonia", similarity=0.873))
    made.add_artifact(Artifact(id="A1", kind="heatmap", href="a"))
    made.add_passage(Passage(id="S1", title="t", source="s", text=SOURCE, score=0.9))
    return made


SUPPORTED = [
    "This looks like a chest X-ray, with a probability of 98 % [D1].",
    "Child pneumonia finds signs of pneumonia, with a probability of 93 % (95 % interval 88 % to 96 %) [F1].",
    "There are signs of pneumonia (probability 0.93) [F1].",
    "The model finds no signs of pleural effusion: the probability is 3 % [F2].",
    "There is no pleural effusion [F2].",
    "An effusion is unlikely in this image [F2].",
    "The tool cannot decide about cardiomegaly: the probability is 48 %, which lies between its limits [F3].",
    "Whether there is cardiomegaly is not certain [F3].",
    "There is no pneumothorax: the probability is less than 1 % [F4].",
    "The cardiothoracic ratio is 0.52 [M1].",
    "The longest diameter is 12.3 mm [M2].",
    "The longest diameter is 1.2 cm [M2].",
    "A similar case carries the label pneumonia, with a similarity of 0.87 [C1].",
    "The heatmap shows where the model looked [A1].",
    "Pneumonia is an infection of the lung tissue [S1].",
    "About 90 % of children recover within 14 days [S1].",
    'The source says that it is "usually confirmed by a chest radiograph" [S1].',
    "- **Pneumonia** is an infection of the lung tissue [S1].",
    "There are signs of pneumonia [F1], which is an infection of the lung tissue [S1].",
]


@pytest.mark.parametrize("text", SUPPORTED)
def test_true_sentences_are_supported(text: str) -> None:
    claim = check_claim("claim-1", text, ledger())
    assert claim.verdict == "supported", claim.checks
    assert claim.evidence == cited_ids(text)


REJECTED = [
    ("There is a pneumonia.", "unsupported", "evidence_id"),
    ("Pneumonia is an infection.", "unsupported", "evidence_id"),
    ("The lungs are clear.", "unsupported", "evidence_id"),
    ("Give amoxicillin.", "unsupported", "evidence_id"),
    ("There is a pneumonia [F9].", "unsupported", "known_id"),
    ("There is a pneumonia [F1, S7].", "unsupported", "known_id"),
    ("This image shows pneumonia [S1].", "unsupported", "image_needs_tool"),
    ("There is an infection of the lung tissue [S1].", "unsupported", "image_needs_tool"),
    ("The patient has an infection of the lung tissue [S1].", "unsupported", "image_needs_tool"),
    ("No pneumonia is seen [F1].", "contradicted", "polarity"),
    ("The lungs are free of pneumonia [F1].", "contradicted", "polarity"),
    ("Pneumonia is absent [F1].", "contradicted", "polarity"),
    ("There is a pleural effusion [F2].", "contradicted", "polarity"),
    ("There is cardiomegaly [F3].", "contradicted", "certainty"),
    ("There is no cardiomegaly [F3].", "contradicted", "certainty"),
    ("There is pneumonia, with a probability of 53 % [F1].", "contradicted", "number"),
    ("There is pneumonia, with a probability of 0.97 [F1].", "contradicted", "number"),
    ("The longest diameter is 12.3 cm [M2].", "contradicted", "number"),
    ("The longest diameter is 15 mm [M2].", "contradicted", "number"),
    ("There is a fracture [F1].", "unsupported", "finding_match"),
    ("There is pneumonia and a fracture [F1].", "unsupported", "finding_match"),
    ("There is pneumonia in the left lower lobe [F1].", "unsupported", "site"),
    ("There is a severe pneumonia [F1].", "unsupported", "severity"),
    ("The pneumonia is unchanged since the prior film [F1].", "unsupported", "no_prior"),
    ("Compared with the previous image there is pneumonia [F1].", "unsupported", "no_prior"),
    ("There is a new pneumonia since the last examination [F1].", "unsupported", "no_prior"),
    ("Interval worsening of pneumonia [F1].", "unsupported", "no_prior"),
    ('The source says "confirmed by a biopsy" [S1].', "contradicted", "verbatim"),
    ("About 70 % of children recover within 14 days [S1].", "contradicted", "number"),
    ("Cats drink milk at midnight under bridges [S1].", "unsupported", "passage"),
]


@pytest.mark.parametrize(("text", "verdict", "check"), REJECTED)
def test_false_sentences_are_not(text: str, verdict: str, check: str) -> None:
    claim = check_claim("claim-1", text, ledger())
    assert (claim.verdict, claim.checks[0]) == (verdict, check)
    assert claim.checks[1].startswith("kind:")


CONNECTIVE = [
    "Research use; not a medical device.",
    "This is what the sources say.",
    "I looked for nothing else in this image.",
    "I cannot tell from this image whether there is a fracture.",
    "I have no tool that looks for fractures in a chest X-ray.",
    "I have no tool that looks for findings in a mammogram, so I cannot say whether it is normal.",
    "I have no source that answers the rest of the question.",
    "I can look again when you tell me the age group, for example: --context age_band=child.",
    "I can look again when you tell me the view, for example: --context view=AP.",
    "Would you like to see the passages?",
    "**Findings:**",
    "Summary:",
    "I cannot compare with an earlier image.",
]


@pytest.mark.parametrize("text", CONNECTIVE)
def test_framing_is_let_through(text: str) -> None:
    assert is_connective(text)
    assert check_claim("claim-1", text, ledger()).verdict == "not_checkable"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot tell, but there is a large pneumothorax.",
        "I cannot exclude it; the mass is malignant.",
        "I have no doubt that this is cancer.",
        "Yes.",
        "No.",
        "I see no fracture.",
        "I cannot find a pneumonia.",
        "I did not see a mass.",
        "I have no finding of pneumonia.",
        "I cannot exclude a mass.",
        "Would you like to know that this is cancer",
        "Summary: there is a fracture.",
        "Here is the answer: pneumonia.",
        "Normal chest.",
        "Hello, this is cancer.",
        "It is certainly benign.",
        "The moon is made of cheese.",
    ],
)
def test_a_claim_in_the_clothes_of_framing_is_not(text: str) -> None:
    assert check_claim("claim-1", text, ledger()).verdict == "unsupported"


def test_about_image() -> None:
    assert about_image("There is consolidation.")
    assert about_image("This X-ray is abnormal.")
    assert not about_image("Pneumonia is often seen in children.")
    assert not about_image("The diagnosis is usually made with a radiograph.")


def test_citations() -> None:
    assert cited_ids("a [F1, S2] b [S2; M10] c [x] [NAME] [12]") == ("F1", "S2", "M10")
    assert without_citations("It is so [F1, S2].") == "It is so."
