"""Connections that must say what they want in time and in few words: uvicorn waits for a header for ever."""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Patient(HttpToolsProtocol):
    """Cuts a connection whose request line and header are not there after ``head_s`` seconds, or are too large."""

    head_s: ClassVar[float] = 30.0

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._ends: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins, and with it its first header."""
        super().connection_made(transport)
        self._begin_head()

    def on_message_begin(self) -> None:
        """A header begins."""
        if self._ends is None:
            self._begin_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The header is there."""
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self._ends is not None and self._head_bytes > MOST_HEAD_BYTES:
            self._end_head()
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end_head()
        super().connection_lost(exc)

    def _begin_head(self) -> None:
        self._head_bytes = 0
        self._ends = self.loop.call_later(self.head_s, self.transport.close)

    def _end_head(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None


def patient(head_s: float) -> type[Patient]:
    """The protocol with its time."""
    return type("Patient", (Patient,), {"head_s": head_s})
