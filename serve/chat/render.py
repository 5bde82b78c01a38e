"""A turn as pieces of the page. Pure functions of events; every text is escaped where its piece is made."""

from collections.abc import Iterator, Sequence
from html import escape

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
from serve.chat.answer import Known, answer_pieces, known, said, with_chips
from serve.chat.evidence import evidence_pieces
from serve.chat.pieces import Piece
from serve.chat.session import Turn

MARKS = {"ok": "✓", "unavailable": "–", "skipped": "–", "failed": "✕", "working": "…"}
SPOKEN = {"ok": "done", "unavailable": "not available", "skipped": "left out", "failed": "failed", "working": "working"}

_SKELETON = """<article id="{name}" class="turn" aria-labelledby="{name}-q">\
<div id="{name}-head"></div>\
<details id="{name}-steps" class="steps"><summary id="{name}-took"></summary><ol id="{name}-list"></ol></details>\
<div id="{name}-refusals"></div>\
<div id="{name}-answer" class="answer" role="group" aria-label="Answer"></div>\
<div id="{name}-end"></div><div id="{name}-actions" class="actions"></div>\
<div id="{name}-next" class="next"></div>\
<section id="{name}-evidence" class="evidence" aria-label="Evidence"></section>\
<div id="{name}-more"></div></article>"""


def turn_pieces(turn: Turn, box: str = "current", address: str = "", earlier: Sequence[Event] = ()) -> list[Piece]:
    """One turn: the question, the steps, refusals, the answer, its evidence, and how sure it is.

    ``address`` is the conversation's, for what can be fetched of it. ``earlier`` are the events of the turns before,
    whose evidence this one may name.
    """
    name = f"t{turn.number}"
    about = known(earlier) | known(turn.events)
    state = "running" if turn.state == "waiting" else turn.state
    shown: dict[str, str | None] = {
        "class": f"turn turn-{state}", "aria-busy": "false" if turn.over else "true", "data-turn": str(turn.number),
    }  # fmt: skip
    return [
        Piece(name, box, _SKELETON.format(name=name), shown),
        _question(name, turn),
        *_steps(name, turn),
        *_refusals(name, turn),
        *answer_pieces(name, turn.events, about),
        *_ending(name, turn),
        *(_actions(name, turn, address) if turn.over else ()),
        *_next(name, turn),
        *evidence_pieces(name, turn.events),
        *(_checks(name, turn, about) if turn.over else ()),
    ]


def _question(name: str, turn: Turn) -> Piece:
    count = f' <span class="with">{turn.images} image{"s" if turn.images > 1 else ""}</span>' if turn.images else ""
    again = ' <span class="with">asked again</span>' if turn.again else ""
    # What was typed is not sent back, not even to who typed it, before identity is out of it.
    asked = escape(turn.question) if turn.checked else "Looking for names in your question…"
    said = f'<h2 id="{name}-q" class="question">{asked}{count}{again}</h2>'
    return Piece(f"{name}-q", f"{name}-head", said)


def _steps(name: str, turn: Turn) -> Iterator[Piece]:
    lines = list(_step_lines(name, turn))
    if turn.state == "waiting":
        lines.append(_step(name, "wait", "working", "Waiting", "for its turn; other answers are being written"))
    elif turn.state == "running" and not _tells_of_itself(turn):
        lines.append(_step(name, "wait", "working", "Working", "" if turn.events else "reading the question"))
    took = next((event.t_ms for event in reversed(turn.events)), 0.0)
    summary = f"Steps, {words.seconds(took)}" if turn.over else "Steps"
    opened = {"open": None if turn.over else "", "hidden": None if lines else ""}
    yield Piece(f"{name}-steps", name, "", opened)
    yield Piece(f"{name}-took-said", f"{name}-took", f'<span id="{name}-took-said">{summary}</span>')
    yield from lines


def _tells_of_itself(turn: Turn) -> bool:
    """Whether the page shows by itself that something goes on: a tool that runs, or words that come."""
    started = sum(isinstance(event, ToolStartEvent) for event in turn.events)
    ended = sum(isinstance(event, ToolResultEvent) for event in turn.events)
    return started > ended or any(isinstance(event, DeltaEvent) for event in turn.events)


def _step_lines(name: str, turn: Turn) -> Iterator[Piece]:
    finished = {event.call_id: event for event in turn.events if isinstance(event, ToolResultEvent)}
    for event in turn.events:
        place = str(event.seq)
        if isinstance(event, StudyEvent):
            facts = ", ".join(words.study_facts(event))
            yield _step(name, place, "ok", "Image read", facts, at=event.t_ms)
            yield _step(name, f"{place}i", "ok", "Identity", words.receipt(event.privacy))
        elif isinstance(event, DomainEvent):
            kind = "ok" if event.accepted else "failed"
            more = words.alternatives(event)
            yield _step(name, place, kind, "Kind of image", words.domain_line(event), more, at=event.t_ms)
        elif isinstance(event, ToolStartEvent):
            yield _tool(name, place, event, finished.get(event.call_id), turn)
        elif isinstance(event, WithheldEvent) and event.stage == "input":
            yield _step(name, place, "skipped", "Left out", words.withheld_line(event))
    passages = [event for event in turn.events if isinstance(event, PassageEvent)]
    if passages:
        found = f"{len(passages)} passage{'s' if len(passages) > 1 else ''} found"
        yield _step(name, "sources", "ok", "Sources", found, at=passages[-1].t_ms)
    for event in turn.events:
        if isinstance(event, EngineEvent):
            yield _step(name, str(event.seq), "ok", "Writing", words.engine_line(event), at=event.t_ms)


