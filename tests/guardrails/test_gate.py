import pytest

from guardrails.gate import WITHHELD, Gate, Ledger
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.records import Finding, Passage

DETECTOR = TextDetector()
PLANTED = ("Kowalski", "Agnieszka", "0012345", "994044785528", "19 Jan 2004")


def gate() -> Gate:
    identity = Identity()
    identity.add("Kowalski^Agnieszka^Q", "name")
    identity.add("MRN-0012345", "id")
    identity.add("1.2.840.113619.2.62.994044785528", "uid")
    identity.add("20040119", "date")
    ledger = Ledger()
    ledger.add_finding(Finding(id="F1", label="pneumonia", probability=0.93, decision="present"))
    text = "Pneumonia is an infection of the lung."
    ledger.add_passage(Passage(id="S1", title="t", source="s", text=text, score=1))
    return Gate(identity, ledger, DETECTOR)


def shown(text: str) -> str:
    return "".join(released.text for released in gate().offline(text))


def test_a_withheld_sentence_leaves_no_gap() -> None:
    text = "There is pneumonia [F1]. There is a mass. Pneumonia is an infection of the lung [S1]."
    assert shown(text) == "There is pneumonia [F1]. Pneumonia is an infection of the lung [S1]."
    assert shown("There is a mass. There is pneumonia [F1].\n\nThanks.") == "There is pneumonia [F1].\n\nThanks."
    text = "There is pneumonia [F1]. A mass.\n\nPneumonia is an infection of the lung [S1]."
    assert shown(text) == "There is pneumonia [F1].\n\nPneumonia is an infection of the lung [S1]."


def test_what_is_released_says_why() -> None:
    released = gate().offline("There is pneumonia [F1]. No pneumonia is seen [F1]. There is a mass.")
    assert [(one.withheld, one.text != "") for one in released] == [
        (None, True),
        ("contradicted", False),
        ("unsupported", False),
    ]
    assert [one.claim.claim_id for one in released if one.claim] == ["claim-1", "claim-2", "claim-3"]


def test_identity_is_redacted_and_counted() -> None:
    (released,) = gate().offline("Agnieszka Kowalski, seen by Dr. Harris, has pneumonia [F1].")
    assert released.text == "[NAME], seen by [NAME], has pneumonia [F1]."
    assert released.redacted == 2
    assert released.claim is not None
    assert released.claim.text == released.text


@pytest.mark.parametrize(
    "text",
    [
        "A.\nKowalski has pneumonia [F1].",
        "Pneumonia is an infection of the lung [S1]. Agnieszka\n\nKowalski [F1].",
        "Is it Kowal\u200bski? Pneumonia [F1] on 19 Jan.\n2004 [F1].",
        "There is pneumonia in AGNIESZKA_KOWALSKI [F1].",
        "There is pneumonia [F1] 1.2.840.113619.2.62.994044785528 [F1].",
    ],
)
def test_nothing_planted_leaves_the_stream(text: str) -> None:
    for size in (1, 7, 1000):
        made = gate()
        released = [one for n in range(0, len(text), size) for one in made.feed(text[n : n + size])] + made.finish()
        out = repr(released).lower()
        assert not any(value.lower() in out for value in (*PLANTED, "kowal"))


def test_nothing_planted_leaves_any_other_way() -> None:
    made = gate()
    value = {
        "path": "/scans/kowalski_agnieszka.dcm",
        "Kowalski": ["MRN 0012345", 12345, 3, 0.5, None, True],
        "deep": {"uid": "1.2.840.113619.2.62.994044785528", "when": ("19 Jan 2004",)},
        "odd": object(),
    }
    out = repr(made.scrub_value(value)).lower()
    assert not any(planted.lower() in out for planted in PLANTED)
    assert made.scrub_value({"a": [1, 2.5, None, False]}) == {"a": [1, 2.5, None, False]}
    assert "kowalski" not in made.scrub("could not open Kowalski^Agnieszka").lower()
    assert "12345" not in str(made.scrub_value(12345678))


def test_a_failing_detector_withholds(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = TextDetector()
    monkeypatch.setattr(broken._patterns, "spans", lambda _: 1 / 0)
    made = Gate(Identity(), Ledger(), broken)
    assert [(one.text, one.withheld) for one in made.offline("Research use; not a medical device.")] == [("", "error")]
    assert made.scrub("anything") == WITHHELD


def test_what_is_no_text_withholds() -> None:
    assert gate().feed(b"bytes")[0].withheld == "error"


def test_controls_do_not_reach_a_terminal() -> None:
    assert gate().scrub("a\x1b[31mred\x07\u202e") == "a[31mred"
    assert shown("There is pneumonia\x1b [F1].") == "There is pneumonia [F1]."


def test_sentences_leave_while_text_still_comes() -> None:
    made = gate()
    first = made.feed("There is pneumonia [F1]. " + "And here more words come along " * 4)
    assert [one.text for one in first] == ["There is pneumonia [F1]."]


def test_a_gate_serves_several_texts() -> None:
    made = gate()
    assert made.offline("There is pneumonia [F1]. ")[0].text == made.offline("There is pneumonia [F1].")[0].text
