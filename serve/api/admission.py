"""Who may go on now: a rate and a number of places for each key, places for all together, turns for images."""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from overread.settings import Settings
from serve.api.metrics import Metrics
from serve.errors import ApiError

MOST_BUCKETS = 10_000
GRACE_S = 0.25
"""Seconds to wait for a place before a request is turned away."""


class Admission:
    """The places of one server. Lives in one event loop."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._places: Counter[str] = Counter()
        self._left = asyncio.Event()
        self._turns = asyncio.Semaphore(settings.api_image_runs)

    def count(self, owner: str) -> None:
        """Take one request from an owner's rate: a bucket of a minute's worth. Raises ``ApiError`` 429 when empty."""
        a_second = self._settings.api_rate / 60
        now = time.monotonic()
        left, then = self._buckets.pop(owner, (float(self._settings.api_rate), now))
        left = min(float(self._settings.api_rate), left + (now - then) * a_second)
        allowed = left >= 1
        self._buckets[owner] = (left - 1 if allowed else left, now)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not allowed:
            self._metrics.rejected.labels("rate").inc()
            message = f"more than {self._settings.api_rate} requests a minute; slow down"
            raise ApiError(429, "rate_limit_exceeded", message, retry_after_s=(1 - left) / a_second)

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncIterator[None]:
        """Hold a place. Raises ``ApiError``: 429 when the owner has too many, 503 when all together have.

        A place is free a moment after its client has read the end of the answer, and may be asking again: so one that
        is not free at once is waited for as long as ``GRACE_S``.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while self._full(owner):
                    self._left.clear()
                    await self._left.wait()
        if self._places[owner] >= self._settings.api_runs_per_key:
            self._metrics.rejected.labels("concurrency").inc()
            message = f"{self._settings.api_runs_per_key} requests of this key go on already; wait for one to end"
            raise ApiError(429, "too_many_at_once", message, retry_after_s=1)
        if self._places.total() >= self._settings.api_runs:
            self._metrics.rejected.labels("busy").inc()
            raise ApiError(503, "busy", "the server is busy; try again in a moment", retry_after_s=2)
        self._places[owner] += 1
        self._metrics.in_flight.inc()
        try:
            yield
        finally:
            self._places[owner] -= 1
            if not self._places[owner]:
                del self._places[owner]
            self._metrics.in_flight.dec()
            self._left.set()

    def _full(self, owner: str) -> bool:
        own, every = self._places[owner], self._places.total()
        return own >= self._settings.api_runs_per_key or every >= self._settings.api_runs

    @asynccontextmanager
    async def turn(self, with_images: bool) -> AsyncIterator[None]:
        """Wait for a turn, if the run is about images: those take memory. Raises ``ApiError`` 503 after a while."""
        if not with_images:
            yield
            return
        try:
            with self._metrics.waiting.track_inprogress():
                await asyncio.wait_for(self._turns.acquire(), self._settings.api_wait_s)
        except TimeoutError:
            self._metrics.rejected.labels("images").inc()
            message = "other images are being read; try again in a moment"
            raise ApiError(503, "busy", message, retry_after_s=self._settings.api_wait_s / 2) from None
        try:
            yield
        finally:
            self._turns.release()
