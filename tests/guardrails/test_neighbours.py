import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.claims import check_claim
from guardrails.ledger import Ledger
from overread.records import Case

LABELS = ("bacterial pneumonia", "bacterial pneumonia", "viral pneumonia", "normal", "unlabelled")
IDS = "[C1, C2, C3, C4, C5]"
WORDS = ("no", "one", "two", "three", "four", "five", "six")


def ledger() -> Ledger:
    made = Ledger()
    for number, label in enumerate(LABELS, 1):
        made.add_case(Case(id=f"C{number}", label=label, similarity=0.9))
    return made


@pytest.mark.parametrize(
    "text",
    [
        'Among the five cases of the index that look most alike, two are labelled "bacterial pneumonia", '
        'one is labelled "viral pneumonia", one is labelled "normal" and one is unlabelled',
        "Three of the five similar cases are labelled pneumonia",
        "Most of the cases are labelled pneumonia",
        "Similar cases carry the labels pneumonia and normal",
    ],
)
def test_true_counts_are_supported(text: str) -> None:
    claim = check_claim("c", f"{text} {IDS}.", ledger())
    assert claim.verdict == "supported", claim.checks


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ('Among the five cases that look most alike, three are labelled "bacterial pneumonia"', "case_count"),
        ('Among the four most similar cases, two are labelled "bacterial pneumonia"', "case_count"),
        ("Four of the five similar cases are labelled pneumonia", "case_count"),
        ("All five cases carry the label pneumonia", "case_count"),
        ("Nearly all cases have what four cases have", "case_count"),
        ('One case is labelled "granuloma"', "case_label"),
        ("Three cases have pneumonia", "case_label"),
        ("Similar cases are labelled pneumonia, so this is likely pneumonia", "case_label"),
        ("The patient has pneumonia like the labelled cases", "case_label"),
        ("The image shows pneumonia", "case_only"),
    ],
)
def test_false_counts_and_conclusions_are_not(text: str, check: str) -> None:
    claim = check_claim("c", f"{text} {IDS}.", ledger())
    assert claim.verdict != "supported"
    assert claim.checks[0] == check


@given(st.integers(0, 6), st.sampled_from(sorted(set(LABELS) - {"unlabelled"})))
def test_a_count_holds_only_when_it_is_the_count(number: int, label: str) -> None:
    text = f'Among the five cases of the index that look most alike, {WORDS[number]} are labelled "{label}" {IDS}.'
    assert (check_claim("c", text, ledger()).verdict == "supported") == (LABELS.count(label) == number)
