"""Bounds on what is read of a request's body. Plain ASGI, so that streams pass unbuffered."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.failures import failure
from serve.api.service import Service
from serve.errors import ApiError


class Bounded:
    """Bounds what is read of a request's body, while it is read, in size and in time."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._settings = service.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; a body that is too large, or does not come, is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(str(scope["path"]))
        told = Headers(scope=scope).get("content-length", "")
        begun = False
        read, whole = 0, False

        async def bounded() -> Message:
            nonlocal read, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._settings.api_read_s)
            except TimeoutError:
                raise TooSlow from None
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if limit is not None and read > limit:
                    raise TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if limit is not None and told.isdigit() and int(told) > limit:
                raise TooLarge
            await self._app(scope, bounded, watched)
        except (TooLarge, TooSlow) as error:
            if begun:
                raise
            failed = (
                ApiError(413, "too_large", f"the body is larger than {limit} bytes")
                if isinstance(error, TooLarge)
                else ApiError(408, "timeout", "the body did not come in time; send it again")
            )
            response = failure(failed)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)

    def _limit(self, path: str) -> int | None:
        if path == "/v1/studies":
            return self._settings.max_file_bytes + 64 * 1024
        if path.startswith("/page/"):
            # What is dropped on the page is bounded there, by the visitor's room.
            return (
                self._settings.page_visitor_bytes + 2**20
                if path.endswith("/studies")
                else self._settings.api_body_bytes
            )
        # Gradio bounds the files that are dropped on the page by itself.
        return None if path.startswith("/gradio_api/upload") else self._settings.api_body_bytes


class TooLarge(BaseException):
    """A body is too large. No ``Exception``: a framework that reads it would take it for bad input."""


class TooSlow(BaseException):
    """A body does not come."""
