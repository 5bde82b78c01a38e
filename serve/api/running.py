"""One run in a task of its own, so that whoever waits for its events may stop waiting, and leaving cancels it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Self, TypeVar

from starlette.requests import ClientDisconnect

from overread.events import Event

T = TypeVar("T")
AHEAD = 64
"""Most events that wait for a client that reads slowly."""


class Running:
    """An asynchronous context manager: the run goes on inside it, and is cancelled at its end if it is not over."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events = events
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(AHEAD)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._pump())
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def next(self) -> Event | None:
        """The next event, or ``None`` when there is none any more. Raises what the run raised."""
        event = await self._queue.get()
        if event is None and self._task is not None:
            await self._task
        return event

    async def _pump(self) -> None:
        try:
            async with aclosing(self._events) as events:
                async for event in events:
                    await self._queue.put(event)
        finally:
            # Nobody waits for more once the run was cancelled, and the queue may be full then.
            if not self._queue.full():
                self._queue.put_nowait(None)
            elif not asyncio.current_task().cancelling():  # type: ignore[union-attr]
                await self._queue.put(None)


async def unless(left: Awaitable[object], work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when ``left`` comes first. Raises ``ClientDisconnect`` then."""
    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left)
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, leaving):
            one.cancel()
        await asyncio.wait({task, leaving})
