"""Where in a text a pattern can begin at all, read off the pattern itself.

Most patterns begin with one of a list of words, a digit or a sign. A text is cut into words once, and each pattern is
tried only where a word stands that it can begin with, instead of at every character. What a pattern can begin with
is worked out from its parsed form, leaving out every condition that is not understood, so that no start is
missed; a pattern of which too little is known is told as ``None`` and searched for everywhere.
"""

import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

_MOST_READ = 4000
_PREFIX = 3
"""How many letters of a beginning that is no whole word are looked up."""
_LONGEST = (24, _PREFIX)
"""How many letters of a beginning are read, and how many where that makes too many of them."""
_FEW = 3
"""Classes of more characters are not followed further."""
_MORE, _END = "\n", "\r"
"""What stands behind a key that is the beginning of a word, and behind one that is a whole word."""
_TOKEN = re.compile(r"\w+|[^\w\s]")

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
    """An index from words to the patterns that can begin with them. Stateless after it is made, and thread-safe.

    ``heads`` holds what each pattern can begin with, or ``None`` where that is not known.
    """

    def __init__(self, heads: Sequence[frozenset[Head] | None]) -> None:
        useful = [None if some is None or _too_common(some) else some for some in heads]
        self.everywhere = tuple(n for n, some in enumerate(useful) if some is None)
        """The patterns that must be searched for in the whole text."""
        keys: dict[str, set[int]] = {}
        for n, some in enumerate(useful):
            for head in some or ():
                for key in _keys(head):
                    keys.setdefault(key, set()).add(n)
        self._groups = sorted({tuple(sorted(some)) for some in keys.values()})
        """Patterns that a word can begin, as there are: words that can begin the same patterns share one."""
        number = {group: n for n, group in enumerate(self._groups)}
        self._group = {key: number[tuple(sorted(some))] for key, some in keys.items()}

    def places(self, text: str) -> dict[int, list[int]]:
        """For each pattern that can begin somewhere in an ASCII text: the offsets, in order, without any twice."""
        group = self._group.get
        by_group: dict[int, list[int]] = {}
        for match in _TOKEN.finditer(text):
            word = match[0]
            lower = word.lower()
            for hit in (group(word[0]), group(lower[:2] + _MORE), group(lower[:3] + _MORE), group(lower + _END)):
                if hit is not None:
                    by_group.setdefault(hit, []).append(match.start())
        found: dict[int, list[int]] = {}
        for hit, places in by_group.items():
            for n in self._groups[hit]:
                found[n] = sorted({*found[n], *places}) if n in found else places
        return found


def _keys(head: Head) -> Iterator[str]:
    """Under what a word that begins so is looked up; the pattern itself looks at case again."""
    text = head.text
    if head.whole and (_of_word(text[0]) or len(text) > 1):
        yield text.lower() + _END
    elif len(text) == 1:
        yield from {text.lower(), text.upper()} if head.folded else {text}
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
        elif op in ("ASSERT", "ASSERT_NOT"):
            begins = bounded or (not text and op == "ASSERT_NOT" and _no_word_before(argument))
            yield from self.heads(rest, text, folded, begins)
        elif op == "AT" and str(argument) == "AT_BOUNDARY":
            if text:
                yield Head(text, True, folded)
            else:
                yield from self.heads(rest, text, folded, True)
        else:
            yield _begun(text, folded)

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


def _no_word_before(argument: tuple[int, Any]) -> bool:
    """Whether a negative look-behind keeps every letter, digit and underscore from standing before."""
    direction, inner = argument
    if direction != -1 or len(inner) != 1 or str(inner[0][0]) != "IN":
        return False
    return any((str(op), str(value)) == ("CATEGORY", "CATEGORY_WORD") for op, value in inner[0][1])
