"""``overread cases``: your own similar cases. What is removed is in no later answer."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tools.cases.index import CaseEntry

EXAMPLES = """
Examples:

  overread cases add mole1.dcm mole2.png --label melanoma --note "confirmed by histology"

  overread cases list

  overread cases remove 3f0c9a51d27be846
"""

app = typer.Typer(
    help="Your own similar cases: add, list, remove. Only a vector, a kind and your label are kept of an image.",
    rich_markup_mode=None,
    epilog=EXAMPLES,
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Images; a folder or zip is one study.")],
    label: Annotated[str, typer.Option(metavar="L", help="What they are known to show, such as melanoma.")],
    note: Annotated[str, typer.Option(metavar="NOTE", help="A note of yours; nothing of a patient.")] = "",
    frame: Annotated[int | None, typer.Option(metavar="N", help="Which frame of many, counted from 0.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add images under one label. Exit code 2 when one could not be added."""
    from agent.casebook import Casebook
    from overread.settings import settings
    from serve.arguments import check_images, image_place
    from serve.cli import EXIT_BAD_ARGUMENTS
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError
    from serve.printing import error_line

    check_images(paths)
    with own_stdout() as out:
        results = list(Casebook(settings()).add(paths, label, note, frame))
        added = [result.case for result in results if result.case]
        if not added:
            raise ArgumentsError(f"{image_place(0, len(paths))} was not added: {results[0].reason}")
        for result in results:
            if result.case is None:
                error_line(f"{image_place(result.number - 1, len(paths))} was not added: {result.reason}")
            elif not as_json:
                out.write(f"{_line(result.case)}\n")
        if as_json:
            out.write(json.dumps({"added": [case.model_dump() for case in added]}, ensure_ascii=False) + "\n")
    raise typer.Exit(0 if len(added) == len(results) else EXIT_BAD_ARGUMENTS)


@app.command("list")
def list_cases(as_json: AsJson = False) -> None:
    """List your own cases with their ids."""
    from agent.casebook import Casebook
    from overread.settings import settings
    from serve.cli.output import own_stdout

    entries = Casebook(settings()).own.entries()
    with own_stdout() as out:
        if as_json:
            out.write(json.dumps({"cases": [entry.model_dump() for entry in entries]}, ensure_ascii=False) + "\n")
        elif entries:
            out.write("".join(f"{_line(entry)}\n" for entry in entries))
        else:
            out.write("you have added no cases\n")


@app.command("remove")
def remove(case_id: Annotated[str, typer.Argument(metavar="ID", help="The id that list shows.")]) -> None:
    """Remove one of your own cases from the file and from every later answer."""
    from agent.casebook import Casebook
    from overread.settings import settings
    from serve.cli.output import own_stdout

    gone = Casebook(settings()).own.remove(case_id)
    with own_stdout() as out:
        out.write(f"removed {gone.id}\n")


@app.command("info")
def info(as_json: AsJson = False) -> None:
    """Say how many cases there are of each kind and label, the starter index's and your own."""
    from collections import Counter

    from agent.parts import Parts
    from overread.settings import settings
    from serve.cli.output import own_stdout
    from tools.cases.similar import SimilarCases

    rows: list[dict[str, str | int]] = []
    for tool in Parts(settings()).registry().all():
        if isinstance(tool, SimilarCases):
            counts = Counter((entry.domain, entry.label, entry.source) for entry in tool.entries())
            rows += [
                {"domain": domain, "label": label, "source": source, "cases": number}
                for (domain, label, source), number in sorted(counts.items())
            ]
    with own_stdout() as out:
        if as_json:
            out.write(json.dumps({"index": rows}, ensure_ascii=False) + "\n")
        else:
            out.write("".join("{cases:>6}  {domain:<20}  {label} ({source})\n".format(**row) for row in rows))
            out.write(f"{sum(int(row['cases']) for row in rows):>6}  in all\n")


def _line(entry: "CaseEntry") -> str:
    return f"{entry.id}  {entry.domain}  {entry.label}" + (f"  ({entry.note})" if entry.note else "")
