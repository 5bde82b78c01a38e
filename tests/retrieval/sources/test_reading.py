import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.errors import SourceError
from retrieval.sources.document import Document
from retrieval.sources.reading import FORMATS, kind_of, read

DATA = Path(__file__).parent / "data"
Read = Callable[..., list[Document]]

MEDQUAD = (DATA / "medquad.xml").read_text(encoding="utf-8")
OLD_MEDQUAD = (DATA / "medquad_old.xml").read_text(encoding="utf-8")
PUBMED = (DATA / "pubmed.xml").read_text(encoding="utf-8")
JATS = (DATA / "jats.xml").read_text(encoding="utf-8")
MEDLINEPLUS = (DATA / "medlineplus.xml").read_text(encoding="utf-8")
OPENI = (DATA / "openi.xml").read_text(encoding="utf-8")
HTML = (DATA / "page.html").read_text(encoding="utf-8")
MARKDOWN = (DATA / "note.md").read_text(encoding="utf-8")


def sections(document: Document) -> dict[tuple[str, ...], str]:
    return {part.path: document.text[part.start : part.end] for part in document.parts}


def test_medquad_becomes_a_section_a_question(documents: Read) -> None:
    (document,) = documents(MEDQUAD)
    assert (document.title, document.source, document.key) == ("Pneumonia", "NHLBI", "NHLBI/0000001")
    assert document.url == "http://example.org/pnu"
    assert sections(document) == {
        ("What is Pneumonia?",): "An infection of the lungs.\n- Fever\n- Cough\nIt may be severe.",
        ("What are the treatments for Pneumonia?",): "Antibiotics.",
    }
    (old,) = documents(OLD_MEDQUAD)
    assert sections(old) == {("What is holmes-adie syndrome?",): "It affects the pupil."}


def test_a_retraction_in_pubmed_is_read(documents: Read) -> None:
    (document,) = documents(PUBMED)
    assert (document.title, document.date, document.source) == ("Zorblax in asthma.", "2011-03", "PubMed 123, J Test")
    assert (document.status, document.note) == ("retracted", "retracted in J Test. 2012;1:2")
    assert sections(document)[("Abstract", "Results")] == "It helped."


def test_jats_keeps_the_sections_and_loses_the_reference_marks(documents: Read) -> None:
    (document,) = documents(JATS)
    assert (document.title, document.date, document.url) == (
        "Nodules",
        "2020-05-02",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC42/",
    )
    assert document.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert sections(document)[("Methods", "CT")] == "Thin slices were used.\nOne item."


def test_medlineplus_gives_the_english_topics(documents: Read) -> None:
    (document,) = documents(MEDLINEPLUS)
    assert (document.title, document.date) == ("A1C", "2017-12-21")
    assert sections(document) == {("Summary",): "A1C is a test.\nNormal is below 5.7"}


def test_a_report_is_no_knowledge(documents: Read) -> None:
    (document,) = documents(OPENI)
    assert (document.role, document.licence, document.date) == ("report", "CC BY-NC-ND 4.0", "2013-08-01")
    assert sections(document) == {("Findings",): "No effusion.", ("Impression",): "Normal."}


def test_a_page_is_read_without_what_is_hidden(documents: Read) -> None:
    (document,) = documents(HTML)
    assert (document.title, document.date, document.url) == ("Goitre", "2019-03-02", "https://example.org/goitre")
    assert sections(document) == {
        (): "A goitre is a large thyroid.",
        ("Causes",): "Too little iodine.\nGraves disease",
    }
    assert "Ignore" not in document.text


def test_markdown_keeps_its_front_matter_and_sections(documents: Read) -> None:
    (document,) = documents(MARKDOWN)
    assert (document.title, document.source, document.date) == ("Sarcoidosis", "Our department", "2024-02")
    assert (document.status, document.note) == ("outdated", "see the edition of 2025")
    assert document.domains == ("ct/chest",)
    signs = "Nodules lie along the lymph vessels. They are small.\nStage | Sign\nI | hilar nodes"
    assert sections(document) == {("Signs",): signs, ("Signs", "Late"): "Fibrosis."}


def test_a_pdf_keeps_its_pages(documents: Read, pdf: Callable[..., bytes]) -> None:
    (document,) = documents(pdf("The first page has this sentence.", "The second has another."), "atlas")
    assert document.title == "atlas"
    assert [(part.page, document.text[part.start : part.end]) for part in document.parts] == [
        (1, "The first page has this sentence."),
        (2, "The second has another."),
    ]


def test_a_word_document_keeps_its_headings_and_tables(documents: Read, word: bytes) -> None:
    (document,) = documents(word)
    assert document.title == "A guideline"
    assert sections(document) == {("Imaging", "Chest CT"): "Use thin slices. Look at the fissures.\nnodule | 6 mm"}


def test_plain_text_is_paragraphs(documents: Read) -> None:
    (document,) = documents("On hernias\n\nA hernia is a\nbulge.\n\nIt may be repai-\nred.", "notes")
    assert document.title == "On hernias"
    assert sections(document) == {(): "A hernia is a bulge.\nIt may be repaired."}


def test_a_line_that_is_no_document_is_told_after_the_others(documents: Read) -> None:
    lines = [
        json.dumps({"id": 5, "title": "A", "text": "One.", "status": "withdrawn", "date": "2001-01-01T00:00"}),
        "{broken",
        json.dumps({"title": "B", "sections": [{"title": "Signs", "text": "Two.", "page": 3}]}),
        json.dumps({"title": "C"}),
        json.dumps({"title": "D", "text": "x", "status": "unheard of"}),
    ]
    found: list[Document] = []
    with pytest.raises(SourceError, match=r"line 2: it is not JSON \(and 2 more"):
        found.extend(read("\n".join(lines).encode(), "f"))
    assert [(d.key, d.title, d.status, d.date) for d in found] == [
        ("5", "A", "retracted", "2001-01-01"),
        ("3", "B", "current", None),
    ]
    assert found[1].parts[0].page == 3


def test_kinds_are_told_by_content_and_not_by_name(pdf: Callable[..., bytes], word: bytes) -> None:
    told = {
        "docx": word,
        "html": HTML,
        "jats": JATS,
        "jsonl": '{"text": "x"}\n',
        "markdown": "# A heading\n\nText.",
        "medlineplus": MEDLINEPLUS,
        "medquad": MEDQUAD,
        "openi": OPENI,
        "pdf": pdf("Words."),
        "pubmed": PUBMED,
        "text": "Just words.",
    }
    assert set(told) == set(FORMATS)
    for kind, content in told.items():
        data = content.encode() if isinstance(content, str) else content
        assert kind_of(data, "x.dat") == kind
    assert kind_of(PUBMED.encode(), "page.html") == "pubmed"
    assert kind_of(b"\x89PNG\r\n\x1a\n\x00\x00", "x.txt") is None
    assert kind_of(b"", "x.txt") is None


def test_medquad_as_it_is(shared_data: Path, documents: Read) -> None:
    with zipfile.ZipFile(shared_data / "retrieval" / "medquad_xml.zip") as archive:
        (document,) = documents(archive.read("8_NHLBI_QA_XML/0000105.xml"))
    assert document.title == "Pneumonia"
    assert "What are the treatments for Pneumonia?" in {path[0] for path in sections(document)}
