"""Ray on this machine for ``overread serve --ray``: reached over loopback alone, ended with the command.

Ray's own switches are environment variables that it reads when it is imported, so nothing here imports it early.
"""

import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overread.settings import Settings
from serve.chat.server import LOOPBACK, listen, private_folder
from serve.errors import ArgumentsError
from serve.keys import Keys, keys_file

IMPORT_PATH = "serve.remote.front.middlewares"
"""What Ray's proxy asks for middlewares."""

STORE_BYTES = 512 * 2**20
"""Memory that processes on one machine hand pictures to each other through."""

LONGEST_BASE = 12
"""Ray makes sockets some 62 characters below its folder, whose name has 30; a socket's path has 107 at most."""


def serve_on_ray(settings: Settings, host: str, port: int) -> None:
    """Serve every interface on Ray until Ctrl-C. Port 0 takes any free one.

    Raises ``ArgumentsError`` when the address cannot be had, is not loopback's while there are no API keys, or the
    config file cannot be used.
    """
    if host not in LOOPBACK and not Keys(keys_file(settings)).all():
        raise ArgumentsError(
            "there are no API keys, so only loopback is served; make one with: overread keys add LABEL"
        )
    with listen(host, port) as free:
        port = free.getsockname()[1]
    os.environ |= _switches()
    options = _options(settings.ray_config) if settings.ray_config else {}
    with private_folder(_base()) as folder, _ray(folder):
        from ray import serve

        from serve import ray_app
        from serve.remote.deployments import part_name

        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(
            proxy_location="HeadOnly", http_options={"host": host, "port": port}, logging_config=dict(ray_app.QUIET)
        )
        targets = [
            serve.RunTarget(ray_app.part(kind, options), name=part_name(kind), route_prefix=None)
            for kind in ray_app.PARTS
        ]
        serve.run_many([*targets, serve.RunTarget(ray_app.ingress(host, options), name=ray_app.NAME)])
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"Overread serves its interfaces at {address} on Ray (Ctrl-C ends it)", flush=True)  # noqa: T201
        # Ray has put a handler of its own, which would not wait for the answers that go on.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        try:
            threading.Event().wait()
        finally:
            # What answers first: Ray's proxy and the parts must be there until it has ended what goes on.
            serve.delete(ray_app.NAME)
            serve.shutdown()


def _switches() -> dict[str, str]:
    """What Ray reads from the environment, in this process when it is imported, and in those it starts."""
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        # On Linux, too, this makes Ray take the address of loopback for that of the machine.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_DEDUP_LOGS": "0",
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": IMPORT_PATH,
    }


def _base() -> Path:
    """Where Ray's folder lies: its sockets need a short path."""
    base = tempfile.gettempdir()
    return Path(base if len(base) <= LONGEST_BASE else "/tmp")  # noqa: S108  the folder in it is of mode 0700


@contextmanager
def _ray(folder: Path) -> Iterator[None]:
    """Ray on this machine and for this process alone. Raises ``ArgumentsError`` when it cannot be started."""
    (folder / "tmp").mkdir(mode=0o700)
    # What a process that is killed leaves behind goes with this folder.
    os.environ["TMPDIR"] = str(folder / "tmp")
    import ray

    try:
        ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ArgumentsError(f"Ray cannot be started here ({type(error).__name__}); serve without --ray") from None
    try:
        yield
    finally:
        ray.shutdown()


def _options(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The deployments' options in a Ray Serve config file, by name. Raises ``ArgumentsError``."""
    import yaml
    from pydantic import ValidationError
    from ray.serve.schema import ServeDeploySchema

    from serve.ray_app import NAME

    try:
        given = ServeDeploySchema.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise ArgumentsError(
            f"the file that OVERREAD_RAY_CONFIG names is no Ray Serve config ({type(error).__name__})"
        ) from None
    ours = [one for one in given.applications if one.name.startswith(NAME)]
    if not ours:
        raise ArgumentsError(f"the file that OVERREAD_RAY_CONFIG names has no application called {NAME}")
    deployments = [deployment for one in ours for deployment in one.deployments]
    return {one.name: _without_name(one.model_dump(exclude_unset=True)) for one in deployments}


def _without_name(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != "name"}
