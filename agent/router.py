"""Which tools must run on which image: all whose card names the image's domain, and no others.

An engine may later ask for more of ``allowed``; it can never skip one of ``required``. What was then found, or
a box that the question names, is outlined: ``outlines``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.question import boxes_in
from agent.state import SeenFinding, SeenImage
from overread.records import Finding

if TYPE_CHECKING:
    from tools.contract import Picture, Tool
    from tools.registry import ToolRegistry
    from tools.segmentation.predictor import Segmenter
    from tools.segmentation.prompts import Prompt

MOST_OUTLINES = 3
"""Findings of one image that are outlined, the likeliest first."""


@dataclass(frozen=True)
class Call:
    """One tool on some images, run as one batch. ``args`` are told in its ``tool_start`` beside the image."""

    tool: "Tool"
    images: tuple[SeenImage, ...]
    args: Mapping[str, Any] = field(default_factory=dict)


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


def outlines(
    question: str,
    images: Sequence[SeenImage],
    findings: Sequence[SeenFinding],
    pictures: Mapping[str, "Picture"],
    segmenter: "Segmenter",
) -> list[Call]:
    """The outlines to draw: of every box the question names, and of findings that are present and have a place.

    ``pictures`` are what the tools drew, by artifact id; a finding's heatmap makes its prompt, else its box.
    """
    from tools.segmentation.prompts import Prompt
    from tools.segmentation.tool import Outline

    calls = []
    for image in images:
        for box in boxes_in(question):
            outline = Outline(segmenter, Prompt(box), "the outline in the box")
            calls.append(Call(outline, (image,), {"box": box}))
        present = [seen.finding for seen in findings if seen.image == image.id and seen.finding.decision == "present"]
        present = [finding for finding in present if finding.region is not None]
        for finding in sorted(present, key=lambda one: -(one.probability or 0))[:MOST_OUTLINES]:
            prompt = _prompt_at(finding, pictures)
            args = {"finding": finding.id, "box": prompt.box, "points": [(one.x, one.y) for one in prompt.points]}
            place = finding.region.box if finding.region else None
            outline = Outline(segmenter, prompt, f"the outline at finding {finding.id}", place)
            calls.append(Call(outline, (image,), args))
    return calls


def _prompt_at(finding: Finding, pictures: Mapping[str, "Picture"]) -> "Prompt":
    """Where a finding with a region lies, as a prompt."""
    import numpy as np

    from tools.segmentation.heat import HeatPrompt, prompt_from_heat
    from tools.segmentation.prompts import Prompt

    if finding.region is None:
        raise ValueError("a finding without a region has no place")
    picture = pictures.get(finding.region.artifact or "")
    if picture is not None and picture.kind == "heatmap":
        prompt = prompt_from_heat(picture.pixels.astype(np.float32), HeatPrompt(points=1))
        if prompt is not None:
            return prompt
    return Prompt(finding.region.box)
