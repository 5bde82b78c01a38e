"""The clinical patterns of ``data/patterns.yaml``, compiled once, and how they are run over a text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from guardrails.errors import RuleFileError
from guardrails.phi.folding import fold
from guardrails.phi.spans import Span, merge
from guardrails.phi.starts import Starts
from overread.packaged import packaged_yaml


@dataclass(frozen=True)
class ClinicalPattern:
    """One pattern: its kind, its expression, and the two conditions around it.

    ``need`` must be found in a text before ``regex`` is tried. ``drop`` directly behind a match
    makes it no identity. ``least`` is the fewest characters a match must have.
    """

    kind: str
    regex: re.Pattern[str]
    need: re.Pattern[str] | None
    drop: re.Pattern[str] | None
    least: int

    def find(self, text: str) -> Iterator[Span]:
        """Every match in a folded text: the group ``x``, else the whole match."""
        if self.need is not None and self.need.search(text) is None:
            return
        for match in self.regex.finditer(text):
            span = self._span(text, match)
            if span is not None:
                yield span

    def find_at(self, text: str, starts: Iterable[int]) -> list[Span]:
        """As ``find``, when every match begins at one of ``starts``, which are in order."""
        found: list[Span] = []
        needed, behind = self.need is None, 0
        for start in starts:
            if start < behind or (match := self.regex.match(text, start)) is None:
                continue
            # What a pattern needs mostly stands where it matches, so it is looked for there first.
            if not needed and self.need is not None:
                if self.need.search(text, start) is None and self.need.search(text) is None:
                    return []
                needed = True
            behind = match.end()
            span = self._span(text, match)
            if span is not None:
                found.append(span)
        return found

    @cached_property
    def _group(self) -> str | int:
        return "x" if "x" in self.regex.groupindex else 0

    def _span(self, text: str, match: re.Match[str]) -> Span | None:
        start, end = match.span(self._group)
        if end - start < self.least or (self.drop is not None and self.drop.match(text, end)):
            return None
        return Span(start, end, self.kind)


class ClinicalPatterns:
    """All patterns together: the pattern stage of the text detector. Stateless and thread-safe."""

    def __init__(self) -> None:
        self._patterns = _read_patterns()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of identity the patterns look for."""
        return frozenset(pattern.kind for pattern in self._patterns)

    def spans(self, text: str) -> list[Span]:
        """Where identity stands, in offsets of ``text``, in order and without overlap."""
        folded = fold(text)
        found = self._found_in(folded.text)
        if found and "[" in folded.text:
            found = [span for span in found if _EVIDENCE.search(folded.text, span.start, span.end) is None]
        if folded.at is not None:
            found = [Span(*folded.span(span.start, span.end), span.kind) for span in found]
        return merge(found)

    def _found_in(self, text: str) -> list[Span]:
        """What each pattern finds in a folded text, in the order of the patterns.

        What ignoring case means beyond ASCII, ``guardrails.phi.starts`` does not know: other texts are searched whole.
        """
        if not text.isascii():
            return [span for pattern in self._patterns for span in pattern.find(text)]
        starts = _read_starts()
        at = starts.places(text)
        found: list[Span] = []
        for n in sorted((*at, *starts.everywhere)):
            pattern = self._patterns[n]
            found += pattern.find_at(text, at[n]) if n in at else pattern.find(text)
        return found


_EVIDENCE = re.compile(r"\[[A-Z]\d{1,4}(?:[,;] ?[A-Z]\d{1,4})*\]")


@lru_cache(maxsize=1)
def _read_patterns() -> tuple[ClinicalPattern, ...]:
    rules = _yaml("patterns.yaml")
    parts = _parts(rules["parts"], _yaml("words.yaml"))
    eponym = re.compile(parts["eponym"])
    patterns = []
    for entry in rules["patterns"]:
        try:
            flags = re.IGNORECASE if entry.get("flags") == "i" else 0
            drop = re.compile(_filled(entry["drop"], parts), re.IGNORECASE) if "drop" in entry else None
            patterns.append(
                ClinicalPattern(
                    kind=entry["kind"],
                    regex=re.compile(_filled(entry["regex"], parts), flags),
                    need=re.compile(_filled(entry["need"], parts)) if "need" in entry else None,
                    drop=eponym if entry.get("eponym") else drop,
                    least=entry.get("least", 1),
                )
            )
        except (re.error, KeyError) as error:
            raise RuleFileError(f"patterns.yaml: a pattern of kind {entry.get('kind')!r} is wrong: {error}") from None
    return tuple(patterns)


@lru_cache(maxsize=1)
def _read_starts() -> Starts:
    return Starts([pattern.regex for pattern in _read_patterns()])


def _parts(parts: dict[str, str | list[str]], words: dict[str, str]) -> dict[str, str]:
    """Every ``{name}`` a pattern may use, each a regular expression without groups that capture."""
    first = fold(words["first"]).text.split()
    alone = set(first) - set(words["not_alone"].split())
    listed = {
        "first": _trie(first),
        "First": _trie([name.capitalize() for name in first]),
        "FIRST": _trie([name.upper() for name in first]),
        "Sure": _trie([name.capitalize() for name in alone if len(name) > 2]),
        "no_name": _trie(words["no_name"].split()),
        "NO_NAME": _trie([word.upper() for word in words["no_name"].split()]),
        "english": _trie(words["english"].split()),
        "English": _trie([word.capitalize() for word in words["english"].split()]),
        "no_place": _trie(words["no_place"].split()),
        "facility": _trie(words["facility"].split()),
    }
    for name in ("hospitals", "places"):
        listed[name] = _trie([word.strip() for word in words[name].split(";")])
    for name in ("facility_end", "street", "st", "state_names", "eponym", "care"):
        listed[name] = re.sub(r"\|\s+", "|", words[name].strip())
    listed["states"] = f"{listed['st']}|{listed['state_names']}"
    for name, text in parts.items():
        listed[name] = _trie(text) if isinstance(text, list) else _filled(text, listed)
    return listed


def _filled(text: str, parts: dict[str, str]) -> str:
    """The text with each ``{name}`` that is a part replaced by it; ``{2,4}`` stays a repetition."""
    return re.sub(r"\{([A-Za-z_]\w*)\}", lambda match: f"(?:{parts[match[1]]})", text)


def _trie(words: list[str]) -> str:
    """One expression for a list of words that shares their beginnings: fast however long the list is."""
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _branch(tree)


def _branch(node: dict[str, Any]) -> str:
    tails = [re.escape(char) + _branch(child) for char, child in sorted(node.items()) if char]
    if not tails:
        return ""
    joined = tails[0] if len(tails) == 1 else f"(?:{'|'.join(tails)})"
    if "" not in node:
        return joined
    return f"(?:{joined})?"


def _yaml(name: str) -> Any:
    return packaged_yaml("guardrails.phi", f"data/{name}")
