"""Whether two sources say otherwise than each other on the same thing."""

from collections.abc import Sequence
from itertools import combinations

from guardrails.findings import content_stems
from guardrails.sentences import split_sentences
from guardrails.standalone import says_otherwise

_ALIKE = 0.4
"""Two sentences are on the same thing when they share this much of the content words of both."""


def disagreeing(passages: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The ids of passages, given as id and text, of which a sentence of one says otherwise than one of the other.

    Otherwise is another number of the same unit, another side or severity, or present against absent. What is only put
    in other words, and what one recommends and the other does not, is not seen to differ.
    """
    said = [(id_, [(text, _words(text)) for text in split_sentences(passage)]) for id_, passage in passages]
    return [
        (a, b)
        for (a, ours), (b, theirs) in combinations(said, 2)
        if any(_alike(x, y) and _differ(one, other) for one, x in ours for other, y in theirs)
    ]


def _words(sentence: str) -> set[str]:
    return set(content_stems(sentence)) - {"no", "not"}


def _alike(one: set[str], other: set[str]) -> bool:
    """Whether two sentences, given by their content words, are on the same thing."""
    return len(one & other) >= _ALIKE * max(1, len(one | other))


def _differ(one: str, other: str) -> bool:
    """Whether a check fails whichever of two sentences is held against the other."""
    return bool(set(says_otherwise(one, [other])) & set(says_otherwise(other, [one])))
