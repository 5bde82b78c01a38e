"""A real ``overread serve --ray``: two processes that answer, one for each other part. Shared by one module's tests."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from serve.keys import Keys

CONFIG = """
applications:
  - name: overread
    import_path: serve.ray_app:app
    deployments:
      - {name: Ingress, num_replicas: 2, max_ongoing_requests: 4, max_queued_requests: 3}
"""
WAIT_S = 240


@dataclass
class RayServer:
    """The command on a free port of loopback, and the processes below it."""

    url: str
    process: "subprocess.Popen[str]"
    state: Path
    key: str
    tmp: Path
    log: Path
    stopped: set[int] = field(default_factory=set)

    def client(self, session: str = "one", key: str | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers(session, key), timeout=WAIT_S, trust_env=False)

    def headers(self, session: str = "one", key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {key or self.key}", "X-Session-Id": session}

    def below(self) -> set[int]:
        """Every process that the command has started, itself among them."""
        parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def replicas(self, deployment: str) -> set[int]:
        """The process ids of a deployment's replicas."""
        application = "overread" if deployment == "Ingress" else f"overread-{deployment.lower()}"
        title = f"ray::ServeReplica:{application}:{deployment}"
        found = set()
        for pid in self.below():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(title.encode()):
                    found.add(pid)
        return found

    def folders(self) -> list[Path]:
        """What lies in the temporary folders of what the command made."""
        own = f"overread-chat-{self.process.pid}-*"
        return [*Path("/tmp").glob(own), *self.tmp.iterdir()]  # noqa: S108

    def answering(self) -> int:
        """The replica that has a run about an image going on, by the folder it has for the image."""
        for _ in range(WAIT_S * 20):
            for folder in (run for own in self.folders() for run in own.glob("tmp/overread-chat-*/run-*")):
                return int(folder.parent.name.split("-")[2])
            time.sleep(0.05)
        raise AssertionError("no run goes on")

    @contextlib.contextmanager
    def paused(self, deployment: str) -> Iterator[set[int]]:
        """A deployment that does nothing meanwhile."""
        pids = self.replicas(deployment)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield pids
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture(scope="module")
def ray_server(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[RayServer]:
    if not os.access("/dev/shm", os.W_OK):  # noqa: S108
        pytest.skip("Ray needs a /dev/shm that can be written to")
    folder = tmp_path_factory.mktemp("ray")
    state, log, config = folder / "state", folder / "log", folder / "serve.yaml"
    config.write_text(CONFIG)
    _, key = Keys(state / "keys.json").add("alice")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERREAD_", "GRADIO_", "RAY_"))}
    with tempfile.TemporaryDirectory(prefix="ovt-", ignore_cleanup_errors=True) as short, log.open("w") as err:
        own = {
            "OVERREAD_STATE": str(state), "OVERREAD_CACHE": str(cache), "TMPDIR": short,
            "OVERREAD_RAY_CONFIG": str(config), "OVERREAD_API_DRAIN_S": "60",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "serve.cli", "serve", "--ray", "--port", "0"],
            stdout=subprocess.PIPE, stderr=err, text=True, env=kept | own,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if "http://" not in line:
                process.wait(60)
                said = log.read_text()
                if "Ray cannot be started here" in said:
                    pytest.skip("Ray cannot be started on this machine")
                raise AssertionError(said)
            url = "http://" + line.split("http://")[1].split()[0]
            yield RayServer(url, process, state, key, Path(short), log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=120)
