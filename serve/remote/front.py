"""What our application cannot say of itself, said in Ray's proxy: that it is not there, is full, or broke off.

Ray's proxy answers for a replica that is gone or has no room, in words of its own, or not at all. Here that leaves in
OpenAI's shape, and a stream that was broken off ends with an ``error`` event. Ray loads ``middlewares`` by the name in
``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``.
"""

import hashlib
import hmac
import json
import logging
import time
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from overread.events import ErrorEvent
from overread.settings import settings
from serve.api.failures import RETRY_AFTER_S, error_body
from serve.chat.headers import HEADERS

log = logging.getLogger(__name__)

SESSION = "x-session-id"
"""The header by which Ray's consistent-hash router chooses a replica."""

OURS = "content-security-policy"
"""A header that every answer of our application has, and none of Ray's own."""

LLM_PATH = "/llm"
"""Where a language model served by the same Ray may lie: for the agent alone."""

_COMPLETIONS = "/v1/chat/completions"
_BROKE_OFF = "the process that wrote this answer ended; ask again"
_BUSY = "the server is busy; try again in a moment"
_NO_ROUTE = 404, "not_found", "there is no such route; see docs/serving.md"
_GONE = 503, "unavailable", _BROKE_OFF
_SAID = {
    # Our application answers for every path, so Ray finds no route only while there is no application.
    404: (503, "unavailable", "the server is starting or ending; try again in a moment"),
    408: (408, "timeout", "the answer took too long; ask again"),
    429: (429, "rate_limit_exceeded", _BUSY),
    503: (503, "busy", _BUSY),
}


def middlewares() -> list[Middleware]:
    """What Ray's proxy puts round every request."""
    return [Middleware(Front)]


class Front:
    """Sees requests before Ray's proxy chooses a replica, and answers after."""

    def __init__(self, app: ASGIApp) -> None:
        """``app`` is Ray's proxy."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; put right what comes back."""
        path = str(scope.get("path", ""))
        if scope["type"] != "http" or path.startswith("/-/"):
            await self._app(scope, receive, send)
            return
        if path == LLM_PATH or path.startswith(f"{LLM_PATH}/"):
            if _is_agent(Headers(scope=scope)):
                await self._app(scope, receive, send)
            else:
                await _answer(*_NO_ROUTE)(scope, receive, send)
            return
        passing = Passing(path, send)
        try:
            await self._app(_with_session(scope), receive, passing.send)
        except Exception as error:  # noqa: BLE001  whatever it was, the client gets an answer, and no traceback of it
            log.error("Ray's proxy stopped with %s", type(error).__name__)
        await passing.end(scope, receive)


class Passing:
    """One answer on its way."""

    def __init__(self, path: str, send: Send) -> None:
        self._path, self._send = path, send
        self._begun = self._ended = self._events = False
        self._instead: int | None = None
        self._last = b""
        self._at = 0.0

    async def send(self, message: Message) -> None:
        """Let a message through, but for an answer of Ray's own that is no success: that is left out."""
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            if message["status"] >= 400 and OURS not in headers:
                self._instead = int(message["status"])
                return
            self._begun = True
            self._events = headers.get("content-type", "").startswith("text/event-stream")
        elif message["type"] == "http.response.body" and self._instead is None:
            self._ended = not message.get("more_body", False)
            if self._events and b'"seq":' in message.get("body", b""):
                self._last, self._at = message["body"], time.monotonic()
        if self._instead is None:
            await self._send(message)

    async def end(self, scope: Scope, receive: Receive) -> None:
        """No more comes: answer in its place, or finish what was broken off."""
        if self._ended:
            return
        if not self._begun:
            await _answer(*_SAID.get(self._instead or 500, _GONE))(scope, receive, self._send)
        elif self._events and self._path == _COMPLETIONS:
            log.warning("a stream was broken off; it ends with an error event")
            late_ms = (time.monotonic() - self._at) * 1000
            await self._send(
                {"type": "http.response.body", "body": broken_off(self._last, late_ms), "more_body": False}
            )


def broken_off(last: bytes, late_ms: float) -> bytes:
    """The end of a stream of chunks of which ``last`` was the last with events, ``late_ms`` ago."""
    chunk, event = _last_of(last)
    seq, t_ms = int(event.get("seq", -1)) + 1, float(event.get("t_ms", 0.0)) + late_ms
    error = ErrorEvent(
        code="unavailable", message=_BROKE_OFF, run_id=str(event.get("run_id", "")), seq=seq, t_ms=round(t_ms, 1)
    )
    choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
    told = {**chunk, "choices": [choice], "overread": {"events": [error.model_dump(mode="json")]}}
    lines = (json.dumps(told), json.dumps(error_body(503, error.code, error.message)), "[DONE]")
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def _last_of(sent: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The last chunk in some bytes of a stream, and the last event in it; empty where there is none."""
    for line in reversed(sent.split(b"\n")):
        try:
            chunk = json.loads(line.removeprefix(b"data: "))
            return chunk, chunk["overread"]["events"][-1]
        except (ValueError, KeyError, IndexError, TypeError):
            continue
    return {"object": "chat.completion.chunk"}, {}


def _answer(status: int, code: str, message: str) -> JSONResponse:
    """What is said in place of Ray."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in (429, 503) else {}
    return JSONResponse(error_body(status, code, message), status_code=status, headers=HEADERS | headers)


def _with_session(scope: Scope) -> Scope:
    """The scope with a session: the client's own, else one of its key, else one of its address."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    if SESSION not in headers:
        who = headers.get("authorization") or str((scope.get("client") or ("",))[0])
        headers[SESSION] = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:32]
    return {**scope, "headers": headers.raw}


def _is_agent(headers: Headers) -> bool:
    """Whether the agent itself asks: it has the key that the settings name for the language model."""
    key = settings().llm_api_key.get_secret_value()
    given = headers.get("authorization", "").removeprefix("Bearer ")
    return key != "none" and hmac.compare_digest(given.encode(), key.encode())
