"""``overread serve``: every interface in one process, or on Ray."""

from typing import Annotated

import typer

EXAMPLES = """
Examples:

  overread serve

  overread keys add ward-3 && overread serve --host 0.0.0.0 --port 8080

  overread serve --ray
"""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Run on Ray Serve, the heavy parts in processes of their own.")
    ] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
) -> None:
    """Serve OpenAI's API, studies, MCP, A2A, metrics and the chat page until Ctrl-C.

    Without API keys only this machine is served, and everybody on it is let in.
    """
    from overread.settings import settings

    chosen = settings()
    where = host or chosen.host, chosen.port if port is None else port
    if ray:
        from serve.remote.cluster import serve_on_ray

        serve_on_ray(chosen, *where)
    else:
        from serve.api.server import serve as serve_here

        serve_here(chosen, *where)
