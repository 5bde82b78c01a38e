from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from overread.settings import Settings
from retrieval.library import Knowledge, library_folder
from retrieval.search import KnowledgeBase
from retrieval.storage import indexing
from retrieval.storage.base import StoredBase


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress is shown."""


Add = Callable[..., None]


@pytest.fixture
def own(own_settings: Settings, tmp_path: Path) -> Add:
    """Adds texts to the user's own library, by name."""
    documents = tmp_path / "documents"
    documents.mkdir()

    def add(**texts: str) -> None:
        for name, text in texts.items():
            (documents / f"{name}.md").write_text(text)
        indexing.add(library_folder(own_settings), [documents], silent)

    return add


CYSTINOSIS = (
    "---\nsource: Our department\n---\n# Cystinosis\n\n## How it is confirmed\n\nCystinosis is confirmed by biopsy.\n"
)


def found(knowledge: Knowledge, question: str) -> list[tuple[str, str]]:
    return [(hit.title, hit.text) for hit in knowledge.search(question, dense=False)]


def test_the_own_library_answers_what_the_notes_do_not(own_settings: Settings, own: Add) -> None:
    knowledge = Knowledge.open(own_settings)
    question = "How is cystinosis confirmed?"
    before = knowledge.checksum
    assert found(knowledge, question) == []
    own(cystinosis=CYSTINOSIS)
    assert found(knowledge, question) == [("Cystinosis", "Cystinosis is confirmed by biopsy.")]
    assert knowledge.search(question, dense=False)[0].source == "Our department"
    assert knowledge.checksum != before
    assert found(knowledge, "What causes scurvy?") == []


def test_what_is_removed_is_in_no_later_answer(own_settings: Settings, own: Add) -> None:
    own(cystinosis=CYSTINOSIS)
    knowledge = Knowledge.open(own_settings)
    assert found(knowledge, "How is cystinosis confirmed?")
    folder = library_folder(own_settings)
    indexing.remove(folder, [facts.id for facts in StoredBase.open(folder).texts.all_facts()], silent)
    assert found(knowledge, "How is cystinosis confirmed?") == []


def test_notes_and_own_documents_stand_side_by_side(own_settings: Settings, own: Add) -> None:
    own(own="# Pneumonia\n\n## What it is\n\nPneumonia is treated on ward 7.\n")
    titles = [hit.source for hit in Knowledge.open(own_settings).search("What is pneumonia?", dense=False)]
    assert titles[0].startswith("Overread notes")
    assert "own.md" in titles


def test_retracted_documents_and_reports_answer_nothing(own_settings: Settings, own: Add, tmp_path: Path) -> None:
    own(zorblax="---\nstatus: retracted\n---\n# Zorblax\n\nZorblax cures asthma.\n")
    report = tmp_path / "r.jsonl"
    report.write_text('{"title": "Report", "text": "Zorblax was given.", "role": "report"}\n')
    indexing.add(library_folder(own_settings), [report], silent)
    assert len(StoredBase.open(library_folder(own_settings)).search("zorblax", dense=False)) == 2
    assert found(Knowledge.open(own_settings), "What is zorblax?") == []


def test_a_question_that_names_nothing_is_about_the_findings(own_settings: Settings, own: Add) -> None:
    own(cystinosis=CYSTINOSIS)
    knowledge = Knowledge.open(own_settings)
    assert knowledge.own.search("What is it?", dense=False) == []
    hits = knowledge.own.search("What is it?", findings=["cystinosis"], dense=False)
    assert [hit.title for hit in hits] == ["Cystinosis"]


def test_the_same_paragraph_of_two_documents_is_found_once(own_settings: Settings, own: Add) -> None:
    own(cystinosis=CYSTINOSIS, again=CYSTINOSIS.replace("Our department", "Another department"))
    knowledge = Knowledge.open(own_settings)
    assert found(knowledge, "How is cystinosis confirmed?") == [("Cystinosis", "Cystinosis is confirmed by biopsy.")]


def test_a_note_that_answers_much_less_likely_than_an_own_document_is_left_out(
    own_settings: Settings, own: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(cystinosis=CYSTINOSIS)
    knowledge = Knowledge.open(own_settings)
    (best,) = knowledge.search("How is cystinosis confirmed?", dense=False)
    notes = [replace(best, title="Near", score=0.9 * best.score), replace(best, title="Far", score=0.5 * best.score)]
    monkeypatch.setattr(KnowledgeBase, "search", lambda *_args, **_more: notes)
    titles = [hit.title for hit in knowledge.search("How is cystinosis confirmed?", dense=False)]
    assert titles == ["Near", "Cystinosis"]
