"""What a stored base knows of its passages' terms is what reading their texts again would say."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.presence import ask, presence_in
from retrieval.storage.wording import Said, Wording, write
from retrieval.storage.words import Words
from retrieval.storage.words import write as write_words
from retrieval.terms import content, terms

WORDS = st.sampled_from(["gallstones", "surgery", "symptoms", "pain", "the", "treated", "of", "bile", "it"])
SENTENCE = st.lists(WORDS, min_size=1, max_size=6).map(lambda words: " ".join(words).capitalize() + ".")
PASSAGE = st.tuples(
    st.one_of(st.just(""), SENTENCE), st.one_of(st.just(""), SENTENCE), st.lists(SENTENCE, min_size=1, max_size=4)
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(passages=st.lists(PASSAGE, min_size=1, max_size=5), query=st.lists(WORDS, max_size=5).map(" ".join))
def test_terms_on_disk_say_what_the_texts_say(
    tmp_path: Path, passages: list[tuple[str, str, list[str]]], query: str
) -> None:
    passages = [*passages, ("Gallstones", "", ["Gallstones hurt."])]
    said = [
        Said(terms(title), terms(section) if section else None, [terms(one) for one in sentences])
        for title, section, sentences in passages
    ]
    indexed = [content([term for part in one.parts for term in part]) for one in said]
    write(said, write_words(indexed, tmp_path), tmp_path)
    words = Words(tmp_path)
    wording = Wording(tmp_path, words)
    assert len(wording) == len(passages)
    asked = ask(query, words.idf)
    rows = np.arange(len(passages), dtype=np.int32)[::-1]
    stored = wording.presence(asked, rows, with_kinds=True)
    chosen = [passages[row] for row in rows]
    read = presence_in(
        asked,
        [title for title, _, _ in chosen],
        [[*([section] if section else []), " ".join(sentences)] for _, section, sentences in chosen],
        words.idf,
        with_kinds=True,
    )
    assert np.array_equal(stored.titled, read.titled)
    assert np.array_equal(stored.titles, read.titles)
    assert np.array_equal(stored.sentences, read.sentences)
    assert np.array_equal(stored.starts, read.starts)
    assert np.array_equal(stored.lengths, read.lengths)
    assert np.allclose(stored.pairs, read.pairs)
    assert np.allclose(stored.named, read.named)
    assert stored.kinds is not None
    assert read.kinds is not None
    assert np.allclose(stored.kinds, read.kinds)
    last = wording.kinds_of_sentences(len(passages) - 1)
    assert last.shape == (1, stored.kinds.shape[1])
    assert np.allclose(last[0], stored.kinds[0])
