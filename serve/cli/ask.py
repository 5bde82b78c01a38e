"""``overread ask``: a question about images, answered in the terminal."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from serve.cli import EXIT_BAD_ARGUMENTS, EXIT_OUR_FAULT

if TYPE_CHECKING:
    from agent.assistant import Assistant
    from agent.request import Request
    from overread.events import Event

EXAMPLES = """
Examples:

  overread ask chest.jpg "Is there a pneumonia? What is it, and how is it confirmed?" --context age_band=child

  overread ask slice.dcm "What do you see?" --overlay seen.png

  overread ask series/ "What do you see?" (a folder or zip archive of DICOM is one study; --frame picks a slice)

  overread ask new.dcm "Has it grown?" --prior old.dcm

  overread ask film.dcm "Write a report" --report report.json (a draft in four sections, and the same as JSON)

  overread ask "How is a pneumothorax confirmed?" --json

  overread ask film.dcm "Is there an effusion?" --thread case-7, then: overread ask "How sure is that?" --thread case-7
"""


INPUT_FAULTS = {"unreadable_input", "too_large", "no_such_frame", "bad_request"}
"""Codes of ``error`` events that are about what was given, not about Overread."""


def ask(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[IMAGE]... QUESTION", help="Images, folders or zip archives of DICOM, then the question."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON event a line, as it happens.")] = False,
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="Remember this conversation, and go on with it.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE,...", help="What is known: age_band, sex, view, laterality, body_part."),
    ] = None,
    overlay: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Write the first image with what was found drawn on it.")
    ] = None,
    frame: Annotated[int | None, typer.Option(metavar="N", help="Which frame of many, counted from 0.")] = None,
    prior: Annotated[
        Path | None, typer.Option(metavar="OLD", help="An earlier study of the same patient, to compare with.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="OUT.json", help="Write the report that is asked for as JSON too.")
    ] = None,
) -> None:
    """Ask about images, or with no image ask a question of knowledge."""
    from serve.arguments import read_request
    from serve.cli.output import check_picture_path, own_stdout
    from serve.cli.report_file import check_report_path

    request = read_request(words, thread, context or (), frame, prior)
    given = (*(image for image in request.images if isinstance(image, Path)), *([prior] if prior else []))
    if report is not None:
        check_report_path(report, request.question, given)
    if overlay is not None:
        check_picture_path(overlay, given)
    with own_stdout() as out:
        code = asyncio.run(_answer(request, as_json, overlay, report, out))
    raise typer.Exit(code)


async def _answer(request: "Request", as_json: bool, overlay: Path | None, report: Path | None, out: TextIO) -> int:
    from agent.assistant import Assistant

    heard: list[Event] = []
    async with Assistant(None) as assistant:
        if as_json:
            last, study = await _lines(assistant, request, out, heard)
        else:
            last, study = await _transcript(assistant, request, out, heard)
        code = _exit_code(last, as_json)
        if overlay is not None and code == os.EX_OK:
            _write_overlay(assistant, study, overlay)
    if report is not None and code == os.EX_OK:
        from serve.cli.report_file import write_report

        write_report(report, heard)
    return code


async def _lines(
    assistant: "Assistant", request: "Request", out: TextIO, heard: "list[Event]"
) -> "tuple[Event | None, str | None]":
    last, study = None, None
    async for event in assistant.ask(request):
        out.write(event.model_dump_json() + "\n")
        out.flush()
        heard.append(event)
        last, study = event, study or _study(event)
    return last, study


async def _transcript(
    assistant: "Assistant", request: "Request", out: TextIO, heard: "list[Event]"
) -> "tuple[Event | None, str | None]":
    from overread.events import ErrorEvent
    from serve.terminal import transcript_for

    last, study = None, None
    transcript = transcript_for(out, len(request.images) + (request.prior is not None))
    try:
        async for event in assistant.ask(request):
            if not isinstance(event, ErrorEvent):
                transcript.show(event)
            heard.append(event)
            last, study = event, study or _study(event)
    finally:
        transcript.close()
    return last, study


def _study(event: "Event") -> str | None:
    from overread.events import StudyEvent

    return event.study_id if isinstance(event, StudyEvent) else None


def _exit_code(last: "Event | None", as_json: bool) -> int:
    """0 after ``done`` (a refusal too), 2 for an input at fault, 1 for a fault of ours."""
    from overread.events import ErrorEvent
    from serve.printing import error_line

    if not isinstance(last, ErrorEvent):
        return os.EX_OK if last is not None else EXIT_OUR_FAULT
    if not as_json:
        error_line(last.message)
    return EXIT_BAD_ARGUMENTS if last.code in INPUT_FAULTS else EXIT_OUR_FAULT


def _write_overlay(assistant: "Assistant", study: str | None, path: Path) -> None:
    from serve.cli.output import write_picture
    from serve.printing import error_line

    pixels = assistant.overlay(study) if study else None
    if pixels is None:
        error_line("no overlay was written: no image was looked at")
    else:
        write_picture(path, pixels)
