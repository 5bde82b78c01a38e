"""Who a visitor of the page is: a secret that lies in the browser's cookie, or the owner of the API key."""

import hashlib
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.errors import NoVisitorError

COOKIE = "overread_visitor"
GREETING = "/page"
"""The page's first call. Unlike a link on another site it always carries the cookie, if there is one."""

LOCAL = "local"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""256 random bits in base64url."""


class Visitors:
    """Sets ``state.visitor``, a hash that names who asks, and gives a browser its cookie. Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        """``app`` is what is wrapped."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; the answer back, with a cookie where there was none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, state = Headers(scope=scope), scope.setdefault("state", {})
        owner, token, made = state.get("owner", LOCAL), _token(headers), False
        if owner == LOCAL and token is None and _may_begin(scope, headers):
            token, made = secrets.token_urlsafe(32), True
        told = token if owner == LOCAL else f"key {owner}"
        if told is not None:
            state["visitor"] = hashlib.sha256(told.encode()).hexdigest()
        secure = "; Secure" if scope["scheme"] == "https" else ""
        kept = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{secure}"

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", kept)
            await send(message)

        await self._app(scope, receive, with_cookie if made else send)


def _token(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found and _TOKEN.fullmatch(found.value) else None


def _may_begin(scope: Scope, headers: Headers) -> bool:
    """Whether a visitor may begin here. A link on another site carries no strict cookie, though there may be one."""
    return scope["path"] == GREETING or (scope["path"] == "/" and headers.get("sec-fetch-site") != "cross-site")


def visitor_of(request: Request) -> str:
    """The hash that names the visitor. Raises ``NoVisitorError`` where the browser keeps no cookie."""
    visitor = getattr(request.state, "visitor", None)
    if visitor is None:
        raise NoVisitorError
    return cast("str", visitor)
