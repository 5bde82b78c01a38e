"""Who is let in: the right host and origin, a key, a rate and a place. Plain ASGI, so that streams pass unbuffered."""

import base64
import binascii
from collections.abc import Collection
from contextlib import nullcontext
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.lane import FIRST
from overread.errors import OverreadError
from serve.api.failures import crashed, failure
from serve.api.service import Service
from serve.errors import ApiError

LOCAL = "local"
"""The owner of everything on an open loopback server."""

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/.well-known/agent-card.json"})
COUNTED = ("/v1/", "/mcp", "/a2a")
"""Paths that are limited. The page has a limit of its own for runs, and asks for many small things."""

_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Access:
    """Turns away who may not come in; sets ``state.owner`` for everybody else."""

    def __init__(self, app: ASGIApp, service: Service, open_without_keys: bool, origins: Collection[str]) -> None:
        """``open_without_keys``: with no key there is, everybody is ``local``; else nobody comes in."""
        self._app = app
        self._service = service
        self._open = open_without_keys
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), str(scope["path"])
        try:
            self._check_origin(headers, str(scope["method"]), str(scope["scheme"]))
            if path not in OPEN_PATHS:
                scope.setdefault("state", {})["owner"] = owner = await self._owner(headers)
                counted = path.startswith(COUNTED)
                if counted:
                    self._service.admission.count(owner)
                posted = counted and scope["method"] == "POST"
                async with self._service.admission.place(owner) if posted else nullcontext():
                    await self._app(scope, receive, send)
                return
        except ApiError as error:
            response = failure(error)
            if error.status == HTTPStatus.UNAUTHORIZED and not path.startswith(COUNTED):
                # A browser asks its user then: any name, and the key as the password.
                response.headers["WWW-Authenticate"] = 'Basic realm="Overread", charset="UTF-8"'
            await response(scope, receive, send)
            return
        except OverreadError as error:
            await crashed(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check_origin(self, headers: Headers, method: str, scheme: str) -> None:
        origin = headers.get("origin")
        if origin is None or method not in _UNSAFE:
            return
        if origin not in self._origins and origin not in {f"{scheme}://{headers.get('host')}"}:
            self._service.metrics.rejected.labels("origin").inc()
            raise ApiError(403, "origin_not_allowed", "a page of that origin may not call; allow it, or call from here")

    async def _owner(self, headers: Headers) -> str:
        keys = self._service.keys
        if not keys.all() and self._open:
            return LOCAL
        given = _presented(headers)
        owner = await self._service.assistant.parts.lane.run(FIRST, keys.owner, given) if given else None
        if owner is None:
            self._service.metrics.rejected.labels("key").inc()
            raise ApiError(401, "invalid_api_key", "an API key is needed: Authorization: Bearer KEY")
        return owner


def _presented(headers: Headers) -> str | None:
    """The key in ``Authorization``: a bearer token, or the password of basic authentication."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return None
    return None
