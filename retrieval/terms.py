"""Terms: how words are made alike, so that a question and a note can be compared."""

import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from overread.packaged import packaged_yaml

_WORD = re.compile(r"\bx[ -]?rays?\b|(?<!['’])[a-z0-9]+|(?<=['’])(?!s\b)[a-z0-9]+")

_LOCK = threading.Lock()
"""A stemmer is not safe to share between threads without it."""


@dataclass(frozen=True)
class _Words:
    rewrite: dict[str, tuple[str, ...]]
    stop: frozenset[str]
    generic: frozenset[str]


def terms(text: str) -> list[str]:
    """The words of a text in one spelling: lower case, American, abbreviations written out, stemmed.

    Words that carry no topic ("the", "how") are kept; see ``content``.
    """
    return [term for term, _, _ in placed_terms(text)]


def term_set(text: str) -> frozenset[str]:
    """The different terms of a text: ``frozenset(terms(text))``, several times as fast."""
    words = {"xray" if word[0] == "x" and "ray" in word else word for word in _WORD.findall(text.lower())}
    return frozenset(term for word in words for term in _rewrite(word))


def placed_terms(text: str) -> list[tuple[str, int, int]]:
    """The same terms, each with the offsets in ``text.lower()`` of the word it comes from."""
    placed: list[tuple[str, int, int]] = []
    for match in _WORD.finditer(text.lower()):
        word = "xray" if match[0].startswith("x") and "ray" in match[0] else match[0]
        placed.extend((term, match.start(), match.end()) for term in _rewrite(word))
    return placed


def content(words: list[str]) -> list[str]:
    """The terms that can name a subject: no stop words."""
    stop = _words().stop
    return [word for word in words if word not in stop]


def generic(word: str) -> bool:
    """Whether a term only asks, or points at the image, and names no subject of its own."""
    return word in _words().generic


@lru_cache(maxsize=1)
def _words() -> _Words:
    raw = packaged_yaml("retrieval", "data/words.yaml")
    rewrite = {str(word): tuple(to.split()) for word, to in raw["rewrite"].items()}
    return _Words(rewrite, frozenset(map(_stem, raw["stop"])), frozenset(map(_stem, raw["generic"])))


@lru_cache(maxsize=65_536)
def _rewrite(word: str) -> tuple[str, ...]:
    rewrite = _words().rewrite
    singular = word[:-1] if word.endswith("s") else word
    return tuple(_stem(part) for part in rewrite.get(word) or rewrite.get(singular) or (word,))


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """Snowball's English stem (Porter, 2001): "scarring" and "scarred" both become "scar"."""
    with _LOCK:
        return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
