"""How a server answers many at once: answers a second, the time to the first event and the first text, and what of
an answer's time the guardrails take.

The server is a real one in a process of its own, or one that runs already (Ray's, say), and is asked over loopback
or the network by real HTTP clients, one connection each.
"""

import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from evaluation.figure import Figure, at_most

QUESTIONS = (
    "What is pneumonia?",
    "How is a pneumothorax confirmed?",
    "What is glaucoma?",
    "What does cardiomegaly look like on a chest X-ray?",
    "What are the signs of a melanoma?",
    "What is an aortic aneurysm?",
    "How is a hip fracture seen?",
    "What is diabetic retinopathy?",
)

FIRST_EVENT_S = 1.5
"""The aim: the 95th percentile of the time to the first event, of 64 streams at once."""

GUARDS = ("redact", "screen", "disarm", "gate")
"""The steps in ``done.timings`` that are the guardrails' own."""


class LoadError(RuntimeError):
    """The server that was to be measured does not start, or is not there."""


@dataclass(frozen=True)
class Server:
    """Where a server is; ``pid`` is its process, if it is one of this machine, and ``log`` what it wrote to stderr."""

    url: str
    key: str | None = None
    pid: int | None = None
    log: Path | None = None

    def client(self) -> httpx.AsyncClient:
        """A client with a connection of its own: a pool of many would be measured with the server."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        plain = self.url.startswith("http://")
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=300, trust_env=False, verify=not plain)

    def resident_mib(self) -> float:
        """What the process holds in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def cpu_s(self) -> float:
        """The processor's time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def own_server(**settings: str) -> Iterator[Server]:
    """``overread serve`` on a free port of loopback, its state in a folder that goes with it. Raises ``LoadError``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OVERREAD_", "GRADIO_"))}
    cache = {name: value for name, value in os.environ.items() if name == "OVERREAD_CACHE"}
    with TemporaryDirectory(prefix="overread-load-") as folder:
        log = Path(folder) / "log"
        own = {"OVERREAD_STATE": f"{folder}/state", "OVERREAD_API_RATE": "1000000", "TMPDIR": folder}
        with log.open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "serve.cli", "serve", "--port", "0"],
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
                env=kept | cache | own | {f"OVERREAD_{name}": value for name, value in settings.items()},
            )
        try:
            said = process.stdout.readline() if process.stdout else ""
            if "http://" not in said:
                raise LoadError("the server did not start; run overread serve to see why")
            server = Server("http://" + said.split("http://")[1].split()[0], pid=process.pid, log=log)
            _wait_until_ready(server)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _wait_until_ready(server: Server, wait_s: float = 300) -> None:
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        try:
            if httpx.get(f"{server.url}/readyz", trust_env=False, timeout=60).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError as error:
            raise LoadError(f"no server answers there ({type(error).__name__})") from None
        time.sleep(0.2)
    raise LoadError("the server did not become ready; ask /readyz which part is not")


@dataclass
class Streamed:
    """One answer as its client saw it. Seconds since the request was sent; ``fault`` says what went wrong, if so."""

    first_s: float | None = None
    text_s: float | None = None
    whole_s: float = 0.0
    text: str = ""
    fault: str | None = None
    timings: dict[str, float] = field(default_factory=dict)


async def stream(client: httpx.AsyncClient, question: str) -> Streamed:
    """Ask, and read the stream to its end."""
    told, begun = Streamed(), time.perf_counter()
    body = {"model": "overread", "stream": True, "messages": [{"role": "user", "content": question}]}
    ended = False
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            if answer.status_code != httpx.codes.OK:
                told.fault = f"HTTP {answer.status_code}"
                return told
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    ended = _hear(json.loads(line[6:]), told, time.perf_counter() - begun) or ended
    except httpx.HTTPError as error:
        told.fault = type(error).__name__
    told.whole_s = time.perf_counter() - begun
    if told.fault is None and not ended:
        told.fault = "the stream has no end"
    return told


