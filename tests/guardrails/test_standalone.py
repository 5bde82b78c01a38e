import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.entailment import evidence_sentences, support, word_overlap
from guardrails.standalone import check_claims, judge

EVIDENCE = [
    "There is a small right pleural effusion. No pneumothorax is seen.",
    "The nodule in the left upper lobe measures 8 mm. Amoxicillin is given for 7 days.",
]


@pytest.mark.parametrize(
    ("claim", "check"),
    [
        ("There is a small left pleural effusion.", "laterality"),
        ("There is a large right pleural effusion.", "severity"),
        ("There is no right pleural effusion.", "polarity"),
        ("A pneumothorax is seen.", "polarity"),
        ("The nodule in the left upper lobe measures 18 mm.", "number"),
        ("The nodule in the left lower lobe measures 8 mm.", "laterality"),
        ("Amoxicillin is given for 14 days.", "number"),
    ],
)
def test_what_the_evidence_says_otherwise_is_contradicted(claim: str, check: str) -> None:
    found = judge(claim, EVIDENCE, 0.9)
    assert found.verdict == "contradicted"
    assert check in found.checks
    assert found.score <= 0.05


@pytest.mark.parametrize(
    ("claim", "check"),
    [
        ("The effusion has increased since the prior study.", "no_prior"),
        ("There is a right pleural effusion and a rib fracture.", "finding_match"),
        ("The effusion holds 300 ml.", "number"),
    ],
)
def test_what_nothing_speaks_of_is_unsupported(claim: str, check: str) -> None:
    found = judge(claim, EVIDENCE, 0.9)
    assert found.verdict == "unsupported"
    assert check in found.checks


@pytest.mark.parametrize("claim", ["There is a small right pleural effusion.", "No pneumothorax is seen."])
def test_what_stands_there_is_supported(claim: str) -> None:
    assert judge(claim, EVIDENCE, 0.6).verdict == "supported"


def test_the_scorer_prefers_its_own_evidence() -> None:
    claims = [
        ("Chest pain and breathlessness are signs of a pulmonary embolism.",
         ["A pulmonary embolism may cause pain in the chest and shortness of breath."]),
        ("Glaucoma damages the optic nerve.", ["In glaucoma the nerve of the eye is harmed by raised pressure."]),
    ]  # fmt: skip
    own = support(claims)
    crossed = support([(claims[0][0], claims[1][1]), (claims[1][0], claims[0][1])])
    assert (own > crossed).all()
    assert ((own >= 0) & (own <= 1)).all()


def test_nothing_to_compare_with_is_unsupported() -> None:
    for claim, evidence in (("A claim.", []), ("A claim.", ["", " \n"]), ("", ["Evidence here."])):
        (found,) = check_claims([(claim, evidence)])
        assert found.verdict == "unsupported"
    assert check_claims([]) == []
    assert support([("A claim.", [])]).tolist() == [0.0]


@settings(max_examples=100)
@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3), st.floats(0, 1))
def test_any_text_gets_a_verdict(claim: str, evidence: list[str], score: float) -> None:
    found = judge(claim, evidence, score)
    assert found.checks
    assert 0 <= found.score <= 1
    assert 0 <= word_overlap(claim, evidence) <= 1
    assert all(evidence_sentences(evidence))
