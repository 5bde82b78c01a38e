"""The text of an answer as pieces: sentences by how they stood up to their evidence, and evidence chips."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from serve.chat.pieces import Piece

_IDS = re.compile(r"\[([A-Z]\d+(?:[,;] ?[A-Z]\d+)*)\]([.,;:?!]?)")
_PERCENT = re.compile(r"(?<=\d) %")


@dataclass(frozen=True)
class Known:
    """What an evidence id stands for, in words, and the image it was seen in, if in one."""

    said: str
    study: str | None = None
    frame: int | None = None
    decides: bool = True


@dataclass(frozen=True)
class Said:
    """A stretch of an answer: a checked sentence, what stands between two, or what is said of a withheld one.

    ``standing`` is the claim's verdict, ``hedged`` where its evidence does not decide, or ``withheld``.
    """

    text: str
    claim: ClaimEvent | None = None
    standing: str | None = None


def known(events: Sequence[Event]) -> dict[str, Known]:
    """What each evidence id of these events stands for."""
    about: dict[str, Known] = {}
    for event in events:
        if isinstance(event, DomainEvent):
            about[event.id] = Known(words.domain_line(event), event.study_id, event.frame)
        elif isinstance(event, PassageEvent):
            about[event.id] = Known(event.title)
        elif isinstance(event, ToolResultEvent):
            for finding in event.findings:
                decides = finding.decision != "indeterminate"
                about[finding.id] = Known(words.finding_line(finding), event.study_id, event.frame, decides)
            for made in event.measurements:
                about[made.id] = Known(words.measurement_line(made), event.study_id, event.frame)
            for case in event.cases:
                about[case.id] = Known(f"similar case: {case.label}", event.study_id, event.frame)
    return about


def said(events: Sequence[Event], about: Mapping[str, Known]) -> list[Said]:
    """The answer so far, cut into its sentences; what only repeats a refusal is left out."""
    text = ""
    notes: dict[int, list[str]] = {}
    refusals = [event for event in events if isinstance(event, RefusalEvent)]
    for event in events:
        if isinstance(event, DeltaEvent):
            text += "" if words.repeats(event, refusals) else event.text
        elif isinstance(event, WithheldEvent) and event.stage == "output":
            notes.setdefault(len(text), []).append(words.withheld_line(event))
    spans = _sentences(text, [event for event in events if isinstance(event, ClaimEvent)])
    cuts = sorted({0, len(text), *notes, *(edge for start, end, _ in spans for edge in (start, end))})
    found: list[Said] = []
    for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        found += [Said(note, None, "withheld") for note in notes.get(start, [])]
        claim = next((claim for first, last, claim in spans if first <= start and end <= last), None)
        if start < end:
            found.append(Said(text[start:end], claim, standing(claim, about) if claim else None))
    return found


def standing(claim: ClaimEvent, about: Mapping[str, Known]) -> str:
    """How a sentence stands: its verdict, but ``hedged`` where it rests on what does not decide."""
    undecided = any(id_ in about and not about[id_].decides for id_ in claim.evidence)
    return "hedged" if claim.verdict == "supported" and undecided else claim.verdict


def answer_pieces(name: str, events: Sequence[Event], about: Mapping[str, Known]) -> list[Piece]:
    """The answer of the turn of that name. Sentences are told apart by a mark, and words for screen readers."""
    box = f"{name}-answer"
    return [
        Piece(f"{name}-a{n}", box, _stretch(f"{name}-a{n}", one, about)) for n, one in enumerate(said(events, about))
    ]


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


def _stretch(id_: str, one: Said, about: Mapping[str, Known]) -> str:
    if one.standing == "withheld":
        return f'<span id="{id_}" class="withheld"><span aria-hidden="true">⊘ </span>{escape(one.text)}</span>'
    claim = one.claim.claim_id if one.claim else ""
    body = with_chips(one.text, about, claim)
    if one.standing is None:
        return f'<span id="{id_}">{body}</span>'
    mark, told = words.standing(one.standing)
    if not mark:
        # What frames an answer asserts nothing: a mark behind it would only be noise.
        return f'<span id="{id_}" class="sentence" data-claim="{escape(claim)}" title="{escape(told)}">{body}</span>'
    return (
        f'<span id="{id_}" class="sentence sentence-{one.standing}" data-claim="{escape(claim)}">{body}'
        f'<span class="verdict aside" aria-hidden="true" title="{escape(told)}">{escape(mark)}</span>'
        f'<span class="sr aside"> ({escape(told)})</span></span>'
    )


def with_chips(text: str, about: Mapping[str, Known], claim: str = "") -> str:
    """A text as HTML, its evidence ids as chips. ``claim`` is the sentence that a chip shows the evidence of."""
    whole = _PERCENT.sub("\N{NO-BREAK SPACE}%", escape(text))
    return _IDS.sub(lambda match: _chips(re.findall(r"[A-Z]\d+", match.group(1)), match.group(2), about, claim), whole)


def _chips(ids: Sequence[str], mark: str, about: Mapping[str, Known], claim: str) -> str:
    """A chip for each id of a group; the mark that follows the group stays with the last."""
    return " ".join(_chip(id_, mark if id_ == ids[-1] else "", about, claim) for id_ in ids)


def _chip(id_: str, mark: str, about: Mapping[str, Known], claim: str) -> str:
    """The chip of an id, on one line with the mark that follows it."""
    one = about.get(id_, Known("from an earlier answer"))
    where = f' data-claim="{escape(claim)}"' if claim else ""
    if one.study is not None:
        where += f' data-study="{escape(one.study)}" data-frame="{one.frame or 0}"'
    return (
        f'<span class="keep"><button type="button" class="chip" data-ref="{id_}"{where} title="{escape(one.said)}"'
        f' aria-label="Evidence {id_}: {escape(one.said)}">{id_}</button>{mark}</span>'
    )
