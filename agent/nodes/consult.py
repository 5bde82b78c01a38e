"""Lets a language model ask for more tools, once those that must run have run.

It may add and never skip. What it asks for is read against the offer; a call that is not permitted or cannot be read is
answered with one sentence and told as a ``tool_result``. Calls, turns and time are bounded.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from agent.engines.asking import TURN_TOKENS, Wanted, wanted_calls
from agent.engines.pictures import pictures_for
from agent.engines.server import served_model, server_model
from agent.errors import EngineError, EngineStatusError
from agent.events import Emit
from agent.evidence import ask_message, gather
from agent.nodes.examine import Seen, run_call
from agent.nodes.retrieve import look_up
from agent.offer import ANSWER, SEARCH, Ask, Denied, ImageFrame, Offer
from agent.prompts import consult_message
from agent.router import Call, plan
from agent.run import Run, emitter
from agent.state import (
    Numbering,
    SeenImage,
    ThreadState,
    cases_of,
    findings_of,
    images_of,
    measurements_of,
    passages_of,
)
from overread.events import ToolResultEvent, ToolStartEvent
from overread.records import Box, ToolStatus, Usage

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from tools.contract import Tool, ToolOutput
    from tools.segmentation.predictor import Segmenter

SEARCH_PASSAGES = 3
"""Passages one search of a language model gives."""

BY = "language model"
"""How ``tool_start`` says who asked, in its ``args``."""

log = logging.getLogger(__name__)


async def consult(state: ThreadState, runtime: "Runtime[Run]") -> ThreadState:
    """Ask the configured server which tools it wants more, and run them: events as of any tool.

    A server that takes no tools is left in peace, and one that fails is asked nothing more in this run.
    """
    run = runtime.context
    if not (run.settings.llm_base_url and run.settings.llm_tool_calls and state["asked"]):
        return ThreadState()
    consultation = await asyncio.to_thread(_Consultation, state, run, emitter(runtime))
    try:
        await consultation.hold()
    except EngineStatusError as error:
        run.engine = "no tools"
        log.warning("the language model is offered no tools (%s)", error)
    except EngineError as error:
        run.engine = "failed"
        log.warning("the language model is asked nothing more (%s)", error)
    return consultation.changes()


class _Consultation:
    """One run's asking, and the thread's memory as it grows by what the tools find."""

    def __init__(self, state: ThreadState, run: Run, emit: Emit) -> None:
        self._state, self._run, self._emit = state, run, emit
        self._numbering = Numbering(state.get("counts"))
        self._images = images_of(state)
        self._seen = Seen(findings_of(state), measurements_of(state), cases_of(state))
        self._passages = passages_of(state)
        self._new_passages = list(state["new_passages"])
        self._usage: Usage = dict(state["usage"])
        self._segmenter: Segmenter | None = run.parts.segmenter() if state["new_images"] else None
        self._ends = time.monotonic() + run.settings.llm_tools_s
        self._outlined: set[tuple[str, Box]] = set()
        registry = run.parts.registry() if state["new_images"] else None
        here = [image for image in self._images if image.id in state["new_images"]]
        required = plan(here, registry).required if registry else ()
        ran: set[ImageFrame] = {(call.tool.name, image.id, image.frame) for call in required for image in call.images}
        self._ran = ran
        sizes = {image.id: run.studies[image.study_id].size for image in here}
        self._offer = Offer(here, sizes, registry, self._segmenter, frozenset(ran))

    def changes(self) -> ThreadState:
        """What the graph's state becomes."""
        return ThreadState(
            images=[image.model_dump() for image in self._images],
            findings=[entry.model_dump() for entry in self._seen.findings],
            measurements=[entry.model_dump() for entry in self._seen.measurements],
            cases=[entry.model_dump() for entry in self._seen.cases],
            passages=[passage.model_dump() for passage in self._passages],
            new_passages=self._new_passages,
            counts=self._numbering.counts,
            usage=self._usage,
        )

    async def hold(self) -> None:
        """Turn by turn, until the model wants no more, or its calls or its time are used up. Raises ``EngineError``."""
        run = self._run
        short = run.settings.model_copy(update={"llm_max_tokens": TURN_TOKENS, "llm_logprobs": False})
        left = run.settings.llm_tool_calls
        try:
            async with asyncio.timeout(self._left()):
                model = server_model(short, await served_model(run.settings))
            evidence = gather(self._state)
            pictures = await asyncio.to_thread(pictures_for, evidence, run)
            messages: list[BaseMessage] = [
                consult_message(),
                ask_message(self._state["asked"], evidence, (), pictures),
            ]
            while left > 0:
                async with asyncio.timeout(self._left()):
                    wanted = await wanted_calls(model, messages, self._offer.schemas(), short, self._usage)
                calls = [one for one in wanted if one.name != ANSWER]
                messages.append(_as_said(calls))
                for one in calls:
                    messages.append(ToolMessage(await self._answer(one, left > 0), tool_call_id=one.call_id))
                    left -= 1
                if not calls or len(calls) < len(wanted):
                    return
        except TimeoutError:
            log.warning("asking the language model for tools took longer than %g s", run.settings.llm_tools_s)

    def _left(self) -> float:
        """The seconds left. Raises ``TimeoutError`` when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    async def _answer(self, wanted: Wanted, may: bool) -> str:
        """Make one call, or say why not; what the model is told, as JSON."""
        self._usage["tool_calls"] = self._usage.get("tool_calls", 0) + 1
        read = self._offer.read(wanted.name, wanted.arguments)
        if isinstance(read, Denied):
            return self._denied(read.name, read.status, read.reason)
        args = self._args(read)
        if not may:
            return self._denied(read.name, "skipped", "no more calls may be made for this question", args, read.image)
        if read.image is None:
            return await self._search(args)
        return await self._on_image(read, read.image, args)

    def _args(self, ask: Ask) -> dict[str, Any]:
        """The arguments as the events tell them, without identity."""
        if ask.image is None:
            return {"query": self._run.scrub(ask.query), "by": BY}
        box = {"box": list(ask.box)} if ask.box else {}
        return {"image": ask.image.id, "frame": ask.frame, **box, "by": BY}

    def _denied(
        self,
        tool: str,
        status: ToolStatus,
        reason: str,
        args: Mapping[str, Any] | None = None,
        image: SeenImage | None = None,
    ) -> str:
        """Tell of a call that is not made. What was written in it is not repeated unless it was read."""
        call_id = self._numbering.next("T")
        where = {"study_id": image.study_id, "frame": image.frame} if image else {}
        self._emit(ToolStartEvent(call_id=call_id, tool=tool, args=dict(args or {"by": BY}), **where))
        self._emit(ToolResultEvent(call_id=call_id, tool=tool, status=status, reason=reason, elapsed_ms=0.0, **where))
        return json.dumps({"status": status, "reason": reason})

    async def _search(self, args: Mapping[str, Any]) -> str:
        from overread.errors import OverreadError

        call_id, begun = self._numbering.next("T"), time.monotonic()
        self._emit(ToolStartEvent(call_id=call_id, tool=SEARCH, args=dict(args)))
        status: ToolStatus = "ok"
        reason, found = None, []
        try:
            async with asyncio.timeout(max(self._ends - begun, 0.001)):
                found = await look_up(
                    args["query"],
                    SEARCH_PASSAGES,
                    self._state,
                    self._passages,
                    self._numbering,
                    self._run,
                    self._emit,
                    self._new_passages,
                )
        except OverreadError as error:
            status, reason = "failed", str(error)
        except TimeoutError:
            status, reason = "failed", "the search took too long"
        known = {passage.id for passage in self._passages}
        self._passages += [passage for passage in found if passage.id not in known]
        self._new_passages += [passage.id for passage in found]
        elapsed = round((time.monotonic() - begun) * 1000, 1)
        self._emit(ToolResultEvent(call_id=call_id, tool=SEARCH, status=status, reason=reason, elapsed_ms=elapsed))
        told = [{"id": passage.id, "title": passage.title, "text": passage.text} for passage in found]
        return json.dumps({"status": status, "reason": reason, "passages": told}, ensure_ascii=False)

    async def _on_image(self, ask: Ask, image: SeenImage, args: Mapping[str, Any]) -> str:
        tool: Tool
        if ask.tool is None:
            if self._segmenter is None or ask.box is None:
                return self._denied(ask.name, "skipped", "there is nothing to outline with", args, image)
            if (image.id, ask.box) in self._outlined:
                return self._denied(ask.name, "skipped", "this box has been outlined already", args, image)
            from tools.segmentation.prompts import Prompt
            from tools.segmentation.tool import Outline

            self._outlined.add((image.id, ask.box))
            tool = Outline(self._segmenter, Prompt(ask.box), "the outline in the box")
        else:
            tool = ask.tool
            if (tool.name, image.id, ask.frame) in self._ran:
                return self._denied(tool.name, "skipped", f"it has run on {image.id} already", args, image)
            why = await asyncio.to_thread(self._other_kind, image, ask.frame)
            if why is not None:
                return self._denied(tool.name, "skipped", why, args, image)
            self._ran.add((tool.name, image.id, ask.frame))
        call = Call(tool, (image.model_copy(update={"frame": ask.frame}),), args)
        within = max(self._ends - time.monotonic(), 0.001)
        ((event, output),) = await run_call(call, self._run, self._numbering, self._seen, self._emit, within)
        if ask.tool is not None and event.status == "ok":
            self._remember(image, ask.frame)
        return _told(event, output, self._run)

    def _other_kind(self, image: SeenImage, frame: int) -> str | None:
        """Why a frame may not be looked at as the image is: it must be of the same kind. ``None`` when it may.

        One that may be is kept for the tools.
        """
        run = self._run
        shown = run.shown[image.study_id]
        if frame in (shown.frame, *shown.slices):
            return None
        display = run.studies[image.study_id].display(frame)
        decision = run.parts.identifier().identify([display], [image.modality])[0]
        if not decision.accepted or decision.label != image.domain:
            return f"frame {frame} is not recognised as the kind of image that {image.id} is"
        shown.slices[frame] = display
        return None

    def _remember(self, image: SeenImage, frame: int) -> None:
        """Let the answer know that the tools saw one slice more."""
        for n, one in enumerate(self._images):
            if one.id == image.id and frame not in (one.frame, *one.slices):
                self._images[n] = one.model_copy(update={"slices": (*one.slices, frame)})


def _as_said(calls: Sequence[Wanted]) -> AIMessage:
    """What the model said, as the next turn shows it. Arguments that are no JSON object are left out."""
    return AIMessage(
        content="",
        tool_calls=[{"name": one.name, "args": _object(one.arguments), "id": one.call_id} for one in calls],
    )


def _object(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _told(event: ToolResultEvent, output: "ToolOutput | None", run: Run) -> str:
    """A tool's result as the model reads it. What another model said of the picture is not handed on."""
    told = event.model_dump(mode="json", include={"status", "findings", "measurements", "cases"}, exclude_none=True)
    reason = event.reason if output is None else output.reason
    return json.dumps({**told, "reason": run.scrub(reason) if reason else None}, ensure_ascii=False)
