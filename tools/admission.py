"""Which images a tool may run on, and what it says of one that it may not decide about."""

from collections.abc import Sequence

from overread.cards import ModelCard
from overread.domains import covered, words_for
from overread.records import Finding
from tools.contract import ToolImage, ToolOutput
from tools.errors import ToolError


def check_domains(card: ModelCard, images: Sequence[ToolImage]) -> None:
    """Raise ``ToolError`` for an image of a domain the card does not name."""
    for image in images:
        if not covered(card.domains, image.domain):
            raise ToolError(f"{card.name} may not run on a {words_for(image.domain)}; its card does not name it")


def undecided(card: ModelCard, reason: str) -> ToolOutput:
    """An output that decides nothing, for a reason."""
    findings = tuple(
        Finding(id=f"F{number}", label=label.name, probability=None, decision="indeterminate")
        for number, label in enumerate(card.labels, 1)
    )
    return ToolOutput(findings=findings, reason=reason)
