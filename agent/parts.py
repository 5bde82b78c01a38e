"""The parts a run works with, loaded once a process and only when first needed."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from overread.cards import find_cards
from overread.settings import Settings

if TYPE_CHECKING:
    from guardrails.disarm import Passages
    from guardrails.phi.pixels import TextReader
    from guardrails.phi.text import TextDetector
    from retrieval.search import KnowledgeBase
    from tools.domain import DomainIdentifier
    from tools.registry import ToolRegistry

T = TypeVar("T")


class Parts:
    """Loads the rooms' heavy objects lazily; each at most once, also when several threads ask."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._made: dict[str, Any] = {}
        self._locks = {
            name: threading.Lock()
            for name in ("detector", "text_reader", "passages", "identifier", "registry", "knowledge")
        }

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

            return ToolRegistry(find_cards(self.settings))

        return self._once("registry", make)

    def knowledge(self) -> "KnowledgeBase":
        """The knowledge base, its index built or read from the cache."""

        def make() -> "KnowledgeBase":
            from retrieval.search import KnowledgeBase

            return KnowledgeBase.open(self.settings)

        return self._once("knowledge", make)

    def _once(self, name: str, make: Callable[[], T]) -> T:
        with self._locks[name]:
            if name not in self._made:
                self._made[name] = make()
            made: T = self._made[name]
            return made
