"""What every CAD tool takes and gives. The registry, the router and the graph know tools only by this."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from overread.cards import ModelCard
from overread.records import ArtifactKind, Case, Context, Finding, Measurement


@dataclass(frozen=True)
class ToolImage:
    """One image as a tool sees it: identity already removed, domain already accepted.

    ``display`` is uint8 ``(H, W, 3)`` RGB in [0, 255], windowed, bright meaning dense.
    ``values`` is float32 ``(H, W)`` in the modality's unit (Hounsfield units for CT), or ``None``
    for colour images. ``spacing_mm`` is (row, column) or ``None`` when not known.
    """

    display: NDArray[np.uint8]
    domain: str
    context: Context
    values: NDArray[np.float32] | None = None
    spacing_mm: tuple[float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """A picture a tool made, in the image's own size.

    ``pixels`` is float32 ``(H, W)`` in [0, 1] for a heatmap or uncertainty, bool ``(H, W)`` for a
    mask, uint8 ``(H, W, 3)`` for an overlay. ``title`` says in a legend what is drawn.
    """

    id: str
    kind: ArtifactKind
    pixels: NDArray[np.generic]
    title: str = ""


@dataclass(frozen=True)
class ToolOutput:
    """What a tool says of one image.

    Ids are local to the output ("F1", "A1"); the agent renumbers them so that they are unique in a
    thread. ``reason`` says why findings are indeterminate, if the card's population does not fit.
    ``explanation`` is what the tool saw, in words: it is shown in the ``tool_result`` event, and no sentence of
    the answer is written from it.
    """

    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    cases: tuple[Case, ...] = ()
    pictures: tuple[Picture, ...] = field(default=())
    reason: str | None = None
    explanation: str | None = None

    @property
    def told(self) -> str | None:
        """The reason and the explanation, for the ``reason`` of the event; ``None`` when there is neither."""
        return "; ".join(filter(None, (self.reason, self.explanation))) or None


class Tool(Protocol):
    """A CAD tool. Loads its weights on first use; safe to call from several threads."""

    @property
    def name(self) -> str:
        """Short name for events, such as ``chest-findings-child``. The card's name."""

    @property
    def card(self) -> ModelCard:
        """The card: domains, population, labels, figures."""

    def run(self, images: Sequence[ToolImage]) -> list[ToolOutput]:
        """One output an image, in order. Raises ``ToolError`` when it cannot run at all."""
