"""Where in a text a pattern can begin at all, read off the pattern itself.

Most patterns begin with one of a list of words, a digit or a sign. A text is cut into words once, and each pattern is
tried only where a word stands that it can begin with, instead of at every character. What a pattern can begin with
is worked out from its parsed form, leaving out every condition that is not understood, so that no start is
missed; a pattern of which too little is known is told as ``None`` and searched for everywhere.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

_MOST_READ = 4000
_PREFIX = 2
"""How many letters of a beginning that is no whole word are looked up."""
_LONGEST = (24, 3)
"""How many letters of a beginning are read, and how many where that makes too many of them."""
_FEW = 3
"""Classes of more characters are not followed further."""
_MORE, _END = "\n", "\r"
"""What stands behind a key that is the beginning of a word, and behind one that is a whole word."""
_NAMED = re.compile(r"\(\?P([<=])(\w+)")
_TOKEN = re.compile(r"[A-Za-z0-9_]+|[^A-Za-z0-9_\s]")

Node = tuple[Any, Any, bool]
"""What the parser gives, an operation and its argument, and whether case is ignored there."""


class _UnknownStartError(Exception):
    """A pattern may begin with more than can be listed."""


@dataclass(frozen=True)
class Head:
    """What a match begins with: a sign, a whole word, or the beginning of a word. With ``folded``, in lower case."""

    text: str
    whole: bool
    folded: bool


class Starts:
    """An index from words to the patterns that can begin with them. Stateless after it is made, and thread-safe."""

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        heads = [heads_of(pattern) for pattern in patterns]
        useful = [None if some is None or _too_common(some) else some for some in heads]
        self.everywhere = tuple(n for n, some in enumerate(useful) if some is None)
        """The patterns that must be searched for in the whole text."""
        keys: dict[str, set[int]] = {}
        for n, some in enumerate(useful):
            for head in some or ():
                for key in _keys(head):
                    keys.setdefault(key, set()).add(n)
        gates = {kind: _gate(patterns, keys, kind) for kind in (str.isdigit, str.isupper)}
        self._groups = {
            key: _Group(
                tuple(sorted(some)),
                next((gate for kind, gate in gates.items() if len(key) == 1 and kind(key)), None),
            )
            for key, some in keys.items()
        }

    def places(self, text: str) -> dict[int, list[int]]:
        """For each pattern that can begin somewhere in an ASCII text: the offsets, in order, without any twice."""
        group = self._groups.get
        find = text.find
        found: dict[int, list[int]] = {}
        at = 0
        for word, lower in zip(_TOKEN.findall(text), _TOKEN.findall(text.lower()), strict=True):
            at = find(word, at)
            for hit in (group(word[0]), group(lower[:_PREFIX] + _MORE), group(lower + _END)):
                if hit is not None and (hit.gate is None or hit.gate.match(text, at) is not None):
                    for n in hit.patterns:
                        places = found.setdefault(n, [])
                        if not places or places[-1] != at:
                            places.append(at)
            at += len(word)
        return found


@dataclass(frozen=True)
class _Group:
    """Patterns that the same words can begin. ``gate`` matches where one of them does, which is seldom."""

    patterns: tuple[int, ...]
    gate: re.Pattern[str] | None


def _gate(
    patterns: Sequence[re.Pattern[str]], keys: dict[str, set[int]], kind: Callable[[str], bool]
) -> re.Pattern[str]:
    """One expression that matches wherever any pattern does that a character of a kind can begin."""
    joined = []
    for n in sorted({n for key, some in keys.items() if len(key) == 1 and kind(key) for n in some}):
        own = _NAMED.sub(rf"(?P\g<1>\g<2>_{n}", patterns[n].pattern)
        joined.append(f"(?i:{own})" if patterns[n].flags & re.IGNORECASE else f"(?:{own})")
    return re.compile("|".join(joined) or r"(?!)")


def _keys(head: Head) -> Iterator[str]:
    """Under what a word that begins so is looked up; the pattern itself looks at case again."""
    text = head.text
    if head.whole and (_of_word(text[0]) or len(text) > 1):
        yield text.lower() + _END
    elif len(text) < _PREFIX or text[0].isdigit():
        yield from {text[0].lower(), text[0].upper()} if head.folded else {text[0]}
    else:
        yield text[:_PREFIX].lower() + _MORE


def _too_common(heads: frozenset[Head]) -> bool:
    """Whether a pattern can begin with nearly any word in lower case: then a list of places saves nothing."""
    return sum(not head.whole and len(head.text) == 1 and (head.folded or head.text.islower()) for head in heads) > 20


def heads_of(regex: re.Pattern[str]) -> frozenset[Head] | None:
    """What every match of a pattern in an ASCII text begins with, or ``None`` where that cannot be told."""
    nodes = _nodes(_parser().parse(regex.pattern, regex.flags & ~re.UNICODE), bool(regex.flags & re.IGNORECASE))
    for longest in _LONGEST:
        try:
            read = list(islice(_Reading(longest).heads(nodes, "", False, False), _MOST_READ + 1))
        except _UnknownStartError:
            return None
        if len(read) <= _MOST_READ:
            return frozenset(read)
    return None


def _parser() -> Any:
    return importlib.import_module("re._parser")


def _nodes(tree: Any, folded: bool) -> tuple[Node, ...]:
    return tuple((str(op), argument, folded) for op, argument in tree)


@dataclass(frozen=True)
class _Reading:
    """Reads at most ``longest`` letters of what a pattern can begin with."""

    longest: int

    def heads(self, nodes: tuple[Node, ...], text: str, folded: bool, bounded: bool) -> Iterator[Head]:
        """The ways to go on from ``text``, the letters and digits so far. ``bounded``: a word begins there."""
        if len(text) >= self.longest or not nodes:
            yield _begun(text, folded)
            return
        (op, argument, fold), rest = nodes[0], nodes[1:]
        if op == "LITERAL":
            yield from self._after({chr(argument)}, fold, rest, text, folded, bounded)
        elif op == "IN":
            yield from self._after(_members(argument), fold, rest, text, folded, bounded)
        elif op == "BRANCH":
            for one in argument[1]:
                yield from self.heads(_nodes(one, fold) + rest, text, folded, bounded)
        elif op == "SUBPATTERN":
            _, added, removed, inner = argument
            inside = (fold or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
            yield from self.heads(_nodes(inner, inside) + rest, text, folded, bounded)
        elif op in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = argument
            if least == 0:
                yield from self.heads(rest, text, folded, bounded)
            if most > 0:
                again = ((op, (max(least - 1, 0), most - 1, inner), fold),) if most > 1 else ()
                yield from self.heads((*_nodes(inner, fold), *again, *rest), text, folded, bounded)
        elif op == "ASSERT_NOT" and _no_word(argument):
            if text and argument[0] == 1:
                yield Head(text, True, folded)
            else:
                yield from self.heads(rest, text, folded, bounded or not text)
        elif op in ("ASSERT", "ASSERT_NOT"):
            ahead = self._ahead(argument, fold, text, folded) if op == "ASSERT" and text else ()
            yield from ahead or self.heads(rest, text, folded, bounded)
        elif op == "AT" and str(argument) == "AT_BOUNDARY":
            if text:
                yield Head(text, True, folded)
            else:
                yield from self.heads(rest, text, folded, True)
        else:
            yield _begun(text, folded)

    def _ahead(self, argument: tuple[int, Any], fold: bool, text: str, folded: bool) -> Sequence[Head]:
        """What a condition on the following characters says, where it says that the word ends."""
        direction, inner = argument
        found = list(self.heads(_nodes(inner, fold), text, folded, True)) if direction == 1 else []
        return found if all(head.whole for head in found) else ()

    def _after(
        self, chars: set[str] | None, fold: bool, rest: tuple[Node, ...], text: str, folded: bool, bounded: bool
    ) -> Iterator[Head]:
        """The ways to go on when the next character is one of ``chars`` (``None``: any)."""
        if chars is None or (len(chars) > _FEW and text):
            ends = chars is not None and not any(_of_word(char) for char in chars)
            yield Head(text, True, folded) if ends else _begun(text, folded)
            return
        for char in sorted(chars):
            if not _of_word(char):
                if not text and char.isspace():
                    raise _UnknownStartError
                yield Head(text or char, True, folded)
            elif not text and not bounded:
                raise _UnknownStartError
            else:
                ignoring = folded or (fold and char.isalpha())
                read = (text + char).lower() if ignoring else text + char
                if len(chars) > _FEW:
                    yield Head(read, False, ignoring)
                else:
                    yield from self.heads(rest, read, ignoring, bounded)


def _begun(text: str, folded: bool) -> Head:
    """The beginning of a word of which no more is known."""
    if not text:
        raise _UnknownStartError
    return Head(text, False, folded)


def _of_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _members(argument: Any) -> set[str] | None:
    """The ASCII characters of a class, or ``None`` where they are too many to list."""
    chars: set[str] = set()
    for op, value in argument:
        if str(op) == "LITERAL":
            chars.add(chr(value))
        elif str(op) == "RANGE":
            chars |= {chr(code) for code in range(value[0], min(value[1], 127) + 1)}
        elif str(op) == "CATEGORY" and str(value) == "CATEGORY_DIGIT":
            chars |= set("0123456789")
        elif str(op) == "CATEGORY" and str(value) == "CATEGORY_SPACE":
            chars |= set(" \t\n\r\f\v")
        else:
            return None
    return chars


def _no_word(argument: tuple[int, Any]) -> bool:
    """Whether a negative condition keeps every letter, digit and underscore from standing there."""
    _, inner = argument
    if len(inner) != 1 or str(inner[0][0]) != "IN":
        return False
    members = {str(op if value is None else value) for op, value in inner[0][1]}
    return "CATEGORY_WORD" in members and "NEGATE" not in members
