"""Which tools must run on which image: all whose card names the image's domain, and no others.

An engine may later ask for more of ``allowed``; it can never skip one of ``required``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.state import SeenImage

if TYPE_CHECKING:
    from tools.contract import Tool
    from tools.registry import ToolRegistry


@dataclass(frozen=True)
class Call:
    """One tool on some images, run as one batch."""

    tool: "Tool"
    images: tuple[SeenImage, ...]


@dataclass(frozen=True)
class Plan:
    """The tools that run. ``allowed`` names every tool an engine may ask for on these images."""

    required: tuple[Call, ...]
    allowed: frozenset[str]


def plan(images: Sequence[SeenImage], registry: "ToolRegistry") -> Plan:
    """The plan for the accepted images of a run. Images without a domain get no tool.

    Of a volume, a tool gets each slice that was chosen, as an image of its own with the same id.
    """
    batches: dict[str, tuple[Tool, list[SeenImage]]] = {}
    for image in images:
        if image.domain is None:
            continue
        for tool in registry.tools_for(image.domain):
            batch = batches.setdefault(tool.name, (tool, []))[1]
            batch.append(image)
            # To look alike is asked of the image, not of each slice.
            if tool.card.task != "similarity":
                batch += [image.model_copy(update={"frame": frame}) for frame in image.slices]
    calls = tuple(Call(tool, tuple(wanted)) for tool, wanted in batches.values())
    return Plan(required=calls, allowed=frozenset(batches))
