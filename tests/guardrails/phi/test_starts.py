"""Patterns tried only where they can begin find what they find when they are searched for everywhere."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.guardrails_bench import read_asq, read_presidio
from guardrails.phi.folding import fold
from guardrails.phi.patterns import ClinicalPatterns, _read_patterns
from guardrails.phi.spans import Span, merge
from guardrails.phi.starts import Head, Starts, heads_of

PATTERNS = ClinicalPatterns()
EVIDENCE = re.compile(r"\[[A-Z]\d{1,4}(?:[,;] ?[A-Z]\d{1,4})*\]")


def searched_everywhere(text: str) -> list[Span]:
    folded = fold(text)
    found = [span for pattern in _read_patterns() for span in pattern.find(folded.text)]
    found = [span for span in found if EVIDENCE.search(folded.text, span.start, span.end) is None]
    return merge(Span(*folded.span(span.start, span.end), span.kind) for span in found)


WORDS = (
    "Dr. |Mr|dr smith|Smith|John S.|JOHN|Doe^Jane|o'Brien|McDonald|St. Mary's| Hospital| Clinic|the |The |"
    "General | Medical Center|pt |patient |patient id |MRN|MRN-|: |#|# |number |is |(|)|, |. |.|-|/| |  |\n|"
    "'s|'|\t|[F1]|[|]|123|45|6|0|00|+|+1 |555-123-4567|9|93|12|1980|years old|-year-old|on |in |at |from |"
    "with |for |by |seen |January |jan|Mar 3|3rd of |19 Jan 2004|05/06/1980|1.2.840.10008.1.2|a@b.com|@|www.|"
    "http://|x.org|TX|, TX|Houston|lives at |12 Maple St|Apt |Box |zip |name|Name: |my name is |aged |age|ID|"
    "id|_|é|ſ|K|ＪＯＨＮ|AB123456|A1|abc|XY|Parkinson|Foley|call |fax |iban |GB82WEST12345698765432|"
    "4929 2438 5618 3088"
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS.split("|")), max_size=40).map("".join))
def test_any_text_of_pieces(text: str) -> None:
    assert PATTERNS.spans(text) == searched_everywhere(text)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x250), max_size=120))
def test_any_text(text: str) -> None:
    assert PATTERNS.spans(text) == searched_everywhere(text)


def test_clinical_queries_and_generated_texts(shared_data: Path) -> None:
    rows = read_asq(shared_data / "phi/asq_phi_dev.jsonl")
    rows += read_presidio(shared_data / "phi/presidio_generated_large.json")[:600]
    different = [row.text for row in rows if PATTERNS.spans(row.text) != searched_everywhere(row.text)]
    assert not different


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [
            r"\b(?:Dr|Mrs?)\.?[ ][A-Z]\w+", r"(?<![\w-])(?:ab|a(?=c))c?", r"\b(?i:foo|bar)\b,?[ ]x",
            r"(?<!\w)\d{2,3}(?!\d)", r"[#(]\d",
            r"(?<![\w.])(?:\+|00)?1", r"\b(?!ab)[a-z]{1,2}b?(?![\w-])", r"\ba(?=[b-])",
            r"(?<![^\w])b", r"\bx(?![^\w])y?",
            r"(?P<s>\b[ab])-(?P=s)", r"\b(?:a b|b)+", r"b", r"\b_1?",
        ]
    ),
    st.text(alphabet="ab cDrMs.fooBAR,x01#(+-_\nXy", max_size=30),
)  # fmt: skip
def test_no_match_begins_where_none_is_looked_for(pattern: str, text: str) -> None:
    regex = re.compile(pattern)
    starts = Starts([regex])
    if not starts.everywhere:
        begins = {match.start() for at in range(len(text)) if (match := regex.match(text, at))}
        assert begins <= set(starts.places(text).get(0, []))


def test_what_a_pattern_begins_with() -> None:
    assert heads_of(re.compile(r"\b(?:Dr|Mrs?)\b")) == {
        Head("Dr", True, False),
        Head("Mr", True, False),
        Head("Mrs", True, False),
    }
    assert heads_of(re.compile(r"\bab[0-9]+", re.IGNORECASE)) == {Head("ab", False, True)}
    assert heads_of(re.compile(r"#\d")) == {Head("#", True, False)}


@pytest.mark.parametrize("pattern", [r"ab", r"[^a]b", r"\w+@", r"(?<!x)ab", r"\b.b", r"\s\d", r"^a", r"(?<![^\w])a"])
def test_what_may_begin_inside_a_word_or_with_anything_is_not_guessed(pattern: str) -> None:
    assert heads_of(re.compile(pattern)) is None


def test_most_patterns_are_not_searched_for_everywhere() -> None:
    assert len(Starts([pattern.regex for pattern in _read_patterns()]).everywhere) <= 6
