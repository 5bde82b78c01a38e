"""Sentences: where each begins and ends in a text, so that a citation can open exactly one."""

import re
from collections.abc import Iterator
from functools import lru_cache

from overread.packaged import packaged_yaml

MAX_WORDS = 120
"""A run of words without any sentence end is cut after so many."""

_END = re.compile(r"[.!?…]+[\"'”’)\]]{0,3}(?=\s)|\n")
_LAST_WORD = re.compile(r"[^\s(\[\"'“]*$")
_WORD = re.compile(r"\S+")
_LOOKBACK = 40


def spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """The half-open offsets of each sentence in ``text[start:end]``, in order, without white space around.

    A line's end is a sentence's end. Every character that is no white space lies in exactly one sentence.
    """
    stop = len(text) if end is None else end
    begin = start
    for match in _END.finditer(text, start, stop):
        if match[0] == "\n" or _ends(text, begin, match, stop):
            yield from _bounded(text, begin, match.end())
            begin = match.end()
    yield from _bounded(text, begin, stop)


def _ends(text: str, begin: int, match: re.Match[str], stop: int) -> bool:
    after = text[match.end() : min(match.end() + 4, stop)].lstrip(" \t")
    if after[:1].islower() or after[:1] in (",", ";", ":", ")"):
        return False
    if match[0][0] != "." or match[0].startswith(".."):
        return True
    found = _LAST_WORD.search(text, max(begin, match.start() - _LOOKBACK), match.start())
    word = found[0] if found else ""
    if len(word) == 1 and word.isupper():
        # An initial ("J. Smith") is no end; "vitamin C. It" is one where a longer word follows that is a common start.
        return bool(
            re.match(r"\s+(?:It|The|This|These|In|If|A|An|They|There|However|When)\b", text[match.end() :][:12])
        )
    return word.lower() not in _abbreviations() and not (
        word.isdigit() and len(word) < 3 and begin >= match.start() - 4
    )


def _bounded(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    stripped = piece.lstrip()
    if not stripped:
        return
    start += len(piece) - len(stripped)
    end = start + len(stripped.rstrip())
    if stripped.count(" ") < MAX_WORDS:
        yield start, end
        return
    words = list(_WORD.finditer(text, start, end))
    for at in range(0, len(words), MAX_WORDS):
        run = words[at : at + MAX_WORDS]
        yield run[0].start(), run[-1].end()


@lru_cache(maxsize=1)
def _abbreviations() -> frozenset[str]:
    return frozenset(packaged_yaml("retrieval", "data/abbreviations.yaml"))
