"""One conversation on the page: its thread, its studies, its turns, and the pages that look at it."""

import asyncio
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from overread.events import ErrorEvent, Event
from overread.records import Context
from serve.chat.pieces import Piece
from serve.chat.shelf import Room, Shelf
from serve.errors import AnsweringError

if TYPE_CHECKING:
    from agent.assistant import Assistant
    from agent.opening import OpenedStudy
    from agent.request import Request

MOST_UPDATES_S = 20
"""Most updates a second that a page is sent."""

BEAT_S = 5.0
"""Seconds without news after which a page is told that the server is still there."""

THREAD = "chat-"
"""How the names of the page's threads begin."""

TITLE_WORDS = 9
UNREADABLE = "(this question could not be checked for identity, so it is not kept)"

Redact = Callable[[str], str]
"""Gives a text without what identifies somebody. May take long; it is called in a thread."""


@dataclass
class Turn:
    """One question and what has come of it so far.

    ``question`` is what was typed until it was checked for identity, then what is left of it. ``studies`` are the
    handles of those it is about. ``again`` is the number of the turn that was asked once more. ``changes`` counts up
    whenever anything here changes, and ``drawn`` is how the turn was drawn last, with what it was drawn of.
    """

    number: int
    question: str
    images: int
    studies: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)
    state: Literal["waiting", "running", "done", "stopped"] = "running"
    context: Context = field(default_factory=lambda: Context())
    again: int | None = None
    checked: bool = False
    suggestions: tuple[str, ...] = ()
    changes: int = 0
    drawn: tuple[tuple[int, str], list[Piece]] | None = field(default=None, repr=False, compare=False)

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in {"done", "stopped"}


