"""What runs in each process: the answering, the networks, the search, and the guards that take long."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from ray import serve

from agent.parts import Parts
from overread.errors import OverreadError
from overread.settings import settings
from serve.remote.batches import Arrays, Job, Passes
from tools.passes import Networked

if TYPE_CHECKING:
    from fastapi import FastAPI

    from guardrails.disarm import Disarmed
    from guardrails.phi.pixels import WrittenText
    from retrieval.search import Hit

BATCH, BATCH_WAIT_S = 8, 0.005
"""Requests that wait together for a network, at most, and how long the first of them waits for others."""


def part_name(kind: type) -> str:
    """The name of the application that a part is."""
    return f"overread-{kind.__name__.lower()}"


class Networks:
    """Every network that has a card here. One card of a GPU is enough for several, and for several replicas."""

    def __init__(self) -> None:
        parts = Parts(settings())
        found = (parts.identifier(), *parts.registry().all(), parts.segmenter())
        self._passes = Passes([one for one in found if isinstance(one, Networked)])

    def reconfigure(self, given: dict[str, Any]) -> None:
        """Take the ``user_config`` of the config file: ``batch`` and ``batch_wait_s``."""
        self._batch.set_max_batch_size(int(given.get("batch", BATCH)))
        self._batch.set_batch_wait_timeout_s(float(given.get("batch_wait_s", BATCH_WAIT_S)))

    async def forward(self, name: str, sha256: str, pixels: NDArray[Any]) -> Arrays:
        """One pass. While one batch runs, the next one fills."""
        outcome: Arrays | OverreadError = await self._batch(Job(name, sha256, pixels))
        if isinstance(outcome, OverreadError):
            raise outcome
        return outcome

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=BATCH_WAIT_S)  # type: ignore[untyped-decorator]
    async def _batch(self, jobs: list[Job]) -> list[Arrays | OverreadError]:
        return await asyncio.to_thread(self._passes.run, jobs)


class Search:
    """The index of the notes and of the user's library, and the encoder that questions are embedded with."""

    def __init__(self) -> None:
        self._knowledge = Parts(settings()).knowledge()
        self._knowledge.search("warm up", k=1)

    def search(self, query: str, domain: str | None, findings: Sequence[str], k: int, dense: bool) -> "list[Hit]":
        """As ``Knowledge.search``."""
        return self._knowledge.search(query, domain=domain, findings=findings, k=k, dense=dense)

    def checksum(self) -> str:
        """As ``Knowledge.checksum``."""
        return self._knowledge.checksum


class Guards:
    """The checks of input that take long: text burned into pixels, and orders in passages.

    The gate over what is written is not here. It looks at every piece of every sentence before the piece may go on,
    and keeps what it has seen; a call for each would cost more than the look.
    """

    def __init__(self) -> None:
        parts = Parts(settings())
        self._reader, self._passages = parts.text_reader(), parts.passages()
        self._reader.read(np.zeros((32, 64, 3), np.uint8))
        self._passages.disarm(["warm up"])

    def read(self, picture: NDArray[np.uint8]) -> "list[WrittenText]":
        """As ``TextReader.read``."""
        return self._reader.read(np.array(picture))

    def disarm(self, texts: list[str]) -> "list[Disarmed]":
        """As ``Passages.disarm``."""
        return self._passages.disarm(texts)


class Ingress:
    """The one application, in as many processes as need be: all interfaces, the agent, the gate."""

    def __init__(self, host: str) -> None:
        """``host`` is the address that Ray's proxy listens on. Raises ``ArgumentsError`` as ``build_app`` does."""
        from serve.chat.server import private_folder, quiet_gradio

        self._exit = ExitStack()
        folder = self._exit.enter_context(private_folder())
        quiet_gradio(folder)

        from guardrails.disarm import disarm
        from serve.api.application import build_app
        from serve.api.logs import log_as_json
        from serve.remote.calls import Calls
        from serve.remote.parts import RemoteParts

        log_as_json()
        chosen = settings()
        # What every question needs here is loaded before Ray sends any.
        disarm(["warm up"], "question")
        parts = RemoteParts(
            chosen,
            Calls(part_name(Networks), "the deployment of networks", chosen.tool_timeout_s),
            Calls(part_name(Search), "the deployment of search", chosen.node_timeout_s),
            Calls(part_name(Guards), "the deployment of guards", chosen.node_timeout_s),
        )
        self._made = build_app(chosen, folder, host, parts=parts)

    def __serve_build_asgi_app__(self) -> "FastAPI":
        """Ray asks for the application when the constructor is through."""
        return self._made

    def __del__(self) -> None:
        """The replica ends well: its folder goes. Of one that was killed, the next one deletes it."""
        self._exit.close()
