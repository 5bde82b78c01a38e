"""Whether two sources say otherwise than each other on the same thing."""

from collections.abc import Sequence
from itertools import combinations

from guardrails.findings import content_stems
from guardrails.sentences import split_sentences
from guardrails.standalone import says_otherwise

_ALIKE = 0.4
"""Two sentences are on the same thing when they share this much of the content words of both."""


def disagreeing(passages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The ids of passages, given as id and text, of which a sentence of one says otherwise than one of the other."""
    said = [(id_, split_sentences(text)) for id_, text in passages]
    return [
        (a, b) for (a, ours), (b, theirs) in combinations(said, 2) if any(differ(x, y) for x in ours for y in theirs)
    ]


def differ(one: str, other: str) -> tuple[str, ...]:
    """The checks by which two sentences on the same thing say otherwise: polarity, side, severity or number.

    ``()`` where they agree, or are on something else. What is only put in other words, and what one recommends
    and the other does not, is not seen to differ.
    """
    ours, theirs = (set(content_stems(text)) - {"no", "not"} for text in (one, other))
    if len(ours & theirs) < _ALIKE * max(1, len(ours | theirs)):
        return ()
    back = says_otherwise(other, [one])
    return tuple(name for name in says_otherwise(one, [other]) if name in back)
