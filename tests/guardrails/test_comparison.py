import pytest

from guardrails.claims import check_claim
from guardrails.ledger import Ledger
from overread.records import Change, Finding, Measurement


def ledger(*changes: Change) -> Ledger:
    made = Ledger()
    made.add_domain("D1", "chest X-ray", 0.98)
    made.add_domain("D2", "chest X-ray", 0.97)
    made.add_finding(Finding(id="F1", label="pneumonia", probability=0.8, interval=(0.7, 0.9), decision="present"))
    made.add_finding(Finding(id="F2", label="pneumonia", probability=0.1, interval=(0.05, 0.2), decision="absent"))
    made.add_measurement(Measurement(id="M1", name="longest axis", value=14, unit="mm", method="mask"))
    made.add_measurement(Measurement(id="M2", name="longest axis", value=10, unit="mm", method="mask"))
    for one in ("D2", "F2", "M2"):
        made.add_earlier(one)
    for change in changes:
        made.add_change(change)
    return made


GROWN = (
    Change(name="pneumonia", before="F2", now="F1", direction="higher"),
    Change(name="longest axis", before="M2", now="M1", direction="higher"),
)
TOLD = "The probability of pneumonia was {} in the earlier image and is {} in this one, which is {} [F2, F1]."
MEASURED = "The longest axis was {} mm in the earlier image and is {} mm in this one, which is {} [M2, M1]."


@pytest.mark.parametrize(
    "text",
    [
        TOLD.format("10 %", "80 %", "higher"),
        MEASURED.format(10, 14, "higher"),
        MEASURED.format(10, 14, "larger"),
        "Compared with the prior film, the lesion has grown [M1, M2].",
        "There was no pneumonia in the earlier image [F2].",
        "The earlier image looks like a chest X-ray, with a probability of 97 % [D2].",
    ],
)
def test_what_was_measured_may_be_said(text: str) -> None:
    claim = check_claim("c", text, ledger(*GROWN))
    assert claim.verdict == "supported", claim.checks


@pytest.mark.parametrize(
    ("text", "verdict", "check"),
    [
        (TOLD.format("80 %", "10 %", "higher"), "contradicted", "direction"),
        (TOLD.format("10 %", "80 %", "lower"), "contradicted", "direction"),
        (TOLD.format("10 %", "80 %", "not clearly different"), "contradicted", "direction"),
        (TOLD.format("20 %", "80 %", "higher"), "contradicted", "direction"),
        (MEASURED.format(14, 10, "lower"), "contradicted", "direction"),
        ("It is unchanged since the prior film [F1, F2].", "contradicted", "direction"),
        ("Compared with the prior film, the lesion has shrunk [M1, M2].", "contradicted", "direction"),
        ("The pneumonia has worsened since the prior film [F1, F2].", "unsupported", "measured_change"),
        ("The pneumonia has increased since the prior film [F1, M2].", "unsupported", "measured_change"),
        ("Compared with the prior film, the lesion has grown [M1].", "unsupported", "earlier"),
        ("There is no pneumonia [F2].", "unsupported", "earlier"),
        ("This looks like a chest X-ray, with a probability of 97 % [D2].", "unsupported", "earlier"),
    ],
)
def test_what_was_not_measured_may_not(text: str, verdict: str, check: str) -> None:
    claim = check_claim("c", text, ledger(*GROWN))
    assert (claim.verdict, claim.checks[0]) == (verdict, check)


@pytest.mark.parametrize(
    "text",
    [
        TOLD.format("10 %", "80 %", "higher"),
        "Compared with the prior film, the lesion has grown [M1, M2].",
        "The lesion has grown [M1].",
        "It is larger than before [M1].",
    ],
)
def test_without_a_measured_change_nothing_is_compared(text: str) -> None:
    claim = check_claim("c", text, ledger())
    assert claim.verdict == "unsupported"


def test_a_change_that_is_not_clear_is_the_same() -> None:
    same = ledger(Change(name="pneumonia", before="F2", now="F1", direction="same"))
    said = "The probability of pneumonia was 10 % in the earlier image and is 80 % in this one, which is {} [F2, F1]."
    assert check_claim("c", said.format("not clearly different"), same).verdict == "supported"
    assert check_claim("c", said.format("higher"), same).verdict == "contradicted"


@pytest.mark.parametrize(
    "reason",
    [
        "a chest X-ray with a retinal fundus photograph",
        "two studies whose headers name different patients",
        "with this study as the prior, as by its header it is the later one",
        "single slices of volumes, as they are not matched to each other",
        "images of different views",
        "these images, as no tool measured the same thing in both",
        "with the earlier study, as it cannot be read",
        "with the earlier study, as I do not know what kind of image it is",
        "with an earlier image, as none was given",
    ],
)
def test_it_may_be_said_that_nothing_is_compared(reason: str) -> None:
    for made in (ledger(), ledger(*GROWN)):
        assert check_claim("c", f"I cannot compare {reason}.", made).verdict == "not_checkable"
