import io
import re
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from overread.events import Event
from overread.settings import Settings
from serve.chat.export import account_of, as_events, as_text
from serve.chat.markdown import markdown, markdown_with_figures, plain
from serve.chat.pdf import pdf, printable
from serve.chat.session import Turn


class Drawing:
    """An assistant that has drawn on the images."""

    def overlay(self, study_id: str) -> Any:
        return np.full((40, 60, 3), 90, dtype=np.uint8) if study_id == "study-1" else None


@pytest.fixture
def turn(answered: list[Event]) -> Turn:
    return Turn(1, "Is there a pneumonia? ≥ 2 cm², – 5 °C", 1, events=answered, state="done", checked=True)


PARTS = (
    "finds signs of pneumonia",
    "supported by its evidence",
    "nothing in the evidence supports it",
    "pneumonia: signs found, 93 %",
    "heart width: 81.5 mm",
    "Pneumonia is an infection of the lung.",
    "https://example.org/p?a=1&b=2",
    "built-in composer, no language model",
    "91 % that every sentence shown is right",
    "not a medical device",
)


def test_a_pdf_has_every_sentence_with_its_evidence_and_a_figure(turn: Turn) -> None:
    reader = PdfReader(io.BytesIO(pdf(account_of(turn, Drawing(), Settings()))))  # type: ignore[arg-type]
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    for part in (*PARTS, "≥ 2 cm², – 5 °C", "14 header values removed"):
        assert part.lower() in text.lower(), part
    assert sum(len(page.images) for page in reader.pages) == 1
    assert set(reader.metadata or {}) <= {
        "/Author", "/CreationDate", "/Creator", "/Keywords", "/ModDate", "/Producer", "/Subject", "/Title", "/Trapped",
    }  # fmt: skip
    assert (reader.metadata or {})["/CreationDate"] == "D:20000101000000+00'00'"


def test_markdown_has_the_same_and_its_figures_beside_it(turn: Turn) -> None:
    account = account_of(turn, Drawing(), Settings())  # type: ignore[arg-type]
    archive = zipfile.ZipFile(io.BytesIO(markdown_with_figures(account)))
    assert archive.namelist() == ["report.md", "figure-1.png"]
    text = archive.read("report.md").decode().replace("\\", "")
    for part in (*PARTS, "![Figure 1](figure-1.png)"):
        assert part in text, part
    assert "figure" not in markdown(account_of(turn, None, Settings()))


def test_what_is_copied_names_its_sources(turn: Turn) -> None:
    text = as_text(turn)
    assert "[F1] pneumonia: signs found, 93 %" in text
    assert "[S1] Pneumonia: What it is. Overread notes, https://example.org/p?a=1&b=2" in text
    assert "[M1]" not in text, "what is not cited is not listed"


def test_events_are_those_of_every_interface(turn: Turn) -> None:
    told = as_events(turn)
    assert [event["type"] for event in told["events"]] == [event.type for event in turn.events]


def test_a_refusal_is_written_with_what_would_help(refused: list[Event]) -> None:
    account = account_of(Turn(1, "What is it?", 1, events=refused, state="done"), None, Settings())
    assert "Send the original" in markdown(account)
    assert "What would help: Send the original." in as_text(Turn(1, "What is it?", 1, events=refused, state="done"))
    (page,) = PdfReader(io.BytesIO(pdf(account))).pages
    assert "What would help" in page.extract_text()


@given(st.text(max_size=60))
def test_a_text_stays_a_text_in_markdown(text: str) -> None:
    shown = plain(text)
    assert shown.replace("\\", "") == " ".join(text.split()).replace("\\", "")
    assert not re.match(r"[#>+-]\s|\d+[.)]\s", shown)
    assert not re.search(r"(?<!\\)[<\[`|]", shown)


@given(st.text(max_size=60))
def test_every_character_can_be_printed(text: str) -> None:
    assert printable(printable(text)) == printable(text)


def test_what_the_font_has_not_is_named() -> None:
    assert printable("H₂O α → é") == "H2O [greek small letter alpha] [rightwards arrow] é"
