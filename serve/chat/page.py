"""The page: what stands where, and what each button does. Its looks are in ``style.css``."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gradio as gr

from overread.events import EngineEvent, StudyEvent, ToolResultEvent
from overread.records import Context
from overread.settings import Settings
from serve import words
from serve.arguments import choices
from serve.chat.dropzone import dropzone_html
from serve.chat.render import turn_html, turns_html
from serve.chat.session import Session, Sessions, Turn
from serve.chat.viewer import look_up, viewer_html
from serve.errors import ServeError

if TYPE_CHECKING:
    from agent.assistant import Assistant

NOT_KNOWN = "not known"
PARALLEL_RUNS = 4
PARALLEL_OPENINGS = 2
FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]

HEADER = """<header class="top"><h1>Overread</h1><p>A second reader for medical images. Research use; not a medical
device.</p></header>"""
WELCOME = """<div class="welcome"><p>Drop an image and ask about it, or ask a question of knowledge without one.</p>
<p class="hint">Identity is taken out before anything looks at the image, and nothing leaves this machine unless a
language model server elsewhere is configured. Closing the page forgets the conversation.</p></div>"""


class ChatPage:
    """The page's handlers. ``assistant`` is set while the server runs. Studies are opened in turn by ``opening``."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.settings = settings
        self.opening = asyncio.Semaphore(PARALLEL_OPENINGS)
        self.sessions = sessions
        self.assistant: Assistant | None = None

    @asynccontextmanager
    async def opened(self, assistant: "Assistant") -> AsyncIterator[None]:
        """While this lasts, the page answers with ``assistant``; then every conversation is forgotten."""
        self.assistant = assistant
        try:
            yield
        finally:
            await self.sessions.end_all(assistant)

    async def session(self, request: gr.Request) -> Session:
        """The session of the page that asks. Raises ``ServeError`` before the server is ready."""
        return await self.sessions.of(str(request.session_hash), self.ready())

    def ready(self) -> "Assistant":
        """The assistant. Raises ``ServeError`` before the server is ready."""
        if self.assistant is None:
            raise ServeError("the page is still starting; try again in a moment")
        return self.assistant

    async def load(self, request: gr.Request) -> str:
        """A page was opened: give it a session, and the place where images are dropped."""
        return dropzone_html(await self.session(request), self.settings)

    async def unload(self, request: gr.Request) -> None:
        """A page was closed: stop its run and forget it."""
        await self.sessions.end(str(request.session_hash), self.ready())

    async def ask(
        self, question: str, age: str, view: str, request: gr.Request
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Run a question: what changed on the page, again and again until the end. Keys are ``OUTPUTS``."""
        session = await self.session(request)
        if not question.strip():
            yield {"notice": notice_html("Type a question first.")}
            return
        if session.busy:
            yield {"notice": notice_html("An answer is still being written; stop it, or wait for its end.")}
            return
        context = Context.model_validate(
            {name: value for name, value in (("age_band", age), ("view", view)) if value and value != NOT_KNOWN}
        )
        earlier = turns_html(session.turns)
        yield {
            "question": gr.update(value="", interactive=False),
            "send": gr.update(visible=False),
            "stop": gr.update(visible=True),
            "notice": "",
            "earlier": earlier,
        }
        async for turn in session.ask(self.ready(), question.strip(), context):
            changed: dict[str, Any] = {"current": turn_html(turn), "waiting": waiting_html(session)}
            if self._look(session, turn):
                changed["viewer"] = viewer_html(session.pictures)
            engine = next((event for event in reversed(turn.events) if isinstance(event, EngineEvent)), None)
            if engine is not None:
                changed["engine"] = engine_html(words.engine_line(engine), words.engine_limits(engine))
            yield changed
        yield {
            "question": gr.update(interactive=True),
            "send": gr.update(visible=True),
            "stop": gr.update(visible=False),
        }

    def _look(self, session: Session, turn: Turn) -> bool:
        """Look up pictures as they come, and at the end what was drawn on them; whether any is new."""
        new = False
        for event in turn.events:
            if not isinstance(event, StudyEvent):
                continue
            if event.study_id in session.pictures and turn.state == "running":
                continue
            shown = look_up(self.ready(), event, with_overlay=_drawn_on(turn, event.study_id))
            if shown is not None and session.pictures.get(event.study_id) != shown:
                session.pictures[event.study_id] = shown
                new = True
        return new

    async def stop(self, request: gr.Request) -> None:
        """Cancel the run that goes on."""
        await (await self.session(request)).stop()

    async def forget(self, request: gr.Request) -> tuple[str, str, str, str, str]:
        """Delete the conversation: earlier, current, viewer, waiting, notice."""
        session = await self.session(request)
        await session.forget(self.ready())
        return "", WELCOME, "", waiting_html(session), notice_html("The conversation was deleted.")

    def first_engine(self) -> str:
        """Which engine will write, before one has."""
        said = words.phrases()["engine"]
        if self.settings.llm_base_url:
            model = self.settings.llm_model or "of the configured server"
            return engine_html(said["llm"].format(model=model), said["llm_limits"])
        return engine_html(said["composer"], said["limits"])


def _drawn_on(turn: Turn, study_id: str) -> bool:
    """Whether the run is over and a tool gave a picture or a region of that study to draw."""
    results = [event for event in turn.events if isinstance(event, ToolResultEvent) and event.study_id == study_id]
    places = [finding.region for result in results for finding in result.findings if finding.region]
    return turn.state != "running" and bool(places or any(result.artifacts for result in results))


def waiting_html(session: Session) -> str:
    """Tells the page's script that its studies changed; nothing is to be seen of it."""
    return f'<span hidden data-revision="{session.thread[-8:]}-{session.shelf.revision}"></span>'


def notice_html(text: str) -> str:
    """A short word to the reader above the question."""
    return f'<p class="notice" role="status">{escape(text)}</p>'


def engine_html(line: str, limits: str) -> str:
    """The engine and its limits, always in sight."""
    return f'<p class="engine"><b>Written by</b> {escape(line)}. {escape(limits)}</p>'


def theme() -> gr.themes.Base:
    """A quiet theme with the machine's own fonts: nothing is fetched."""
    return gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=FONT, font_mono=["ui-monospace", "monospace"], radius_size="sm"
    )


