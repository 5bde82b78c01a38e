import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overread.encoder import sentence_encoder
from retrieval.ranking import FEATURES, FREE, Candidate, Logistic, Ranker, fuse_convex, ranking_weights, searchable

PASSAGES = (
    "Gallstones are hardened deposits of bile that form in the gallbladder.",
    "Gallstones are removed by surgery, or treated with medicine that dissolves them. Treatment depends on symptoms.",
    "Pain under the ribs on the right, fever and vomiting are the symptoms of gallstones.",
    "About 10 to 15 in 100 adults are affected by gallstones; the prevalence rises with age.",
)


def rare(word: str) -> float:
    return 4.0 if word.startswith("gall") else 2.0


def candidates(query: str) -> tuple[list[Candidate], np.ndarray]:
    vector = sentence_encoder().encode([query])[0]
    cosines = sentence_encoder().encode(list(PASSAGES)) @ vector
    return [
        Candidate(text, "Gallstones", 3.0, float(cosine)) for text, cosine in zip(PASSAGES, cosines, strict=True)
    ], vector


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("What can be done against gallstones?", 1),
        ("What would I notice if I had gallstones?", 2),
        ("How frequent are gallstones?", 3),
    ],
)
def test_the_passage_that_tells_what_is_asked_comes_first(query: str, right: int) -> None:
    found, vector = candidates(query)
    assert Ranker(rare).rank(query, found, vector)[0].place == right


def test_a_question_of_something_else_is_not_answered() -> None:
    query = "How do I change a bicycle tyre?"
    found, vector = candidates(query)
    ranker = Ranker(rare)
    assert not ranker.answers(ranker.rank(query, [Candidate(c.text, c.title, 0.0, c.cosine) for c in found], vector))


def test_a_question_of_the_passages_is_answered() -> None:
    query = "How are gallstones treated?"
    found, vector = candidates(query)
    ranker = Ranker(rare)
    assert ranker.answers(ranker.rank(query, [Candidate(c.text, c.title, 9.0, c.cosine) for c in found], vector))


def test_of_nothing_nothing_is_ranked_and_nothing_answers() -> None:
    ranker = Ranker(rare)
    assert ranker.rank("What is a gallstone?", []) == []
    assert not ranker.answers([])


WORDS = st.sampled_from(["gallstones", "surgery", "fever.", "pain", "bile", "the", "treated", "Is", "it?", "rare."])
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
CANDIDATES = st.lists(
    st.builds(Candidate, TEXTS, TEXTS, st.floats(0, 30), st.one_of(st.none(), st.floats(-1, 1))),
    min_size=1,
    max_size=6,
)


@given(query=TEXTS, found=CANDIDATES, data=st.data())
def test_the_order_given_does_not_matter(query: str, found: list[Candidate], data: st.DataObject) -> None:
    ranker = Ranker(rare)
    shuffled = data.draw(st.permutations(found))
    first, second = ranker.rank(query, found), ranker.rank(query, shuffled)
    key = [(found[r.place].text, found[r.place].title) for r in first]
    assert [(shuffled[r.place].text, shuffled[r.place].title) for r in second] == key
    assert [r.probability for r in first] == pytest.approx([r.probability for r in second])


@given(query=TEXTS, found=CANDIDATES)
def test_every_candidate_comes_once_and_probabilities_fall_with_the_score(query: str, found: list[Candidate]) -> None:
    ranked = Ranker(rare).rank(query, found)
    assert sorted(r.place for r in ranked) == list(range(len(found)))
    assert all(a.score >= b.score and a.probability >= b.probability for a, b in itertools.pairwise(ranked))
    assert all(0.0 <= r.probability <= 1.0 for r in ranked)


@given(low=st.floats(-30, 30), more=st.floats(0, 30))
def test_a_probability_rises_with_the_score(low: float, more: float) -> None:
    for logistic in (ranking_weights().with_meaning, ranking_weights().words_alone):
        less, higher = logistic.probabilities(np.array([low, low + more]))
        assert less <= higher


def test_a_line_that_falls_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Logistic(bias=0, weights=dict.fromkeys(FEATURES, 1.0), slope=-1, shift=0)


@given(
    scores=st.lists(st.tuples(st.floats(0, 50, width=32), st.floats(-1, 1, width=32)), max_size=8),
    share=st.floats(0, 1),
)
def test_fused_scores_lie_between_nothing_and_one(scores: list[tuple[float, float]], share: float) -> None:
    bm25, cosines = (np.array([pair[at] for pair in scores], dtype=np.float32) for at in (0, 1))
    fused = fuse_convex(bm25, cosines, share)
    assert fused.shape == (len(scores),)
    assert ((fused >= 0) & (fused <= 1 + 1e-6)).all()


def test_the_fusion_is_each_list_alone_at_its_ends() -> None:
    bm25, cosines = np.array([4, 2, 0], dtype=np.float32), np.array([0.1, 0.2, 0.4], dtype=np.float32)
    assert fuse_convex(bm25, cosines, 0).tolist() == [1, 0.5, 0]
    assert fuse_convex(bm25, cosines, 1) == pytest.approx([0.25, 0.5, 1])


def test_a_title_counts_more_than_once_in_what_is_indexed() -> None:
    assert searchable("Asthma", "It narrows the airways.").count("Asthma") > 1
    assert searchable("", "It narrows the airways.") == "It narrows the airways."


def test_more_of_what_was_asked_is_never_worse() -> None:
    for logistic in (ranking_weights().with_meaning, ranking_weights().words_alone):
        assert {name for name, weight in logistic.weights.items() if weight < 0} <= FREE


def test_a_passage_titled_with_the_only_word_asked_comes_first() -> None:
    about = Candidate("Swelling of a gland in the neck.", "Goitre", 1.0)
    beside = Candidate("Goitre was seen, and nothing else.", "Report 1", 1.0)
    assert Ranker(rare).rank("goitre", [beside, about])[0].place == 1
