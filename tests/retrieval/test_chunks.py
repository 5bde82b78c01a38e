from hypothesis import given
from hypothesis import strategies as st

from retrieval.chunks import WORDS, cut
from retrieval.sentences import spans
from retrieval.sources.document import Document, Writer

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)
PIECE = WORD | st.sampled_from([".", ". ", "\n", "e.g.", "Dr.", "!", "\r\n", "\x00", "\u00a0"])
TEXT = st.lists(PIECE, max_size=50).map(" ".join)
PARTS = st.lists(st.tuples(TEXT, st.lists(WORD, max_size=2).map(tuple), st.none() | st.integers(1, 9)), max_size=5)


def written(parts: list[tuple[str, tuple[str, ...], int | None]]) -> Document:
    writer = Writer("k", "A title", "text", "a source")
    for text, path, page in parts:
        writer.add(text, path, page)
    return writer.document()


@given(PARTS)
def test_every_sentence_is_verbatim_in_its_document(parts: list[tuple[str, tuple[str, ...], int | None]]) -> None:
    document = written(parts)
    for chunk in cut(document):
        assert (chunk.start, chunk.end) == (chunk.sentences[0][0], chunk.sentences[-1][1])
        inside = [part for part in document.parts if part.start <= chunk.start and chunk.end <= part.end]
        assert len(inside) == 1
        assert (inside[0].page, " › ".join(inside[0].path)) == (chunk.page, chunk.section)
        last = chunk.start
        for start, end in chunk.sentences:
            sentence = document.text[start:end]
            assert sentence == sentence.strip() != ""
            assert document.text[last:start].strip() == ""
            last = end


@given(PARTS)
def test_no_word_is_lost(parts: list[tuple[str, tuple[str, ...], int | None]]) -> None:
    document = written(parts)
    in_parts = " ".join(document.text[part.start : part.end] for part in document.parts).split()
    in_chunks = " ".join(document.text[chunk.start : chunk.end] for chunk in cut(document)).split()
    assert in_chunks == in_parts


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_passages_are_of_like_length_and_not_too_long(lengths: list[int]) -> None:
    text = " ".join(" ".join(["word"] * (length - 1) + ["End."]) for length in lengths)
    document = written([(text, ("One",), None)])
    sizes = [len(document.text[chunk.start : chunk.end].split()) for chunk in cut(document)]
    assert sum(sizes) == sum(lengths)
    assert max(sizes) <= 1.5 * WORDS + 60
    assert len(sizes) == 1 or min(sizes) >= 0.5 * WORDS - 60


def test_a_passage_never_crosses_a_section() -> None:
    chunks = cut(written([("One.", ("A",), None), ("Two.", ("A", "B"), None), ("Three.", ("A",), None)]))
    assert [chunk.section for chunk in chunks] == ["A", "A › B", "A"]


def test_sentences_end_where_a_reader_would_end_them() -> None:
    text = (
        "Dr. A. Smith saw it, e.g. in Fig. 3. The nodule was 6.5 mm. Was it new? Yes! See Smith et al. for more.\n"
        "- An item\nVitamin C. It helps. Take approx. 5 mg. 2. Rest."
    )
    assert [text[a:b] for a, b in spans(text)] == [
        "Dr. A. Smith saw it, e.g. in Fig. 3.",
        "The nodule was 6.5 mm.",
        "Was it new?",
        "Yes!",
        "See Smith et al. for more.",
        "- An item",
        "Vitamin C.",
        "It helps.",
        "Take approx. 5 mg.",
        "2. Rest.",
    ]


def test_a_text_without_any_end_is_cut_all_the_same() -> None:
    text = "word " * 1000
    found = list(spans(text))
    assert len(found) == 9
    assert sum(len(text[a:b].split()) for a, b in found) == 1000
