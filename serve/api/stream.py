"""A response of server-sent events that lets go of everything when the client leaves or stops reading."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventSource(StreamingResponse):
    """Sends what ``source`` gives. ``stack`` holds what the run works with; closed at the end, whatever it is."""

    def __init__(self, source: AsyncIterator[bytes], stack: AsyncExitStack, send_s: float) -> None:
        """A client that takes longer than ``send_s`` seconds to take a piece is left."""
        super().__init__(source, media_type="text/event-stream", headers=HEADERS)
        self._stack = stack
        self._send_s = send_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, or until the client leaves."""

        async def in_time(message: object) -> None:
            async with asyncio.timeout(self._send_s):
                await send(cast("dict[str, object]", message))

        try:
            await super().__call__(scope, receive, in_time)
        except TimeoutError:
            pass  # the client does not read: the connection is left to be cut
        finally:
            # The source first: it may be in the middle of asking for an event.
            aclose = getattr(self.body_iterator, "aclose", None)
            if aclose is not None:
                await asyncio.shield(aclose())
            await asyncio.shield(self._stack.aclose())
