"""Serves the one application until Ctrl-C."""

from pathlib import Path
from typing import TYPE_CHECKING

from overread.settings import Settings
from serve.chat.server import LOOPBACK, serve_app
from serve.errors import ArgumentsError
from serve.keys import Keys, keys_file

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve every interface. Port 0 takes any free one.

    Raises ``ArgumentsError`` when the address cannot be had, or is not loopback's while there are no API keys.
    """
    if host not in LOOPBACK and not Keys(keys_file(settings)).all():
        raise ArgumentsError(
            "there are no API keys, so only loopback is served; make one with: overread keys add LABEL"
        )

    def make(folder: Path) -> "FastAPI":
        from serve.api.application import build_app
        from serve.api.logs import log_as_json

        log_as_json()
        return build_app(settings, folder, host)

    said = "Overread serves its interfaces at {address} (Ctrl-C ends it)"
    serve_app(make, host, port, said, drain_s=settings.api_drain_s, log_config=None, server_header=False)
