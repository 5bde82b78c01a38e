"""What one caller asks, and the events of the answer."""

import asyncio
import importlib
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from agent.request import Request
from overread.events import Event, RefusalEvent, StudyEvent
from serve.api.service import Look, Service


@dataclass(frozen=True)
class Asked:
    """A request, and for each of its images (the prior last) the handle it was named by, if by one."""

    request: Request
    handles: tuple[str | None, ...]

    @property
    def with_images(self) -> bool:
        """Whether the run reads images, and so has to wait for a turn."""
        return bool(self.request.images or self.request.prior)


_NEEDED = ("agent.graph", "agent.engines.server")


def loaded() -> bool:
    """Whether what a run needs was imported."""
    return all(name in sys.modules for name in _NEEDED)


def load() -> None:
    """Import what a run needs. It takes seconds the first time, so it is not done in the event loop."""
    for name in _NEEDED:
        importlib.import_module(name)


async def events_of(service: Service, owner: str, asked: Asked) -> AsyncGenerator[Event, None]:
    """The run's events, while it is noted whose the images are that it looks at."""
    if not loaded():
        await asyncio.to_thread(load)
    handles = iter(asked.handles)
    async with aclosing(service.assistant.ask(asked.request)) as events:
        async for event in events:
            if isinstance(event, StudyEvent):
                service.looks.note(event.study_id, Look(owner, next(handles)))
            elif isinstance(event, RefusalEvent) and event.reason == "unreadable_input" and event.study_id is None:
                next(handles, None)
            yield event
