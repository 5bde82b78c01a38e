"""The processes that measure at once end with the run that began them, however it ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from evaluation.trust.run import _one_thread
if __name__ == "__main__":
    with ProcessPoolExecutor(1, get_context("spawn"), _one_thread) as pool:
        pool.submit(time.sleep, 0).result()
        print(next(iter(pool._processes)), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def runs(process: Path) -> bool:
    """Whether it is there, and more than an entry that nobody has taken note of."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc to look for the process in")
def test_a_run_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        worker = Path("/proc") / run.stdout.readline().strip()
        assert worker.exists()
        run.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while runs(worker):
        assert time.monotonic() < until, "it still runs"
        time.sleep(0.1)
