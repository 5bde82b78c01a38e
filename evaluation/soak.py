"""A long run against a real server: ``python -m evaluation.soak``. Nothing may fail, leak, or meet what is not its own.

Two users ask in turns, each with an identity planted in every question. Meanwhile clients read slowly, leave in the
middle, send half a body, open the chat page. Then the server's own description is fuzzed.
"""

import argparse
import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from evaluation.figure import Figure, as_lines, at_most
from evaluation.serve_load import QUESTIONS, Server, Streamed, own_server, stream
from serve.keys import Keys

USERS = {"alice": "Zebulon Quixotry", "bob": "Thaddeus Umbridge"}
PLANTED = re.compile("|".join(word for name in USERS.values() for word in name.split()))

GROWTH_MIB = 48.0
"""How much more memory the server may hold after the second half of the requests than after the first."""

FUZZ_EXPECTED = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "404", "413", "415"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "413", "415"]
"""


def ask_bytes(question: str, key: str, length: int | None = None) -> bytes:
    """A request as it goes over the wire; ``length`` is the length it tells, if another than it has."""
    body = json.dumps({"model": "overread", "stream": True, "messages": [{"role": "user", "content": question}]})
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {length or len(body)}\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()


def connect(server: Server) -> socket.socket:
    """A bare connection, which the caller reads as slowly as it likes. Its buffer is small."""
    address = httpx.URL(server.url)
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect((address.host, address.port))
    return made


async def leave(server: Server, key: str) -> None:
    """Ask, read the beginning of the answer, and hang up."""
    with connect(server) as made:
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(made, ask_bytes("What is pneumonia? " * 100, key))
        await loop.sock_recv(made, 64)


async def read_slowly(server: Server, key: str, piece: int = 256, wait_s: float = 0.02) -> bool:
    """Ask, and read a little at a time; whether the end came."""
    with connect(server) as made:
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(made, ask_bytes(QUESTIONS[0], key))
        told = b""
        while part := await loop.sock_recv(made, piece):
            told += part
            await asyncio.sleep(wait_s)
        return b"data: [DONE]" in told


async def send_half(server: Server, key: str) -> None:
    """Send a part of a body, and hang up."""
    with connect(server) as made:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(made, ask_bytes("x", key, length=10_000))


async def open_page(client: httpx.AsyncClient) -> bool:
    """Load the chat page and what it is made of; whether it came."""
    page = await client.get("/")
    made = await client.get("/config")
    return page.is_success and made.is_success


async def soak(server: Server, keys: dict[str, str], requests: int, streams: int = 16) -> list[Figure]:
    """``requests`` questions of the users in turns, in two halves, with disturbers; what came of it."""
    names = [*USERS]
    clients = {name: replace(server, key=keys[name]).client() for name in names}
    answers: list[Streamed] = []
    resident = [server.resident_mib()]
    slow: list[bool] = []
    pages: list[bool] = []

    async def some(numbers: Sequence[int]) -> None:
        for n in numbers:
            name = names[n % 2]
            question = f"{QUESTIONS[n % len(QUESTIONS)]} It is for {USERS[name]}, note {n}."
            answers.append(await stream(clients[name], question))

    async def disturb(rounds: int) -> None:
        for n in range(rounds):
            key = keys[names[n % 2]]
            await leave(server, key)
            await send_half(server, key)
            slow.append(await read_slowly(server, key))
            pages.append(await open_page(clients[names[n % 2]]))

    begun = time.perf_counter()
    for half in (range(requests // 2), range(requests // 2, requests)):
        lanes = [list(half)[k::streams] for k in range(streams)]
        await asyncio.gather(*map(some, lanes), disturb(max(1, requests // 100)))
        resident.append(server.resident_mib())
    elapsed = time.perf_counter() - begun
    counted = await _settled(clients["alice"])
    for client in clients.values():
        await client.aclose()
    met = sum(PLANTED.search(told.text) is not None for told in answers)
    logged = len(PLANTED.findall((server.log.read_text() if server.log else "") + counted))
    n = len(answers)
    return [
        Figure("questions not answered", sum(told.fault is not None for told in answers), n, aim=at_most(0)),
        Figure("answers a second", round(n / elapsed, 2), n),
        Figure("answers with a planted name in them", met, n, aim=at_most(0)),
        Figure("planted names in the log and the metrics", logged, n, aim=at_most(0)),
        Figure("slow readers who were cut off", slow.count(False), len(slow), aim=at_most(0)),
        Figure("chat pages that did not come", pages.count(False), len(pages), aim=at_most(0)),
        Figure("places still held at the end", _held(counted), 1, aim=at_most(0)),
        Figure("memory at the start", round(resident[0], 1), 1, unit="MiB"),
        Figure("memory after the first half", round(resident[1], 1), 1, unit="MiB"),
        Figure("growth in the second half", round(resident[2] - resident[1], 1), 1, None, at_most(GROWTH_MIB), "MiB"),
    ]  # fmt: skip


_GAUGES = re.compile(r"^overread_(?:requests|runs)_in_flight (\S+)$", re.MULTILINE)


def _held(counted: str) -> float:
    return sum(map(float, _GAUGES.findall(counted)))


async def _settled(client: httpx.AsyncClient) -> str:
    """The metrics, as soon as nobody holds a place any more, or after ten seconds."""
    counted = ""
    for _ in range(100):
        counted = (await client.get("/metrics")).text
        if not _held(counted):
            break
        await asyncio.sleep(0.1)
    return counted


def fuzz(server: Server, key: str, examples: int, seed: int = 6, phases: str = "coverage,fuzzing") -> tuple[int, str]:
    """Schemathesis against the server's own ``/openapi.json``: its exit status, 0 for no fault, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="overread-fuzz-") as folder:
        config = Path(folder) / "schemathesis.toml"
        config.write_text(FUZZ_EXPECTED)
        ended = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color", "run",
                f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {key}", "--seed", str(seed),
                "--max-examples", str(examples), "--phases", phases, "--no-shrink", "--continue-on-failure",
                "--request-timeout", "120",
            ],
            capture_output=True, text=True, check=False, cwd=folder,
        )  # fmt: skip
    return ended.returncode, ended.stdout + ended.stderr


def main() -> int:
    """Soak, then fuzz; prints one JSON object a figure. 1 when an aim was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--examples", type=int, default=50, help="cases of each route that are fuzzed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overread-soak-") as folder:
        file = Path(folder) / "keys.json"
        keys = {name: Keys(file).add(name)[1] for name in USERS}
        with own_server(API_KEYS=str(file)) as server:
            figures = asyncio.run(soak(server, keys, chosen.requests))
            sys.stdout.write(as_lines(figures))
            sys.stdout.flush()
            status, told = fuzz(server, keys["alice"], chosen.examples)
    sys.stdout.write(told)
    return int(status != 0 or any(figure.met is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
