"""The page: what stands where, and what its parts work with. Its looks are in ``style``, its scripts in ``static``."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from overread.events import EngineEvent
from overread.records import Context
from overread.settings import Settings
from serve import words
from serve.arguments import choices
from serve.chat.dropzone import dropzone_html
from serve.chat.feedback import Feedback
from serve.chat.followups import follow_ups
from serve.chat.history import Sessions
from serve.chat.pieces import Piece
from serve.chat.render import turn_pieces
from serve.chat.session import THREAD, Session, Turn
from serve.chat.shell import kept_words
from serve.chat.viewer import seen_piece, viewer_html
from serve.errors import ServeError

if TYPE_CHECKING:
    from agent.assistant import Assistant

log = logging.getLogger(__name__)

NOT_KNOWN = "not known"
SWEEP_S = 60.0
PARALLEL_OPENINGS = 2
"""Most studies that are opened at once; others wait for their turn."""

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]

TALK = """<div id="talk-welcome" class="welcome"><p>Drop an image and ask about it, or ask a question of knowledge
without one.</p><p class="hint">Identity is taken out before anything looks at the
image, and nothing leaves this machine unless a language model server elsewhere is configured. {kept}</p></div>
<div id="earlier"></div>
<div id="current"></div>"""


class ChatPage:
    """What the page's routes work with. ``assistant`` is set while the server runs. ``opening`` is held by whoever
    opens a study.
    """

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.settings = settings
        self.opening = asyncio.Semaphore(PARALLEL_OPENINGS)
        self.sessions = sessions
        self.feedback = Feedback(settings)
        self.assistant: Assistant | None = None

    @asynccontextmanager
    async def opened(self, assistant: "Assistant") -> AsyncIterator[None]:
        """While this lasts, the page answers with ``assistant``; then every conversation is forgotten."""
        self.assistant = assistant
        sweeping = asyncio.create_task(self._sweep(assistant))
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await self.sessions.end_all(assistant)

    async def _sweep(self, assistant: "Assistant") -> None:
        while True:
            await asyncio.sleep(min(SWEEP_S, self.settings.history_hours * 900))
            try:
                await self.sessions.sweep(assistant)
                # And what a server that was killed has left behind.
                await assistant.forget_older(THREAD, time.time() - self.settings.history_hours * 3600)
            except Exception as error:  # noqa: BLE001  whatever it was, the next ones must be deleted in time
                log.error("conversations past their time could not be deleted: %s", type(error).__name__)

    def ready(self) -> "Assistant":
        """The assistant. Raises ``ServeError`` before the server is ready."""
        if self.assistant is None:
            raise ServeError("the page is still starting; try again in a moment")
        return self.assistant

    def redact(self, text: str) -> str:
        """A text without what identifies somebody."""
        from guardrails.phi.identity import Identity
        from guardrails.phi.text import redact

        return redact(text, Identity(), self.ready().parts.detector()).text

    def begin_answer(self, session: Session, question: str, context: Context, again: Turn | None = None) -> Turn:
        """Begin an answer in a conversation. Raises ``AnsweringError`` while another is being written there."""
        session.suggest = lambda turns: follow_ups(turns, self._titles)
        return session.ask(self.ready(), question, context, self.redact, self.sessions.places, again)

    def _titles(self, question: str) -> list[str]:
        return [hit.title for hit in self.ready().parts.knowledge().search(question, k=2)]

    def pieces(self, session: Session) -> list[Piece]:
        """All that stands on the page of a conversation."""
        return [*self._turns(session), _revision(session), seen_piece(session), self._engine(session)]

    def _turns(self, session: Session) -> list[Piece]:
        address = f"/page/{session.key}"
        found: list[Piece] = []
        earlier: list[Any] = []
        for turn in session.turns:
            box = "current" if turn is session.turns[-1] else "earlier"
            # A turn in which nothing happens is drawn once.
            if turn.drawn is None or turn.drawn[0] != (turn.changes, box):
                turn.drawn = (turn.changes, box), turn_pieces(turn, box, address, earlier)
            found += turn.drawn[1]
            earlier += turn.events
        return found

    def _engine(self, session: Session) -> Piece:
        """The engine and its limits, always in sight: the one that wrote last, or else the one that will."""
        events = [event for turn in session.turns for event in turn.events]
        engine = next((event for event in reversed(events) if isinstance(event, EngineEvent)), None)
        said = (words.engine_line(engine), words.engine_limits(engine)) if engine else self.first_engine()
        return Piece("engine-line", "engine-box", engine_html(*said))

    def first_engine(self) -> tuple[str, str]:
        """Which engine will write, before one has, and its limits."""
        said = words.phrases()["engine"]
        if self.settings.llm_base_url:
            model = self.settings.llm_model or "of the configured server"
            return said["llm"].format(model=model), said["llm_limits"]
        return said["composer"], said["limits"]


def _revision(session: Session) -> Piece:
    """Tells the script of the dropped studies that they changed; nothing is to be seen of it."""
    html = '<span id="studies-revision" hidden></span>'
    return Piece("studies-revision", "waiting-box", html, {"data-revision": f"{session.key}-{session.shelf.revision}"})


def engine_html(line: str, limits: str) -> str:
    """The engine and its limits."""
    return f'<p id="engine-line" class="engine"><b>Written by</b> {escape(line)}. {escape(limits)}</p>'


def theme() -> gr.themes.Base:
    """A quiet theme with the machine's own fonts: nothing is fetched."""
    return gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", font=FONT, font_mono=["ui-monospace", "monospace"], radius_size="sm"
    )


