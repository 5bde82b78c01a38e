"""``overread audit``: the trust report; and was the log of past runs changed, and what does it say of one of them?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.cli import trust

if TYPE_CHECKING:
    from guardrails.chain import Walk

EXAMPLES = """
Examples:

  overread audit run --data manifest.csv --out report --quick

  overread audit verify

  overread audit verify copies/audit.jsonl --json

  overread audit show sha256:3f9a1c20
"""

app = typer.Typer(
    help="The trust report of the models; and the audit log: whether it was changed, and what a run did.",
    rich_markup_mode=None,
    no_args_is_help=True,
    epilog=EXAMPLES,
)
app.command("run", epilog=trust.RUN_EXAMPLES)(trust.run)
app.command("compare", epilog=trust.COMPARE_EXAMPLES)(trust.compare)
app.command("gate", epilog=trust.GATE_EXAMPLES)(trust.gate)


@app.command("verify", epilog=EXAMPLES)
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", exists=True, dir_okay=False, help="A log; else the state folder's own."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Find any line that was edited, removed, moved or cut off; exit code 1 when there is one."""
    from guardrails.audit import verify as verified
    from serve.cli.output import own_stdout

    seen = verified(file or _own())
    with own_stdout() as out:
        out.write(_json(seen) if as_json else _text(seen))
    raise typer.Exit(int(bool(seen.problems)))


@app.command("show", epilog=EXAMPLES)
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="The audit_id of a run, or its first 8 digits and more.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="A log; else the state folder's own."),
    ] = None,
) -> None:
    """Print what the log says of one run, as JSON."""
    from guardrails.audit import as_text, find
    from serve.cli.output import own_stdout

    entry = find(file or _own(), name)
    with own_stdout() as out:
        out.write(as_text(entry))


def _own() -> Path:
    from guardrails.audit import AuditLog
    from overread.settings import settings

    return AuditLog(settings().state).path


def _json(seen: "Walk") -> str:
    whole = {
        "whole": not seen.problems,
        "entries": seen.count,
        "last": f"sha256:{seen.sha256}" if seen.count else None,
        "problems": seen.problems,
        "notes": seen.notes,
    }
    return json.dumps(whole, ensure_ascii=False) + "\n"


def _text(seen: "Walk") -> str:
    lines = [f"CHANGED  {problem}" for problem in seen.problems] + [f"note     {note}" for note in seen.notes]
    if not seen.problems:
        last = f"; the last is sha256:{seen.sha256}" if seen.count else ""
        lines.append(f"ok       the chain is whole: {seen.count} {'entry' if seen.count == 1 else 'entries'}{last}")
    return "\n".join(lines) + "\n"
