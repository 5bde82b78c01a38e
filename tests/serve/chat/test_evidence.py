from hypothesis import given
from hypothesis import strategies as st

from serve.chat.evidence import quoted

TEXT = "Pneumonia is an infection. It inflames the air sacs, which may fill with pus. Fever is usual."


def test_a_sentence_is_found_word_for_word() -> None:
    start, end = quoted(TEXT, "It inflames the air sacs, which may fill with pus [S1].") or (0, 0)
    assert TEXT[start:end] == "It inflames the air sacs, which may fill with pus."


def test_one_in_other_words_is_found_by_them() -> None:
    start, end = quoted(TEXT, "The air sacs may fill with pus [S1][S2].") or (0, 0)
    assert TEXT[start:end] == "It inflames the air sacs, which may fill with pus."


def test_what_a_passage_does_not_say_is_not_found() -> None:
    assert quoted(TEXT, "Surgery is the treatment of choice [S1].") is None
    assert quoted(TEXT, "[S1]") is None


@given(st.text(max_size=80), st.text(max_size=40))
def test_what_is_found_lies_in_the_passage(passage: str, sentence: str) -> None:
    place = quoted(passage, sentence)
    assert place is None or 0 <= place[0] < place[1] <= len(passage)