def script() -> str:
    """The page's own JavaScript: an evidence chip opens and shows what it stands for."""
    return files("serve.chat").joinpath("page.js").read_text("utf-8")


def style() -> str:
    """The page's own style sheet."""
    return files("serve.chat").joinpath("style.css").read_text("utf-8")


def build_page(page: ChatPage) -> gr.Blocks:
    """The layout, wired to the page's handlers."""
    ages = [NOT_KNOWN, *choices()["age_band"]]
    views = [NOT_KNOWN, *choices()["view"]]
    with gr.Blocks(title="Overread", analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as blocks:
        gr.HTML(HEADER)
        with gr.Row(elem_id="main", equal_height=False):
            with gr.Column(scale=2, min_width=300, elem_id="side"):
                viewer = gr.HTML(elem_id="viewer")
                drop = gr.HTML(elem_id="drop")
                waiting = gr.HTML(elem_id="waiting")
                with gr.Row():
                    age = gr.Dropdown(ages, value=NOT_KNOWN, label="Age group", min_width=120, elem_id="age")
                    view = gr.Dropdown(views, value=NOT_KNOWN, label="View", min_width=120, elem_id="view")
            with gr.Column(scale=3, min_width=300, elem_id="talk"):
                earlier = gr.HTML(elem_id="earlier")
                current = gr.HTML(WELCOME, elem_id="current")
                notice = gr.HTML(elem_id="notice")
                question = gr.Textbox(
                    label="Question", placeholder="Is there a pneumonia? How is it confirmed?", lines=2, max_lines=6,
                    max_length=8000, elem_id="question",
                )  # fmt: skip
                with gr.Row(elem_id="buttons"):
                    send = gr.Button("Ask", variant="primary", elem_id="ask", min_width=100)
                    stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop", min_width=100)
                    forget = gr.Button("Forget this conversation", size="md", elem_id="forget", min_width=100)
                engine = gr.HTML(page.first_engine(), elem_id="engine")
        named = {
            "question": question, "send": send, "stop": stop, "notice": notice, "earlier": earlier,
            "current": current, "waiting": waiting, "viewer": viewer, "engine": engine,
        }  # fmt: skip

        async def ask(asked: str, of_age: str, of_view: str, request: gr.Request) -> AsyncGenerator[Any, None]:
            async for changed in page.ask(asked, of_age, of_view, request):
                yield {named[name]: value for name, value in changed.items()}

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        direct: dict[str, Any] = {**quiet, "queue": False}
        gr.on(
            [send.click, question.submit], ask, [question, age, view], list(named.values()),
            concurrency_limit=PARALLEL_RUNS, trigger_mode="once", **quiet,
        )  # fmt: skip
        stop.click(page.stop, None, None, **direct)
        forget.click(page.forget, None, [earlier, current, viewer, waiting, notice], **direct)
        blocks.load(page.load, None, drop, **direct)
        blocks.unload(page.unload)
    return blocks
