"""What a run found, as one object: the same events, gathered by what they are about."""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import Field

from overread.events import (
    BaseEvent,
    Certificate,
    ClaimEvent,
    DeltaEvent,
    DomainEvent,
    DoneEvent,
    EngineEvent,
    ErrorEvent,
    Event,
    PassageEvent,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    WithheldEvent,
)
from overread.records import Record
from serve.words import repeats

E = TypeVar("E", bound=BaseEvent)
SHOWN = ("supported", "not_checkable")
"""Verdicts of sentences that are shown."""


class Analysis(Record):
    """What was found in the images. ``answer`` says it in words.

    ``refused`` is true when nothing was answered; ``refusals`` say why. ``pictures`` are addresses to fetch.
    """

    run_id: str = ""
    answer: str = ""
    refused: bool = False
    refusals: tuple[RefusalEvent, ...] = ()
    studies: tuple[StudyEvent, ...] = ()
    domains: tuple[DomainEvent, ...] = ()
    tools: tuple[ToolResultEvent, ...] = ()
    pictures: tuple[str, ...] = ()
    confidence: float | None = Field(None, description="Calibrated probability that every sentence shown is right.")
    audit_id: str = ""


class Answer(Analysis):
    """An answer with its evidence. ``claims`` are the sentences shown; of those withheld only the reason is told."""

    citations: tuple[str, ...] = ()
    passages: tuple[PassageEvent, ...] = ()
    claims: tuple[ClaimEvent, ...] = ()
    withheld: tuple[WithheldEvent, ...] = ()
    engine: EngineEvent | None = None
    certificate: Certificate | None = None
    usage: dict[str, int] = Field(default_factory=dict)
    timings: dict[str, float] = Field(default_factory=dict)


class Gathering:
    """Listens to the events of one run. ``events`` are all that were heard, ``error`` how it broke off, if it did."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: ErrorEvent | None = None
        self._answered = False

    def hear(self, event: Event) -> None:
        """One more event."""
        if isinstance(event, ErrorEvent):
            self.error = event
        elif isinstance(event, DeltaEvent):
            self._answered = self._answered or not repeats(event, list(self._of(RefusalEvent)))
        self.events.append(event)

    @property
    def refused(self) -> bool:
        """Whether nothing was answered, but for what the refusals say."""
        return not self._answered and any(self._of(RefusalEvent))

    def study_ids(self) -> list[str]:
        """The ids of the images that were read, in order."""
        return [event.study_id for event in self._of(StudyEvent)]

    def analysis(self, pictures: tuple[str, ...] = ()) -> Analysis:
        """What was found in the images."""
        return Analysis.model_validate(self._found(pictures))

    def answer(self, pictures: tuple[str, ...] = ()) -> Answer:
        """The whole answer."""
        done = next(self._of(DoneEvent), None)
        withheld = tuple(self._of(WithheldEvent))
        gone = {event.claim_id for event in withheld}
        return Answer(
            **self._found(pictures),
            citations=done.citations if done else (),
            passages=tuple(self._of(PassageEvent)),
            claims=tuple(
                event for event in self._of(ClaimEvent) if event.verdict in SHOWN and event.claim_id not in gone
            ),
            withheld=withheld,
            engine=next(reversed(list(self._of(EngineEvent))), None),
            certificate=done.certificate if done else None,
            usage=done.usage if done else {},
            timings=done.timings if done else {},
        )

    def _found(self, pictures: tuple[str, ...]) -> dict[str, Any]:
        done = next(self._of(DoneEvent), None)
        return {
            "run_id": self.events[0].run_id if self.events else "",
            "answer": done.answer if done else "",
            "refused": self.refused,
            "refusals": tuple(self._of(RefusalEvent)),
            "studies": tuple(self._of(StudyEvent)),
            "domains": tuple(self._of(DomainEvent)),
            "tools": tuple(self._of(ToolResultEvent)),
            "pictures": pictures,
            "confidence": done.confidence if done else None,
            "audit_id": done.audit_id if done else "",
        }

    def _of(self, kind: type[E]) -> Iterator[E]:
        return (event for event in self.events if isinstance(event, kind))
