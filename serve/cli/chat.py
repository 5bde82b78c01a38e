"""``overread chat``: the chat page in one process."""

from typing import Annotated

import typer

EXAMPLES = """
Examples:

  overread chat

  overread chat --port 8080 --open
"""


def chat(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve the chat page at http://127.0.0.1:8000 until Ctrl-C."""
    from overread.settings import settings
    from serve.chat.server import serve_chat

    chosen = settings()
    serve_chat(chosen, host or chosen.host, chosen.port if port is None else port, open_page)
