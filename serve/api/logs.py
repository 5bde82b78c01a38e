"""Logs as JSON lines, without identity: what was sent, and what other packages say, is in none of them."""

import json
import logging
import sys
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from opentelemetry.trace import Span
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.failures import crashed
from serve.api.service import Service
from serve.tracing import request_span

log = logging.getLogger("serve.api.requests")

OURS = frozenset({"overread", "agent", "tools", "retrieval", "guardrails", "serve"})
"""Whose messages are written: they hold no identity. Of another package's, only where it was said."""

TOLD = ("/v1/", "/mcp", "/a2a", "/.well-known/", "/healthz", "/readyz", "/metrics")
"""Routes that are told apart; those of the page are one."""

_MANY = "other"


class JsonLines(logging.Formatter):
    """One record as one line of JSON. Exceptions are told by their kind."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        if record.name.partition(".")[0] in OURS:
            told["message"] = record.getMessage()
            told |= getattr(record, "told", {})
        else:
            told |= {"module": record.module, "line": record.lineno}
        if record.exc_info and record.exc_info[0]:
            told["exception"] = record.exc_info[0].__name__
        return json.dumps(told)


def worth_writing(record: logging.LogRecord) -> bool:
    """Whether a record is ours, or of ``WARNING`` and above: some packages set a lower level for themselves."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in OURS


def log_as_json() -> None:
    """Send every log record to stderr as a JSON line: ours from ``INFO`` on, those of others from ``WARNING``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(worth_writing)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)


class Watched:
    """Counts and logs each request, and answers for what nobody foresaw."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request_span(Headers(scope=scope).get("traceparent")) as span:
            await self._watch(scope, receive, send, span)

    async def _watch(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        begun, status = time.monotonic(), 0

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, heard)
        except ClientDisconnect:
            log.debug("a client left before it was answered")
        except Exception as error:
            response = crashed(error)
            if status:  # it has begun to answer: what is left is to break off
                raise
            await response(scope, receive, heard)
        finally:
            self._note(scope, status, time.monotonic() - begun, span)

    def _note(self, scope: MutableMapping[str, Any], status: int, seconds: float, span: Span) -> None:
        route = str(getattr(scope.get("route"), "path", _MANY))
        route = route if route.startswith(TOLD) else _MANY
        # What a client calls its method may be anything.
        method = scope["method"] if scope["method"] in {"GET", "HEAD", "POST", "DELETE", "OPTIONS"} else _MANY
        told = str(status) if status in {int(code) for code in HTTPStatus} else "none"
        span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
        self._metrics.requests.labels(method, route, told).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if route == _MANY and status < HTTPStatus.BAD_REQUEST:
            return  # the page asks for many small things
        owner = scope.get("state", {}).get("owner")
        noted = {"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 1), "owner": owner}
        log.info("request", extra={"told": noted})
