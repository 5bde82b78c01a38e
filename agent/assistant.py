"""The assistant: the one door to the agent, for every interface.

async with Assistant() as assistant:
    async for event in assistant.ask(Request("What is this?", (Path("scan.dcm"),))):
        print(event.model_dump_json())
"""

import asyncio
import logging
import re
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from agent.account import Account
from agent.errors import RequestError
from agent.events import EventStream
from agent.lane import FIRST
from agent.parts import Parts
from agent.request import Request
from agent.run import Run, Shown
from agent.spans import begin
from overread.errors import OverreadError
from overread.events import ErrorEvent, Event
from overread.settings import Settings, settings

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from opentelemetry.trace import Span

    from agent.evidence import Evidence
    from agent.graph import CompiledGraph
    from agent.state import ThreadState
    from guardrails.audit import AuditLog
    from guardrails.gate import Gate
    from guardrails.phi.identity import Identity
    from tools.contract import Picture

log = logging.getLogger(__name__)

KEPT_IMAGES = 32
_THREAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Assistant:
    """Answers requests. Several runs may go on at once; runs of one thread go one after the other.

    The last images looked at are kept in memory, masked, so that a page can show them.
    """

    def __init__(self, chosen: Settings | None = None, parts: Parts | None = None) -> None:
        self.settings = chosen or settings()
        self.parts = parts or Parts(self.settings)
        self._exit = AsyncExitStack()
        self._saver: AsyncSqliteSaver | None = None
        self._opening = asyncio.Lock()
        self._log = audit_log(self.settings)
        self._threads: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._shown: OrderedDict[str, tuple[str | None, Shown]] = OrderedDict()
        self._graphs: dict[bool, CompiledGraph] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._exit.aclose()

    async def ask(self, request: Request) -> AsyncGenerator[Event, None]:
        """The events of one run, as they happen. The last is a ``done`` or an ``error``.

        Closing the generator, or cancelling the task that reads it, cancels the run.
        """
        from guardrails.phi.identity import Identity
        from guardrails.phi.text import redact

        started = time.monotonic()
        span, ended = begin("run"), "cancelled"
        identity = Identity()
        account = Account(request, self.settings, self._log, lambda value: self._gate(identity).scrub_value(value))
        stream = EventStream(
            lambda value: self._gate(identity).scrub_value(value),
            lambda text: redact(text, identity).text,
            started,
            account.heard,
        )
        try:
            check(request)
            await self.parts.lane.run(FIRST, account.begin)
            turn = self._threads[request.thread] if request.thread else nullcontext()
            async with turn, aclosing(self._events(request, identity, stream, account, span)) as events:
                async for event in events:
                    yield event
            ended = "done"
            return
        except OverreadError as error:
            ended = "error"
            failed = ErrorEvent(code=error.code, message=str(error))
        except TimeoutError:
            ended = "error"
            failed = ErrorEvent(code="timeout", message="the answer took too long; ask again")
        except Exception as error:
            # Whatever else went wrong: its message may hold a patient's data, so only its kind is told.
            log.error("a run stopped with %s", type(error).__name__)
            message = f"something went wrong inside Overread ({type(error).__name__}); run overread doctor"
            ended = "error"
            failed = ErrorEvent(code="internal", message=message)
        except (GeneratorExit, asyncio.CancelledError):
            _write_down(account, stream, {"ended": "cancelled"})
            raise
        finally:
            span.set_attribute("overread.ended", ended)
            span.end()
        await asyncio.to_thread(_write_down, account, stream, {"ended": "error", "code": failed.code})
        yield stream.stamp(failed)

    async def _events(
        self, request: Request, identity: "Identity", stream: EventStream, account: Account, span: "Span"
    ) -> AsyncGenerator[Event, None]:
        run = Run(
            request=request,
            settings=self.settings,
            parts=self.parts,
            stream=stream,
            identity=identity,
            gate=lambda evidence: self._gate(identity, evidence),
            scrub=lambda text: self._gate(identity).scrub(text),
            keep=lambda shown: self._keep(shown, request.thread),
            account=account,
            span=span,
        )
        state = await self.parts.lane.run(FIRST, self._first_state, run)
        saver = await self._checkpoints() if request.thread else None
        config: Any = {"configurable": {"thread_id": request.thread}} if request.thread else None
        parts = self._graph(saver).astream(
            state,
            config,
            context=run,
            stream_mode="custom",
            version="v2",
            durability="exit" if saver else None,
        )
        async for part in parts:
            yield cast("Event", part["data"])

    def _graph(self, saver: "AsyncSqliteSaver | None") -> "CompiledGraph":
        """The graph, compiled once: what lives in a run is no part of it."""
        from agent.graph import build_graph

        kept = saver is not None
        if kept not in self._graphs:
            self._graphs[kept] = build_graph(self.settings, saver)
        return self._graphs[kept]

    def _first_state(self, run: Run) -> "ThreadState":
        from agent.question import context_in
        from agent.state import fresh_run
        from guardrails.phi.text import redact

        begun = time.monotonic()
        said = redact(run.request.question.strip(), run.identity, self.parts.detector())
        run.took("redact", begun)
        run.text_redacted = said.count
        run.account.question = said.text
        return fresh_run(said.text, context_in(said.text), with_images=bool(run.request.images))

    def _gate(self, identity: "Identity", evidence: "Evidence | None" = None) -> "Gate":
        from agent.evidence import ledger_of
        from guardrails.gate import Gate

        return Gate(identity, ledger_of(evidence), self.parts.detector())

    async def _checkpoints(self) -> "AsyncSqliteSaver":
        from agent.checkpoints import open_checkpoints

        async with self._opening:
            if self._saver is None:
                self._saver = await self._exit.enter_async_context(open_checkpoints(self.settings))
            return self._saver

    async def forget(self, thread: str) -> None:
        """Delete all that a thread remembers, and the pictures kept of it."""
        from agent.checkpoints import forget_thread

        async with self._threads[thread]:
            await forget_thread(await self._checkpoints(), thread)
        for study_id in [key for key, (owner, _) in self._shown.items() if owner == thread]:
            del self._shown[study_id]

    async def forget_older(self, prefix: str, before: float) -> None:
        """Forget the threads whose names begin so, and which were not used since ``before``, in seconds since 1970.

        That is what a process which was killed left behind.
        """
        from agent.checkpoints import older_threads

        for thread in await older_threads(await self._checkpoints(), prefix, before):
            await self.forget(thread)

    def _keep(self, shown: Shown, thread: str | None) -> None:
        self._shown[shown.study_id] = (thread, shown)
        while len(self._shown) > KEPT_IMAGES:
            self._shown.popitem(last=False)

    def picture(self, study_id: str) -> NDArray[np.uint8] | None:
        """The image a study was read from, as displayed: uint8 ``(H, W, 3)``, or ``None`` when not kept."""
        _, shown = self._shown.get(study_id, (None, None))
        return shown.display if shown else None

    def overlay(self, study_id: str) -> NDArray[np.uint8] | None:
        """The image with what the tools drew on it, and a legend: uint8 RGB, or ``None`` when not kept."""
        from tools.overlay import Scene, draw_overlay

        _, shown = self._shown.get(study_id, (None, None))
        if shown is None:
            return None
        scene = Scene(shown.spacing_mm, shown.context)
        return draw_overlay(shown.display, list(shown.pictures.values()), shown.findings, scene)

    def drawn(self, study_id: str) -> dict[str, "Picture"]:
        """What the tools drew on a study, by artifact id; empty when it is not kept."""
        _, shown = self._shown.get(study_id, (None, None))
        return {} if shown is None else {**shown.pictures, **shown.elsewhere}

    def drop(self, study_id: str) -> None:
        """Keep the pictures of a study no longer."""
        self._shown.pop(study_id, None)


def audit_log(chosen: Settings) -> "AuditLog | None":
    """The log that runs are written into, or ``None`` when none is kept."""
    from guardrails.audit import AuditLog

    return AuditLog(chosen.state) if chosen.audit else None


def _write_down(account: Account, stream: EventStream, outcome: dict[str, Any]) -> None:
    """The end of a run that came to no ``done``. That it could not be written cannot change the end any more."""
    from guardrails.errors import AuditError

    try:
        account.close(stream.run_id, stream.digest(), outcome)
    except AuditError:
        log.error("a run could not be written into the audit log")


def check(request: Request) -> None:
    """Raise ``RequestError`` when a request cannot be worked on."""
    if not request.question.strip():
        raise RequestError("the question is empty; ask something about the image")
    if len(request.question) > 20_000:
        raise RequestError("the question is longer than 20,000 characters; shorten it")
    if request.prior is not None and len(request.images) != 1:
        raise RequestError("a prior is compared with one image; give one image with it")
    if request.thread is not None and not _THREAD.fullmatch(request.thread):
        raise RequestError("a thread's name has letters, digits, dots, dashes and underscores, at most 64 of them")
