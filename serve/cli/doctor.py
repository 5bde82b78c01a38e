"""``overread doctor``: does everything work here?"""

from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from serve.checks import Check

EXAMPLES = """
Examples:

  overread doctor

  overread doctor --json
"""

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "fault": ("FAULT", "red")}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="One JSON object with every check.")] = False) -> None:
    """Check that every part works on this machine."""
    from overread.settings import settings
    from serve.checks import run_checks
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        checks = list(run_checks(settings()))
        _write_json(checks, out) if as_json else _write_table(checks, out)
    raise typer.Exit(int(any(check.status == "fault" for check in checks)))


def _write_json(checks: "list[Check]", out: TextIO) -> None:
    import json

    ok = not any(check.status == "fault" for check in checks)
    out.write(json.dumps({"ok": ok, "checks": [check.model_dump() for check in checks]}) + "\n")


def _write_table(checks: "list[Check]", out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("status", no_wrap=True)
    table.add_column("part", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for check in checks:
        word, colour = _MARKS[check.status]
        table.add_row(Text(word, style=colour), Text(check.name, style="bold"), Text(check.detail))
    faults = sum(check.status == "fault" for check in checks)
    console = Console(file=out, width=None if out.isatty() else 120)
    console.print(table)
    console.print("Everything works." if not faults else f"{faults} of {len(checks)} parts do not work.")
