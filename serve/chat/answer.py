"""The text of an answer as HTML: sentences by how they stood up to their evidence, and evidence chips."""

import re
from collections.abc import Sequence
from html import escape

from overread.events import (
    ClaimEvent,
    DeltaEvent,
    DomainEvent,
    Event,
    PassageEvent,
    RefusalEvent,
    ToolResultEvent,
    WithheldEvent,
)
from serve import words

_ID = re.compile(r"\[([A-Z]\d+)\]([.,;:?!]?)")
_PERCENT = re.compile(r"(?<=\d) %")


def answer_html(events: Sequence[Event]) -> str:
    """The answer so far. Sentences are told apart by a word for screen readers and a mark, not by colour alone."""
    text = ""
    notes: dict[int, list[str]] = {}
    refusals = [event for event in events if isinstance(event, RefusalEvent)]
    for event in events:
        if isinstance(event, DeltaEvent):
            text += "" if words.repeats(event, refusals) else event.text
        elif isinstance(event, WithheldEvent) and event.stage == "output":
            notes.setdefault(len(text), []).append(words.withheld_line(event))
    about = _known(events)
    spans = _sentences(text, [event for event in events if isinstance(event, ClaimEvent)])
    cuts = sorted({0, len(text), *notes, *(edge for start, end, _ in spans for edge in (start, end))})
    html: list[str] = []
    for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        html += [f'<span class="withheld">⊘ {escape(note)}</span> ' for note in notes.get(start, [])]
        verdict = next((claim.verdict for first, last, claim in spans if first <= start and end <= last), None)
        html.append(_piece(text[start:end], verdict, about))
    return "".join(html).strip()


def _sentences(text: str, claims: Sequence[ClaimEvent]) -> list[tuple[int, int, ClaimEvent]]:
    """Where each checked sentence stands in the text, in order; a sentence that is not there has no place."""
    found: list[tuple[int, int, ClaimEvent]] = []
    at = 0
    for claim in claims:
        start = text.find(claim.text, at)
        if claim.text and start >= 0:
            at = start + len(claim.text)
            found.append((start, at, claim))
    return found


def _piece(text: str, verdict: str | None, about: dict[str, str]) -> str:
    if not text:
        return ""
    whole = _PERCENT.sub("\N{NO-BREAK SPACE}%", escape(text))
    body = _ID.sub(lambda match: _chip(match.group(1), match.group(2), about), whole)
    if verdict is None:
        return body
    return (
        f'<span class="sentence sentence-{verdict}" title="{escape(words.phrases()["verdict"][verdict])}">{body}</span>'
    )


def _chip(id_: str, mark: str, about: dict[str, str]) -> str:
    """The chip of an id, on one line with the mark that follows it."""
    said = about.get(id_, "from an earlier answer")
    return (
        f'<span class="keep"><button type="button" class="chip" data-ref="{id_}" title="{escape(said)}"'
        f' aria-label="Evidence {id_}: {escape(said)}">{id_}</button>{mark}</span>'
    )


def _known(events: Sequence[Event]) -> dict[str, str]:
    """What each evidence id of this run stands for, in words."""
    about: dict[str, str] = {}
    for event in events:
        if isinstance(event, DomainEvent):
            about[event.id] = words.domain_line(event)
        elif isinstance(event, PassageEvent):
            about[event.id] = event.title
        elif isinstance(event, ToolResultEvent):
            about |= {finding.id: words.finding_line(finding) for finding in event.findings}
            about |= {made.id: words.measurement_line(made) for made in event.measurements}
            about |= {case.id: f"similar case: {case.label}" for case in event.cases}
    return about
