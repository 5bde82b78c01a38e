"""The one application: OpenAI's API, studies, health, metrics, what is mounted beside them, and the chat page."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import Receive, Scope, Send

from agent.parts import Parts
from overread import __version__
from overread.settings import Settings
from serve.a2a.mounting import mount_a2a
from serve.api import completions, health, uploads
from serve.api.access import Access
from serve.api.bounded import Bounded
from serve.api.failures import add_failures, failure
from serve.api.logs import Watched
from serve.api.schema import close_methods, tell_truly
from serve.api.service import Service
from serve.chat.headers import KeepToItself
from serve.chat.server import LOOPBACK, add_page
from serve.errors import ApiError, ArgumentsError
from serve.keys import Keys, keys_file
from serve.mcp.mounting import mount_mcp

log = logging.getLogger(__name__)

SWEEP_S = 60.0
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

Mount = Callable[[FastAPI, Service], AbstractAsyncContextManager[None]]
"""Adds its routes to the application at once; the context it gives is entered while the application runs.

Its routes know who asks by ``owner_of(request)``, and use the service's assistant, studies and admission.
"""

MOUNTS: tuple[Mount, ...] = (mount_mcp, mount_a2a)
"""The interfaces beside OpenAI's, such as MCP and A2A."""


def build_app(
    settings: Settings,
    folder: Path,
    host: str = "127.0.0.1",
    mounts: Sequence[Mount] = MOUNTS,
    parts: Parts | None = None,
) -> FastAPI:
    """The application. ``folder`` is private and goes with the process; ``host`` is the address it will listen on.

    ``parts`` are what its assistant works with; unset, they run in this process.

    Raises ``ArgumentsError`` when ``host`` is not loopback's and there are no API keys.
    """
    local = host in LOOPBACK
    if not local and not Keys(keys_file(settings)).all():
        raise ArgumentsError(
            "there are no API keys, so only loopback is served; make one with: overread keys add LABEL"
        )
    service = Service.of(settings, folder, parts)
    contexts: list[AbstractAsyncContextManager[None]] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(service.assistant)
            warming = asyncio.create_task(service.readiness.warm())
            sweeping = asyncio.create_task(_sweep(service))
            for context in contexts:
                await stack.enter_async_context(context)
            yield
            warming.cancel()
            sweeping.cancel()
            await asyncio.wait({warming, sweeping})

    app = FastAPI(title="Overread", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    for module in (completions, uploads, health):
        app.include_router(module.router)
    contexts += [mount(app, service) for mount in mounts]
    tell_truly(app)
    close_methods(app)
    app.mount("/v1", _nothing)
    page = add_page(app, settings, folder)
    contexts.append(page.opened(service.assistant))
    add_failures(app)
    # The last one added is the first to see a request.
    app.add_middleware(Bounded, service=service)
    app.add_middleware(Access, service=service, open_without_keys=local, origins=settings.allowed_origins)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    if local or settings.allowed_hosts:
        # Another site's page must not reach this server by a name of its own that points here.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_HOSTS, *settings.allowed_hosts])
    app.add_middleware(Watched, service=service)
    app.add_middleware(KeepToItself)
    return app


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    error = ApiError(404, "not_found", "there is no such route; see docs/serving.md")
    await failure(error)(scope, receive, send)


async def _sweep(service: Service) -> None:
    """Delete what is past its time, for as long as the server runs."""
    while True:
        try:
            service.forget(set(await asyncio.to_thread(service.studies.sweep)))
        except Exception as error:  # noqa: BLE001  whatever it was, the next studies must be deleted in time
            log.error("studies past their time could not be deleted: %s", type(error).__name__)
        await asyncio.sleep(min(SWEEP_S, service.settings.studies_keep_h * 3600 / 4))
