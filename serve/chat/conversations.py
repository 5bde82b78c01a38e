"""The page's own routes: a visitor's conversations, questions, the stream of what changes, and what can be taken away.

Every route names a conversation by its key and looks whose it is; one of somebody else's is not there.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import Field, ValidationError

from overread.records import Context, Record
from serve.api.stream import EventSource
from serve.arguments import choices
from serve.chat.cookie import visitor_of
from serve.chat.export import account_of, as_events, as_text
from serve.chat.pieces import Placed, changes, placed
from serve.chat.session import Session, Turn
from serve.chat.visitor import Visitor, page_of, same_origin
from serve.errors import AnsweringError, ArgumentsError, NoConversationError

if TYPE_CHECKING:
    from serve.chat.page import ChatPage

MOST_QUESTION = 8000
SEND_S = 30.0
MOST_BODY = 64 * 1024
R = TypeVar("R", bound=Record)

ATTACHED = {
    "pdf": ("application/pdf", "overread-answer.pdf"),
    "md": ("text/markdown; charset=utf-8", "overread-answer.md"),
    "zip": ("application/zip", "overread-answer.zip"),
    "json": ("application/json", "overread-answer.json"),
}
"""What an answer can be taken away as. The names say nothing of whom it is about."""


class Question(Record):
    """What the page asks. ``age_band`` and ``view`` are empty where not known."""

    question: str = Field(max_length=MOST_QUESTION)
    age_band: str = Field("", max_length=40)
    view: str = Field("", max_length=40)

    def context(self) -> Context:
        """What was chosen of the patient. Raises ``ArgumentsError`` for what is no choice."""
        given = {"age_band": self.age_band, "view": self.view}
        chosen = {name: value for name, value in given.items() if value}
        if any(value not in choices()[name] for name, value in chosen.items()):
            raise ArgumentsError("that age group or view is not one of the choices; choose from the list")
        return Context.model_validate(chosen)


class Judged(Record):
    """What a reader says of a sentence."""

    claim_id: str = Field(max_length=80)
    verdict: Literal["right", "wrong"]
    why: str = Field("", max_length=500)


listing = APIRouter(prefix="/page", include_in_schema=False, dependencies=[Depends(same_origin)])
"""The visitor's conversations together."""

router = APIRouter()
"""One conversation, under its key."""


def turn_of(session: Visitor, number: int) -> Turn:
    """A turn that is over. Raises ``NoConversationError``, and ``AnsweringError`` before its end."""
    turn = session.turns[number - 1] if 1 <= number <= len(session.turns) else None
    if turn is None:
        raise NoConversationError
    if not turn.over or not turn.checked:
        raise AnsweringError("this answer is still being written; wait for its end")
    return turn


Over = Annotated[Turn, Depends(turn_of)]


@listing.get("")
async def listed(request: Request) -> dict[str, Any]:
    """The visitor's conversations, the newest first, and the one to show."""
    page, visitor = page_of(request), visitor_of(request)
    current = await page.sessions.current(visitor, page.ready())
    return {
        "boot": page.sessions.boot,
        "current": current.key,
        "conversations": [_line(session) for session in page.sessions.of(visitor)],
    }


@listing.post("", status_code=201)
async def begin(request: Request) -> dict[str, Any]:
    """A new conversation."""
    return await _instead(request, begun=True)


@listing.delete("")
async def delete_all(request: Request) -> dict[str, Any]:
    """Delete all of the visitor's conversations; the one to show instead."""
    page = page_of(request)
    for session in page.sessions.of(visitor_of(request)):
        await page.sessions.end(session, page.ready())
    return await _instead(request)


@listing.delete("/{key}")
async def delete(request: Request, session: Visitor) -> dict[str, Any]:
    """Delete a conversation; the one to show instead."""
    page = page_of(request)
    await page.sessions.end(session, page.ready())
    return await _instead(request)


async def _instead(request: Request, begun: bool = False) -> dict[str, Any]:
    """The newest conversation, or a new one."""
    page, visitor = page_of(request), visitor_of(request)
    left = [] if begun else page.sessions.of(visitor)
    return _line(left[0] if left else await page.sessions.begin(visitor, page.ready()))


