import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.notes import STARTER, read_library
from retrieval.question import Names, understand
from retrieval.terms import content, term_set, terms

NAMES = Names(read_library(STARTER).notes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CXR", "chest X-ray"),
        ("chest x ray", "chest radiograph"),
        ("PNA", "pneumonia"),
        ("oedema", "Edema"),
        ("intracranial bleed", "intracranial haemorrhage"),
        ("scarring", "scarred"),
        ("pleural_effusion", "Pleural effusions"),
        ("tumours", "tumor"),
        ("patient's", "patients"),
    ],
)
def test_words_that_mean_the_same_are_the_same_terms(one: str, other: str) -> None:
    assert terms(one) == terms(other)


def test_words_without_a_topic_are_no_content() -> None:
    assert content(terms("No, it is not on or off")) == []


@pytest.mark.parametrize(
    ("question", "sections"),
    [
        ("What is glaucoma?", ["What it is"]),
        ("How does glaucoma look?", ["How it looks"]),
        ("What else looks like glaucoma?", ["What else looks like it"]),
        ("What could it be instead?", ["What else looks like it"]),
        ("How can this be confirmed?", ["How it is confirmed"]),
        ("How is it diagnosed, and what are the pitfalls?", ["How it is confirmed", "Pitfalls"]),
        ("What is it, and how is it confirmed?", ["What it is", "How it is confirmed"]),
        ("glaucoma", []),
    ],
)
def test_the_section_is_read_from_the_question(question: str, sections: list[str]) -> None:
    assert list(understand(question, NAMES).sections) == sections


@pytest.mark.parametrize(
    "question",
    ["How is glaucoma treated?", "What is the survival of glioma?", "Can I prevent it?", "What does it cost?"],
)
def test_what_the_notes_do_not_speak_of_is_known(question: str) -> None:
    asked = understand(question, NAMES)
    assert asked.unanswered
    assert not asked.sections


def test_the_longest_name_is_the_subject() -> None:
    assert understand("What is a breast mass?", NAMES).topics[0].startswith("breast")
    assert understand("Is it round pneumonia?", NAMES).topics == ("child-pneumonia",)


def test_a_sign_stays_a_word_to_be_found() -> None:
    asked = understand("What are Kerley B lines?", NAMES)
    assert asked.topics == ("pulmonary-oedema",)
    assert asked.sections == ()
    assert asked.subject_words == ("kerley", "b", "line")


def test_a_modifier_nobody_knows_stays_a_word_of_its_own() -> None:
    assert understand("What is cystic fibrosis?", NAMES).subject_words == ("cystic",)


def test_a_very_long_question_is_read_up_to_a_bound() -> None:
    assert len(understand("pneumonia " * 100_000, NAMES).text) == 2_000


@given(st.text(max_size=80) | st.sampled_from(["X-rays of the chest", "x ray's", "CTs, MRI and the xylophone arrays"]))
def test_the_set_of_terms_is_that_of_the_terms(text: str) -> None:
    assert term_set(text) == frozenset(terms(text))
