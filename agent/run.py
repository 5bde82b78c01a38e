"""One run: what lives only as long as one question, and is never checkpointed.

Here are the pixels, the identity list, the stream, and the gate over a run's evidence. The thread's memory is in
``agent.state``.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from opentelemetry.trace import INVALID_SPAN, Span

from agent.account import Account
from agent.events import Emit, EventStream
from agent.parts import Parts
from agent.request import Request
from overread.events import Event
from overread.records import Context, Finding
from overread.settings import Settings

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.evidence import Evidence
    from guardrails.gate import Gate
    from guardrails.phi.identity import Identity
    from tools.contract import Picture
    from tools.imaging.study import Study


@dataclass
class Shown:
    """What of one image a client may look at: the masked picture and what the tools drew.

    ``display`` is ``frame``, by which a volume was identified, and ``pictures`` and ``findings`` are of it.
    ``slices`` are the other frames the tools see, and ``elsewhere`` is what they drew on those.
    """

    study_id: str
    frame: int
    display: NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None = None
    context: Context = field(default_factory=Context)
    pictures: dict[str, "Picture"] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    slices: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    elsewhere: dict[str, "Picture"] = field(default_factory=dict)

    def at(self, frame: int) -> NDArray[np.uint8]:
        """The masked picture of a frame that the tools see."""
        return self.display if frame == self.frame else self.slices[frame]


@dataclass
class Run:
    """The live half of a run.

    ``gate`` makes a gate that knows some evidence and the run's identity; ``scrub`` takes identity out
    of a text. ``prior`` is the study id of the one given as the prior, and ``incomparable`` why it may not be
    compared with the other, where that is known. ``keep`` hands a looked-at image to whoever shows it. ``account``
    is what the audit log will say. ``history`` are the request's earlier turns as a language model may read them.
    ``engine`` is what has become of the configured server: it takes no tools, or failed and is asked nothing more.
    """

    request: Request
    settings: Settings
    parts: Parts
    stream: EventStream
    identity: "Identity"
    gate: "Callable[[Evidence], Gate]"
    scrub: Callable[[str], str]
    keep: Callable[[Shown], None]
    account: Account
    prior: str | None = None
    incomparable: str | None = None
    studies: dict[str, "Study"] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    text_redacted: int = 0
    history: list[dict[str, str]] = field(default_factory=list)
    engine: Literal["whole", "no tools", "failed"] = "whole"
    timings: dict[str, float] = field(default_factory=dict)
    span: Span = INVALID_SPAN

    def took(self, step: str, begun: float) -> None:
        """Add what a step took since ``begun``, a ``time.monotonic()``, to its milliseconds."""
        elapsed_ms = (time.monotonic() - begun) * 1000
        self.timings[step] = round(self.timings.get(step, 0.0) + elapsed_ms, 1)


def emitter(runtime: "Runtime[Run]") -> Emit:
    """What a node calls to send an event: stamped, clean, and at once."""

    def emit(event: Event) -> None:
        runtime.stream_writer(runtime.context.stream.stamp(event))

    return emit
