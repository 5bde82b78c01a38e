"""How fast Overread is on this machine: from typing the command to the first line, and warm.

Every figure stands beside a baseline of the same run, because seconds alone say little of a program and
much of the machine it ran on.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agent.assistant import Assistant
from agent.request import Request
from overread.events import DoneEvent
from overread.records import Context
from overread.settings import Settings


@dataclass(frozen=True)
class Timing:
    """A median in seconds, the bar it should stay under, and the baseline it is compared with."""

    name: str
    seconds: float
    bar_s: float | None
    baseline: str
    baseline_s: float

    @property
    def ratio(self) -> float:
        """How many times the baseline it takes."""
        return self.seconds / self.baseline_s


def measure(repeats: int = 3, image: Path | None = None) -> list[Timing]:
    """All timings, each the median of ``repeats``. Without ``image`` a synthetic one is used."""
    with TemporaryDirectory(prefix="overread-bench-") as folder:
        home = Path(folder)
        picture = image or synthetic_image(home / "image.png")
        python = _median(lambda: _run([sys.executable, "-c", "pass"]), repeats)
        imports = _median(lambda: _run([sys.executable, "-c", "import torch, open_clip"]), repeats)
        overread = [sys.executable, "-m", "serve.cli"]
        ask = [*overread, "ask", str(picture), "What do you see?", "--json"]
        warm = asyncio.run(_warm(picture, repeats, Settings(state=home / "state")))
        return [
            Timing("overread --help", _median(lambda: _run([*overread, "--help"]), repeats), 1.0,
                   "python -c pass", python),
            Timing("first JSON line of overread ask", _median(lambda: _first_line(ask), repeats), 7.0,
                   "import torch, open_clip", imports),
            Timing("overread ask, whole", _median(lambda: _run(ask), repeats), None,
                   "import torch, open_clip", imports),
            Timing("an image answered, warm", warm, 4.0, "import torch, open_clip", imports),
        ]  # fmt: skip


def synthetic_image(path: Path) -> Path:
    """A grey picture with a bright band and noise, 512 x 512, seeded."""
    from PIL import Image

    rng = np.random.default_rng(0)
    rows = np.hanning(512)[:, None] * np.ones((1, 512))
    Image.fromarray((rows * 180 + rng.normal(0, 12, (512, 512))).clip(0, 255).astype(np.uint8)).save(path)
    return path


def median_seconds(once: Callable[[], object], repeats: int) -> float:
    """The median time of ``once`` in seconds, after one call that is not counted."""

    def timed() -> float:
        begun = time.perf_counter()
        once()
        return time.perf_counter() - begun

    once()
    return _median(timed, repeats)


def _median(once: Callable[[], float], repeats: int) -> float:
    return statistics.median(once() for _ in range(repeats))


def _run(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _first_line(command: Sequence[str]) -> float:
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        if process.stdout is None or not process.stdout.readline():
            raise RuntimeError("overread ask wrote no line; run it by hand to see why")
        elapsed = time.perf_counter() - begun
        process.stdout.read()
    return elapsed


async def _warm(image: Path, repeats: int, settings: Settings) -> float:
    """Seconds from question to ``done``, all parts loaded by one run before."""
    times = []
    async with Assistant(settings) as assistant:
        for _ in range(repeats + 1):
            request = Request("Is there a pneumonia? What is it?", (image,), context=Context(age_band="child"))
            times.append(await _ask_time(assistant, request))
    return statistics.median(times[1:])


async def _ask_time(assistant: Assistant, request: Request) -> float:
    begun = time.perf_counter()
    last = None
    async for event in assistant.ask(request):
        last = event
    if not isinstance(last, DoneEvent):
        raise RuntimeError("the run did not end well; run overread doctor")
    return time.perf_counter() - begun
