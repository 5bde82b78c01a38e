"""Serves the chat page: FastAPI, Gradio and the assistant in one process and one event loop."""

import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overread.settings import Settings
from serve.errors import ArgumentsError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from agent.parts import Parts
    from serve.chat.page import ChatPage

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SHUTDOWN_WAIT_S = 2
KEEP_ALIVE_S = 75
_PREFIX = "overread-chat-"


def serve_chat(settings: Settings, host: str, port: int, open_page: bool = False) -> None:
    """Serve until Ctrl-C. Port 0 takes any free one. Raises ``ArgumentsError`` when the address cannot be had."""
    said = "Overread's chat page is at {address} (Ctrl-C ends it)"
    serve_app(lambda folder: chat_app(settings, folder, host), host, port, said, open_page)


def serve_app(
    make: "Callable[[Path], FastAPI]",
    host: str,
    port: int,
    said: str,
    open_page: bool = False,
    drain_s: float = SHUTDOWN_WAIT_S,
    **more: Any,
) -> None:
    """Serve what ``make`` gives for a private folder, until Ctrl-C; say ``said`` with its address once it is there.

    ``more`` goes to ``uvicorn.Config``. Raises ``ArgumentsError`` when the address cannot be had.
    """
    listener = listen(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    # The server passes a SIGTERM on when it has ended; as an exception it lets the folder be deleted too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with private_folder() as folder:
        quiet_gradio(folder)
        import uvicorn

        class Server(uvicorn.Server):
            """Says where it is once it is there."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                print(said.format(address=address), flush=True)  # noqa: T201
                if open_page:
                    webbrowser.open(address)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Open pages hold a connection for good; that it is cut is no error to report.
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
                await super().shutdown(sockets)

        # A proxy in front keeps its connections for about a minute; it must not find that they were just closed.
        settled: dict[str, Any] = {
            "log_level": "error",
            "access_log": False,
            "timeout_keep_alive": KEEP_ALIVE_S,
            **more,
        }
        Server(uvicorn.Config(make(folder), timeout_graceful_shutdown=ceil(drain_s), **settled)).run(sockets=[listener])


def chat_app(settings: Settings, folder: Path, host: str = "127.0.0.1") -> "FastAPI":
    """The page as an application. ``folder`` is private and holds uploads until they were read.

    Import Gradio only after ``GRADIO_TEMP_DIR`` was set: it reads that once.
    """
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from serve.api.failures import add_failures
    from serve.chat.headers import KeepToItself

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        import asyncio

        from agent.assistant import Assistant

        async with Assistant(settings) as assistant:
            warming = asyncio.create_task(_warm(assistant.parts))
            async with page.opened(assistant):
                yield
            warming.cancel()
            await asyncio.wait({warming})

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    page = add_page(app, settings, folder)
    add_failures(app)
    app.add_middleware(KeepToItself)
    if host in LOOPBACK:
        # Another site's page must not reach this one by a name of its own that points here.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "testserver"])
    return app


def add_page(app: "FastAPI", settings: Settings, folder: Path) -> "ChatPage":
    """Put the page at ``/``, behind every route the application has already. It works while ``opened``."""
    import gradio as gr

    from serve.chat.conversations import listing
    from serve.chat.cookie import Visitors
    from serve.chat.history import Sessions
    from serve.chat.page import ChatPage, build_page, theme
    from serve.chat.routes import page_routes
    from serve.chat.scripts import Scripts
    from serve.chat.shell import Shell

    page = ChatPage(settings, Sessions(folder, settings))
    app.state.page = page
    app.include_router(listing)
    app.include_router(page_routes())
    app.mount("/chat/static", Scripts())
    gr.mount_gradio_app(
        app,
        build_page(page),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        max_file_size=settings.max_file_bytes,
        theme=theme(),
    )
    app.add_middleware(Shell, settings=settings)
    app.add_middleware(Visitors)
    return page


async def _warm(parts: "Parts") -> None:
    """So that the first answer is quick. What does not work is told by the run that needs it."""
    async for _ in parts.warm():
        pass


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes any free one. Raises ``ArgumentsError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ArgumentsError(
            f"cannot listen on port {port} of that address ({error.strerror or type(error).__name__});"
            " choose another with --port"
        ) from None


def quiet_gradio(folder: Path) -> None:
    """No reports to anybody, no look at other hosts, and uploads in our own folder."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    (folder / "uploads").mkdir(mode=0o700)


@contextmanager
def private_folder(base: Path | None = None) -> Iterator[Path]:
    """A folder of mode 0700 that goes with this process; what a killed one left behind goes now.

    ``base`` is where it lies: unset, in the folder for temporary files.
    """
    base = base or Path(tempfile.gettempdir())
    for left in base.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX).split("-")[0]
        if left.stat().st_uid == os.getuid() and owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)
    prefix = f"{_PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=base, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