class Session:
    """One conversation. Lives in memory; its folder is deleted with it.

    ``key`` names it in addresses and says nothing; ``owner`` is the visitor it belongs to. ``shelf`` holds the studies
    that were opened in it.
    """

    def __init__(self, folder: Path, room: Room | None = None, owner: str = "", grace_s: float = 30.0) -> None:
        """``folder`` is this conversation's own; it is made with mode 0700. ``room`` is shared by all of them.

        A run that no page looks at ends after ``grace_s`` seconds.
        """
        self._folder = folder
        self._folder.mkdir(mode=0o700)
        self._grace_s = grace_s
        self._run: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._watching: set[asyncio.Event] = set()
        self._leaving: asyncio.TimerHandle | None = None
        self.key = secrets.token_hex(16)
        self.owner = owner
        self.thread = _new_thread()
        self.made = self.used = time.time()
        self.ended = False
        self.suggest: Callable[[Sequence[Turn]], tuple[str, ...]] = _nothing
        self.shelf = Shelf(folder, room or Room(), owner)
        self.turns: list[Turn] = []

    @property
    def studies(self) -> "dict[str, OpenedStudy]":
        """The studies that were opened here, by handle, the oldest first."""
        return self.shelf.studies

    @property
    def busy(self) -> bool:
        """Whether a run goes on."""
        return self._run is not None

    @property
    def title(self) -> str:
        """The first words of the first question, once it was checked for identity."""
        first = self.turns[0] if self.turns else None
        if first is None:
            return "Nothing asked yet"
        words = first.question.split() if first.checked else []
        return " ".join(words[:TITLE_WORDS]) + (" …" if len(words) > TITLE_WORDS else "") or "A question"

    def ask(
        self,
        assistant: "Assistant",
        question: str,
        context: Context,
        redact: Redact = str,
        places: asyncio.Semaphore | None = None,
        again: Turn | None = None,
    ) -> Turn:
        """Begin a run about the waiting studies; its turn, which grows while it goes on, whoever looks at it.

        ``places`` are those that runs of all conversations share. ``again`` is a turn whose question it is once more:
        its studies that are still here are asked about again. Raises ``AnsweringError`` while another run of this
        conversation goes on.
        """
        from agent.request import Request

        if self.busy:
            raise AnsweringError("an answer is still being written; stop it, or wait for its end")
        if again is not None:
            self.shelf.waiting = [handle for handle in again.studies if handle in self.shelf.studies]
        images = self.shelf.take()
        request = Request(question=question, images=images, thread=self.thread, context=context)
        turn = Turn(
            len(self.turns) + 1, question, len(images), context=context, again=again.number if again else None,
            state="waiting", studies=tuple(opened.handle for opened in images),
        )  # fmt: skip
        self.turns.append(turn)
        self._checking = asyncio.create_task(self._check(turn, redact))
        self._run = asyncio.create_task(self._answer(assistant, request, turn, places, self._checking))
        # One that is stopped before it began ends without having run a line of itself.
        self._run.add_done_callback(lambda _: self._over(turn, images))
        self.changed(turn)
        self._look_who_is_there()
        return turn

    async def _answer(
        self,
        assistant: "Assistant",
        request: "Request",
        turn: Turn,
        places: asyncio.Semaphore | None,
        checking: "asyncio.Task[None]",
    ) -> None:
        async with places or nullcontext():
            turn.state = "running"
            self.changed(turn)
            try:
                async with aclosing(assistant.ask(request)) as events:
                    async for event in events:
                        turn.events.append(event)
                        self.changed(turn)
            except Exception as error:  # noqa: BLE001  a failure the assistant did not tell of is told by its kind
                message = f"something went wrong here ({type(error).__name__}); ask again"
                turn.events.append(ErrorEvent(code="internal", message=message))
        await asyncio.shield(checking)
        turn.suggestions = await self._suggested()
        turn.state = "done"

    async def _suggested(self) -> tuple[str, ...]:
        try:
            return await asyncio.to_thread(self.suggest, self.turns)
        except Exception:  # noqa: BLE001  an answer is one without suggestions too
            return ()

    async def _check(self, turn: Turn, redact: Redact) -> None:
        """Take identity out of the question; one that cannot be checked is not kept."""
        try:
            turn.question = await asyncio.to_thread(redact, turn.question)
        except Exception:  # noqa: BLE001  whatever it was, the check fails closed
            turn.question = UNREADABLE
        turn.checked = True
        self.changed(turn)

    def _over(self, turn: Turn, images: "tuple[OpenedStudy, ...]") -> None:
        if turn.state != "done":
            turn.state = "stopped"
        self.shelf.give_back(images)
        self._run = None
        self.used = time.time()
        self.changed(turn)

    def changed(self, turn: Turn | None = None) -> None:
        """Tell the pages that look that something is new."""
        if turn is not None:
            turn.changes += 1
        for news in self._watching:
            news.set()

    async def watch(self) -> AsyncGenerator[bool, None]:
        """For a page that looks: ``True`` at once and after every change, ``False`` when there was none for a while.

        Changes that come close together are told together. Ends when the conversation is deleted.
        """
        news = asyncio.Event()
        self._watching.add(news)
        news.set()
        try:
            while not self.ended:
                try:
                    async with asyncio.timeout(BEAT_S):
                        await news.wait()
                except TimeoutError:
                    yield False
                    continue
                news.clear()
                yield True
                await asyncio.sleep(1 / MOST_UPDATES_S)
        finally:
            self._watching.discard(news)
            self._look_who_is_there()

    def _look_who_is_there(self) -> None:
        """When a run goes on and no page looks at it, give it a little time."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self.busy and not self._watching:
            self._leaving = asyncio.get_running_loop().call_later(self._grace_s, self._give_up)

    def _give_up(self) -> None:
        if self._run is not None and not self._watching:
            self._run.cancel()

    async def stop(self) -> None:
        """Cancel the run that goes on, and wait until it has let go."""
        if self._run is not None:
            self._run.cancel()
            await self.run_over()

    async def run_over(self) -> None:
        """Wait until no run goes on."""
        if self._run is not None:
            await asyncio.wait([self._run])
            await asyncio.sleep(0)  # its end is told by a callback, which comes right behind

    async def forget(self, assistant: "Assistant") -> None:
        """Stop, delete the thread's memory, files, pictures and turns, and begin a new thread."""
        await self.stop()
        self.shelf.clear()
        thread, asked = self.thread, bool(self.turns)
        self.thread = _new_thread()
        self.turns = []
        self.changed()
        if asked:
            await assistant.forget(thread)

    async def end(self, assistant: "Assistant") -> None:
        """Forget all, and delete the folder. The pages that look are told by the end of their stream."""
        self.ended = True
        if self._leaving is not None:
            self._leaving.cancel()
        await self.forget(assistant)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def _nothing(_: Sequence[Turn]) -> tuple[str, ...]:
    return ()


def _new_thread() -> str:
    return f"{THREAD}{secrets.token_hex(16)}"