def _hear(chunk: dict[str, Any], told: Streamed, now: float) -> bool:
    """Note a chunk; whether it holds the end."""
    if "error" in chunk:
        told.fault = str(chunk["error"]["code"])
        return False
    ended = False
    for event in chunk["overread"]["events"]:
        told.first_s = now if told.first_s is None else told.first_s
        if event["type"] == "delta":
            told.text_s = now if told.text_s is None else told.text_s
            told.text += event["text"]
        elif event["type"] == "done":
            told.timings, ended = event["timings"], True
    return ended


async def burst(server: Server, streams: int, each: int, questions: Sequence[str] = QUESTIONS) -> list[Streamed]:
    """``streams`` clients at once, each with ``each`` questions one after the other."""

    async def one(number: int) -> list[Streamed]:
        async with server.client() as client:
            return [await stream(client, questions[(number + n) % len(questions)]) for n in range(each)]

    return [told for some in await asyncio.gather(*map(one, range(streams))) for told in some]


def measure_serving(url: str | None = None, streams: int = 64, each: int = 4) -> dict[str, list[Figure]]:
    """The figures by part. Without ``url`` a server is started. Raises ``LoadError``."""
    if url is not None:
        server = Server(url.rstrip("/"), key=os.environ.get("OVERREAD_API_KEY"))
        _wait_until_ready(server, 30)
        return asyncio.run(_measured(server, streams, each))
    with own_server(API_RUNS_PER_KEY=str(max(64, streams)), API_RUNS=str(max(128, streams))) as server:
        return asyncio.run(_measured(server, streams, each))


async def _measured(server: Server, streams: int, each: int) -> dict[str, list[Figure]]:
    alone = await burst(server, 1, 3 * len(QUESTIONS))
    used = server.cpu_s() if server.pid else None
    begun = time.perf_counter()
    together = await burst(server, streams, each)
    elapsed = time.perf_counter() - begun
    cpu = [] if used is None else [_cpu(server.cpu_s() - used, len(together))]
    return {
        "one at a time": [*_latency(alone, None), guards_share(alone)],
        f"{streams} streams": [
            Figure("errors", sum(told.fault is not None for told in together), len(together), aim=at_most(0)),
            Figure("answers a second", round(len(together) / elapsed, 2), len(together)),
            *cpu,
            *_latency(together, FIRST_EVENT_S if streams == 64 else None),
        ],
    }


def _cpu(seconds: float, n: int) -> Figure:
    return Figure("processor's time an answer", round(seconds / n * 1000, 1), n, unit="ms")


def _latency(told: Sequence[Streamed], first_aim: float | None) -> list[Figure]:
    first = [one.first_s for one in told if one.first_s is not None]
    text = [one.text_s for one in told if one.text_s is not None]
    whole = [one.whole_s for one in told if one.fault is None]
    return [
        quantile("first event, median", first, 0.5),
        quantile("first event, p95", first, 0.95, first_aim),
        quantile("first text, median", text, 0.5),
        quantile("first text, p95", text, 0.95),
        quantile("whole answer, p95", whole, 0.95),
    ]


def quantile(name: str, seconds: Sequence[float], share: float, aim: float | None = None) -> Figure:
    """A quantile in seconds with its 95 % bootstrap interval (1,000 draws, seeded)."""
    if not seconds:
        return Figure(name, None, 0, note="nothing was answered")
    rng = random.Random(0)  # noqa: S311  draws for an interval
    draws = sorted(_at(rng.choices(seconds, k=len(seconds)), share) for _ in range(1000))
    spread = (round(draws[24], 3), round(draws[974], 3))
    return Figure(name, round(_at(seconds, share), 3), len(seconds), spread, at_most(aim) if aim else None, "s")


def _at(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def guards_share(told: Sequence[Streamed]) -> Figure:
    """The guardrails' part of an answer's time: the median over answers that waited for nobody."""
    shares = [
        sum(one.timings.get(name, 0.0) for name in GUARDS) / one.timings["total"]
        for one in told
        if one.timings.get("total")
    ]
    if not shares:
        return Figure("guardrails' share of the time", None, 0, note="nothing was answered")
    ordered = sorted(shares)
    spread = (round(ordered[len(ordered) // 4], 3), round(ordered[3 * len(ordered) // 4], 3))
    note = "quartiles; identity, orders, refusals and the gate"
    return Figure("guardrails' share of the time", round(statistics.median(shares), 3), len(shares), spread, note=note)
