"""What a thread remembers of similar cases, and forgets when they are removed from the index.

A thread keeps a key of each case and not its label: the label is looked up when an answer is written.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.state import SeenCase, ThreadState, cases_of
from overread.errors import OverreadError
from overread.records import Case

if TYPE_CHECKING:
    from tools.registry import ToolRegistry


def case_key(case_id: str) -> str:
    """A key that finds a case in the index, and from which its id cannot be told."""
    return hashlib.sha256(f"overread case {case_id}".encode()).hexdigest()[:32]


def cases_now(state: ThreadState, registry: "ToolRegistry") -> list[SeenCase]:
    """The similar cases of the thread that are in the index now, with the labels they carry now.

    An index that cannot be read has none.
    """
    kept = cases_of(state)
    if not kept:
        return []
    labels = _labels(registry)
    return [
        SeenCase(image=one.image, case=Case(id=one.id, label=labels[one.key], similarity=one.similarity))
        for one in kept
        if one.key in labels
    ]


def _labels(registry: "ToolRegistry") -> Mapping[str, str]:
    from tools.cases.similar import SimilarCases

    labels: dict[str, str] = {}
    for tool in registry.all():
        if isinstance(tool, SimilarCases):
            try:
                labels |= {case_key(entry.id): entry.label for entry in tool.entries()}
            except OverreadError:
                continue
    return labels


def without_cases(turns: Sequence[dict[str, str]], gone: Iterable[str]) -> list[dict[str, str]]:
    """Earlier turns without the sentences that cite one of the evidence ids in ``gone``."""
    from guardrails.ledger import cited_ids
    from guardrails.sentences import split_sentences

    ids = set(gone)
    if not ids:
        return list(turns)
    return [
        {**turn, "text": "".join(s for s in split_sentences(turn["text"]) if not ids.intersection(cited_ids(s)))}
        for turn in turns
    ]
