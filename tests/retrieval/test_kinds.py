import numpy as np
import pytest

from overread.encoder import sentence_encoder
from retrieval.kinds import kinds
from retrieval.terms import terms


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("how is pneumonia treated?", "treatment"),
        ("is asthma something you inherit?", "inheritance"),
        ("does a pneumothorax hurt?", "symptoms"),
        ("which tests show a gallstone?", "exams and tests"),
        ("what is glaucoma?", "information"),
    ],
)
def test_a_question_is_read_by_its_meaning(question: str, kind: str) -> None:
    told = kinds().of_question(sentence_encoder().encode([question])[0])
    assert kinds().names[int(np.argmax(told))] == kind
    assert told.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("passage", "kind"),
    [
        ("Treatment may include surgery and radiation therapy.", "treatment"),
        ("The prevalence is 1 in 100,000 people worldwide.", "frequency"),
        ("It is inherited in an autosomal dominant pattern.", "inheritance"),
    ],
)
def test_a_passage_is_read_by_its_words(passage: str, kind: str) -> None:
    told = kinds().of_passage(sorted(set(terms(passage))))
    assert kinds().names[int(np.argmax(told))] == kind


def test_a_passage_of_unknown_words_is_of_no_certain_kind() -> None:
    told = kinds().of_passage(["xyzzy"])
    assert told.sum() == pytest.approx(1)
    assert told.max() < 0.6
