"""A report as structure, built from the events of a run: what a client can build too, and ``--report`` writes."""

from collections.abc import Iterable

from agent.engines.ladder import say as say_of_draft
from agent.engines.ladder import sections
from agent.engines.phrases import say
from overread.events import (
    ClaimEvent,
    DoneEvent,
    EngineEvent,
    Event,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    WithheldEvent,
)
from overread.records import Context, Finding, Measurement, ModelRef, Record, RefusalReason, Verdict

AFTER = say("sources")
"""The sentence that ends a report, where sources were asked for too."""


class Sentence(Record):
    """One sentence of a report, as its ``claim`` event has it."""

    claim_id: str
    text: str
    evidence: tuple[str, ...]
    verdict: Verdict


class Section(Record):
    """A section: its heading and its sentences in order."""

    title: str
    sentences: tuple[Sentence, ...] = ()


class ReportStudy(Record):
    """A study of the report, as its ``study`` event has it."""

    study_id: str
    modality: str | None
    images: int
    frames: int
    spacing_mm: tuple[float, float] | None
    context: Context
    prior: bool


class ReportFinding(Finding):
    """A finding with its image and the tool that gave it."""

    study_id: str | None
    frame: int | None
    tool: str


class ReportMeasurement(Measurement):
    """A measurement with its image and the tool that made it."""

    study_id: str | None
    frame: int | None
    tool: str


class ReportRefusal(Record):
    """Why an image, or the whole question, was refused."""

    reason: RefusalReason
    message: str
    study_id: str | None


class Report(Record):
    """A report draft. ``sections`` is empty where none was written; ``refusals`` then says why.

    ``beyond`` are sentences that stand in no section: what the sources say, where that was asked too.
    ``withheld`` counts sentences that the gate kept back. ``engine`` is who wrote the sections.
    """

    status: str = "draft for a reader to verify; research use; not a medical device"
    run_id: str = ""
    audit_id: str | None = None
    engine: str | None = None
    sections: tuple[Section, ...] = ()
    beyond: tuple[Sentence, ...] = ()
    studies: tuple[ReportStudy, ...] = ()
    findings: tuple[ReportFinding, ...] = ()
    measurements: tuple[ReportMeasurement, ...] = ()
    models: tuple[ModelRef, ...] = ()
    refusals: tuple[ReportRefusal, ...] = ()
    withheld: int = 0


NOTICE = say_of_draft("draft")
"""The sentence that says what a draft is."""


def missing_of_report(shown: Iterable[str]) -> set[str]:
    """The headings that are missing among the sentences shown, and ``NOTICE`` where that is missing.

    A section of which nothing but the heading was shown is missing too.
    """
    present: set[str] = set()
    last = ""
    for text in shown:
        heading = _heading(text)
        if heading:
            last = heading
        elif last:
            present.add(last)
        if text == NOTICE:
            present.add(NOTICE)
    return {*sections(), NOTICE} - present


def _heading(text: str) -> str | None:
    bare = text.strip("#*: \n")
    return bare if bare in sections() else None


def report_of(events: Iterable[Event]) -> Report:
    """The report in the events of one run. Where an engine failed, what it wrote before the next one is left out."""
    builder = _Builder()
    for event in events:
        builder.add(event)
    return builder.report()


class _Builder:
    def __init__(self) -> None:
        self._known = Report()
        self._written: list[Section] = []
        self._beyond: list[Sentence] = []
        self._stopped: set[str] = set()
        self._closed = False

    def add(self, event: Event) -> None:
        known = self._known
        if isinstance(event, StudyEvent):
            fields = {name: getattr(event, name) for name in ReportStudy.model_fields}
            self._know(studies=(*known.studies, ReportStudy.model_validate(fields)))
        elif isinstance(event, ToolResultEvent):
            self._of_tool(event)
        elif isinstance(event, RefusalEvent):
            fields = {name: getattr(event, name) for name in ReportRefusal.model_fields}
            self._know(refusals=(*known.refusals, ReportRefusal.model_validate(fields)))
        elif isinstance(event, EngineEvent):
            self._written, self._beyond, self._closed = [], [], False
            self._stopped.clear()
            self._know(engine=event.model, withheld=0)
        elif isinstance(event, WithheldEvent) and event.stage == "output":
            self._know(withheld=known.withheld + 1)
            if event.claim_id is not None and event.reason != "phi":
                self._stopped.add(event.claim_id)
        elif isinstance(event, ClaimEvent):
            self._claim(event)
        elif isinstance(event, DoneEvent):
            self._know(run_id=event.run_id, audit_id=event.audit_id)

    def report(self) -> Report:
        whole = self._known.model_copy(update={"beyond": self._kept(self._beyond)})
        parts = (one.model_copy(update={"sentences": self._kept(one.sentences)}) for one in self._written)
        return whole.model_copy(update={"sections": tuple(parts)})

    def _know(self, **fields: object) -> None:
        self._known = self._known.model_copy(update=fields)

    def _of_tool(self, event: ToolResultEvent) -> None:
        place = {"study_id": event.study_id, "frame": event.frame, "tool": event.tool}
        known, model = self._known, event.model
        self._know(
            findings=(
                *known.findings,
                *(ReportFinding.model_validate({**one.model_dump(), **place}) for one in event.findings),
            ),
            measurements=(
                *known.measurements,
                *(ReportMeasurement.model_validate({**one.model_dump(), **place}) for one in event.measurements),
            ),
            models=known.models if model is None or model in known.models else (*known.models, model),
        )

    def _claim(self, event: ClaimEvent) -> None:
        heading = _heading(event.text)
        if heading:
            self._written.append(Section(title=heading))
            return
        if event.text == AFTER:
            self._closed = True
        sentence = Sentence(claim_id=event.claim_id, text=event.text, evidence=event.evidence, verdict=event.verdict)
        if not self._written or self._closed:
            self._beyond.append(sentence)
            return
        last = self._written[-1]
        self._written[-1] = last.model_copy(update={"sentences": (*last.sentences, sentence)})

    def _kept(self, sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
        """The sentences that were shown: none that the gate withheld."""
        return tuple(
            one
            for one in sentences
            if one.verdict in ("supported", "not_checkable") and one.claim_id not in self._stopped
        )