@router.get("/stream")
async def stream(request: Request, session: Visitor) -> Response:
    """Server-sent events: first all pieces of the page, then what changes of them."""
    page_of(request).sessions.look_at(session)
    return EventSource(_changes(page_of(request), session), AsyncExitStack(), SEND_S)


@router.post("/questions", status_code=202)
async def ask(request: Request, session: Visitor) -> dict[str, Any]:
    """Begin an answer."""
    asked = await _read(request, Question)
    question = asked.question.strip()
    if not question:
        raise ArgumentsError("Type a question first.")
    if session.shelf.receiving:
        raise AnsweringError("an image is still being opened; wait for it, then ask")
    return {"turn": page_of(request).begin_answer(session, question, asked.context()).number}


@router.post("/stop")
async def stop(session: Visitor) -> dict[str, Any]:
    """Cancel the answer that is being written."""
    await session.stop()
    return {}


@router.post("/turns/{number:int}/again", status_code=202)
async def again(request: Request, session: Visitor, turn: Over) -> dict[str, Any]:
    """Ask the same once more."""
    return {"turn": page_of(request).begin_answer(session, turn.question, turn.context, again=turn).number}


@router.post("/turns/{number:int}/feedback", status_code=201)
async def judge(request: Request, turn: Over) -> dict[str, Any]:
    """Keep what a reader says of a sentence."""
    said, page = await _read(request, Judged), page_of(request)
    await asyncio.to_thread(page.feedback.keep, turn, said.claim_id, said.verdict == "right", said.why, page.redact)
    return {}


@router.get("/turns/{number:int}/answer.{kind}")
async def take_away(request: Request, turn: Over, kind: str) -> Response:
    """The answer with its evidence, as text, Markdown, PDF or its events."""
    page = page_of(request)
    if kind == "txt":
        return PlainTextResponse(as_text(turn), headers={"Cache-Control": "no-store"})
    if kind == "json":
        return _attached("json", json.dumps(as_events(turn), ensure_ascii=False, indent=1).encode())
    if kind not in {"pdf", "md"}:
        raise NoConversationError
    return _attached(*await asyncio.to_thread(_written, kind, turn, page))


def _written(kind: str, turn: Turn, page: "ChatPage") -> tuple[str, bytes]:
    from serve.chat.markdown import markdown, markdown_with_figures
    from serve.chat.pdf import pdf

    account = account_of(turn, page.ready(), page.settings)
    if kind == "pdf":
        return "pdf", pdf(account)
    return ("zip", markdown_with_figures(account)) if account.figures else ("md", markdown(account).encode())


def _attached(kind: str, data: bytes) -> Response:
    media, name = ATTACHED[kind]
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type=media, headers=headers)


def _line(session: Session) -> dict[str, Any]:
    return {
        "key": session.key,
        "title": session.title,
        "made": round(session.made * 1000),
        "turns": len(session.turns),
        "busy": session.busy,
    }


async def _changes(page: "ChatPage", session: Session) -> AsyncIterator[bytes]:
    before: Placed = {}
    yield b"retry: 1000\n\n"
    async with aclosing(session.watch()) as news:
        async for anything in news:
            if not anything:
                yield b": still here\n\n"
                continue
            now = placed(page.pieces(session))
            changed = changes(before, now)
            if changed or not before:
                told = {"whole": not before, "busy": session.busy, "title": session.title, "pieces": changed}
                yield f"data: {json.dumps(told, ensure_ascii=False)}\n\n".encode()
            before = now
    yield b"event: deleted\ndata: {}\n\n"


async def _read(request: Request, kind: type[R]) -> R:
    """The body of a request. Raises ``ArgumentsError``, which never repeats what was sent."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY:
            raise ArgumentsError(f"that is longer than {MOST_QUESTION} characters; shorten it")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if any(one["type"] == "string_too_long" for one in error.errors()):
            raise ArgumentsError(f"that is longer than {MOST_QUESTION} characters; shorten it") from None
        raise ArgumentsError("the page sent something that is not understood; load it again") from None
