"""The parts of an assistant whose networks, index and reader of pixels run in other deployments.

Each stand-in has the interface of what it stands for, so the agent is the same. What decides (calibration, cards,
the gate) stays in the process that answers.
"""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from agent.parts import Parts
from overread.settings import Settings
from serve.remote.calls import Calls
from tools.passes import Networked

if TYPE_CHECKING:
    from guardrails.disarm import Disarmed, Passages
    from guardrails.phi.pixels import TextReader, WrittenText
    from retrieval.library import Knowledge
    from retrieval.search import Hit
    from tools.domain import DomainIdentifier

T = TypeVar("T")


class RemoteParts(Parts):
    """``networks``, ``search`` and ``guards`` call the deployments of those names."""

    def __init__(self, settings: Settings, networks: Calls, search: Calls, guards: Calls) -> None:
        super().__init__(settings)
        self._networks, self._search, self._guards = networks, search, guards
        self._locks["reached"] = threading.Lock()

    def placed(self, part: T) -> T:
        """The same part; its network runs in the deployment for networks."""
        if isinstance(part, Networked):
            part.forward = RemotePass(self._networks, part.card.name, part.card.weights.sha256)
        return part

    def identifier(self) -> "DomainIdentifier":
        """The domain identifier, once it is known that its network can be reached."""
        found = super().identifier()

        def check() -> bool:
            found.embed([np.zeros((8, 8, 3), np.uint8)])
            return True

        self._once("reached", check)
        return found

    def text_reader(self) -> "TextReader":
        """The reader of burned-in text, in the deployment for guards."""
        return cast("TextReader", RemoteTextReader(self._guards))

    def passages(self) -> "Passages":
        """What takes orders out of passages, in the deployment for guards."""
        return cast("Passages", RemotePassages(self._guards))

    def knowledge(self) -> "Knowledge":
        """The notes and the user's library, in the deployment for search, once it is known that it answers."""

        def make() -> RemoteKnowledge:
            made = RemoteKnowledge(self._search)
            _ = made.checksum
            return made

        return cast("Knowledge", self._once("knowledge", make))


class RemotePass:
    """A network's pass elsewhere. A ``Pass``."""

    def __init__(self, calls: Calls, name: str, sha256: str) -> None:
        self._calls, self._name, self._sha256 = calls, name, sha256

    def __call__(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        """Raises ``CardError`` when the network there has other weights than the card here names."""
        arrays = self._calls("forward", self._name, self._sha256, pixels)
        # What comes out of shared memory cannot be written to.
        return tuple(np.array(one) for one in arrays)


class RemoteTextReader:
    """Stands for ``TextReader``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def read(self, picture: NDArray[np.uint8]) -> "list[WrittenText]":
        """As ``TextReader.read``. Without an answer it raises, so that no picture passes unread."""
        return cast("list[WrittenText]", self._calls("read", picture))


class RemotePassages:
    """Stands for ``Passages``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def disarm(self, texts: Sequence[str]) -> "list[Disarmed]":
        """As ``Passages.disarm``."""
        return cast("list[Disarmed]", self._calls("disarm", list(texts))) if texts else []


class RemoteKnowledge:
    """Stands for ``Knowledge``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @property
    def checksum(self) -> str:
        """As ``Knowledge.checksum``."""
        return cast("str", self._calls("checksum"))

    def search(
        self, query: str, *, domain: str | None = None, findings: Sequence[str] = (), k: int = 4, dense: bool = True
    ) -> "list[Hit]":
        """As ``Knowledge.search``."""
        return cast("list[Hit]", self._calls("search", query, domain, tuple(findings), k, dense))
