"""Cuts a growing text into sentences, the same way however it arrives.

A cut is decided only when ``lookahead`` more characters are there, or the text has ended, and only
from what lies between the last cut and there. So it does not depend on where the chunks were cut.
"""

import re
from functools import lru_cache

from overread.packaged import packaged_yaml

MAX_CHARS = 800
"""A stretch without any sentence end is cut here, at the last white space."""

_END = re.compile(
    r"""(?:[.!?…]+|[。！？])(?:["'”’)\]*_]{0,3})          # the end of a sentence, and what closes with it
        (?:[ ]?\[[A-Z]\d{1,4}(?:[,;][ ]?[A-Z]\d{1,4})*\][.]?)*   # evidence that follows it
        (?=\s|\Z)""",
    re.VERBOSE,
)
_STOP = re.compile(r"[\n.!?…。！？]")
"""What a sentence can end with; nothing else needs a closer look."""
_SPACE = re.compile(r"[ \t\r\f\v\u00a0]*\n?[ \t]*(?:\n[ \t]*)*")
_LAST_WORD = re.compile(r"(?:^|[\s(\[\"'“])([^\s(\[\"'“]+)$")
_NEXT_LOWER = re.compile(r"\s*[a-z,;:)]")
_BULLET = re.compile(r"\s*(?:[-*•]|\(?\d{1,2}[.)]|[#>]+)?\s*$")


class Sentences:
    """Feed it text, get whole sentences: each with the white space behind it. Their concatenation is the text."""

    def __init__(self, lookahead: int = 96) -> None:
        self._lookahead = max(lookahead, 32)
        self._text = ""
        self._seen = 0

    def feed(self, chunk: str) -> list[str]:
        """The sentences that are decided now, in order."""
        self._text += chunk
        return self._cut(ended=False)

    def finish(self) -> list[str]:
        """The rest, when no more text will come."""
        return self._cut(ended=True)

    @property
    def pending(self) -> str:
        """The text behind the last cut."""
        return self._text

    def _cut(self, ended: bool) -> list[str]:
        out = []
        while (end := self._next(ended)) is not None:
            out.append(self._text[:end])
            self._text = self._text[end:]
            self._seen = 0
        if ended and self._text:
            out.append(self._text)
            self._text = ""
        return out

    def _next(self, ended: bool) -> int | None:
        """Where the next sentence ends, white space included, or ``None`` when that is not decided yet."""
        horizon = len(self._text) if ended else len(self._text) - self._lookahead
        until = min(horizon, MAX_CHARS)
        while self._seen < until:
            stop = _STOP.search(self._text, self._seen, until)
            if stop is None:
                self._seen = until
                break
            at = stop.start()
            if self._text[at] == "\n":
                return self._after_space(at)
            match = _END.match(self._text, at, at + self._lookahead // 2)
            if match and _is_end(self._text[: at + self._lookahead], at, match.end()):
                return self._after_space(match.end())
            self._seen = match.end() if match else at + 1
        if horizon >= MAX_CHARS and len(self._text) > MAX_CHARS:
            space = max(self._text.rfind(" ", 1, MAX_CHARS), self._text.rfind("\t", 1, MAX_CHARS))
            return space + 1 if space > 0 else MAX_CHARS
        return None

    def _after_space(self, end: int) -> int:
        match = _SPACE.match(self._text, end, end + self._lookahead // 2)
        return match.end() if match else end


def _is_end(text: str, at: int, end: int) -> bool:
    """Whether the stop at ``at`` ends a sentence. ``text`` reaches no further than the look-ahead."""
    if _BULLET.match(text, 0, at + 1):
        return False
    if text[at] != "." or text[at : at + 2] == "..":
        return True
    word = _LAST_WORD.search(text[: at + 1])
    last = word.group(1) if word else ""
    following = text[end:].lstrip()
    if last.lower() in _abbreviations():
        return False
    if last.lower() in _maybe_abbreviations():
        return not following[:1].islower() and not following[:1].isdigit()
    if re.fullmatch(r"(?:[A-Za-z]\.)+", last):
        return False if last[:1].isupper() else not _NEXT_LOWER.match(text[end:])
    return not following[:1].islower()


def split_sentences(text: str) -> list[str]:
    """The sentences of a whole text, each with the white space behind it."""
    sentences = Sentences()
    return [*sentences.feed(text), *sentences.finish()]


@lru_cache(maxsize=1)
def _abbreviations() -> frozenset[str]:
    return frozenset(_lists()["never"])


@lru_cache(maxsize=1)
def _maybe_abbreviations() -> frozenset[str]:
    return frozenset(_lists()["sometimes"])


@lru_cache(maxsize=1)
def _lists() -> dict[str, list[str]]:
    lists = packaged_yaml("guardrails", "data/abbreviations.yaml")
    return {name: text.split() for name, text in lists.items()}
