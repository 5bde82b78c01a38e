"""The events of one run, as every interface carries them. The contract is docs/events.md.

An event is made without ``run_id``, ``seq`` and ``t_ms``; the run's stream stamps those.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from overread.records import (
    Alternative,
    Artifact,
    Case,
    Claim,
    Contents,
    Context,
    Finding,
    Measurement,
    ModelRef,
    Passage,
    Privacy,
    Record,
    RefusalReason,
    ToolStatus,
    Usage,
    WithheldReason,
)


class BaseEvent(Record):
    """What every event has: its type, its run, its place in it, and milliseconds since the request came in."""

    type: str = ""
    run_id: str = ""
    seq: int = -1
    t_ms: float = 0.0


class OfImage(BaseEvent):
    """An event about one image of the run. Both are ``None`` where it is about no image."""

    study_id: str | None = None
    frame: int | None = None


class StudyEvent(BaseEvent):
    type: Literal["study"] = "study"
    study_id: str
    modality: str | None
    images: int
    size: tuple[int, int]
    frames: int
    spacing_mm: tuple[float, float] | None
    privacy: Privacy
    context: Context
    contents: Contents = Field(default_factory=Contents)
    prior: bool = False


class DomainEvent(OfImage):
    type: Literal["domain"] = "domain"
    id: str
    label: str | None
    probability: float
    accepted: bool
    alternatives: tuple[Alternative, ...] = ()
    reason: str | None = None


class ToolStartEvent(OfImage):
    type: Literal["tool_start"] = "tool_start"
    call_id: str
    tool: str
    args: dict[str, Any] = Field(default_factory=dict)


class ToolResultEvent(OfImage):
    type: Literal["tool_result"] = "tool_result"
    call_id: str
    tool: str
    status: ToolStatus
    reason: str | None = None
    elapsed_ms: float
    model: ModelRef | None = None
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    cases: tuple[Case, ...] = ()


class PassageEvent(Passage, BaseEvent):
    type: Literal["passage"] = "passage"


class DeltaEvent(BaseEvent):
    type: Literal["delta"] = "delta"
    text: str


class ClaimEvent(Claim, BaseEvent):
    type: Literal["claim"] = "claim"


class WithheldEvent(BaseEvent):
    type: Literal["withheld"] = "withheld"
    stage: Literal["input", "output"]
    reason: WithheldReason
    claim_id: str | None = None


class RefusalEvent(BaseEvent):
    type: Literal["refusal"] = "refusal"
    reason: RefusalReason
    message: str
    missing: str | None = None
    next_step: str | None = None
    study_id: str | None = None


class EngineEvent(BaseEvent):
    type: Literal["engine"] = "engine"
    name: str
    model: str
    fallback_from: str | None = None


class Certificate(Record):
    """A risk bound: P(error among answered <= alpha) >= 1 - delta, for ``group``, from ``n`` cases."""

    alpha: float
    delta: float
    n: int
    group: str


class DoneEvent(BaseEvent):
    type: Literal["done"] = "done"
    answer: str
    citations: tuple[str, ...] = ()
    confidence: float | None = None
    certificate: Certificate | None = None
    usage: Usage = Field(default_factory=dict)
    timings: dict[str, float] = Field(default_factory=dict)
    audit_id: str


class ErrorEvent(BaseEvent):
    type: Literal["error"] = "error"
    code: str
    message: str


Event = Annotated[
    StudyEvent
    | DomainEvent
    | ToolStartEvent
    | ToolResultEvent
    | PassageEvent
    | DeltaEvent
    | ClaimEvent
    | WithheldEvent
    | RefusalEvent
    | EngineEvent
    | DoneEvent
    | ErrorEvent,
    Field(discriminator="type"),
]

_adapter: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(line: str | bytes) -> Event:
    """One JSON line as an event. Raises ``pydantic.ValidationError`` when it is none."""
    return _adapter.validate_json(line)
