import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.question import age_band_of, context_in, understand


@pytest.mark.parametrize(
    ("question", "about_image", "knowledge"),
    [
        ("Is there a pneumonia? What is it, and how is it confirmed?", True, True),
        ("What is a meningioma?", False, True),
        ("And how is it confirmed?", False, True),
        ("Pneumonia?", True, False),
        ("Is this normal?", True, False),
        ("Write a report", True, False),
        ("What do you see?", True, True),
    ],
)
def test_what_a_question_wants(question: str, about_image: bool, knowledge: bool) -> None:
    asked = understand(question)
    assert (asked.about_image, asked.knowledge) == (about_image, knowledge)


def test_parts_are_asked_one_by_one() -> None:
    parts = understand("Is there a pneumonia? What is it, and how is it confirmed?").parts
    assert parts == ("Is there a pneumonia?", "What is it", "how is it confirmed?")


@pytest.mark.parametrize(
    ("question", "band"),
    [
        ("A 4-year-old boy with fever", "child"),
        ("72 yo M with cough", "elderly"),
        ("a 5 month old girl", "infant"),
        ("3 day old baby", "newborn"),
        ("16 year old male", "adolescent"),
        ("a newborn in distress", "newborn"),
        ("45-year-old", "adult"),
        ("Is there a pneumonia?", None),
        ("a cough for 2 weeks", None),
        ("surgery 3 years ago", None),
        ("a 4 mm nodule", None),
    ],
)
def test_an_age_in_the_question(question: str, band: str | None) -> None:
    assert context_in(question).age_band == band


def test_view_and_sex_in_the_question() -> None:
    context = context_in("A 60-year-old woman, AP view: any effusion?")
    assert (context.view, context.sex) == ("AP", "F")


@given(st.floats(0, 130), st.floats(0, 130))
def test_bands_grow_with_age(a: float, b: float) -> None:
    order = ["newborn", "infant", "child", "adolescent", "adult", "elderly"]
    younger, older = sorted((a, b))
    assert order.index(age_band_of(younger)) <= order.index(age_band_of(older))


@given(st.text(max_size=200))
def test_any_text_is_a_question(text: str) -> None:
    asked = understand(text)
    assert asked.about_image or asked.knowledge
    context_in(text)
