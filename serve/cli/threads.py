"""``overread threads``: the conversations that are remembered, and how one is forgotten."""

import asyncio
import json
from typing import Annotated

import typer

EXAMPLES = """
Examples:

  overread threads list

  overread threads remove case-7
"""

app = typer.Typer(
    help="The conversations that ask --thread remembers.", rich_markup_mode=None, no_args_is_help=True, epilog=EXAMPLES
)


@app.command("list")
def list_threads(as_json: Annotated[bool, typer.Option("--json", help="One JSON array of names.")] = False) -> None:
    """List the threads by name."""
    from agent.checkpoints import thread_names
    from overread.settings import settings
    from serve.cli.output import own_stdout

    names = asyncio.run(thread_names(settings()))
    with own_stdout() as out:
        out.write(json.dumps(names) + "\n" if as_json else "".join(f"{name}\n" for name in names))


@app.command("remove")
def remove(names: Annotated[list[str], typer.Argument(metavar="ID...", help="Threads by name.")]) -> None:
    """Forget threads: their bytes are gone from the disk. The audit log keeps its line about each run."""
    from agent.checkpoints import remove_threads
    from overread.settings import settings

    asyncio.run(remove_threads(settings(), names))
