"""One call of a tool: whose it is, its run, its progress, and that it stops when the client leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ResourceLink, TextContent
from starlette.requests import ClientDisconnect, Request

from overread.events import DeltaEvent
from overread.records import Record
from serve.answers import Gathering
from serve.api.access import LOCAL
from serve.api.asked import Asked, events_of
from serve.api.pictures import names_of
from serve.api.running import Running, unless
from serve.api.service import Service, owner_of
from serve.errors import ServeError
from serve.words import progress_line

Ctx = Context[Any, Any]
T = TypeVar("T")


class Calls:
    """The calls of one server. ``alone``: it serves one client on stdio, who is ``local``."""

    def __init__(self, service: Service, alone: bool) -> None:
        self.service = service
        self._alone = alone

    def owner(self, ctx: Ctx) -> str:
        """Who calls."""
        if self._alone:
            return LOCAL
        request = ctx.request_context.request
        if not isinstance(request, Request):
            raise ServeError("a call came without its request")
        return owner_of(request)

    async def run(self, ctx: Ctx, asked: Asked) -> Gathering:
        """All that a run says, its progress told as it happens. Raises ``ToolError`` for one that ends in an error."""
        gathering = await self._unless_left(ctx, self._hear(ctx, asked))
        if gathering.error is not None:
            raise ToolError(f"{gathering.error.code}: {gathering.error.message}")
        return gathering

    async def _hear(self, ctx: Ctx, asked: Asked) -> Gathering:
        gathering = Gathering()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.service.admission.turn(asked.with_images))
            run = await stack.enter_async_context(Running(events_of(self.service, self.owner(ctx), asked)))
            while (event := await run.next()) is not None:
                gathering.hear(event)
                said = event.text if isinstance(event, DeltaEvent) else progress_line(event)
                if said:
                    await ctx.report_progress(len(gathering.events), None, said)
        return gathering

    async def work(self, ctx: Ctx, with_images: bool, said: str, function: Callable[..., T], *given: Any) -> T:
        """The result of a function that blocks, in a thread, with a word of progress before and after."""

        async def done() -> T:
            async with self.service.admission.turn(with_images):
                await ctx.report_progress(0, 1, said)
                limit = self.service.settings.answer_timeout_s
                try:
                    result = await asyncio.wait_for(asyncio.to_thread(function, *given), limit)
                except TimeoutError:
                    raise ToolError("timeout: it took too long; try again") from None
                await ctx.report_progress(1, 1, "finished")
                return result

        return await self._unless_left(ctx, done())

    async def _unless_left(self, ctx: Ctx, work: Coroutine[Any, Any, T]) -> T:
        """The result of some work, which is cancelled when the connection it came by is closed."""
        left: asyncio.Event | None = getattr(getattr(ctx.request_context.request, "state", None), "left", None)
        try:
            return await unless(_never() if left is None else left.wait(), work)
        except ClientDisconnect:
            raise ToolError("the client left before it was answered") from None

    def pictures(self, gathering: Gathering) -> tuple[str, ...]:
        """The addresses of the pictures of a run."""
        return tuple(
            f"overread://looks/{study_id}/{name}.png"
            for study_id in gathering.study_ids()
            for name in names_of(self.service, study_id)
        )


def result_of(told: Record, links: tuple[str, ...] = ()) -> CallToolResult:
    """A record as the result of a call: as JSON, as text for clients that know no structure, and links to fetch."""
    content = [ResourceLink(type="resource_link", uri=link, name=link.rpartition("/")[2], mime_type=mime_of(link))
               for link in links]  # fmt: skip
    data = told.model_dump(mode="json")
    return CallToolResult(content=[TextContent(type="text", text=told.model_dump_json()), *content],
                          structured_content=data)  # fmt: skip


def mime_of(link: str) -> str:
    """The kind of file that an address of ours ends with."""
    return "image/png" if link.endswith(".png") else "application/dicom"


def _never() -> Awaitable[object]:
    return asyncio.get_running_loop().create_future()