def build_page(page: ChatPage) -> gr.Blocks:
    """The layout, wired to the page's handlers and scripts."""
    ages = [NOT_KNOWN, *choices()["age_band"]]
    views = [NOT_KNOWN, *choices()["view"]]
    with gr.Blocks(title="Overread", analytics_enabled=False, fill_width=True, delete_cache=(60, 600)) as blocks:
        with gr.Row(elem_id="main", equal_height=False):
            with gr.Column(scale=2, min_width=300, elem_id="side"):
                gr.HTML(viewer_html(), elem_id="viewer")
                gr.HTML(dropzone_html(page.settings), elem_id="drop")
                gr.HTML('<div id="waiting-box"></div>', elem_id="waiting")
                with gr.Row(elem_id="context"):
                    age = gr.Dropdown(ages, value=NOT_KNOWN, label="Age group", min_width=120, elem_id="age")
                    view = gr.Dropdown(views, value=NOT_KNOWN, label="View", min_width=120, elem_id="view")
            with gr.Column(scale=3, min_width=300, elem_id="talk"):
                gr.HTML(TALK.format(kept=kept_words(page.settings)), elem_id="log")
                gr.HTML('<div id="notice-box" role="status"></div>', elem_id="notice")
                question = gr.Textbox(
                    label="Question", placeholder="Is there a pneumonia? How is it confirmed?", lines=2, max_lines=6,
                    max_length=8000, elem_id="question",
                )  # fmt: skip
                with gr.Row(elem_id="buttons"):
                    send = gr.Button("Ask", variant="primary", elem_id="ask", min_width=100)
                    stop = gr.Button("Stop", variant="stop", elem_id="stop", min_width=100)
                    forget = gr.Button("Forget this conversation", size="md", elem_id="forget", min_width=100)
                gr.HTML(f'<div id="engine-box">{engine_html(*page.first_engine())}</div>', elem_id="engine")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        send.click(None, [question, age, view], question, js="(q, a, v) => window.overread.ask(q, a, v)", **quiet)
        stop.click(None, None, None, js="() => { window.overread.stop(); }", **quiet)
        forget.click(None, None, None, js="() => { window.overread.forget(); }", **quiet)
    return blocks
