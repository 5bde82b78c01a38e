"""The MCP server on standard input and output: one client, which started it."""

import os
import tempfile
from pathlib import Path

from overread.settings import Settings

QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Libraries show no progress bars, unless the user asks for them."""


async def serve_stdio(settings: Settings) -> None:
    """Serve until standard input ends. Nothing but the protocol is written to standard output; the log to stderr."""
    from serve.api.logs import log_as_json

    os.environ |= QUIET | os.environ
    log_as_json()
    from serve.api.service import Service
    from serve.mcp.server import build_server

    with tempfile.TemporaryDirectory(prefix="overread-mcp-") as folder:
        service = Service.of(settings, Path(folder))
        async with service.assistant:
            await build_server(service, on_stdio=True).run_stdio_async()
