"""One visitor's conversation on the page: its thread, its waiting files, its turns. Visitors share nothing."""

import asyncio
import secrets
import shutil
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from overread.events import ErrorEvent, Event
from overread.records import Context
from overread.settings import Settings
from serve.chat.shelf import Room, Shelf
from serve.errors import ServeError

if TYPE_CHECKING:
    from agent.assistant import Assistant
    from agent.opening import OpenedStudy
    from agent.request import Request
    from serve.chat.viewer import Shown

MAX_SESSIONS = 200


@dataclass
class Turn:
    """One question and what has come of it so far."""

    number: int
    question: str
    images: int
    events: list[Event] = field(default_factory=list)
    state: Literal["running", "done", "stopped"] = "running"


class Session:
    """What one open page holds. Lives in memory; its folder is deleted with it.

    ``key`` names it in the page's own routes. ``shelf`` holds the studies that were opened on it.
    """

    def __init__(self, folder: Path, room: Room | None = None) -> None:
        """``folder`` is this session's own; it is made with mode 0700. ``room`` is shared by all sessions."""
        self._folder = folder
        self._folder.mkdir(mode=0o700)
        self._run: asyncio.Task[None] | None = None
        self.key = secrets.token_hex(16)
        self.shelf = Shelf(folder, room or Room())
        self.thread = _new_thread()
        self.turns: list[Turn] = []
        self.pictures: dict[str, Shown] = {}

    @property
    def studies(self) -> "dict[str, OpenedStudy]":
        """The studies that were opened here, by handle, the oldest first."""
        return self.shelf.studies

    @property
    def busy(self) -> bool:
        """Whether a run goes on."""
        return self._run is not None

    async def ask(self, assistant: "Assistant", question: str, context: Context) -> AsyncGenerator[Turn, None]:
        """Run a question about the waiting studies; the same turn again whenever it has new events.

        Closing the generator cancels the run.
        Raises ``ServeError`` while another run of this session goes on.
        """
        from agent.request import Request

        if self.busy:
            raise ServeError("an answer is still being written; stop it, or wait for its end")
        images = self.shelf.take()
        request = Request(question=question, images=images, thread=self.thread, context=context)
        turn = Turn(number=len(self.turns) + 1, question=question, images=len(images))
        self.turns.append(turn)
        news = asyncio.Event()
        run = self._run = asyncio.create_task(_pump(assistant, request, turn, news))
        run.add_done_callback(lambda _: news.set())
        try:
            yield turn
            while not run.done():
                await news.wait()
                news.clear()
                yield turn
            _settle(turn, run)
            yield turn
        finally:
            if not run.done():
                run.cancel()
                await asyncio.wait([run])
            _settle(turn, run)
            self.shelf.give_back(images)
            self._run = None

    async def stop(self) -> None:
        """Cancel the run that goes on, and wait until it has let go."""
        if self._run is not None:
            self._run.cancel()
            await asyncio.wait([self._run])

    async def forget(self, assistant: "Assistant") -> None:
        """Stop, delete the thread's memory, files, pictures and turns, and begin a new thread."""
        await self.stop()
        self.shelf.clear()
        thread, asked = self.thread, bool(self.turns)
        self.thread = _new_thread()
        self.turns = []
        self.pictures = {}
        if asked:
            await assistant.forget(thread)

    async def end(self, assistant: "Assistant") -> None:
        """Forget all, and delete the folder."""
        await self.forget(assistant)
        shutil.rmtree(self._folder, ignore_errors=True)


async def _pump(assistant: "Assistant", request: "Request", turn: Turn, news: asyncio.Event) -> None:
    async with aclosing(assistant.ask(request)) as events:
        async for event in events:
            turn.events.append(event)
            news.set()


def _settle(turn: Turn, run: "asyncio.Task[None]") -> None:
    """Say how the turn ended. A failure the assistant did not tell of is told by its kind alone."""
    if turn.state != "running" or not run.done():
        return
    if run.cancelled():
        turn.state = "stopped"
        return
    error = run.exception()
    if error is not None:
        turn.events.append(ErrorEvent(code="internal", message=f"something went wrong here ({type(error).__name__})"))
    turn.state = "done"


def _new_thread() -> str:
    return f"chat-{secrets.token_hex(16)}"


class Sessions:
    """The open pages by the hash their connection carries. When there are too many, the oldest idle ones go."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        """``folder`` holds each session's folder. ``settings`` bound what their studies may take."""
        self._folder = folder
        self._room = Room(settings)
        self._open: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    async def of(self, key: str, assistant: "Assistant") -> Session:
        """The session of a page, made on first use."""
        if key not in self._open:
            self._open[key] = Session(self._folder / f"session-{secrets.token_hex(8)}", self._room)
        self._open.move_to_end(key)
        idle = [other for other, session in self._open.items() if not session.busy and other != key]
        for other in idle[: max(0, len(self._open) - MAX_SESSIONS)]:
            await self.end(other, assistant)
        return self._open[key]

    def find(self, key: str) -> Session | None:
        """The session whose ``key`` it is."""
        return next(
            (one for one in self._open.values() if secrets.compare_digest(one.key.encode(), key.encode())), None
        )

    async def end(self, key: str, assistant: "Assistant") -> None:
        """Forget a page that was closed."""
        session = self._open.pop(key, None)
        if session is not None:
            await session.end(assistant)

    async def end_all(self, assistant: "Assistant") -> None:
        """Forget every page: the server ends."""
        for key in list(self._open):
            await self.end(key, assistant)
