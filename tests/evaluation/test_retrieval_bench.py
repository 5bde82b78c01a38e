import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from evaluation.retrieval_bench import measure_set, resampled, scores_of
from evaluation.retrieval_runs import Searchable
from evaluation.retrieval_sets import everyday, medquad, passages, pubmedqa, read_medquad
from evaluation.retrieval_table import table
from evaluation.vector_cache import vectors_of

SUBJECTS = ("Asthma", "Gallstones", "Glaucoma", "Migraine", "Psoriasis", "Scurvy", "Gout", "Rickets")
KINDS = {
    "information": "{0} is a disorder that doctors know well.",
    "symptoms": "Pain and fever are symptoms of {0}.",
    "treatment": "{0} is treated with medicine or surgery.",
}


def document(number: int, focus: str) -> str:
    pairs = "".join(
        f'<QAPair pid="{kind}"><Question qid="{number}-{kind}" qtype="{kind}">What {kind} of {focus} ?</Question>'
        f"<Answer>{text.format(focus)}</Answer></QAPair>"
        for kind, text in KINDS.items()
    )
    synonym = f"<Synonyms><Synonym>Disorder number {number}</Synonym></Synonyms>"
    return f'<Document id="{number}"><Focus>{focus}</Focus>{synonym}<QAPairs>{pairs}</QAPairs></Document>'


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "medquad_xml.zip"
    with zipfile.ZipFile(path, "w") as into:
        for number, focus in enumerate(SUBJECTS):
            into.writestr(f"medquad/1_X/{number}.xml", document(number, focus))
        into.writestr("medquad/1_X/bad.xml", '<!DOCTYPE d [<!ENTITY a "b">]><Document><Focus>&a;</Focus></Document>')
    return path


def test_a_question_is_answered_by_the_documents_of_its_subject_and_type(archive: Path) -> None:
    _, lay, synonyms = medquad(archive)
    for question in lay.questions:
        (answer,) = question.relevant
        assert lay.titles[answer] in question.text
        assert len(question.related) == len(KINDS)
    assert all("isorder number" in question.text for question in synonyms.questions)
    assert len(lay.texts) == len(SUBJECTS) * len(KINDS)


def test_a_subject_is_in_one_part_only_and_phrases_too(archive: Path) -> None:
    for chosen in medquad(archive):
        parts = {question.subject: question.part for question in chosen.questions}
        assert all(parts[question.subject] == question.part for question in chosen.questions)
    assert not set(everyday("developing")) & set(everyday("reporting"))


def test_a_document_that_declares_entities_is_not_read(archive: Path) -> None:
    assert {answer.focus for answer in read_medquad(archive)} == set(SUBJECTS)


def test_passages_hold_all_words_under_the_title() -> None:
    words = [f"w{n}" for n in range(400)]
    cut = passages("Gout", " ".join(words))
    assert all(passage.startswith("Gout. ") for passage in cut)
    assert [word for passage in cut for word in passage.removeprefix("Gout. ").split()] == words


def test_scores_of_a_list() -> None:
    assert scores_of([7, 3], frozenset([7])) == (1.0, 1.0, 1.0)
    ndcg, reciprocal, recall = scores_of([1, 7, 2], frozenset([7, 8]))
    assert ndcg == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
    assert (reciprocal, recall) == (0.5, 0.5)
    assert scores_of([1, 2], frozenset([9])) == (0.0, 0.0, 0.0)


def test_subjects_are_drawn_whole() -> None:
    weights = resampled(["a", "b", "a"])
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert weights[:, :2].sum(axis=1) == pytest.approx(2)


def test_vectors_are_computed_once_and_read_again(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first = vectors_of(["soup", "gout", "soup"], tmp_path, lambda done, of: told.append((done, of)))
    again = vectors_of(["gout", "soup"], tmp_path, lambda done, of: told.append((done, of)))
    assert told == [(2, 2)]
    assert np.array_equal(first[[1, 0]], again)
    assert np.array_equal(first[0], first[2])


def test_every_method_is_measured_beside_bm25(archive: Path, tmp_path: Path) -> None:
    lay = medquad(archive)[1]
    report = measure_set(Searchable(lay, tmp_path / "cache"), tmp_path / "cache", "reporting")
    by_method = {row.method: row for row in report.rows}
    assert by_method["bm25"].gain.mean == 0
    assert by_method["bm25"].p == 1
    assert by_method["reranked"].figures["mrr"].mean >= 0.8
    taken = {refusal.against: refusal for refusal in report.refusals}
    assert taken["subject taken out"].auroc.mean > 0.8
    assert "reranked" in table(report)


def test_a_conclusion_is_searched_for_by_the_question_of_its_abstract(tmp_path: Path) -> None:
    path = tmp_path / "pubmedqa_ori_pqal.json"
    row = {"QUESTION": "Does it?", "CONTEXTS": ["Background.", "Results."], "LONG_ANSWER": "It does."}
    path.write_text(json.dumps({"1": row, "2": row}), encoding="utf-8")
    abstracts, conclusions = pubmedqa(path)
    assert abstracts.texts == ("Background. Results.",) * 2
    assert conclusions.texts == ("It does.",) * 2
    assert [question.relevant for question in conclusions.questions] == [frozenset([0]), frozenset([1])]
