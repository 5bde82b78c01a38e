"""From cards to tools: which classifiers there are, and which may run on a domain."""

from collections.abc import Callable, Mapping

from overread.cards import CardFile
from overread.domains import covers
from overread.errors import CardError
from tools.contract import Tool
from tools.errors import ToolError
from tools.findings import Findings
from tools.lungs import Lungs
from tools.segmentation.networks import ARCHITECTURES as PROMPTED

BUILDERS: dict[str, Callable[[CardFile], Tool]] = {"activation-resnet": Findings, "lung-unet": Lungs}
"""The class that makes a tool of a card, by the card's architecture."""

TOOL_TASKS = ("classification", "segmentation")


class ToolRegistry:
    """The tools of a set of cards, by name. Weights are read when a tool first runs.

    Networks that wait for a prompt are no tools of this kind: ``tools.segmentation`` runs them.
    """

    def __init__(self, cards: Mapping[str, CardFile]) -> None:
        """Build every tool. Raises ``CardError`` for a card whose architecture is not known."""
        self._tools: dict[str, Tool] = {}
        for name, file in cards.items():
            if file.card.task not in TOOL_TASKS or file.card.architecture in PROMPTED:
                continue
            builder = BUILDERS.get(file.card.architecture)
            if builder is None:
                raise CardError(f"card {name}: the architecture is not one of {', '.join(sorted(BUILDERS))}")
            self._tools[name] = builder(file)

    def tools_for(self, domain: str) -> list[Tool]:
        """The tools whose cards name this domain, in the order of the cards."""
        return [tool for tool in self._tools.values() if any(covers(named, domain) for named in tool.card.domains)]

    def all(self) -> list[Tool]:
        """Every tool, in the order of the cards."""
        return list(self._tools.values())

    def get(self, name: str) -> Tool:
        """One tool by its card's name. Raises ``ToolError`` when there is none."""
        try:
            return self._tools[name]
        except KeyError:
            raise ToolError(f"there is no tool of that name; the tools are: {', '.join(self._tools)}") from None
