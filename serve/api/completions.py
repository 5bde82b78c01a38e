"""``POST /v1/chat/completions`` and ``GET /v1/models``."""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AsyncExitStack, aclosing
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from overread.events import ErrorEvent, Event, RefusalEvent, StudyEvent
from serve.api.body import MODEL, ChatBody, read_body
from serve.api.conversation import Asked, Conversation
from serve.api.failures import RETRY_AFTER_S
from serve.api.reply import Json, Reply
from serve.api.running import Running
from serve.api.service import Look, Service, owner_of, service_of
from serve.api.stream import EventSource
from serve.errors import ApiError

T = TypeVar("T")
PULSE_S = 10.0
"""Seconds of silence after which a stream says that it is still there."""

router = APIRouter()


@router.get("/v1/models")
async def models() -> dict[str, Any]:
    """The one model there is."""
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}


@router.get("/v1/models/{name}")
async def model(name: str) -> dict[str, Any]:
    """The model of that name."""
    if name != MODEL:
        raise ApiError(404, "model_not_found", f'there is one model here, "{MODEL}"', "model")
    return {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}


_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": ChatBody.model_json_schema()}}}}


@router.post("/v1/chat/completions", openapi_extra=_BODY)
async def completions(request: Request) -> Response:
    """Answer the last message: as one object, or with ``stream`` as server-sent events."""
    service, owner = service_of(request), owner_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "unsupported_media_type", "the body must be JSON: Content-Type: application/json")
    data = await request.body()
    body = await asyncio.to_thread(read_body, data)
    del data
    stack = AsyncExitStack()
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=service.folder))
        conversation = Conversation(owner, service.studies, service.settings, Path(folder))
        asked = await asyncio.to_thread(conversation.read, body)
        reply = Reply(body.stops)
        with_images = bool(asked.request.images or asked.request.prior)
        await unless_gone(request, stack.enter_async_context(service.admission.turn(with_images)))
        run = await stack.enter_async_context(Running(_events(service, owner, asked)))
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


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when the client leaves. Raises ``ClientDisconnect`` then."""
    task = asyncio.ensure_future(work)
    left = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, left):
            one.cancel()
        await asyncio.wait({task, left})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _events(service: Service, owner: str, asked: Asked) -> AsyncGenerator[Event, None]:
    """The run's events, while it is noted whose the images are that it looks at."""
    handles = iter(asked.handles)
    async with aclosing(service.assistant.ask(asked.request)) as events:
        async for event in events:
            if isinstance(event, StudyEvent):
                service.looks.note(event.study_id, Look(owner, next(handles)))
            elif isinstance(event, RefusalEvent) and event.reason == "unreadable_input" and event.study_id is None:
                next(handles, None)
            yield event


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
