"""The parts a run works with, loaded once a process and only when first needed."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

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

T = TypeVar("T")


def cases_folder(chosen: Settings) -> Path:
    """The folder of the user's own cases."""
    return chosen.state / "cases"


class Parts:
    """Loads the rooms' heavy objects lazily; each at most once, also when several threads ask."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
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

            return domain_identifier(find_cards(self.settings))

        return self._once("identifier", make)

    def registry(self) -> "ToolRegistry":
        """The CAD tools that have a card."""

        def make() -> "ToolRegistry":
            from tools.registry import ToolRegistry

            return ToolRegistry(find_cards(self.settings), cases_folder(self.settings))

        return self._once("registry", make)

    def segmenter(self) -> "Segmenter | None":
        """The promptable network, or ``None`` where no card of one has its weights."""

        def make() -> "Segmenter | None":
            from tools.errors import ToolError
            from tools.segmentation.checkpoints import promptable
            from tools.segmentation.predictor import Segmenter

            try:
                return Segmenter(promptable(find_cards(self.settings)))
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

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._locks[name]:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made
