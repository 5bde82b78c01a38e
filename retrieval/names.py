"""Names: what else a document's subject is called, as its source lists it. A question may use any of them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from retrieval.terms import content, generic, placed_terms, terms

LONGEST = 10
"""Most terms of a name that is looked for in a question."""

_SHORTEST = 3
"""Fewest letters of a name that is one word."""


@dataclass(frozen=True)
class OtherName:
    """Another name of a subject, as written, and the title of the documents on that subject."""

    name: str
    title: str


Lookup = Callable[[Sequence[str]], Mapping[str, OtherName]]
"""The names there are among some runs of terms, each run joined by spaces."""


def table(documents: Iterable[tuple[str, Sequence[str]]]) -> dict[str, OtherName]:
    """The names that lead to one title alone, by their terms. ``documents`` are titles with their other names.

    A name that stands in a title is none of another's, and neither is one word that names nothing.
    """
    titles: dict[tuple[str, ...], str] = {}
    named: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
    within: set[str] = set()
    for title, names in documents:
        own = tuple(terms(title))
        if own not in titles:
            titles[own] = title
            within.update(run for run, _, _ in _runs(own))
        for name in names:
            words = terms(name)
            if len(words) <= LONGEST and _names_something(words, name):
                named[" ".join(words)].setdefault(own, name)
    return {
        run: OtherName(name, titles[own])
        for run, found in named.items()
        if len(found) == 1 and run not in within
        for own, name in found.items()
    }


def renamed(question: str, lookup: Lookup) -> str:
    """A question with other names put back to the titles that the documents have; the longest name counts.

    An abbreviation in capitals is one only where the question writes it so. A question that has the title's
    words already is left as it is.
    """
    if len(question.lower()) != len(question):
        return question
    placed = placed_terms(question)
    runs = list(_runs([term for term, _, _ in placed]))
    found = lookup(sorted({run for run, _, _ in runs}))
    asked = {term for term, _, _ in placed}
    taken: list[tuple[int, int, str]] = []
    for run, first, last in sorted(runs, key=lambda run: run[1] - run[2]):
        other = found.get(run)
        if other is None or set(content(terms(other.title))) <= asked:
            continue
        start, end = placed[first][1], placed[last][2]
        if other.name.isupper() and question[start:end] != other.name:
            continue
        if all(end <= begin or stop <= start for begin, stop, _ in taken):
            taken.append((start, end, other.title))
    for start, end, title in sorted(taken, reverse=True):
        question = question[:start] + title + question[end:]
    return question


def _names_something(words: list[str], name: str) -> bool:
    telling = [word for word in content(words) if not generic(word)]
    return bool(telling) and (len(words) > 1 or len(name) >= _SHORTEST)


def _runs(words: Sequence[str]) -> Iterable[tuple[str, int, int]]:
    """Every run of at most ``LONGEST`` words, joined, with its first and its last place."""
    for first in range(len(words)):
        for last in range(first, min(len(words), first + LONGEST)):
            yield " ".join(words[first : last + 1]), first, last
