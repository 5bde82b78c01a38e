"""The terminal's two renderings of a run: live with progress, and plain text for a pipe or a file."""

from typing import TYPE_CHECKING, Protocol, TextIO

from overread.events import DeltaEvent, Event, RefusalEvent, StudyEvent, ToolResultEvent, ToolStartEvent
from serve import words
from serve.rows import EVIDENCE_ID, Row, Rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

LABEL_WIDTH = 10
MAX_WIDTH = 100

STYLES = {"plain": "", "good": "green", "found": "bold", "open": "yellow", "bad": "red", "quiet": "dim"}


class Transcript(Protocol):
    """Shows one run's events in order."""

    def show(self, event: Event) -> None:
        """Show the next event."""

    def close(self) -> None:
        """End the last line and give the terminal back. Safe to call twice."""


def transcript_for(out: TextIO, images: int = 1) -> Transcript:
    """The live rendering when ``out`` is a terminal, else the plain one."""
    if not out.isatty():
        return PlainTranscript(out, images)
    from rich.console import Console

    return LiveTranscript(Console(file=out, highlight=False), images)


class PlainTranscript:
    """Plain text, no colours, no times: two runs that say the same give the same text."""

    def __init__(self, out: TextIO, images: int = 1) -> None:
        """``out`` gets the text, flushed with each event."""
        self._out = out
        self._rows = Rows(images)
        self._open = False
        self._blanks = ""

    def show(self, event: Event) -> None:
        """Write the event's rows, or the next piece of the answer."""
        if isinstance(event, DeltaEvent):
            self._piece(self._rows.piece(event))
        else:
            for row in self._rows.of(event):
                self._line(row)
        self._out.flush()

    def close(self) -> None:
        """End the last line."""
        if self._open:
            self._out.write("\n\n")
        self._open = False
        self._blanks = ""
        self._out.flush()

    def _piece(self, text: str) -> None:
        """Write a piece of the answer. White space waits for the words after it, so none trails at the end."""
        said = text.rstrip()
        if not said:
            self._blanks += text
            return
        self._out.write(self._blanks + said if self._open else "\n" + said.lstrip())
        self._blanks = text[len(said) :]
        self._open = True

    def _line(self, row: Row) -> None:
        self.close()
        self._out.write(f"{row.label:<{LABEL_WIDTH}}{row.text}\n")


class LiveTranscript:
    """Colours, spinners while tools run, times, and the answer word by word."""

    def __init__(self, console: "Console", images: int = 1) -> None:
        """``console`` is a terminal."""
        self._console = console
        self._rows = Rows(images)
        self._running: dict[str, str] = {}
        self._flow = _Flow(console, min(console.width, MAX_WIDTH))
        self._status: Status | None = None
        self._wait("reading")

    def show(self, event: Event) -> None:
        """Show the event: a step, or the next words of the answer."""
        if isinstance(event, DeltaEvent):
            self._rest()
            self._flow.write(self._rows.piece(event))
        elif isinstance(event, ToolStartEvent):
            self._flow.end()
            self._running[event.call_id] = event.tool
            self._wait("working: " + ", ".join(self._running.values()))
        elif isinstance(event, RefusalEvent):
            self._flow.end()
            self._panel(event)
        else:
            self._steps(event)

    def close(self) -> None:
        """End the last line and stop the spinner."""
        self._rest()
        self._flow.end()

    def _steps(self, event: Event) -> None:
        rows = self._rows.of(event)
        if rows:
            self._flow.end()
        took = ""
        if isinstance(event, ToolResultEvent):
            self._running.pop(event.call_id, None)
            took = f"  {words.seconds(event.elapsed_ms)}"
            waiting = ", ".join(self._running.values())
            self._wait(f"working: {waiting}" if waiting else "putting the evidence together")
        elif isinstance(event, StudyEvent):
            self._wait("looking at the image")
        for row in rows:
            self._line(row, took)
            took = ""

    def _line(self, row: Row, took: str) -> None:
        from rich.table import Table
        from rich.text import Text

        text = Text(row.text, style=STYLES[row.tone])
        text.highlight_regex(EVIDENCE_ID, "bold cyan")
        text.append(took, style="dim")
        grid = Table.grid(padding=0)
        grid.add_column(width=LABEL_WIDTH, style="bold")
        grid.add_column(max_width=MAX_WIDTH - LABEL_WIDTH, overflow="fold")
        grid.add_row(row.label, text)
        self._console.print(grid)

    def _panel(self, event: RefusalEvent) -> None:
        from rich.panel import Panel
        from rich.text import Text

        title, *rest = self._rows.of(event)
        body = Text("\n").join(Text(row.text) for row in rest)
        panel = Panel(body, title=title.text, title_align="left", border_style="red", width=self._flow.width)
        self._console.print(panel)

    def _wait(self, what: str) -> None:
        if self._status is None:
            self._status = self._console.status(what, spinner_style="cyan")
            self._status.start()
        else:
            self._status.update(what)

    def _rest(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


class _Flow:
    """Text that arrives in pieces, wrapped at words as it is written."""

    def __init__(self, console: "Console", width: int) -> None:
        self._console = console
        self.width = width
        self._column = 0
        self._word = ""
        self._blank = True

    def write(self, text: str) -> None:
        """Take the next piece. Words are written as soon as they are whole."""
        if self._blank and text:
            self._console.print()
            self._blank = False
        for char in text:
            if char == "\n":
                self._flush_word()
                self._console.print()
                self._column = 0
            elif char.isspace():
                self._flush_word()
            else:
                self._word += char

    def end(self) -> None:
        """Write what is left and end the paragraph."""
        self._flush_word()
        if self._column:
            self._console.print()
        if not self._blank:
            self._console.print()
        self._column = 0
        self._blank = True

    def _flush_word(self) -> None:
        from rich.cells import cell_len
        from rich.text import Text

        if not self._word:
            return
        width = cell_len(self._word)
        if self._column and self._column + 1 + width > self.width:
            self._console.print()
            self._column = 0
        text = Text((" " if self._column else "") + self._word)
        text.highlight_regex(EVIDENCE_ID, "bold cyan")
        self._column += text.cell_len
        self._console.print(text, end="", soft_wrap=True)
        self._word = ""
