"""The MCP server on standard input and output: one client, which started it."""

import asyncio
import os
import signal
import tempfile
from pathlib import Path

from overread.settings import Settings

QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error"}
"""Libraries show no progress bars, unless the user asks for them."""

_ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""Signals that end it, and the exit codes a shell shows for them."""


async def serve_stdio(settings: Settings) -> None:
    """Serve until standard input ends. Nothing but the protocol is written to standard output; the log to stderr."""
    from serve.api.logs import log_as_json

    os.environ |= QUIET | os.environ
    log_as_json()
    from serve.api.service import Service
    from serve.mcp.server import build_server

    ended = asyncio.get_running_loop().create_future()
    for number, code in _ENDS.items():
        asyncio.get_running_loop().add_signal_handler(number, _end, ended, code)
    with tempfile.TemporaryDirectory(prefix="overread-mcp-") as folder:
        service = Service.of(settings, Path(folder))
        async with service.assistant:
            serving = asyncio.create_task(build_server(service, on_stdio=True).run_stdio_async())
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        # A thread waits for a line of input that may never come, so the process would not end by itself.
        os._exit(ended.result())
    await serving


def _end(ended: "asyncio.Future[int]", code: int) -> None:
    if not ended.done():
        ended.set_result(code)