def _tool(name: str, place: str, start: ToolStartEvent, result: ToolResultEvent | None, turn: Turn) -> Piece:
    if result is not None:
        said = f"{words.tool_outcome(result)}, {words.seconds(result.elapsed_ms)}"
        return _step(name, place, result.status, start.tool, said, at=result.t_ms)
    if not turn.over:
        return _step(name, place, "working", start.tool, "working", at=start.t_ms)
    return _step(name, place, "skipped", start.tool, "did not end")


def _step(name: str, place: str, kind: str, title: str, said: str, more: str = "", at: float | None = None) -> Piece:
    also = f'<span class="more">{escape(more)}</span>' if more else ""
    when = f'<span class="when">{words.seconds(at)}</span>' if at is not None else ""
    id_ = f"{name}-s{place}"
    return Piece(
        id_,
        f"{name}-list",
        f'<li id="{id_}" class="step step-{escape(kind)}"><span class="mark" aria-hidden="true">{MARKS[kind]}</span>'
        f'<span class="sr">{SPOKEN[kind]}: </span><b>{escape(title)}</b> <span>{escape(said)}</span>{when}{also}</li>',
    )


def _refusals(name: str, turn: Turn) -> Iterator[Piece]:
    studies = [seen.study_id for seen in turn.events if isinstance(seen, StudyEvent)]
    for event in turn.events:
        if isinstance(event, RefusalEvent):
            among = event.study_id in studies and len(studies) > 1
            place = f" (image {studies.index(event.study_id) + 1})" if among and event.study_id else ""
            items = "".join(
                f"<dt>{escape(what)}</dt><dd>{escape(text)}</dd>" for what, text in words.refusal_parts(event)
            )
            title, id_ = escape(words.refusal_title(event) + place), f"{name}-r{event.seq}"
            html = (
                f'<section id="{id_}" class="refusal" aria-labelledby="{id_}-title"><h3 id="{id_}-title">{title}</h3>'
                f"<dl>{items}</dl></section>"
            )
            yield Piece(id_, f"{name}-refusals", html)


def _ending(name: str, turn: Turn) -> Iterator[Piece]:
    box = f"{name}-end"
    for event in turn.events:
        if isinstance(event, ErrorEvent):
            yield Piece(f"{box}-fault", box, f'<p id="{box}-fault" class="fault">{escape(event.message)}</p>')
        elif isinstance(event, DoneEvent):
            refused = event.confidence is None and any(isinstance(other, RefusalEvent) for other in turn.events)
            sure = "" if refused else f"{escape(words.sureness(event))}. "
            html = f'<p id="{box}-sure" class="sure">{sure}{escape(words.disclaimer())}</p>'
            yield Piece(f"{box}-sure", box, html)
    if turn.state == "stopped":
        html = f'<p id="{box}-stopped" class="sure">Stopped. What stands above is not a whole answer.</p>'
        yield Piece(f"{box}-stopped", box, html)


def _actions(name: str, turn: Turn, address: str) -> Iterator[Piece]:
    here = f"{escape(address)}/turns/{turn.number}"
    html = (
        f'<div id="{name}-do" class="do" role="group" aria-label="This answer">'
        f'<button type="button" data-do="copy" data-from="{here}/answer.txt">Copy</button>'
        f'<button type="button" data-do="again" data-to="{here}/again">Ask again</button>'
        f'<a href="{here}/answer.pdf" download>PDF</a><a href="{here}/answer.md" download>Markdown</a>'
        f'<a href="{here}/answer.json" download>JSON</a></div>'
    )
    yield Piece(f"{name}-do", f"{name}-actions", html)


def _next(name: str, turn: Turn) -> Iterator[Piece]:
    if turn.over and turn.suggestions:
        asks = "".join(f'<button type="button" data-do="suggest">{escape(one)}</button>' for one in turn.suggestions)
        html = (
            f'<div id="{name}-asks" role="group" aria-label="Questions you could ask next">'
            f'<span class="hint">Ask next</span>{asks}</div>'
        )
        yield Piece(f"{name}-asks", f"{name}-next", html)


def _checks(name: str, turn: Turn, about: dict[str, Known]) -> Iterator[Piece]:
    """Every sentence with how it stands, and a form to say whether it is right."""
    rows = []
    for one in said(turn.events, about):
        if one.claim is None or one.standing is None:
            continue
        mark, told = words.standing(one.standing)
        claim, why = escape(one.claim.claim_id), f"{name}-why-{escape(one.claim.claim_id)}"
        rows.append(
            f'<li><p>{with_chips(one.text.strip(), about, one.claim.claim_id)}</p><p class="hint">'
            f'<span aria-hidden="true">{escape(mark)} </span>{escape(told)}</p>'
            f'<form data-do="feedback" data-claim="{claim}"><label for="{why}">Why (optional)</label>'
            f'<input id="{why}" name="why" maxlength="500" autocomplete="off">'
            f'<button name="verdict" value="right">Right</button><button name="verdict" value="wrong">Wrong</button>'
            f'<output class="hint"></output></form></li>'
        )
    if rows:
        html = (
            f'<details id="{name}-checks" class="checks"><summary>Sentence by sentence: is it right?</summary>'
            f'<p class="hint">{escape(words.phrases()["feedback"])}</p><ol>{"".join(rows)}</ol></details>'
        )
        yield Piece(f"{name}-checks", f"{name}-more", html)
