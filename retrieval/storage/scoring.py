"""Scoring: the order of a base's candidates, how likely each answers, and which of its sentences do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.relevance import Features, relevance
from retrieval.search import fuse
from retrieval.storage.texts import Stored
from retrieval.storage.words import Words
from retrieval.terms import content, generic, terms

MOST_SENTENCES, MOST_WORDS = 4, 90
"""An answer is no longer than this, but for one long sentence."""

_ALL = 0.95
"""How much of a question one sentence must say to count as all of it."""


@dataclass(frozen=True)
class Asked:
    """A query as its scoring sees it: its text, its content terms, and how rare those that name something are."""

    text: str
    words: tuple[str, ...]
    rarity: dict[str, float]


def asked(text: str, words: Words) -> Asked:
    """Read a query against the words of a base."""
    all_terms = content(terms(text))
    return Asked(text, tuple(all_terms), {word: words.idf(word) for word in all_terms if not generic(word)})


def order(bm25: NDArray[np.float32], cosines: NDArray[np.float32] | None) -> NDArray[np.int64]:
    """The places of candidates, best first, by reciprocal rank fusion of their two scores; ``None``: words alone."""
    rankings = [bm25] if cosines is None else [bm25, cosines]
    return np.argsort(-fuse(rankings), kind="stable")


def probability(query: Asked, candidate: Stored, cosine: float | None) -> float:
    """How likely a candidate answers, in [0, 1]: by what its title, section and sentences have of the question's words.

    These are the weights of the starter notes' relevance. A title stands for a note's subject.
    """
    title, section = share(query, candidate.document.title), share(query, candidate.section)
    named = frozenset(terms(f"{candidate.document.title} {candidate.section}"))
    sentences = [named | frozenset(terms(candidate.sentence(span))) for span in candidate.sentences]
    together = max((covered(query, words) for words in sentences), default=0.0)
    features = Features(
        topic=title,
        section=section,
        coverage=covered(query, frozenset().union(*sentences)),
        together=together,
        complete=float(together >= _ALL and len(query.rarity) > 1),
        cosine=cosine or 0.0,
    )
    return relevance().weights(cosine is not None).probability(features)


def share(query: Asked, text: str) -> float:
    """The share of what a query names that a text has, rare words counting more."""
    return covered(query, frozenset(terms(text)))


def covered(query: Asked, words: frozenset[str]) -> float:
    """The share of what a query names that is among some terms, rare ones counting more; 0 where it names nothing."""
    total = sum(query.rarity.values())
    return sum(weight for word, weight in query.rarity.items() if word in words) / total if total else 0.0


def answering(query: Asked, candidate: Stored) -> tuple[tuple[int, int], ...]:
    """The few sentences of a candidate to read first: a run that begins with the one that says most of what is asked.

    Where the section's heading asks what is asked, that is its first. A sentence that only asks answers nothing.
    """
    spans = [span for span in candidate.sentences if not candidate.sentence(span).endswith("?")]
    if not spans:
        return candidate.sentences[:1]
    said = [share(query, candidate.sentence(span)) for span in spans]
    begin = 0 if share(query, candidate.section) >= _ALL else int(np.argmax(said))
    at = candidate.sentences.index(spans[begin])
    run, words = [spans[begin]], len(candidate.sentence(spans[begin]).split())
    for span in candidate.sentences[at + 1 : at + MOST_SENTENCES]:
        words += len(candidate.sentence(span).split())
        if words > MOST_WORDS:
            break
        run.append(span)
    return tuple(run)
