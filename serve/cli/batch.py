"""``overread batch``: one question about many files, a row of JSONL for each."""

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serve.batch import Output, Task

QUESTION = "What does this image show?"
EXAMPLES = """
Examples:

  overread batch studies/ --out answers.jsonl

  overread batch films/ extra.dcm --out films.jsonl --question "Is there a pneumonia?" --context age_band=child

Called again, it goes on where it ended. A folder of DICOM as one study: give it as a zip archive.
"""


def batch(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, and folders of files.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="R.jsonl", help="The file of rows, one a file.")],
    question: Annotated[str, typer.Option(metavar='"Q"', help="What is asked of every file.")] = QUESTION,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE,...", help="What is known of all: age_band, sex, view, laterality, body_part."),
    ] = None,
) -> None:
    """Ask one question about many files: a row for each, in order. One bad file stops nothing."""
    from serve.arguments import MAX_QUESTION, read_context
    from serve.batch import Output, Task, files_under
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    if not question.strip() or len(question) > MAX_QUESTION:
        raise ArgumentsError(f"the question must have 1 to {MAX_QUESTION} characters")
    task = Task(question.strip(), read_context(context or ()))
    files = files_under(paths, but=out)
    output = Output.open(out, task)
    with own_stdout() as told:
        asyncio.run(_run(files, task, output))
        told.write(f"{len(files)} files: {_told(output)}\n")


async def _run(files: list[str], task: "Task", output: "Output") -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from agent.assistant import Assistant
    from serve.batch import rows

    left = [file for file in files if file not in output.done]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        shown = progress.add_task("reading", total=len(files), completed=len(files) - len(left))
        async with Assistant(None) as assistant, aclosing(rows(assistant, left, task)) as answered:
            async for row in answered:
                output.write(row)
                progress.update(shown, advance=1, description=_told(output))


def _told(output: "Output") -> str:
    names = (("ok", "answered"), ("refused", "refused"), ("error", "not readable"))
    return ", ".join(f"{output.counts[status]} {words}" for status, words in names)
