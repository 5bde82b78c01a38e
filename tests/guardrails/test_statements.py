import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.claims import check_claim
from guardrails.hallucination import kind_of
from guardrails.ledger import Ledger
from guardrails.statements import parts, statements
from overread.records import Finding, Measurement, Passage

LABELS = ("pneumonia", "pleural effusion", "pneumothorax", "nodule", "fracture", "melanoma", "kidney stone", "glioma")
AFFIRM = ("There is {}", "The model finds signs of {}", "{} is present", "The tool sees {} in this image")
DENY = ("There is no {}", "The model finds no signs of {}", "{} is absent", "No {} is seen", "{} was ruled out")


def one_finding(label: str, decision: str, probability: float = 0.8, side: str | None = None) -> Ledger:
    ledger = Ledger()
    made = Finding.model_validate({"id": "F1", "label": label, "probability": probability, "decision": decision})
    ledger.add_finding(made, side=side)
    return ledger


@pytest.mark.parametrize(
    ("text", "stances"),
    [
        ("No effusion, pneumothorax or consolidation [F1].", ["absent", "absent", "absent"]),
        ("There is no effusion, but there is a nodule.", ["absent", "present"]),
        ("Pneumonia [F1] and effusion [F2] are absent.", ["absent", "absent"]),
        ("No effusion is seen and there is a fracture.", ["absent", "present"]),
        ("It is not true that there is no fracture.", ["present"]),
        ("A fracture cannot be excluded.", ["undecided"]),
        ("The nodule is not absent.", ["present"]),
        (
            "Neither effusion nor pneumothorax is visible, whereas pneumonia is present.",
            ["absent", "absent", "present"],
        ),
        ("The pneumonia classifier looked at it.", []),
    ],
)
def test_a_sentence_is_taken_apart(text: str, stances: list[str]) -> None:
    assert [one.stance for one in statements(text)] == stances


def test_each_statement_cites_what_follows_it() -> None:
    made = statements("Pneumonia [F1] without effusion [F2, F3] is seen.")
    assert [one.ids for one in made] == [("F1",), ("F2", "F3")]
    assert [part.ids for part in parts("[F1] It is so, and that [S1] too.")] == [("F1",), ("S1",)]


@given(st.sampled_from(LABELS), st.sampled_from(AFFIRM), st.sampled_from(DENY))
def test_a_contradicted_sentence_never_passes(label: str, affirm: str, deny: str) -> None:
    for decision, true, false in (("present", affirm, deny), ("absent", deny, affirm)):
        ledger = one_finding(label, decision, 0.8 if decision == "present" else 0.1)
        assert check_claim("c", f"{true.format(label).capitalize()} [F1].", ledger).verdict == "supported"
        assert check_claim("c", f"{false.format(label).capitalize()} [F1].", ledger).verdict == "contradicted"


@given(st.sampled_from(LABELS), st.sampled_from(["left", "right"]), st.booleans())
def test_a_side_is_checked_against_label_and_region(label: str, side: str, named: bool) -> None:
    ledger = one_finding(f"{side} {label}" if named else label, "present", side=None if named else side)
    other = "left" if side == "right" else "right"
    assert check_claim("c", f"There is {side} {label} [F1].", ledger).verdict == "supported"
    for wrong in (other, "bilateral"):
        claim = check_claim("c", f"There is {wrong} {label} [F1].", ledger)
        assert (claim.verdict, claim.checks[0]) == ("contradicted", "laterality")


@given(st.floats(1, 300).map(lambda value: round(value, 1)))
def test_units_convert_and_never_by_ten(value: float) -> None:
    ledger = Ledger()
    ledger.add_measurement(Measurement(id="M1", name="longest diameter", value=value, unit="mm", method="mask"))
    said = "The longest diameter is {} [M1]."
    assert check_claim("c", said.format(f"{value} mm"), ledger).verdict == "supported"
    assert check_claim("c", said.format(f"{value / 10:.2f} cm"), ledger).verdict == "supported"
    assert check_claim("c", said.format(f"{value} cm"), ledger).verdict == "contradicted"
    assert check_claim("c", said.format(f"{value * 1.5 + 1:.1f} mm"), ledger).verdict == "contradicted"


@given(st.from_regex(r"[bcdfghjklmnpqrstvwz]{4}[aeiou][bcdfghjklmnpqrstvwz]{3}", fullmatch=True))
def test_a_word_nobody_knows_is_not_let_through(word: str) -> None:
    for text in (f"There is pneumonia and {word} [F1].", f"There is {word} [F1].", f"{word} caused it [F1]."):
        assert check_claim("c", text, one_finding("pneumonia", "present")).verdict != "supported"


