"""``POST /v1/chat/completions`` and ``GET /v1/models``."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from agent.lane import FIRST
from overread.events import ErrorEvent, Event
from serve.api import schema
from serve.api.asked import Asked, events_of
from serve.api.body import MODEL, ChatBody, body_schema, read_body
from serve.api.conversation import Conversation, RunFolder
from serve.api.failures import RETRY_AFTER_S
from serve.api.reply import Json, Reply
from serve.api.running import Running, unless
from serve.api.service import owner_of, service_of
from serve.api.stream import EventSource
from serve.errors import ApiError

T = TypeVar("T")
PULSE_S = 10.0
"""Seconds of silence after which a stream says that it is still there."""

router = APIRouter()


@router.get("/v1/models", response_model=schema.Models, responses=schema.faults())
async def models() -> dict[str, Any]:
    """The one model there is."""
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}


@router.get("/v1/models/{name}", response_model=schema.Model, responses=schema.faults(404))
async def model(name: str) -> dict[str, Any]:
    """The model of that name."""
    if name != MODEL:
        raise ApiError(404, "model_not_found", f'there is one model here, "{MODEL}"', "model")
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}


_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": body_schema()}}}}


@router.post(
    "/v1/chat/completions",
    openapi_extra=_BODY,
    responses={
        200: {"model": schema.Completion, "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **schema.faults(404, 415, 504),
    },
)
async def completions(request: Request) -> Response:
    """Answer the last message: as one object, or with ``stream`` as server-sent events."""
    service, owner = service_of(request), owner_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "unsupported_media_type", "the body must be JSON: Content-Type: application/json")
    data = await request.body()
    stack = AsyncExitStack()
    try:
        folder = RunFolder(service.folder)
        stack.callback(folder.remove)
        conversation = Conversation(owner, service.studies, service.settings, folder)
        body, asked = await service.assistant.parts.lane.run(FIRST, _read, data, conversation)
        del data
        reply = Reply(body.stops)
        await unless_gone(request, stack.enter_async_context(service.admission.turn(asked.with_images)))
        run = await stack.enter_async_context(Running(events_of(service, owner, asked)))
        if not body.stream:
            return await unless_gone(request, _whole(run, reply))
        # The status line waits for the first event: a run that fails at once is an HTTP error.
        first = await unless_gone(request, run.next())
        if isinstance(first, ErrorEvent):
            reply.hear(first)
            return _failed(reply)
        options = body.stream_options
        source = _chunks(first, run, reply, bool(options and options.include_usage))
        response = EventSource(source, stack.pop_all(), service.settings.api_send_s)
    finally:
        await stack.aclose()
    return response


def _read(data: bytes, conversation: Conversation) -> tuple[ChatBody, Asked]:
    body = read_body(data)
    return body, conversation.read(body)


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when the client leaves. Raises ``ClientDisconnect`` then."""
    return await unless(_left(request), work)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _whole(run: Running, reply: Reply) -> Response:
    while (event := await run.next()) is not None:
        reply.hear(event)
        if reply.stopped:
            break
    return _failed(reply) if reply.error is not None else JSONResponse(reply.final())


def _failed(reply: Reply) -> Response:
    status, told = reply.failure()
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse(told, status_code=status, headers=headers)


async def _chunks(first: Event | None, run: Running, reply: Reply, include_usage: bool) -> AsyncIterator[bytes]:
    """The stream as server-sent events."""
    delta: Json = {"role": "assistant", "content": ""}
    event = first
    while event is not None:
        for text, told in reply.take(event):
            yield _line(reply.chunk({**delta, "content": text} if text or delta else {}, told))
            delta = {}
        if reply.error is not None:
            yield _line(reply.failure()[1])
            yield b"data: [DONE]\n\n"
            return
        if reply.stopped:
            break
        while True:
            try:
                event = await asyncio.wait_for(run.next(), PULSE_S)
            except TimeoutError:
                yield b": still at it\n\n"
            else:
                break
    if reply.refusal is not None:
        yield _line(reply.chunk({"refusal": reply.refusal}))
    yield _line(reply.chunk({}, finish="stop"))
    if include_usage:
        yield _line(reply.usage_chunk())
    yield b"data: [DONE]\n\n"


def _line(told: Json) -> bytes:
    return b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"
