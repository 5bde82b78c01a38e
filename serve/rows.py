"""Events as rows of plain text: a label, what it says, and the evidence ids it carries.

Both renderings of the terminal are made from these rows, so they say the same in the same order.
"""

import re
from dataclasses import dataclass

from overread.events import (
    DeltaEvent,
    DomainEvent,
    DoneEvent,
    EngineEvent,
    ErrorEvent,
    Event,
    OfImage,
    PassageEvent,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    ToolStartEvent,
    WithheldEvent,
)
from serve import words
from serve.printing import printable

EVIDENCE_ID = re.compile(r"\[[A-Z]\d+\]")
"""An evidence id as it stands in an answer: ``[F1]``."""


@dataclass(frozen=True)
class Row:
    """One line of a transcript. ``tone`` is ``plain``, ``good``, ``found``, ``open`` (undecided), ``bad`` or
    ``quiet``.
    """

    label: str
    text: str
    tone: str = "plain"


class Rows:
    """Makes the rows of one run. With several images a row says which one it is about."""

    def __init__(self, images: int = 1) -> None:
        """``images`` is how many were asked about."""
        self._images = images
        self._studies: list[str] = []
        self._refusals: list[RefusalEvent] = []

    def of(self, event: Event) -> list[Row]:
        """The rows of an event; none for the pieces of the answer itself and for checked sentences."""
        if isinstance(event, RefusalEvent):
            self._refusals.append(event)
        if isinstance(event, DoneEvent) and event.confidence is None and self._refusals:
            return [Row("", words.disclaimer(), "quiet")]
        place = self._place(event)
        return [Row(row.label, printable(" ".join((place + row.text).split())), row.tone) for row in _rows(event)]

    def piece(self, event: DeltaEvent) -> str:
        """The piece of the answer as it is shown; nothing when a refusal above it says the same."""
        return "" if words.repeats(event, self._refusals) else printable(event.text)

    def _place(self, event: Event) -> str:
        study = event.study_id if isinstance(event, StudyEvent | OfImage | RefusalEvent) else None
        if study is None or self._images < 2:
            return ""
        if study not in self._studies:
            self._studies.append(study)
        return f"(image {self._studies.index(study) + 1}) "


def _rows(event: Event) -> list[Row]:
    if isinstance(event, StudyEvent):
        return [
            Row("Study", ", ".join(words.study_facts(event))),
            Row("Privacy", words.receipt(event.privacy), "quiet"),
        ]
    if isinstance(event, DomainEvent):
        rows = [Row("Domain", f"{words.domain_line(event)} [{event.id}]", "good" if event.accepted else "bad")]
        others = words.alternatives(event)
        return [*rows, Row("", others, "quiet")] if others else rows
    if isinstance(event, ToolStartEvent):
        return [Row("Tool", f"{event.tool}: started", "quiet")]
    if isinstance(event, ToolResultEvent):
        return _tool_rows(event)
    if isinstance(event, PassageEvent):
        return [Row("Passage", f"[{event.id}] {event.title}", "plain"), Row("", _where_from(event), "quiet")]
    if isinstance(event, WithheldEvent):
        return [Row("Withheld", words.withheld_line(event), "open")]
    if isinstance(event, RefusalEvent):
        parts = [Row("", f"{name}: {text}", "plain") for name, text in words.refusal_parts(event)]
        return [Row("Refusal", words.refusal_title(event), "bad"), *parts]
    if isinstance(event, EngineEvent):
        return [Row("Engine", f"{words.engine_line(event)}. {words.engine_limits(event)}", "quiet")]
    if isinstance(event, DoneEvent):
        return [Row("Sureness", words.sureness(event)), Row("", words.disclaimer(), "quiet")]
    if isinstance(event, ErrorEvent):
        return [Row("Error", event.message, "bad")]
    return []


def _tool_rows(event: ToolResultEvent) -> list[Row]:
    tone = {"ok": "plain", "failed": "bad"}.get(event.status, "open")
    rows = [Row("Tool", f"{event.tool}: {words.tool_outcome(event)}", tone)]
    tones = {"present": "found", "absent": "plain", "indeterminate": "open"}
    rows += [Row("Finding", f"{words.finding_line(f)} [{f.id}]", tones[f.decision]) for f in event.findings]
    rows += [Row("Measured", f"{words.measurement_line(m)} [{m.id}]") for m in event.measurements]
    rows += [Row("Case", f"{case.label}, similarity {case.similarity:.2f} [{case.id}]") for case in event.cases]
    return rows


def _where_from(event: PassageEvent) -> str:
    return f"{event.source} {event.url}" if event.url else event.source
