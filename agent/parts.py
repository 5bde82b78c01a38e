"""The parts a run works with, loaded once a process and only when first needed."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from agent.lane import Lane
from overread import collector
from overread.cards import find_cards
from overread.settings import Settings

if TYPE_CHECKING:
    from guardrails.disarm import Passages
    from guardrails.phi.pixels import TextReader
    from guardrails.phi.text import TextDetector
    from retrieval.library import Knowledge
    from retrieval.live import PubMed
    from retrieval.reports import PastReports
    from tools.domain import DomainIdentifier
    from tools.registry import ToolRegistry
    from tools.segmentation.predictor import Segmenter

log = logging.getLogger(__name__)

T = TypeVar("T")
Stage = Literal["identity", "models", "index", "rehearsal"]
"""What must be loaded before anything can be answered, in this order, and whether all of it works together."""


def cases_folder(chosen: Settings) -> Path:
    """The folder of the user's own cases."""
    return chosen.state / "cases"


class Parts:
    """Loads the rooms' heavy objects lazily; each at most once, also when several threads ask.

    Who runs some of them in other processes makes a class of this one, and gives stand-ins of the same kind.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lane = Lane()
        self._made: dict[str, Any] = {}
        names = (
            "detector",
            "text_reader",
            "passages",
            "identifier",
            "registry",
            "segmenter",
            "knowledge",
            "reports",
            "pubmed",
        )
        self._locks = {name: threading.Lock() for name in names}

    async def warm(self) -> AsyncIterator[tuple[Stage, bool]]:
        """Load what every answer needs and ask a question for practice; after each stage, whether it works."""
        from agent.rehearsal import rehearse

        loads: dict[Stage, tuple[Callable[[], object], ...]] = {
            "identity": (self.detector, self.text_reader),
            "models": (self.identifier, self.registry, self.segmenter),
            "index": (self.knowledge, self.passages),
        }
        for stage, parts in loads.items():
            yield stage, await self._works(*(partial(asyncio.to_thread, part) for part in parts))
        yield "rehearsal", await self._works(partial(rehearse, self.settings, self))
        collector.loaded()

    @staticmethod
    async def _works(*loading: Callable[[], Coroutine[Any, Any, object]]) -> bool:
        try:
            for one in loading:
                await one()
        except Exception as error:  # noqa: BLE001  whatever a broken installation raises, the run that needs it tells
            log.error("a part could not be made ready: %s", type(error).__name__)
            return False
        return True

    def detector(self) -> "TextDetector":
        """The identity detector for text."""

        def make() -> "TextDetector":
            from guardrails.phi.text import TextDetector

            return TextDetector()

        return self._once("detector", make)

    def text_reader(self) -> "TextReader":
        """The reader of text that is burned into pixels."""

        def make() -> "TextReader":
            from guardrails.phi.pixels import TextReader

            return TextReader()

        return self._once("text_reader", make)

    def passages(self) -> "Passages":
        """What takes the orders out of passages."""

        def make() -> "Passages":
            from guardrails.disarm import Passages

            return Passages()

        return self._once("passages", make)

    def identifier(self) -> "DomainIdentifier":
        """The domain identifier. Raises ``CardError`` when it has no usable weights."""

        def make() -> "DomainIdentifier":
            from tools.domain import domain_identifier

            return self.placed(domain_identifier(find_cards(self.settings)))

        return self._once("identifier", make)

    def registry(self) -> "ToolRegistry":
        """The CAD tools that have a card."""

        def make() -> "ToolRegistry":
            from tools.registry import ToolRegistry

            registry = ToolRegistry(find_cards(self.settings), cases_folder(self.settings))
            for tool in registry.all():
                self.placed(tool)
            return registry

        return self._once("registry", make)

    def segmenter(self) -> "Segmenter | None":
        """The promptable network, or ``None`` where no card of one has its weights."""

        def make() -> "Segmenter | None":
            from tools.errors import ToolError
            from tools.segmentation.checkpoints import promptable
            from tools.segmentation.predictor import Segmenter

            try:
                return self.placed(Segmenter(promptable(find_cards(self.settings))))
            except ToolError:
                return None

        return self._once("segmenter", make)

    def knowledge(self) -> "Knowledge":
        """The notes and the user's own library, their indexes built or read from disk."""

        def make() -> "Knowledge":
            from retrieval.library import Knowledge

            return Knowledge.open(self.settings)

        return self._once("knowledge", make)

    def pubmed(self) -> "PubMed | None":
        """PubMed asked live, or ``None`` where the settings do not ask for it."""
        if not self.settings.pubmed_live:
            return None

        def make() -> "PubMed":
            from retrieval.live import PubMed

            return PubMed(self.settings)

        return self._once("pubmed", make)

    def reports(self) -> "PastReports | None":
        """The past reports that the settings name, or ``None``. Raises ``ReportError`` when they cannot be read."""
        if self.settings.reports is None:
            return None
        path = self.settings.reports

        def make() -> "PastReports":
            from agent.examples import redaction
            from retrieval.reports import PastReports

            return PastReports.open(path, redaction(self.detector()))

        return self._once("reports", make)

    def placed(self, part: T) -> T:
        """The same part, its network's pass where it is to run: here."""
        return part

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._locks[name]:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made
