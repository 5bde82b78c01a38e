"""Evidence: the few sentences of a passage that answer a question, verbatim, with their offsets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.kinds import kinds
from retrieval.presence import Asked, Rarity, ask
from retrieval.terms import term_set

Span = tuple[int, int]

MOST = 3
"""An answer has at most so many sentences."""

MOST_RUN, MOST_WORDS = 4, 90
"""What is read of a passage in one piece is no longer than this, but for one long sentence."""

_HEADING = re.compile(r"[A-Z][^.!:;]*[^.!:;,\"')\]\s]")
_HEADED = 6
"""A line of so few words, with a capital and no end, is taken for a heading."""

_FEWEST = 3
"""A sentence of fewer words is a heading, whatever it ends with: "Age."."""

_KIND = 2.0
_GIVEN = 0.9
"""What a word is worth that the title says already, so that the sentences after it need not."""

_NEAR_BEST = 0.8
"""A sentence of less than this share of the best sentence's score is left out."""


@dataclass(frozen=True)
class Quoted:
    """A sentence that answers: ``passage[start:end] == text``, and how well it does beside the others."""

    start: int
    end: int
    text: str
    score: float


def evidence(
    query: str,
    passage: str,
    spans: Sequence[Span],
    rarity: Rarity,
    *,
    title: str = "",
    vector: NDArray[np.float32] | None = None,
    most: int = MOST,
) -> tuple[Quoted, ...]:
    """The sentences of ``passage`` that answer ``query``, at most ``most``, in the order of the passage.

    ``spans`` are the sentences' half-open offsets. What a sentence has of the question's words counts, rare words
    (``rarity``) more; words that the ``title`` has need not be said again. With the question's ``vector``, whether the
    sentence tells of the kind of thing asked counts as well. A sentence that only asks answers nothing; where none
    is left, the answer is ``()``.
    """
    asked = ask(query, rarity)
    texts = [passage[start:end] for start, end in spans]
    said = [term_set(text) for text in texts]
    titled = term_set(title)
    if not said:
        return ()
    own = np.array([[word in words for word in asked.words] for words in said], dtype=np.bool_)
    told = None
    if vector is not None:
        told = np.array([kinds().of_passage(sorted(words)) for words in said]) @ kinds().of_question(vector)
    scores = telling(asked, own, np.array([word in titled for word in asked.words], dtype=np.bool_), texts, told)
    return tuple(Quoted(*spans[at], texts[at], float(scores[at])) for at in chosen(scores, most))


def telling(
    asked: Asked,
    own: NDArray[np.bool_],
    titled: NDArray[np.bool_],
    texts: Sequence[str],
    told: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """How well each of a passage's ``s`` sentences answers, ``(s,)``; 0 where it does not.

    ``own`` is which of the question's ``w`` words each has, ``(s, w)``; ``titled`` those that the title or the heading
    has, ``(w,)``; ``told`` how likely each tells of the kind of thing asked, ``(s,)``, where that is known.
    """
    own = own.reshape(len(texts), len(asked.words))
    scores = asked.share(own) + _GIVEN * asked.share(titled & ~own)
    if told is not None:
        scores = scores + _KIND * told
    return np.where(np.array([says_something(text) for text in texts], dtype=np.bool_), scores, 0.0)


def says_something(text: str) -> bool:
    """Whether a sentence says something: it does not only ask, and is no heading that stands on a line of its own."""
    text = text.strip()
    if not text or text.endswith("?"):
        return False
    if len(text.rstrip(".:").split()) < _FEWEST:
        return False
    return text.count(" ") >= _HEADED or not (len(text.split()) <= _HEADED and _HEADING.fullmatch(text))


def chosen(scores: NDArray[np.float64], most: int = MOST) -> list[int]:
    """The places of the sentences to quote, at most ``most``, in order: those nearly as good as the best."""
    best = float(scores.max(initial=0.0))
    near = [at for at, score in enumerate(scores) if score > 0 and score >= _NEAR_BEST * best]
    return sorted(sorted(near, key=lambda at: (-scores[at], at))[: max(0, most)])


def run(scores: NDArray[np.float64], lengths: Sequence[int], first: bool = False) -> tuple[int, int]:
    """The run of sentences to read, as places ``[from, to)``: from the first that is chosen to the last of them.

    ``lengths`` are the sentences' words. A run of more than ``MOST_WORDS`` is cut; where it would not reach the best
    sentence, it begins with that. ``first``: it begins with the first that says anything, because the heading asks just
    what is asked. There is at least one sentence in it.
    """
    picked = chosen(scores)
    if not picked:
        return 0, 1
    best = int(scores.argmax())
    start = next(at for at, score in enumerate(scores) if score > 0) if first else picked[0]
    if not first and sum(lengths[start : best + 1]) > MOST_WORDS:
        start = best
    end = start + 1
    last = min(len(scores), start + MOST_RUN) if first else max(picked[-1] + 1, min(len(scores), start + 2))
    while end < min(last, start + MOST_RUN) and sum(lengths[start : end + 1]) <= MOST_WORDS:
        end += 1
    return start, end