@given(st.text(max_size=120), st.sampled_from(["", " [F1]", " [S1]", " [M9]", " [F1, S1]"]))
def test_any_text_gets_a_verdict_and_what_fails_a_kind(text: str, ids: str) -> None:
    ledger = one_finding("pneumonia", "present")
    ledger.add_passage(Passage(id="S1", title="t", source="s", text="Pneumonia is an infection.", score=1))
    claim = check_claim("c", text + ids, ledger)
    failed = claim.verdict in ("contradicted", "unsupported")
    assert any(check.startswith("kind:") for check in claim.checks) == failed


@pytest.mark.parametrize(
    ("text", "check", "kind"),
    [
        ("The study is normal [F1].", "coverage", "catastrophic"),
        ("There is a fracture [F1].", "finding_match", "critical"),
        ("There is no pneumonia [F1].", "polarity", "critical"),
        ("There is a left pneumonia [F1].", "laterality", "attribute"),
        ("The pneumonia has grown [F1].", "no_prior", "prompt-induced"),
        ("This is a CT [D1].", "words", "minor"),
    ],
)
def test_the_kind_of_a_mistake(text: str, check: str, kind: str) -> None:
    assert kind_of(text, check, one_finding("pneumonia", "present")) == kind


def test_an_illness_in_an_image_without_any_is_catastrophic() -> None:
    assert kind_of("There is a fracture [F1].", "finding_match", one_finding("pneumonia", "absent")) == "catastrophic"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("The heart is not enlarged [F1].", "supported"),
        ("The study is normal [F1].", "unsupported"),
        ("There is nothing wrong [F1].", "unsupported"),
    ],
)
def test_what_is_normal_needs_a_tool_that_covers_it(text: str, verdict: str) -> None:
    ledger = one_finding("cardiomegaly", "absent", 0.05)
    ledger.add_domain("D1", "chest X-ray", 0.98)
    assert check_claim("c", text, ledger).verdict == verdict


def test_a_tool_that_says_normal_carries_it() -> None:
    assert check_claim("c", "The study is normal [F1].", one_finding("no finding", "present")).verdict == "supported"
    assert check_claim("c", "The study is normal [F1].", one_finding("no finding", "absent")).verdict == "contradicted"


def two_lesions() -> Ledger:
    ledger = Ledger()
    ledger.add_domain("D1", "MR image of the brain", 0.96)
    for id_, label, probability in (("F1", "meningioma", 0.04), ("F2", "pituitary tumour", 0.07)):
        ledger.add_finding(Finding(id=id_, label=label, probability=probability, decision="absent"))
    ledger.add_measurement(Measurement(id="M1", name="tumour area", value=612.4, unit="mm2", method="mask"))
    return ledger


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Meningioma and pituitary tumour are unlikely, at 4 % and 7 % [F1, F2].", "supported"),
        ("Meningioma and pituitary tumour are unlikely, at 7 % and 4 % [F1, F2].", "contradicted"),
        ("Meningioma scored only 4 % [F1].", "supported"),
        ("Meningioma: 4 % [F1].", "supported"),
        ("There is meningioma: 4 % [F1].", "contradicted"),
        ("The tumour area is not more than 700 mm2 [M1].", "supported"),
        ("The tumour area is not more than 500 mm2 [M1].", "contradicted"),
        ("The tumour area does not exceed 700 mm2 [M1].", "supported"),
        ("The tumour area is not less than 700 mm2 [M1].", "contradicted"),
        ("The tumour area is not 612 mm2 [M1].", "contradicted"),
        ("The tumour's area is a sign of a tumour [M1].", "unsupported"),
        ("The tumour area of 612 mm2 is large [M1].", "unsupported"),
        ("There is no lack of meningioma [F1].", "contradicted"),
        ("The absence of meningioma is doubtful [F1].", "contradicted"),
        ("A high probability is given for meningioma [F1].", "contradicted"),
        ("The score of meningioma exceeds the threshold [F1].", "contradicted"),
        ("Meningioma surrounds a pituitary tumour [F1, F2].", "contradicted"),
        ("It is not a brain MR [D1].", "contradicted"),
        ("The image isn't of the brain [D1].", "contradicted"),
    ],
)
def test_numbers_and_denials_are_read_together(text: str, verdict: str) -> None:
    assert check_claim("c", text, two_lesions()).verdict == verdict
