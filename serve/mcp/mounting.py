"""MCP over streamable HTTP, at ``/mcp`` of the one application."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from serve.api.jsonrpc import without_input
from serve.api.service import Service
from serve.mcp.quiet import OWN, QuietServer
from serve.mcp.server import build_server

if TYPE_CHECKING:
    from fastapi import FastAPI

PATH = "/mcp"
MOST_SESSIONS = 2_000
IDLE_S = 600.0
"""Sessions, which only clients of the protocols before 2026 have: how many, and how long an idle one lives."""

_LARGEST_ERROR = 64 * 1024
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")


def mount_mcp(app: "FastAPI", service: Service) -> AbstractAsyncContextManager[None]:
    """Add ``/mcp`` to the application. The context it gives is entered while the application runs."""
    server = build_server(service)
    # Host and origin are checked before any route runs, by the settings of the whole application.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server.streamable_http_app(
        streamable_http_path=PATH,
        max_sessions=MOST_SESSIONS,
        session_idle_timeout=IDLE_S,
        transport_security=unchecked,
    )
    app.router.routes.append(Route(PATH, endpoint=Door(server, service), include_in_schema=False))

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    return running()


class Door:
    """Lets requests through to the MCP server: known by their key, noted when they leave, their errors clean."""

    def __init__(self, server: QuietServer, service: Service) -> None:
        self._manager = server.session_manager
        self._send_s = service.settings.api_send_s
        self._route = Route(PATH, endpoint=self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["route"] = self._route
        if scope["method"] not in ("POST", "DELETE"):
            # Nothing is ever told unasked, so there is no stream to listen to.
            told = JSONResponse({"error": {"code": -32600, "message": "POST a request here"}}, status_code=405,
                                headers={"Allow": "POST, DELETE"})  # fmt: skip
            await told(scope, receive, send)
            return
        left = scope["state"]["left"] = asyncio.Event()
        # A session belongs to the key that began it.
        scope["user"] = AuthenticatedUser(AccessToken(token="", client_id=scope["state"]["owner"], scopes=[]))

        async def heard() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                left.set()
            return message

        answer = Answering(send, self._send_s, left)
        try:
            await self._manager.handle_request(scope, heard, answer.send)
        except TimeoutError:
            left.set()  # the client does not read: the connection is left to be cut


class Answering:
    """Sends a response on, a piece at a time and each in time; of a failure only what holds nothing of the input."""

    def __init__(self, send: Send, send_s: float, left: asyncio.Event) -> None:
        self._send = send
        self._send_s = send_s
        self._left = left
        self._failed: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Send one message of the response. Raises ``TimeoutError`` when the client does not take it."""
        if message["type"] == "http.response.start" and message["status"] >= HTTPStatus.BAD_REQUEST:
            self._failed = message
            return
        if self._failed is None:
            await self._in_time(message)
            return
        self._body = (self._body + message.get("body", b""))[:_LARGEST_ERROR]
        if not message.get("more_body", False):
            body = _clean(self._body, int(self._failed["status"]))
            kept = [(name, value) for name, value in self._failed["headers"] if name.lower() in _KEPT]
            headers = [*kept, (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await self._in_time({**self._failed, "headers": headers})
            await self._in_time({"type": "http.response.body", "body": body})

    async def _in_time(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._send_s):
                await self._send(message)
        except (TimeoutError, OSError):
            self._left.set()
            raise


_KEPT = (b"allow", b"retry-after", b"mcp-session-id")


def _clean(body: bytes, status: int) -> bytes:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {"jsonrpc": "2.0", "id": None}
    error = told.get("error")
    error = error if isinstance(error, dict) else {"code": -32600}
    if error.get("data") == OWN:
        return body
    clean: dict[str, Any] = without_input(error, ("supported", "requested"))
    data = clean.get("data", {})
    if not _VERSION.fullmatch(str(data.get("requested", "2026-01-01"))):
        data["requested"] = "unknown"
    if status == HTTPStatus.NOT_FOUND and clean["code"] == -32600:
        clean["message"] = "there is no such session; initialize again"
    return json.dumps({"jsonrpc": "2.0", "id": told.get("id"), "error": clean}).encode()
