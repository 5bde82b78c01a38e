"""``overread keys``: who may call ``overread serve``."""

from typing import Annotated

import typer

EXAMPLES = """
Examples:

  overread keys add ward-3

  overread keys list
"""

app = typer.Typer(
    help="API keys of overread serve. A running server sees a change at once.", epilog=EXAMPLES, no_args_is_help=True
)


@app.command("add", epilog=EXAMPLES)
def add(
    label: Annotated[str, typer.Argument(help="What to call it: letters, digits, '.', '_' or '-'. No person's name.")],
) -> None:
    """Make a key and print it: it is shown this once, and stored only as a hash."""
    from overread.settings import settings
    from serve.keys import Keys, keys_file

    _, key = Keys(keys_file(settings())).add(label)
    typer.echo(key)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """The keys there are: id, label, and when each was made."""
    import json

    from overread.settings import settings
    from serve.keys import Keys, keys_file

    for key in Keys(keys_file(settings())).all():
        told = {"id": key.id, "label": key.label, "made": key.made}
        typer.echo(json.dumps(told) if as_json else "  ".join(told.values()))


@app.command("remove")
def remove(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as list shows it.")]) -> None:
    """Take a key away: whoever has it is let in no longer."""
    from overread.settings import settings
    from serve.keys import Keys, keys_file

    Keys(keys_file(settings())).remove(key_id)
