"""Rule 2: for every chunking of every text the gate's stream equals its offline result."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.gate import Gate, Ledger, Released
from guardrails.phi.identity import Identity
from guardrails.phi.text import TextDetector
from overread.records import Finding, Passage

DETECTOR = TextDetector()
SHARED = Path(os.environ.get("OVERREAD_SHARED", Path(__file__).parents[3] / "shared"))
QUERIES = SHARED / "data/phi/asq_phi_dev.jsonl"

SYNTHETIC = [
    "This looks like a chest X-ray, with a probability of 98 % [D1]. The model finds signs of pneumonia [F1].\n\n"
    "This is what the sources say. Pneumonia is an infection of the lung [S1].",
    "Dr. Smith of St. Mary's saw Jane Q. Doe. She was born on 19 Jan 2004, e.g. at 0.93 vs. No. 5.\n\n"
    "- Doe,\nJane [F1]\n",
    "Findings:\n\n1. Pneumonia [F1].\n2. Pneumonia is an infection [S1].\n\n"
    "Would you like more? I cannot tell. Doe^Jane",
    "x" * 2000,
    "word " * 400,
    ". . . ... !? \n\n\n   \n" * 20,
    "Pneumonia is an infection of the lung." + " " * 200 + "[S1] Pneumonia is an infection of the lung [S1].",
    "J​ane D­oe has pneumonia [F1]. Ｊａｎｅ Ｄｏｅ. Seen on January\n19,\n2004. Research use; not a medical device.",
    "",
    " ",
    "\n",
]


def new_gate() -> Gate:
    identity = Identity()
    identity.add("Doe^Jane^Q", "name")
    identity.add("20040119", "date")
    identity.add("MRN-0012345", "id")
    ledger = Ledger()
    ledger.add_domain("D1", "chest X-ray", 0.98)
    ledger.add_finding(Finding(id="F1", label="pneumonia", probability=0.93, decision="present"))
    text = "Pneumonia is an infection of the lung."
    ledger.add_passage(Passage(id="S1", title="t", source="s", text=text, score=1))
    return Gate(identity, ledger, DETECTOR)


def streamed(chunks: list[str]) -> list[Released]:
    gate = new_gate()
    out = [released for chunk in chunks for released in gate.feed(chunk)]
    return out + gate.finish()


def queries() -> list[str]:
    if not QUERIES.is_file():
        pytest.skip("needs shared/data/phi")
    return [json.loads(line)["text"] for line in QUERIES.read_text("utf-8").splitlines()[:50]]


def check_all_splits(text: str, step: int = 1) -> None:
    offline = new_gate().offline(text)
    assert streamed(list(text)) == offline
    for cut in range(0, len(text) + 1, step):
        assert streamed([text[:cut], text[cut:]]) == offline


@pytest.mark.parametrize("text", SYNTHETIC)
def test_every_two_way_split_and_one_character_chunks(text: str) -> None:
    check_all_splits(text, step=1 if len(text) < 400 else 37)


def test_clinical_queries_in_a_row() -> None:
    rows = queries()
    for n in range(0, len(rows), 2):
        check_all_splits(" ".join(rows[n : n + 2]), step=7)


def test_clinical_queries_alone() -> None:
    for row in queries():
        offline = new_gate().offline(row)
        assert streamed(list(row)) == offline
        assert all(streamed([row[:cut], row[cut:]]) == offline for cut in range(0, len(row), 11))


WORDS = (
    "Dr. |Jane |Doe|D\u200boe|. |! |\n|\n\n|[F1]| [S1]|pneumonia |There is |0.93 |e.g. |St. |19 Jan| 2004|MRN|-0012345|"
    'a| |-|no |I cannot tell|“|"|[|]|é|Pneumonia is an infection'
)
PIECES = st.sampled_from(WORDS.split("|"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=120), st.data())
def test_any_chunking_of_any_text(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert streamed(chunks) == new_gate().offline(text)
    shown = "".join(released.text for released in streamed([text]))
    assert new_gate()._identity.find(shown) == []


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=400), st.integers(1, 9))
def test_any_unicode(text: str, size: int) -> None:
    assert streamed([text[n : n + size] for n in range(0, len(text), size)]) == new_gate().offline(text)
