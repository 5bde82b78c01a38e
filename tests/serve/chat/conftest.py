"""A real server process with the page, and a real browser."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from agent.request import Request
from overread.events import DoneEvent, ErrorEvent, Event
from overread.settings import Settings
from serve.api.failures import add_failures
from serve.chat.conversations import listing
from serve.chat.cookie import Visitors
from serve.chat.history import Sessions
from serve.chat.page import ChatPage
from serve.chat.routes import page_routes

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


class ToldAssistant:
    """Gives out the events the test puts in, when it does, so that every moment can be met."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.events: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.cancelled = 0
        self.forgotten: list[str] = []

    async def ask(self, request: Request) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, Exception):
                    raise event
                yield event
                if isinstance(event, DoneEvent | ErrorEvent):
                    return
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    async def forget(self, thread: str) -> None:
        self.forgotten.append(thread)

    def picture(self, study_id: str) -> None:  # noqa: ARG002
        return None

    def overlay(self, study_id: str) -> None:  # noqa: ARG002
        return None


@pytest.fixture
def assistant() -> ToldAssistant:
    return ToldAssistant()


class ChatServer:
    """``overread chat`` on a free port, in a process of its own."""

    def __init__(self, environment: dict[str, str], port: str = "0") -> None:
        self.temporary = Path(environment["TMPDIR"])
        self.state = Path(environment["OVERREAD_STATE"])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", "chat", "--port", port],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert "http://" in line, self._process.communicate()[1]
        self.url = "http://" + line.split("http://")[1].split()[0]

    def uploads(self) -> list[Path]:
        """The uploaded files that lie on the disk now.

        Gradio's empty placeholders do not count, nor does the picture that the server draws for its rehearsal, nor
        ``.ses``, a random number that ONNX Runtime writes there.
        """
        files = (path for path in self.temporary.rglob("*") if path.is_file() and path.stat().st_size)
        return [path for path in files if not path.parent.name.startswith("overread-rehearsal-")]

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """End it, as Ctrl-C does: the exit code, and what was written to stderr."""
        if self._process.poll() is None:
            self._process.send_signal(by)
        _, err = self._process.communicate(timeout=60)
        return self._process.returncode, err


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Callable[..., Any]:
    """Starts a server of one's own; a context manager that ends it."""

    @contextmanager
    def start(port: str = "0", **more: str) -> Iterator[ChatServer]:
        folder = tmp_path_factory.mktemp("chat")
        (folder / "tmp").mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERREAD_", "GRADIO_"))}
        own = {"OVERREAD_STATE": str(folder / "state"), "OVERREAD_CACHE": str(cache), "TMPDIR": str(folder / "tmp")}
        server = ChatServer(kept | own | more, port)
        try:
            yield server
        finally:
            server.end()

    return start


@pytest.fixture(scope="session")
def chat_server(start_server: Callable[..., Any]) -> Iterator[ChatServer]:
    with start_server() as server:
        yield server


@pytest.fixture(scope="module")
def slow_chat(start_server: Callable[..., Any], module_silent_server: Any) -> Iterator[tuple[ChatServer, Any]]:
    """A page whose configured language model server takes questions and never answers; and that server."""
    patient = {"OVERREAD_LLM_FIRST_TOKEN_S": "200", "OVERREAD_NODE_TIMEOUT_S": "250", "OVERREAD_HISTORY_GRACE_S": "8"}
    with start_server(**module_silent_server.environment(), **patient) as server:
        yield server, module_silent_server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium. Not for the whole session: Playwright's loop must not run beside asynchronous tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with playwright.sync_playwright() as running:
        try:
            started = running.chromium.launch(executable_path=found, args=ARGUMENTS)
        except playwright.Error as error:
            pytest.skip(f"no Chromium can be started: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, chat_server: ChatServer) -> Iterator[Callable[..., Any]]:
    """Opens the page as a visitor of its own. Every request to another host is a failure of the test."""
    contexts: list[Any] = []
    strangers: list[str] = []

    def open_(server: ChatServer = chat_server, width: int = 1280, scheme: str = "light") -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()

        def look(request: Any) -> None:
            if not request.url.startswith((server.url, "data:", "blob:")):
                strangers.append(request.url)

        page.on("request", look)
        page.goto(server.url)
        page.wait_for_selector("button#ask")
        page.wait_for_selector("html[data-conversation]")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert strangers == []


@pytest.fixture
def page_app(tmp_path: Path) -> FastAPI:
    """The page's routes without its fields; ``state.page`` is what they work with, and is opened by whoever asks."""
    settings = Settings(state=tmp_path / "state", cache=tmp_path / "cache")
    (tmp_path / "chat").mkdir()
    app = FastAPI()
    app.state.page = ChatPage(settings, Sessions(tmp_path / "chat", settings))
    app.include_router(listing)
    app.include_router(page_routes())
    add_failures(app)
    app.add_middleware(Visitors)
    return app
