"""Presence: which words of a question each candidate has, and where. Ranking and quoting look at nothing else in it.

It is told from texts here, and from the terms that a stored base keeps in ``retrieval.storage.wording``; both
say the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retrieval.kinds import kinds
from retrieval.sentences import spans
from retrieval.terms import content, generic, terms

Rarity = Callable[[str], float]
"""How rare a term is in the base: its inverse document frequency, positive."""


@dataclass(frozen=True)
class Asked:
    """A question's words: ``words`` are the distinct terms that can name a subject, ``rarity`` how rare each is.

    ``pairs`` are the words that stand together in it, as places in ``words``. ``ordered`` are all of its terms that can
    name a subject, those that come twice too. ``naming`` says of each word whether it names something, or only asks.
    """

    text: str
    words: tuple[str, ...]
    ordered: tuple[str, ...]
    rarity: NDArray[np.float64]
    pairs: tuple[tuple[int, int], ...]
    naming: NDArray[np.bool_]

    def share(self, there: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much of the question is among some words, rare ones counting more: in [0, 1] for bool ``(..., w)``."""
        return there.astype(np.float64) @ self._shares

    def named_in(self, there: NDArray[np.bool_]) -> float:
        """The same of the words that name something; 0 where none does. ``there`` is bool ``(w,)``."""
        return float(there.astype(np.float64) @ self._naming_shares)

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        """What part of the question each word is, ``(w,)``."""
        return self.rarity / (self.rarity.sum() or 1.0)

    @cached_property
    def _naming_shares(self) -> NDArray[np.float64]:
        """The same among the words that name something."""
        weights = self.rarity * self.naming
        return weights / (weights.sum() or 1.0)


@dataclass(frozen=True)
class Presence:
    """What is where in ``n`` candidates of ``s`` sentences together, for a question of ``w`` words.

    ``titled`` is whether each has a title, ``(n,)``; ``titles`` is bool ``(n, w)``, ``sentences`` bool ``(s, w)``, each
    candidate's in a row from ``starts`` ``(n,)``
    on; a section's heading is a candidate's first sentence. ``pairs`` is the share of the question's pairs, ``named``
    the share of the title that the question names, ``lengths`` how many content terms there are, all ``(n,)``.
    ``kinds`` are what the candidates tell, ``(n, k)``, or ``None`` where nobody asked.
    """

    titled: NDArray[np.bool_]
    titles: NDArray[np.bool_]
    sentences: NDArray[np.bool_]
    starts: NDArray[np.int64]
    pairs: NDArray[np.float64]
    named: NDArray[np.float64]
    lengths: NDArray[np.int64]
    kinds: NDArray[np.float64] | None


def ask(text: str, rarity: Rarity) -> Asked:
    """Read a question."""
    ordered = content(terms(text))
    words = tuple(dict.fromkeys(ordered))
    place = {word: at for at, word in enumerate(words)}
    return Asked(
        text,
        words,
        tuple(ordered),
        np.array([rarity(word) for word in words], dtype=np.float64),
        tuple((place[a], place[b]) for a, b in pairwise(ordered)),
        np.array([not generic(word) for word in words], dtype=np.bool_),
    )


def presence_in(
    asked: Asked, titles: Sequence[str], texts: Sequence[Sequence[str]], rarity: Rarity, with_kinds: bool
) -> Presence:
    """What is where in candidates given as titles and texts, which are cut into sentences here.

    A text is in parts: its heading, where it has one, and what stands under it.
    """
    place = {word: at for at, word in enumerate(asked.words)}
    read = [_read(tuple(parts)) for parts in texts]
    named = [_read((title,)) for title in titles]
    starts = np.cumsum([0, *(len(one.sentences) for one in read)])[:-1]
    pairs = [(asked.words[a], asked.words[b]) for a, b in asked.pairs]
    return Presence(
        np.array([bool(title.ordered) for title in named], dtype=np.bool_),
        _has([title.words for title in named], place),
        _has([sentence for one in read for sentence in one.sentences], place),
        np.asarray(starts, dtype=np.int64),
        np.array(
            [
                sum(pair in one.pairs or pair in title.pairs for pair in pairs) / max(1, len(pairs))
                for one, title in zip(read, named, strict=True)
            ]
        ),
        np.array([_share_of(title.words, place, rarity) for title in named]),
        np.array([len(one.ordered) for one in read], dtype=np.int64),
        np.array([one.kinds for one in read]) if with_kinds else None,
    )


def _has(texts: Sequence[frozenset[str]], place: dict[str, int]) -> NDArray[np.bool_]:
    has = np.zeros((len(texts), len(place)), dtype=np.bool_)
    for row, words in enumerate(texts):
        has[row, [at for word, at in place.items() if word in words]] = True
    return has


@dataclass(frozen=True)
class _Read:
    """A text, its words made alike: all in order, the distinct, the pairs, the sentences', and the kinds told."""

    ordered: tuple[str, ...]
    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    sentences: tuple[frozenset[str], ...]
    kinds: NDArray[np.float64]


@lru_cache(maxsize=8_192)
def _read(parts: tuple[str, ...]) -> _Read:
    sentences = [terms(part[start:end]) for part in parts for start, end in spans(part)] or [[]]
    everything = [term for sentence in sentences for term in sentence]
    ordered = tuple(content(everything))
    return _Read(
        ordered,
        frozenset(ordered),
        frozenset(pairwise(ordered)),
        tuple(frozenset(content(sentence)) for sentence in sentences),
        kinds().of_passage(sorted(set(everything))),
    )


def _share_of(title: frozenset[str], asked: dict[str, int], rarity: Rarity) -> float:
    """How much of a title the question names, rare words counting more; 0 where there is no title."""
    distinct = sorted(title)
    whole = sum(rarity(word) for word in distinct)
    return sum(rarity(word) for word in distinct if word in asked) / whole if whole else 0.0
