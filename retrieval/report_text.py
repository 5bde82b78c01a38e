"""What is kept of a past report's text: its sentences without comparisons, and the labels they name."""

import re
from functools import lru_cache
from typing import Any

from overread.packaged import packaged_yaml
from retrieval.sentences import spans

_CLAUSE = re.compile(r"(?<=;)\s+|(?<=\.)(?=[A-Z][a-z])")
"""Where a report's sentence is cut once more: at a semicolon, and where the space after a full stop was forgotten."""


def sentences(text: str) -> list[str]:
    """The sentences of a report, stripped, and the clauses that a semicolon parts; a line's end ends one too."""
    found = (clause.strip() for start, end in spans(text) for clause in _CLAUSE.split(text[start:end]))
    return [one for one in found if re.search(r"\w", one)]


def compares(sentence: str) -> bool:
    """Whether a sentence speaks of an earlier study, by the word list."""
    return _comparison().search(sentence) is not None


def without_comparisons(text: str) -> str:
    """The text without every sentence that compares with an earlier study. Applied twice it changes nothing more."""
    return " ".join(one for one in sentences(text) if not compares(one))


def labels_in(text: str) -> frozenset[str]:
    """The labels a text says are there: named in a sentence that does not deny them (after NegEx, Chapman 2001)."""
    found: set[str] = set()
    for sentence in sentences(text.lower()):
        for match in _any_name().finditer(sentence):
            label = _names()[match[0]]
            if label not in found and not _denied(sentence, match.start(), match.end()):
                found.add(label)
    return frozenset(found)


def label_of(finding: str) -> str:
    """The label that a tool's finding goes by here, or the finding itself, in lower case with spaces."""
    words = re.sub(r"[_\-/]+", " ", finding).strip().lower()
    match = _any_name().search(words)
    return _names()[match[0]] if match else words


def names_of(label: str) -> tuple[str, ...]:
    """The words for a label, the label first."""
    return tuple(dict.fromkeys([label, *_words()["labels"].get(label, [])]))


def parts_of(text: str) -> tuple[str, str]:
    """Findings and impression of a plain report by its headings; one without any is all findings."""
    kept = {"findings": "", "impression": ""}
    heading = _heading()
    starts = list(heading.finditer(text))
    if not any(_part(match[1]) in kept for match in starts):
        return text.strip(), ""
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        part = _part(match[1])
        if part in kept:
            kept[part] += " " + text[match.end() : following.start() if following else len(text)].strip()
    return kept["findings"].strip(), kept["impression"].strip()


def _denied(sentence: str, start: int, end: int) -> bool:
    before = _clause_end().split(sentence[:start])[-1]
    after = _clause_end().split(sentence[end:])[0]
    return bool(_rule("denied_before").search(before) or _rule("denied_after").search(after))


def _part(heading: str) -> str:
    name = heading.strip().lower()
    return next((part for part, names in _words()["headings"].items() if name in names), "other")


@lru_cache(maxsize=1)
def _heading() -> re.Pattern[str]:
    names = sorted((name for names in _words()["headings"].values() for name in names), key=len, reverse=True)
    return re.compile(rf"(?:^|\n)[ \t#*]*({'|'.join(map(re.escape, names))})[ \t*]*(?::|(?=\n))[*]*", re.IGNORECASE)


@lru_cache(maxsize=1)
def _comparison() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in _words()["comparison"]), re.IGNORECASE)


@lru_cache(maxsize=4)
def _rule(name: str) -> re.Pattern[str]:
    return re.compile(_words()[name], re.IGNORECASE)


@lru_cache(maxsize=1)
def _clause_end() -> re.Pattern[str]:
    return re.compile(_words()["clause_end"], re.IGNORECASE)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name: label for label, names in _words()["labels"].items() for name in (label, *names)}


@lru_cache(maxsize=1)
def _any_name() -> re.Pattern[str]:
    names = sorted(_names(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    return dict(packaged_yaml("retrieval", "data/report_words.yaml"))
