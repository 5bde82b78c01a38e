"""From cards to tools: which classifiers there are, and which may run on a domain."""

from collections.abc import Callable, Mapping
from pathlib import Path

from overread.cards import CardFile
from overread.domains import covered
from overread.errors import CardError
from tools.cases.similar import ARCHITECTURE as CASE_INDEX
from tools.cases.similar import SimilarCases
from tools.classifiers.classifier import Classifier
from tools.classifiers.onnx_network import load_onnx
from tools.classifiers.torch_networks import load_timm, load_xray_densenet
from tools.classifiers.zero_shot import ZeroShot
from tools.contract import Tool
from tools.domain import ARCHITECTURE as DOMAIN_ARCHITECTURE
from tools.domain import domain_identifier
from tools.errors import ToolError
from tools.findings import Findings
from tools.lungs import Lungs
from tools.observer import Observer
from tools.segmentation.networks import ARCHITECTURES as PROMPTED

BUILDERS: dict[str, Callable[[CardFile], Tool]] = {
    "activation-resnet": Findings,
    "lung-unet": Lungs,
    "onnx": lambda file: Classifier(file, load_onnx),
    "open-clip": ZeroShot,
    "openai-vision": Observer,
    "timm": lambda file: Classifier(file, load_timm),
    "torchxrayvision-densenet": lambda file: Classifier(file, load_xray_densenet),
}
"""What makes a tool of a card, by the card's architecture."""

TOOL_TASKS = ("classification", "segmentation", "observation", "similarity")


def known_architectures() -> frozenset[str]:
    """Every architecture that some code here runs."""
    return frozenset(BUILDERS) | frozenset(PROMPTED) | {DOMAIN_ARCHITECTURE, CASE_INDEX}


class ToolRegistry:
    """The tools of a set of cards, by name. Weights are read when a tool first runs.

    Networks that wait for a prompt are no tools of this kind: ``tools.segmentation`` runs them.
    """

    def __init__(self, cards: Mapping[str, CardFile], own_cases: Path | None = None) -> None:
        """Build every tool. ``own_cases`` is the folder of the user's own cases, which similar cases are looked for in.

        Raises ``CardError`` for a card whose architecture is not known.
        """
        self._tools: dict[str, Tool] = {}
        for name, file in cards.items():
            if file.card.task not in TOOL_TASKS or file.card.architecture in PROMPTED:
                continue
            if file.card.architecture == CASE_INDEX:
                self._tools[name] = SimilarCases(file, lambda: domain_identifier(cards), own_cases)
                continue
            builder = BUILDERS.get(file.card.architecture)
            if builder is None:
                raise CardError(f"card {name}: the architecture is not one of {', '.join(sorted(BUILDERS))}")
            self._tools[name] = builder(file)

    def tools_for(self, domain: str) -> list[Tool]:
        """The tools whose cards name this domain, in the order of the cards."""
        return [tool for tool in self._tools.values() if covered(tool.card.domains, domain)]

    def all(self) -> list[Tool]:
        """Every tool, in the order of the cards."""
        return list(self._tools.values())

    def get(self, name: str) -> Tool:
        """One tool by its card's name. Raises ``ToolError`` when there is none."""
        try:
            return self._tools[name]
        except KeyError:
            raise ToolError(f"there is no tool of that name; the tools are: {', '.join(self._tools)}") from None
