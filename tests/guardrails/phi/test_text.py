import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.guardrails_bench import measure
from evaluation.identity_texts import read_asq, read_presidio
from guardrails.errors import DetectorError
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector, redact

DETECTOR = TextDetector()
SHARED = Path(os.environ.get("OVERREAD_SHARED", Path(__file__).parents[4] / "shared"))


def shown(text: str) -> str:
    return redact(text, None, DETECTOR).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seen by Dr. Harris today.", "Seen by [NAME] today."),
        ("pt John S. with cough", "pt [NAME] with cough"),
        ("seen by dr smith", "seen by [NAME]"),
        ("a 45-year-old male, Michael Brown, with asthma", "a 45-year-old male, [NAME], with asthma"),
        ("SMITH^JOHN^Q has asthma", "[NAME] has asthma"),
        ("Dr. Smith's note", "[NAME]'s note"),
        ("on March 5th, 2021 and 17-Feb-2023", "on [DATE] and [DATE]"),
        ("admitted 11/02/1958, 2010-03-10 19:00:35", "admitted [DATE], [DATE]"),
        ("in April 2023", "in [DATE]"),
        ("a 93-year-old woman", "a [AGE]-year-old woman"),
        ("(MRN: RB-123456)", "(MRN: [ID])"),
        ("accession number 998877", "accession number [ID]"),
        ("SSN 123-45-6789", "SSN [ID]"),
        ("call 555-123-4567 now", "call [PHONE] now"),
        ("mail john.doe123@example.com", "mail [EMAIL]"),
        ("see https://example.org/p?id=1 there", "see [URL] there"),
        ("from 192.168.1.10", "from [IP]"),
        ("treated at St. Mary's Hospital", "treated at [PLACE]"),
        ("at UCLA Medical Center", "at [PLACE]"),
        ("lives at 123 Maple St, Springfield", "lives at [PLACE]"),
        ("in Houston, TX", "in [PLACE]"),
        ("UID 1.2.840.113619.2.62.994044785528", "UID [UID]"),
        ("card 4929 2438 5618 3088", "card [ID]"),
        ("J\u200bohn Sm\u00adith, pt", "[NAME], pt"),
        ("\uff2dr. \uff33\uff4d\uff49\uff54\uff48 came", "[NAME] came"),
    ],
)
def test_identity_is_replaced_by_markers(text: str, expected: str) -> None:
    assert shown(text) == expected


CLINICAL = [
    "Parkinson's disease and Graves disease, Down syndrome, Wilms tumor, Ewing sarcoma.",
    "A Foley catheter and a Swan-Ganz catheter are in place.",
    "It may cause oedema. May be normal.",
    "T2 hyperintense at L4-L5, BRCA1, EGFR, TP53, HER2, CD20.",
    "Chest X-ray, PA view, 0.93 cm, 12 mm, 120/80 mmHg, 10-20 % at 5-10 years, 2/3 of patients in 3-5 days.",
    "a 4-year-old boy, age 45, aged 88",
    "Evidence [F1] and [F1, S12] and [D1].",
    "metformin 500 mg twice daily, Vitamin D. Hepatitis B. Influenza A.",
    "Research use; not a medical device.",
    "Kerley B lines, -600 Hounsfield units, Hodgkin's lymphoma, Ranson criteria, Child-Pugh B, RECIST 1.1",
    "Fleischner Society, American College of Radiology, World Health Organization, WHO 2014, BI-RADS 4",
    "Virchow's node, Mallory-Weiss tear, Charcot-Marie-Tooth disease, Stevens-Johnson syndrome, Marfan syndrome",
    "CHADS2 score of 3, CHA2DS2-VASc, eGFR of 45, diagnosed in 2021, from 2010-2015, COVID-19",
    "This looks like a chest X-ray, with a probability of 98 % (95 % interval 96 % to 99 %) [D1].",
    "The model finds no signs of pneumothorax: the probability is 3 % [F2].",
    "Image 1, frame 12/96, 512 x 512 pixels, 0.143 mm",
]


@pytest.mark.parametrize("text", CLINICAL)
def test_clinical_words_are_not_identity(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("wallet 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "account"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "account"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "ip"),
        ("mac 00:1B:44:11:3A:B7", "id"),
        ("lic ab1234563", "id"),
    ],
)
def test_presidio_finds_what_our_patterns_do_not(text: str, kind: str) -> None:
    assert kind in {span.kind for span in DETECTOR.spans(text)}


def test_presidio_hosts_the_clinical_patterns() -> None:
    results = DETECTOR.analyzer().analyze("Seen by Dr. Harris.", language="en")
    assert [(one.entity_type, one.start, one.end) for one in results] == [("CLINICAL_NAME", 8, 18)]


def test_presidio_is_not_loaded_for_ordinary_sentences() -> None:
    program = (
        "import sys; from guardrails.phi.text import TextDetector; d = TextDetector();"
        "[d.spans(t) for t in ('Seen by Dr. Harris at 12:34 on 5 May 2021, MRN: RB-123456.', 'No effusion [F1].')];"
        "assert not {'presidio_analyzer', 'spacy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


def test_a_detector_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = TextDetector()
    monkeypatch.setattr(detector._patterns, "spans", lambda _: 1 / 0)
    with pytest.raises(DetectorError) as caught:
        detector.spans("Jane Doe")
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_redact_joins_the_list_and_the_detector() -> None:
    identity = Identity()
    identity.add("Qwertz^Xaver", "name")
    done = redact("Xaver Qwertz saw Dr. Harris", identity, DETECTOR)
    assert (done.text, done.count) == ("[NAME] saw [NAME]", 2)
    assert redact("nothing here").text == "nothing here"


@given(st.text(max_size=300))
def test_spans_are_in_order_and_inside(text: str) -> None:
    last = 0
    for span in DETECTOR._patterns.spans(text):
        assert last <= span.start < span.end <= len(text)
        last = span.end


def test_measured_on_clinical_queries() -> None:
    path = SHARED / "data/phi/asq_phi_dev.jsonl"
    if not path.is_file():
        pytest.skip("needs shared/data/phi")
    result = measure(read_asq(path), DETECTOR.spans)
    assert result["entities_covered"][0] >= 0.98
    assert int(result["clean_touched"].split("/")[0]) <= 5


def test_measured_on_generated_texts() -> None:
    path = SHARED / "data/phi/presidio_generated_large.json"
    if not path.is_file():
        pytest.skip("needs shared/data/phi")
    rows = read_presidio(path)[::5]
    assert len(rows) > 400
    result = measure(rows, DETECTOR.spans)
    assert result["char_f1"][0] >= 0.90, json.dumps(result)
    assert result["char_precision"][0] >= 0.95


@pytest.mark.parametrize("text", ["The area is 1489061 px² [M5].", "It measures 1489061 mm² in all."])
def test_a_measured_area_is_no_number_of_a_person(text: str) -> None:
    assert DETECTOR.spans(text) == []


def test_the_same_number_by_itself_is_one() -> None:
    assert [span.kind for span in DETECTOR.spans("The number 1489061 was seen.")] == ["id"]
