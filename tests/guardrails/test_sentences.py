import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.sentences import MAX_CHARS, Sentences, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith saw the film. ", "It is normal."],
        ["The value is 0.93 vs. 1.2, e.g. here. ", "Next."],
        ["No. 5 is fine. ", "St. Mary's too!"],
        ["There is pneumonia [F1]. ", "It is confirmed by a film [S1]."],
        ["There is pneumonia. [F1, S2] ", "Then more."],
        ["Is it so? ", "Yes! ", "Good."],
        ["First line\n", "second line\n\n", "- a bullet\n", "- another. ", "With two."],
        ["1. First.\n", "2. Second."],
        ["J. Doe of the U.S. Army came. ", "He left."],
        ['He said "no." ', "Then he went."],
        ["Fig. 3 shows it (see ref. 4). ", "So there."],
        ["Approx. 5 mm, i.e. small. ", "Done"],
        ["At 5 p.m. it began. ", "At noon it ended."],
        ["What is this?! ", "Nothing..."],
    ],
)
def test_cuts(sentences: list[str]) -> None:
    assert split_sentences("".join(sentences)) == sentences


def test_text_without_an_end_is_cut_at_white_space() -> None:
    parts = split_sentences("word " * 1000)
    assert max(map(len, parts)) <= MAX_CHARS
    assert all(part.endswith(" ") for part in parts)
    assert max(map(len, split_sentences("x" * 5000))) <= MAX_CHARS


def test_nothing() -> None:
    assert split_sentences("") == []


@given(st.text(alphabet="ab. \n[F1]!?,\"'D-r0", max_size=300), st.integers(1, 40))
def test_nothing_is_lost_and_chunks_do_not_matter(text: str, size: int) -> None:
    stream = Sentences()
    parts = [part for n in range(0, len(text), size) for part in stream.feed(text[n : n + size])]
    parts += stream.finish()
    assert "".join(parts) == text
    assert parts == split_sentences(text)
    assert stream.pending == ""
