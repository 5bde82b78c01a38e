"""What is counted, in a registry of this server's own. No label ever holds anything that was sent."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from overread.events import ClaimEvent, DeltaEvent, DoneEvent, ErrorEvent, Event, RefusalEvent, WithheldEvent
from overread.settings import Settings

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.requests = Counter(
            "overread_requests", "Requests, by route and status.", ["method", "route", "status"], registry=own
        )
        self.request_seconds = Histogram(
            "overread_request_seconds", "Whole requests.", ["route"], buckets=_SECONDS, registry=own
        )
        self.rejected = Counter("overread_rejected", "Requests turned away, by reason.", ["reason"], registry=own)
        self.in_flight = Gauge("overread_requests_in_flight", "Requests that hold a place.", registry=own)
        self.waiting = Gauge("overread_image_runs_waiting", "Runs about images that wait for a turn.", registry=own)
        self.running = Gauge("overread_runs_in_flight", "Runs that go on, of all interfaces.", registry=own)
        self.runs = Counter("overread_runs", "Runs that ended, by how.", ["ended"], registry=own)
        self.run_seconds = Histogram(
            "overread_run_seconds", "Whole runs, by how they ended.", ["ended"], buckets=_SECONDS, registry=own
        )
        self.first_event = Histogram(
            "overread_first_event_seconds", "Until a run's first event.", buckets=_SECONDS, registry=own
        )
        self.first_delta = Histogram(
            "overread_first_delta_seconds", "Until a run's first text.", buckets=_SECONDS, registry=own
        )
        self.stages = Histogram(
            "overread_stage_seconds", "One step of a run.", ["stage"], buckets=_SECONDS, registry=own
        )
        self.claims = Counter("overread_claims", "Sentences checked, by verdict.", ["verdict"], registry=own)
        self.withheld = Counter("overread_withheld", "What was withheld.", ["stage", "reason"], registry=own)
        self.refusals = Counter("overread_refusals", "Refusals, by reason.", ["reason"], registry=own)
        self.errors = Counter("overread_errors", "Runs that ended in an error, by code.", ["code"], registry=own)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

    def heard(self, event: Event) -> None:
        """Count what an event says, by words from closed lists."""
        if isinstance(event, ClaimEvent):
            self.claims.labels(event.verdict).inc()
        elif isinstance(event, WithheldEvent):
            self.withheld.labels(event.stage, event.reason).inc()
        elif isinstance(event, RefusalEvent):
            self.refusals.labels(event.reason).inc()
        elif isinstance(event, ErrorEvent):
            self.errors.labels(event.code).inc()
        elif isinstance(event, DoneEvent):
            for stage, elapsed_ms in event.timings.items():
                self.stages.labels(stage).observe(elapsed_ms / 1000)


class MeasuredAssistant(Assistant):
    """The assistant, counted: whichever interface asks, its run is measured."""

    def __init__(self, settings: Settings, metrics: Metrics, parts: Parts | None = None) -> None:
        super().__init__(settings, parts)
        self._metrics = metrics

    async def ask(self, request: Request) -> AsyncGenerator[Event, None]:
        """As ``Assistant.ask``."""
        metrics, begun = self._metrics, time.monotonic()
        ended, some, spoke = "cancelled", False, False
        metrics.running.inc()
        try:
            async with aclosing(super().ask(request)) as events:
                async for event in events:
                    now = time.monotonic() - begun
                    if not some:
                        some = True
                        metrics.first_event.observe(now)
                    if not spoke and isinstance(event, DeltaEvent):
                        spoke = True
                        metrics.first_delta.observe(now)
                    if isinstance(event, DoneEvent | ErrorEvent):
                        ended = event.type
                    metrics.heard(event)
                    yield event
        finally:
            metrics.running.dec()
            metrics.runs.labels(ended).inc()
            metrics.run_seconds.labels(ended).observe(time.monotonic() - begun)
