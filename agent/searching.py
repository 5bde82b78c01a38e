"""Looks up passages that answer, without the orders that stand in them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.events import SOURCE_TEXT
from agent.parts import Parts
from overread.records import Passage

if TYPE_CHECKING:
    from retrieval.search import Hit


@dataclass(frozen=True)
class FoundPassage:
    """A passage without an evidence id, and whether sentences that give orders were left out of it."""

    passage: Passage
    disarmed: bool


def find_passages(
    parts: Parts,
    query: str,
    domain: str | None = None,
    findings: Sequence[str] = (),
    k: int = 4,
    took: Callable[[str, float], None] | None = None,
    more: "Sequence[Hit]" = (),
) -> list[FoundPassage]:
    """What the notes and the user's own library say, at most ``k`` passages. One left with no text is still told.

    ``more`` are hits from elsewhere, which are checked like the others. ``took`` hears when the check of the passages
    for orders began, once it is done.
    """
    hits = [*parts.knowledge().search(query, domain=domain, findings=findings, k=k), *more]
    begun = time.monotonic()
    clean = parts.passages().disarm([hit.text for hit in hits])
    if took is not None:
        took("disarm", begun)
    return [
        FoundPassage(hit.passage("").model_copy(update={"text": one.text}), bool(one.removed))
        for hit, one in zip(hits, clean, strict=True)
    ]


def search_knowledge(parts: Parts, query: str, domain: str | None = None, k: int = 4) -> list[Passage]:
    """The same for who asks nothing but this, with evidence ids S1, S2 …

    Identity is left out of the query before anything is searched, and no passage gives it back.
    Raises ``DetectorError`` when the identity detector fails.
    """
    from guardrails.phi.identity import KINDS, Identity
    from guardrails.phi.text import redact

    identity, asked, at = Identity(), "", 0
    query = query.strip()
    for span in parts.detector().spans(query):
        if span.kind in KINDS:
            identity.add(query[span.start : span.end], span.kind)
        asked, at = f"{asked}{query[at : span.start]} ", span.end
    asked = f"{asked}{query[at:]}".strip()
    found = [one.passage for one in find_passages(parts, asked, domain, k=k) if one.passage.text]
    return [
        passage.model_copy(
            update={"id": f"S{number}", **{name: redact(getattr(passage, name), identity).text for name in SOURCE_TEXT}}
        )
        for number, passage in enumerate(found, start=1)
    ]
