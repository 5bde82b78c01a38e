"""What the tagger says of a word, how a word is written, and which words are never identity by themselves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from guardrails.phi.identity import is_common, is_generic, is_nobody

TAGS = ("none", "name", "place", "facility")
"""What a word can be. The place in this tuple is the network's output."""

_SOCIETIES = frozenset(("society", "association", "college", "organization", "organisation", "academy", "committee"))
"""Who writes guidelines, and treats nobody."""
_MARKS = ".,;:()[]'\"-/#@&?!^*"
_SIZES = (1, 2, 3, 5, 8)
_CASES = ("lower", "title", "upper", "letter", "mixed", "digits", "coded", "mark", "other")
_PARTS = (len(_CASES), len(_SIZES) + 1, 4, 4, len(_MARKS) + 1, 2)
SHAPES = sum(_PARTS)
"""How many rows the table of shapes has."""


def word_shapes(words: Sequence[tuple[str, str]], pieces: Sequence[int]) -> NDArray[np.int64]:
    """How each word is written: ``(words, 6)`` rows of a table of ``SHAPES``.

    ``words`` are the words, each with the white space before it; ``pieces`` is how many pieces each falls into.
    """
    starts = np.cumsum((0, *_PARTS))[:-1]
    rows = [
        (
            _CASES.index(_case(text)),
            sum(len(text) > size for size in _SIZES),
            min(count, 4) - 1,
            _gap(before),
            _MARKS.find(text) + 1 if len(text) == 1 else 0,
            int(is_common(text.lower())),
        )
        for (text, before), count in zip(words, pieces, strict=True)
    ]
    return np.asarray(np.array(rows, np.int64).reshape(-1, len(_PARTS)) + starts, np.int64)


_VIEWS = frozenset(
    ["AP", "PA", "LL", "RL", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "CC", "MLO", "LMO", "XCCL", "LLD", "RLD"]
)
"""How views are called for short (PS3.16, CID 4010 and 4014); "PA" is no place where it stands by itself."""


def not_identity(words: Sequence[str], tag: str) -> bool:
    """Whether a run of words names nobody whatever the network says: no letters, or words that any hospital has."""
    spelt = [word for word in words if any(char.isalpha() for char in word)]
    if not spelt or max(len(word) for word in spelt) == 1:
        return True  # Bare numbers, and initials with nothing beside them ("e.g."), are the patterns' work.
    if (len(words) == 1 and words[0] in _VIEWS) or all(is_nobody(word.lower()) for word in spelt):
        return True
    if tag == "facility" and spelt[-1].lower() in _SOCIETIES:
        return True
    # "our hospital", "the referral center": what any hospital may be called.
    return tag != "name" and all(word.islower() and (len(word) < 3 or is_generic(word)) for word in spelt)


def _case(text: str) -> str:
    if not text[0].isalnum():
        return "mark"
    if text.isdigit():
        return "digits"
    if not text.isalpha():
        return "coded"
    if text.islower():
        return "lower"
    if text.isupper():
        return "letter" if len(text) == 1 else "upper"
    if text.istitle():
        return "title"
    return "mixed" if text.lower() != text.upper() else "other"


def _gap(before: str) -> int:
    if not before:
        return 0
    breaks = before.count("\n")
    return 1 if not breaks else 2 if breaks == 1 else 3
