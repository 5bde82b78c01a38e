"""Runs a task: the agent's events as status updates, the answer and its evidence as artifacts."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from a2a.helpers.proto_helpers import new_data_part, new_raw_part, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types.a2a_pb2 import Message, Part, Task, TaskState, TaskStatus

from agent.request import Request
from overread.errors import OverreadError
from overread.events import DeltaEvent, Event
from serve.a2a.intake import Given
from serve.answers import Gathering
from serve.api.asked import Asked, events_of
from serve.api.conversation import context_of
from serve.api.pictures import png_of
from serve.api.running import Running
from serve.api.service import Service
from serve.private import write_new
from serve.studies import PREFIX
from serve.words import progress_line, refusal_parts

ANSWER, EVIDENCE = "answer", "evidence"
"""Ids of artifacts. A picture's is ``overlay-`` and the id of its image in the events."""


class Executor(AgentExecutor):
    """Each task is one run. It holds a place of its owner's, and ends ``rejected`` when nothing was answered."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Run the task to its end."""
        task_id, context_id = str(context.task_id), str(context.context_id)
        given: Given = context.call_context.state.pop("given")
        begun = TaskStatus(state=TaskState.TASK_STATE_SUBMITTED)
        history = [context.message] if context.message else []
        await event_queue.enqueue_event(Task(id=task_id, context_id=context_id, status=begun, history=history))
        telling = Telling(TaskUpdater(event_queue, task_id, context_id), self._service)
        try:
            await self._run(context.call_context.user.user_name, given, telling)
        except OverreadError as error:
            await telling.fail(error.code, str(error))

    async def _run(self, owner: str, given: Given, telling: "Telling") -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._service.admission.place(owner))
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="task-", dir=self._service.folder))
            asked = await asyncio.to_thread(self._asked, owner, given, Path(folder))
            await stack.enter_async_context(self._service.admission.turn(asked.with_images))
            run = await stack.enter_async_context(Running(events_of(self._service, owner, asked)))
            await telling.begin()
            while (event := await run.next()) is not None:
                await telling.hear(event)
        await telling.end()

    def _asked(self, owner: str, given: Given, folder: Path) -> Asked:
        """The request. Raises ``NoStudyError`` for a study that is not the owner's."""
        images: list[tuple[Path, str | None]] = []
        for number, image in enumerate(given.images, start=1):
            if isinstance(image, bytes):
                path = folder / f"image-{number}"
                write_new(path, [image])
                images.append((path, None))
            else:
                images.append(self._study(owner, image))
        prior = self._study(owner, given.own.prior) if given.own.prior else None
        request = Request(
            question=given.question,
            images=tuple(path for path, _ in images),
            context=context_of(given.own),
            frame=given.own.frame,
            prior=prior[0] if prior else None,
        )
        return Asked(request, tuple(handle for _, handle in (*images, *([prior] if prior else []))))

    def _study(self, owner: str, reference: str) -> tuple[Path, str]:
        handle = reference.removeprefix(PREFIX)
        return self._service.studies.path(owner, handle), handle

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Say that the task is cancelled; the run was stopped before this is called."""
        await TaskUpdater(event_queue, str(context.task_id), str(context.context_id)).cancel()


class Telling:
    """Tells one run to those who wait for its task."""

    def __init__(self, updater: TaskUpdater, service: Service) -> None:
        self._updater = updater
        self._service = service
        self._gathering = Gathering()
        self._spoke = False

    async def begin(self) -> None:
        """Say that it has begun."""
        await self._updater.start_work()

    async def hear(self, event: Event) -> None:
        """Tell one event: text as the next piece of the answer, else what is news as a status."""
        self._gathering.hear(event)
        if isinstance(event, DeltaEvent):
            await self._updater.add_artifact(
                [new_text_part(event.text)], artifact_id=ANSWER, name="answer", append=self._spoke, last_chunk=False
            )
            self._spoke = True
        elif said := progress_line(event):
            parts = [new_text_part(said), new_data_part(event.model_dump(mode="json"))]
            await self._updater.start_work(self._message(parts))

    async def end(self) -> None:
        """Tell the evidence and the pictures, and how it ended."""
        heard = self._gathering
        if heard.error is not None:
            await self.fail(heard.error.code, heard.error.message)
            return
        evidence: dict[str, Any] = heard.answer().model_dump(mode="json")
        await self._updater.add_artifact(
            [new_data_part(evidence, media_type="application/json")], artifact_id=EVIDENCE, name="evidence",
            last_chunk=True,
        )  # fmt: skip
        for study_id in heard.study_ids():
            picture = await asyncio.to_thread(png_of, self._service, study_id, "overlay")
            if picture is not None:
                parts = [new_raw_part(picture, media_type="image/png", filename="overlay.png")]
                await self._updater.add_artifact(
                    parts, artifact_id=f"overlay-{study_id}", name="overlay", last_chunk=True
                )
        if not heard.refused:
            await self._updater.complete()
            return
        said = " ".join(text for event in heard.answer().refusals for _, text in refusal_parts(event))
        await self._updater.reject(self._message([new_text_part(said)]))

    async def fail(self, code: str, message: str) -> None:
        """Say that it failed, and why."""
        await self._updater.failed(self._message([new_text_part(f"{code}: {message}")]))

    def _message(self, parts: list[Part]) -> Message:
        return self._updater.new_agent_message(parts)
