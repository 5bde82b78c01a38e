"""A real server process, shared by all of these tests, with two users who have a key each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from serve.keys import Keys


@dataclass
class ApiServer:
    """``overread serve`` on a free port of loopback, in a process of its own."""

    url: str
    alice: str
    bob: str
    state: Path
    log: Path
    pid: int

    def client(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=200, trust_env=False)

    def metrics(self) -> str:
        with self.client(self.alice) as client:
            return client.get("/metrics").text

    def wait_until(self, line: str) -> None:
        """Wait until the metrics hold a line."""
        for _ in range(300):
            if line in self.metrics().splitlines():
                return
            time.sleep(0.1)
        raise AssertionError(line)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    (folder / "tmp").mkdir()
    state, log = folder / "state", folder / "log"
    keys = Keys(state / "keys.json")
    (_, alice), (_, bob) = keys.add("alice"), keys.add("bob")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERREAD_", "GRADIO_"))}
    own = {
        "OVERREAD_STATE": str(state), "OVERREAD_CACHE": str(cache), "TMPDIR": str(folder / "tmp"),
        "OVERREAD_API_BODY_BYTES": "1000000", "OVERREAD_MAX_FILE_BYTES": "2000000",
        "OVERREAD_API_RATE": "1000000", "OVERREAD_API_READ_S": "3", "OVERREAD_TRUSTED_PROXIES": '["127.0.0.1"]',
        "OVERREAD_ALLOWED_ORIGINS": '["https://viewer.example"]', "OVERREAD_ALLOWED_HOSTS": '["reader.example"]',
    }  # fmt: skip
    with log.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", "serve", "--port", "0"],
            stdout=subprocess.PIPE, stderr=err, text=True, env=kept | own,
        )  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "http://" in line, log.read_text()
        server = ApiServer("http://" + line.split("http://")[1].split()[0], alice, bob, state, log, process.pid)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def _wait_until_ready(server: ApiServer) -> None:
    for _ in range(2_000):
        if httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60).status_code == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")
