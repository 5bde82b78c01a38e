"""The commands by name."""

from typing import Annotated

import typer

from serve.cli import (
    ask,
    audit,
    batch,
    bench,
    calibrate,
    cases,
    chat,
    check,
    doctor,
    index,
    keys,
    mcp,
    models,
    redact,
    segment,
    serve,
    threads,
)

HELP = """Overread: a second reader for medical images. Research use; not a medical device.

It answers a question about an image as a stream, shows the evidence for every sentence, keeps patient
identity in, and says when it does not know.

Examples:

  overread ask chest.jpg "Is there a pneumonia?" --context age_band=child

  overread chat

  overread mcp (an MCP server for other agents; over HTTP: overread serve)

  overread doctor
"""

app = typer.Typer(add_completion=False, help=HELP, pretty_exceptions_enable=False, rich_markup_mode=None)


def _version(wanted: bool) -> None:
    if wanted:
        from overread import __version__

        typer.echo(f"overread {__version__}")
        raise typer.Exit


@app.callback()
def overread(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that stand before a command."""


app.command("ask", epilog=ask.EXAMPLES)(ask.ask)
app.command("batch", epilog=batch.EXAMPLES)(batch.batch)
app.command("calibrate", epilog=calibrate.EXAMPLES)(calibrate.calibrate)
app.command("chat", epilog=chat.EXAMPLES)(chat.chat)
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("mcp", epilog=mcp.EXAMPLES)(mcp.mcp)
app.command("redact", epilog=redact.EXAMPLES)(redact.redact)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("segment", epilog=segment.EXAMPLES)(segment.segment)
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
app.add_typer(cases.app, name="cases")
app.add_typer(index.app, name="index")
app.add_typer(audit.app, name="audit")
app.add_typer(check.app, name="check")
app.add_typer(threads.app, name="threads")
app.add_typer(bench.app, name="bench")
