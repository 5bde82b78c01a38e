"""An answer to be taken away: what stands in it, from events that have passed the gate, whatever it is written as."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overread import __version__
from overread.events import (
    DomainEvent,
    DoneEvent,
    EngineEvent,
    ErrorEvent,
    Event,
    PassageEvent,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    ToolStartEvent,
)
from overread.settings import Settings
from serve import words
from serve.chat.answer import known, said
from serve.chat.session import Turn

if TYPE_CHECKING:
    from agent.assistant import Assistant


@dataclass(frozen=True)
class Sentence:
    """A sentence with how it stands, in words, and what its evidence says: (id, text) each."""

    text: str
    standing: str
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Source:
    """A passage, word for word."""

    id: str
    title: str
    text: str
    source: str
    url: str | None


@dataclass(frozen=True)
class Figure:
    """An image with what was found drawn on it: a PNG, its size ``(W, H)`` in pixels, and a line below it."""

    png: bytes
    size: tuple[int, int]
    caption: str


@dataclass(frozen=True)
class Account:
    """All that stands in the report of one answer."""

    question: str
    paragraphs: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    refusals: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    faults: tuple[str, ...]
    seen: tuple[tuple[str, str], ...]
    sources: tuple[Source, ...]
    figures: tuple[Figure, ...]
    steps: tuple[str, ...]
    ending: tuple[str, ...]


def account_of(turn: Turn, assistant: "Assistant | None", settings: Settings) -> Account:
    """What is told of a turn. Without an assistant there are no figures."""
    events, about = turn.events, known(turn.events)
    stretches = said(events, about)
    sentences = [
        Sentence(
            one.text.strip(),
            "withheld" if one.standing == "withheld" else words.standing(one.standing)[1],
            tuple((id_, about[id_].said if id_ in about else "from an earlier answer") for id_ in one.claim.evidence)
            if one.claim
            else (),
        )
        for one in stretches
        if one.standing is not None
    ]
    text = "".join(f" ({one.text}) " if one.standing == "withheld" else one.text for one in stretches)
    return Account(
        question=turn.question,
        paragraphs=tuple(part.strip() for part in text.split("\n\n") if part.strip()),
        sentences=tuple(sentences),
        refusals=tuple(
            (words.refusal_title(event), tuple(words.refusal_parts(event)))
            for event in events
            if isinstance(event, RefusalEvent)
        ),
        faults=tuple(event.message for event in events if isinstance(event, ErrorEvent)),
        seen=tuple((id_, one.said) for id_, one in about.items() if not id_.startswith("S")),
        sources=tuple(
            Source(event.id, event.title, event.text, event.source, event.url)
            for event in events
            if isinstance(event, PassageEvent)
        ),
        figures=_figures(events, assistant) if assistant is not None else (),
        steps=tuple(_steps(events)),
        ending=tuple(_ending(turn, settings)),
    )


def as_text(turn: Turn) -> str:
    """The answer with its citations, for the clipboard."""
    account = account_of(turn, None, Settings())
    lines = [*account.paragraphs]
    for title, parts in account.refusals:
        lines += [title, *(f"{name}: {text}" for name, text in parts)]
    lines += account.faults
    cited = {id_ for one in account.sentences for id_, _ in one.evidence}
    listed = [f"[{id_}] {text}" for id_, text in account.seen if id_ in cited]
    listed += [
        f"[{one.id}] {one.title}. {one.source}{f', {one.url}' if one.url else ''}"
        for one in account.sources
        if one.id in cited
    ]
    if listed:
        lines += ["\n".join(listed)]
    return "\n\n".join([*lines, words.disclaimer()]) + "\n"


def as_events(turn: Turn) -> dict[str, Any]:
    """The question without what identifies somebody, and the events as every interface carries them."""
    return {"question": turn.question, "events": [event.model_dump(mode="json") for event in turn.events]}


def _figures(events: Sequence[Event], assistant: "Assistant") -> tuple[Figure, ...]:
    found: list[Figure] = []
    for event in events:
        if isinstance(event, StudyEvent) and (pixels := assistant.overlay(event.study_id)) is not None:
            caption = f"Image {len(found) + 1}: {', '.join(words.study_facts(event))}; {words.receipt(event.privacy)}."
            found.append(_figure(pixels, caption))
    return tuple(found)


def _figure(pixels: NDArray[np.uint8], caption: str) -> Figure:
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((1600, 1600), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return Figure(buffer.getvalue(), picture.size, caption)


def _steps(events: Sequence[Event]) -> list[str]:
    results = {event.call_id: event for event in events if isinstance(event, ToolResultEvent)}
    lines = []
    for event in events:
        if isinstance(event, DomainEvent):
            lines.append(f"Kind of image: {words.domain_line(event)}")
        elif isinstance(event, ToolStartEvent) and (result := results.get(event.call_id)) is not None:
            model = f" ({result.model.name} {result.model.version})" if result.model else ""
            lines.append(f"{event.tool}{model}: {words.tool_outcome(result)}, {words.seconds(result.elapsed_ms)}")
        elif isinstance(event, EngineEvent):
            lines.append(f"Written by: {words.engine_line(event)}. {words.engine_limits(event)}")
    return lines


def _ending(turn: Turn, settings: Settings) -> list[str]:
    lines = ["Stopped. This is not a whole answer."] if turn.state == "stopped" else []
    for event in turn.events:
        if isinstance(event, DoneEvent):
            if event.confidence is not None:
                sure = words.sureness(event)
                lines.append(f"{sure[0].upper()}{sure[1:]}.")
            kept = "audit log" if settings.audit else "events"
            lines.append(f"Run {event.run_id}; {kept} {event.audit_id}")
    return [*lines, f"Overread {__version__}. {words.disclaimer()}"]
