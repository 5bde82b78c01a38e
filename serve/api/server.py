"""Serves the one application until Ctrl-C."""

import os
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

    from serve.api.patience import patient
    from serve.tracing import begin_tracing

    # Several runs share the cores: each on as many threads as there are cores would only wait for the others.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // settings.api_image_runs)))
    tracing = begin_tracing(settings)
    said = "Overread serves its interfaces at {address} (Ctrl-C ends it)"
    try:
        serve_app(
            make,
            host,
            port,
            said,
            drain_s=settings.api_drain_s,
            log_config=None,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            http=patient(settings.api_read_s),
        )
    finally:
        if tracing is not None:
            tracing.shutdown()
