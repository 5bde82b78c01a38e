"""A turn as HTML. Pure functions of events; every text is escaped here, and nowhere else."""

from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import urlsplit

from overread.events import (
    DeltaEvent,
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
    WithheldEvent,
)
from serve import words
from serve.chat.answer import answer_html
from serve.chat.session import Turn

MARKS = {"ok": "✓", "unavailable": "–", "skipped": "–", "failed": "✕"}


def turns_html(turns: Sequence[Turn]) -> str:
    """Several turns, oldest first."""
    return "".join(turn_html(turn) for turn in turns)


def turn_html(turn: Turn) -> str:
    """One turn: the question, the steps, refusals, the answer, its evidence, and how sure it is."""
    parts = [
        _question(turn),
        _steps(turn),
        *(_refusal(event, turn) for event in turn.events if isinstance(event, RefusalEvent)),
        _answer(turn),
        _evidence(turn.events),
        _ending(turn),
    ]
    busy = "true" if turn.state == "running" else "false"
    return f'<article class="turn turn-{turn.state}" aria-busy="{busy}">{"".join(parts)}</article>'


def _question(turn: Turn) -> str:
    count = f'<span class="with">{turn.images} image{"s" if turn.images > 1 else ""}</span>' if turn.images else ""
    return f'<h2 class="question">{escape(turn.question)} {count}</h2>'


def _steps(turn: Turn) -> str:
    lines = list(_step_lines(turn))
    if turn.state == "running" and not _tells_of_itself(turn):
        lines.append(_step("working", "…", "Working", "" if turn.events else "reading the question"))
    if not lines:
        return ""
    took = next((event.t_ms for event in reversed(turn.events)), 0.0)
    done = turn.state != "running"
    summary = f"Steps, {words.seconds(took)}" if done else "Steps"
    opened = "" if done else " open"
    return f'<details class="steps"{opened}><summary>{summary}</summary><ol>{"".join(lines)}</ol></details>'


def _tells_of_itself(turn: Turn) -> bool:
    """Whether the page shows by itself that something goes on: a tool that runs, or words that come."""
    started = sum(isinstance(event, ToolStartEvent) for event in turn.events)
    ended = sum(isinstance(event, ToolResultEvent) for event in turn.events)
    return started > ended or any(isinstance(event, DeltaEvent) for event in turn.events)


def _step_lines(turn: Turn) -> Iterator[str]:
    finished = {event.call_id: event for event in turn.events if isinstance(event, ToolResultEvent)}
    for event in turn.events:
        if isinstance(event, StudyEvent):
            yield _step("ok", "✓", "Image read", ", ".join(words.study_facts(event)))
            yield _step("ok", "✓", "Identity", words.receipt(event.privacy))
        elif isinstance(event, DomainEvent):
            kind = "ok" if event.accepted else "failed"
            yield _step(kind, MARKS[kind], "Kind of image", words.domain_line(event), words.alternatives(event))
        elif isinstance(event, ToolStartEvent):
            yield _tool(event, finished.get(event.call_id), turn.state)
        elif isinstance(event, WithheldEvent) and event.stage == "input":
            yield _step("skipped", "–", "Left out", words.withheld_line(event))
    passages = sum(isinstance(event, PassageEvent) for event in turn.events)
    if passages:
        yield _step("ok", "✓", "Sources", f"{passages} passage{'s' if passages > 1 else ''} found")
    for event in turn.events:
        if isinstance(event, EngineEvent):
            yield _step("ok", "✓", "Writing", words.engine_line(event))


def _tool(start: ToolStartEvent, result: ToolResultEvent | None, state: str) -> str:
    if result is not None:
        said = f"{words.tool_outcome(result)}, {words.seconds(result.elapsed_ms)}"
        return _step(result.status, MARKS[result.status], start.tool, said)
    if state == "running":
        return _step("working", "…", start.tool, "working")
    return _step("skipped", "–", start.tool, "did not end")


def _step(kind: str, mark: str, name: str, said: str, more: str = "") -> str:
    also = f'<span class="more">{escape(more)}</span>' if more else ""
    return (
        f'<li class="step step-{escape(kind)}"><span class="mark" aria-hidden="true">{mark}</span>'
        f"<b>{escape(name)}</b> <span>{escape(said)}</span>{also}</li>"
    )


def _refusal(event: RefusalEvent, turn: Turn) -> str:
    studies = [seen.study_id for seen in turn.events if isinstance(seen, StudyEvent)]
    place = f" (image {studies.index(event.study_id) + 1})" if event.study_id in studies and len(studies) > 1 else ""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in words.refusal_parts(event))
    title = escape(words.refusal_title(event) + place)
    return f'<section class="refusal" role="note"><h3>{title}</h3><dl>{items}</dl></section>'


def _answer(turn: Turn) -> str:
    body = answer_html(turn.events)
    if not body:
        return ""
    return f'<div class="answer" role="region" aria-label="Answer" aria-live="polite">{body}</div>'


def _evidence(events: Sequence[Event]) -> str:
    seen = list(_seen(events))
    sources = [_passage(event) for event in events if isinstance(event, PassageEvent)]
    parts = []
    if seen:
        parts.append(f'<h3>What was seen</h3><ul class="seen">{"".join(seen)}</ul>')
    if sources:
        parts.append(f"<h3>Sources, word for word</h3>{''.join(sources)}")
    return f'<section class="evidence" aria-label="Evidence">{"".join(parts)}</section>' if parts else ""


def _seen(events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, DomainEvent) and event.accepted:
            yield _item(event.id, words.domain_line(event), "present")
        if isinstance(event, ToolResultEvent):
            for finding in event.findings:
                yield _item(finding.id, words.finding_line(finding), finding.decision)
            for made in event.measurements:
                yield _item(made.id, words.measurement_line(made))
            for case in event.cases:
                yield _item(case.id, f"similar case: {case.label}, similarity {case.similarity:.2f}")


def _item(id_: str, text: str, kind: str = "plain") -> str:
    shown = escape(id_)
    return f'<li id="ev-{shown}" class="item item-{escape(kind)}"><span class="id">{shown}</span> {escape(text)}</li>'


def _passage(event: PassageEvent) -> str:
    shown = escape(event.id)
    return (
        f'<details class="passage" id="ev-{shown}">'
        f'<summary><span class="id">{shown}</span> {escape(event.title)}</summary>'
        f"<blockquote>{escape(event.text)}</blockquote><p>{escape(event.source)} {_link(event.url)}</p></details>"
    )


def _link(url: str | None) -> str:
    """A link to another site: only http and https, and it tells that site nothing of this page."""
    if url is None:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(parts.hostname)} ↗</a>'


def _ending(turn: Turn) -> str:
    notes: list[str] = []
    for event in turn.events:
        if isinstance(event, ErrorEvent):
            notes.append(f'<p class="fault" role="alert">{escape(event.message)}</p>')
        elif isinstance(event, DoneEvent):
            refused = event.confidence is None and any(isinstance(other, RefusalEvent) for other in turn.events)
            sure = "" if refused else f"{escape(words.sureness(event))}. "
            notes.append(f'<p class="sure">{sure}{escape(words.disclaimer())}</p>')
    if turn.state == "stopped":
        notes.append('<p class="sure">Stopped. What stands above is not a whole answer.</p>')
    return "".join(notes)
