"""What a sentence says of a label that itself says an absence."""

import pytest

from guardrails.claims import check_claim
from guardrails.findings import polarity
from guardrails.ledger import Ledger
from overread.records import Finding


@pytest.mark.parametrize(
    ("said", "stance"),
    [
        ("The model finds no tumour.", "present"),
        ("There is no tumor.", "present"),
        ("The brain is free of tumours.", "present"),
        ("The model finds signs of tumour: the probability of no tumour is 3 %.", "absent"),
        ("There is a tumor.", "absent"),
        ("The model cannot decide whether there is no tumour.", "undecided"),
        ("The ventricles are wide.", None),
    ],
)
def test_an_absence_is_turned(said: str, stance: str | None) -> None:
    assert polarity(said, "no tumour") == stance


@pytest.mark.parametrize(
    ("decision", "said", "verdict"),
    [
        ("present", "There is a tumour [F4].", "contradicted"),
        ("present", "There is no tumour [F4].", "supported"),
        ("absent", "There is no tumour [F4].", "contradicted"),
        ("indeterminate", "There is no tumour [F4].", "contradicted"),
    ],
)
def test_the_gate_takes_an_absence_at_its_word(decision: str, said: str, verdict: str) -> None:
    ledger = Ledger()
    ledger.add_finding(
        Finding.model_validate({"id": "F4", "label": "no tumour", "probability": 0.9, "decision": decision})
    )
    assert check_claim("claim-1", said, ledger).verdict == verdict
