"""Scoring: the order of a base's candidates, how likely each answers, and which of its sentences do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.relevance import Features, relevance
from retrieval.search import fuse
from retrieval.storage.texts import Stored
from retrieval.storage.words import Words
from retrieval.terms import content, generic, term_set, terms

MOST_SENTENCES, MOST_WORDS = 4, 90
"""An answer is no longer than this, but for one long sentence."""

_ALL = 0.95
"""How much of a question one sentence must say to count as all of it."""


Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Asked:
    """A query as its scoring sees it: its text, its content terms, and how rare those that name something are."""

    text: str
    words: tuple[str, ...]
    rarity: dict[str, float]


@dataclass(frozen=True)
class Judged:
    """How likely a candidate answers, in [0, 1], and the few of its sentences to read first.

    ``headed`` says that its heading asks just what is asked.
    """

    probability: float
    answer: Spans
    headed: bool


def asked(text: str, words: Words) -> Asked:
    """Read a query against the words of a base."""
    all_terms = content(terms(text))
    return Asked(text, tuple(all_terms), {word: words.idf(word) for word in all_terms if not generic(word)})


def order(bm25: NDArray[np.float32], cosines: NDArray[np.float32] | None) -> NDArray[np.int64]:
    """The places of candidates, best first, by reciprocal rank fusion of their two scores; ``None``: words alone."""
    rankings = [bm25] if cosines is None else [bm25, cosines]
    return np.argsort(-fuse(rankings), kind="stable")


def judge(query: Asked, candidate: Stored, cosine: float | None) -> Judged:
    """What is thought of a candidate.

    The probability is by what the title, the section and the sentences have of the question's words, with the weights
    of the starter notes' relevance; a title stands for a note's subject. The sentences are a run that begins with the
    one that says most of what is asked, or with the first where the section's heading asks just that. A sentence that
    only asks answers nothing.
    """
    title, section = term_set(candidate.document.title), term_set(candidate.section)
    said = [term_set(candidate.sentence(span)) for span in candidate.sentences]
    named = title | section
    together = max(covered(query, named | words) for words in said)
    features = Features(
        topic=covered(query, title),
        section=covered(query, section),
        coverage=covered(query, named.union(*said)),
        together=together,
        complete=float(together >= _ALL and len(query.rarity) > 1),
        cosine=cosine or 0.0,
    )
    probability = relevance().weights(cosine is not None).probability(features)
    telling = [at for at, span in enumerate(candidate.sentences) if not candidate.sentence(span).endswith("?")] or [0]
    best = telling[0] if features.section >= _ALL else max(telling, key=lambda at: covered(query, said[at]))
    return Judged(probability, _run(candidate, best), features.section >= _ALL)


def covered(query: Asked, words: frozenset[str]) -> float:
    """The share of what a query names that is among some terms, rare ones counting more; 0 where it names nothing."""
    total = sum(query.rarity.values())
    return sum(weight for word, weight in query.rarity.items() if word in words) / total if total else 0.0


def _run(candidate: Stored, first: int) -> Spans:
    run, words = [candidate.sentences[first]], len(candidate.sentence(candidate.sentences[first]).split())
    for span in candidate.sentences[first + 1 : first + MOST_SENTENCES]:
        words += len(candidate.sentence(span).split())
        if words > MOST_WORDS:
            break
        run.append(span)
    return tuple(run)
