"""One question to the whole assistant about a row of the manifest, and what is read from its events."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.assistant import Assistant
from agent.parts import Parts
from agent.request import Request
from evaluation.trust.bench import Bench
from evaluation.trust.manifest import Row, drawn
from overread.cards import CardFile
from overread.events import (
    ClaimEvent,
    DoneEvent,
    Event,
    RefusalEvent,
    ToolResultEvent,
    ToolStartEvent,
)
from overread.records import Finding
from overread.settings import Settings
from tools.registry import ToolRegistry

QUESTION = "What does this image show?"
SUBJECT = "assistant"
FEW = "A few images of a few kinds; what they show of the parts is in the other sections."


class PartsWithout(Parts):
    """The parts of an assistant with some of the tools taken away."""

    def __init__(self, settings: Settings, cards: Mapping[str, CardFile], *without: str) -> None:
        super().__init__(settings)
        self._registry = ToolRegistry({name: file for name, file in cards.items() if name not in without})

    def registry(self) -> ToolRegistry:
        """The tools that are left."""
        return self._registry


@dataclass(frozen=True)
class Answer:
    """One run: all of its events, and what is read from them."""

    events: tuple[Event, ...]

    @property
    def refused(self) -> bool:
        """Whether the image or the question was refused."""
        return any(isinstance(event, RefusalEvent) for event in self.events)

    @property
    def ended_well(self) -> bool:
        """Whether the run came to a ``done``."""
        return isinstance(self.events[-1], DoneEvent)

    @property
    def cited(self) -> frozenset[str]:
        """The evidence that supported claims cite."""
        claims = [event for event in self.events if isinstance(event, ClaimEvent) and event.verdict == "supported"]
        return frozenset(name for claim in claims for name in claim.evidence)

    @property
    def tools(self) -> frozenset[str]:
        """The tools that were started."""
        return frozenset(event.tool for event in self.events if isinstance(event, ToolStartEvent))

    @property
    def cited_tools(self) -> frozenset[str]:
        """The tools of whose results a supported claim cites something."""
        return frozenset(event.tool for event in self.results if self.cited & set(_ids(event)))

    @property
    def said(self) -> frozenset[tuple[str, str]]:
        """The findings that supported claims cite: label and decision."""
        return frozenset((finding.label, finding.decision) for finding in self.findings)

    @property
    def refusals(self) -> list[RefusalEvent]:
        """The refusals, in order."""
        return [event for event in self.events if isinstance(event, RefusalEvent)]

    @property
    def undecided(self) -> bool:
        """Whether a tool found the probability of a label, and no tool decided about any."""
        found = [finding for event in self.results for finding in event.findings]
        return any(one.probability is not None for one in found) and all(
            one.decision == "indeterminate" for one in found
        )

    @property
    def findings(self) -> list[Finding]:
        """The findings that supported claims cite."""
        return [finding for event in self.results for finding in event.findings if finding.id in self.cited]

    @property
    def text(self) -> str:
        """The whole answer; empty for a run that did not end well."""
        last = self.events[-1]
        return last.answer if isinstance(last, DoneEvent) else ""

    def right(self, row: Row) -> bool | None:
        """Whether what is decided of known labels is right; ``None`` where nothing of that kind is told."""
        told = [(one.decision == "present", row.holds(one.label)) for one in self.findings
                if one.decision != "indeterminate"]  # fmt: skip
        known = [said == truth for said, truth in told if truth is not None]
        return all(known) if known else None

    @property
    def results(self) -> list[ToolResultEvent]:
        """What the tools told."""
        return [event for event in self.events if isinstance(event, ToolResultEvent)]


def _ids(event: ToolResultEvent) -> list[str]:
    found = [one.id for one in event.findings]
    return found + [one.id for one in event.measurements] + [one.id for one in event.cases]


async def asked(assistant: Assistant, row: Row, question: str = QUESTION) -> Answer:
    """One run about a row, with what the manifest knows of the patient."""
    request = Request(question, (row.path,), context=row.context)
    return Answer(tuple([event async for event in assistant.ask(request)]))


def must_answer(bench: Bench) -> list[Row]:
    """Rows of the kinds that some classifier looks at, with labels known, a few of each; else of any kind."""
    each = max(bench.sizes.asked // max(len(bench.subjects), 1), 1)
    rows = [row for subject in bench.subjects for row in subject.rows(each, lambda row: row.labels is not None).rows]
    rows = list({row.number: row for row in rows}.values())
    return rows or drawn([row for row in bench.manifest.rows if row.domain], bench.sizes.asked, bench.seed)
