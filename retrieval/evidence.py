"""Evidence: the few sentences of a passage that answer a question, verbatim, with their offsets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.kinds import kinds
from retrieval.terms import content, terms

Span = tuple[int, int]

MOST = 3
"""An answer has at most so many sentences."""

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
    rarity: Callable[[str], float],
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
    asked = dict.fromkeys(word for word in content(terms(query)))
    titled = frozenset(content(terms(title)))
    whole = sum(rarity(word) for word in asked) or 1.0
    wanted = None if vector is None else kinds().of_question(vector)
    scored = []
    for start, end in spans:
        text = passage[start:end]
        if not text.strip() or text.rstrip().endswith("?"):
            continue
        words = terms(text)
        there = frozenset(words)
        own = sum(rarity(word) for word in asked if word in there) / whole
        given = sum(rarity(word) for word in asked if word in titled and word not in there) / whole
        score = own + _GIVEN * given
        if wanted is not None:
            score += _KIND * float(wanted @ kinds().of_passage(sorted(there)))
        scored.append(Quoted(start, end, text, score))
    best = max((quoted.score for quoted in scored), default=0.0)
    near = [quoted for quoted in scored if quoted.score > 0 and quoted.score >= _NEAR_BEST * best]
    chosen = sorted(near, key=lambda quoted: (-quoted.score, quoted.start))[: max(0, most)]
    return tuple(sorted(chosen, key=lambda quoted: quoted.start))
