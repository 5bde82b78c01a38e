import itertools
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from overread.encoder import sentence_encoder
from retrieval import sentences
from retrieval.evidence import MOST_RUN, MOST_WORDS, evidence, run

PASSAGE = (
    "What are the signs of asthma? Asthma narrows the airways. It is inherited in some families. "
    "Wheezing, cough and tightness of the chest are its symptoms. "
    "Inhaled steroids and bronchodilators are the treatment of choice."
)


def spans(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S[^.?!]*[.?!]?", text)]


def same(word: str) -> float:
    return 1.0


def told(query: str) -> list[str]:
    vector = sentence_encoder().encode([query])[0]
    found = evidence(query, PASSAGE, spans(PASSAGE), same, title="Asthma", vector=vector, most=1)
    return [quoted.text for quoted in found]


def test_the_sentence_that_tells_what_is_asked_is_quoted() -> None:
    assert told("How is asthma treated?") == ["Inhaled steroids and bronchodilators are the treatment of choice."]
    assert told("Which signs come with asthma?") == ["Wheezing, cough and tightness of the chest are its symptoms."]


def test_a_sentence_that_only_asks_answers_nothing() -> None:
    only = "What are the signs of asthma?"
    assert evidence(only, only, [(0, len(only))], same) == ()


def test_a_heading_on_a_line_of_its_own_says_nothing() -> None:
    page = "Treatment of asthma\nInhaled steroids are given in asthma."
    found = evidence("treatment of asthma", page, list(sentences.spans(page)), same)
    assert [quoted.text for quoted in found] == ["Inhaled steroids are given in asthma."]


def test_a_run_begins_where_it_answers_and_is_short() -> None:
    assert run(np.array([0.0, 0.2, 0.9, 0.0, 0.85]), [10] * 5) == (2, 5)
    assert run(np.array([0.1, 0.2, 0.9]), [10] * 3, first=True) == (0, 3)
    assert run(np.array([0.9, 0.0, 0.0, 0.95]), [60] * 4) == (3, 4)
    assert run(np.zeros(3), [5] * 3) == (0, 1)


@given(scores=st.lists(st.floats(0, 3), min_size=1, max_size=9), words=st.integers(1, 200), first=st.booleans())
def test_a_run_is_never_empty_and_within_its_bounds(scores: list[float], words: int, first: bool) -> None:
    start, end = run(np.array(scores), [words] * len(scores), first)
    assert 0 <= start < end <= len(scores)
    assert end - start == 1 or (end - start <= MOST_RUN and words * (end - start) <= MOST_WORDS)


def test_words_alone_find_the_sentence_that_has_them() -> None:
    found = evidence("bronchodilators", PASSAGE, spans(PASSAGE), same)
    assert [quoted.text for quoted in found] == ["Inhaled steroids and bronchodilators are the treatment of choice."]


def test_what_has_none_of_the_words_is_not_quoted() -> None:
    assert evidence("bicycle tyre", PASSAGE, spans(PASSAGE), same) == ()


@given(
    query=st.text(max_size=40), text=st.text(alphabet='asthma lung.?! \n\t"é∂', max_size=200), most=st.integers(0, 5)
)
def test_quotes_are_verbatim_in_order_apart_and_few(query: str, text: str, most: int) -> None:
    found = evidence(f"{query} asthma lung", text, spans(text), same, most=most)
    assert len(found) <= most
    assert all(text[quoted.start : quoted.end] == quoted.text for quoted in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
