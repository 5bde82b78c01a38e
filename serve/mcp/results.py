"""What the tools give, as records with a schema. What a run gives is in ``serve.answers``."""

from pydantic import Field

from agent.report import Report
from overread.events import RefusalEvent
from overread.records import Case, Measurement, Passage, Record, Verdict
from serve.outline import Doubt, Outline, OutlineRefusal


class SegmentResult(Outline):
    """An outline, and where its pictures are: ``mask``, 0 and 255 in the stored size, and ``doubt``."""

    pictures: tuple[str, ...] = ()


class MeasuredThing(Measurement):
    """A measurement, the image and frame it was made in, and the tool that made it."""

    study_id: str | None = None
    frame: int | None = None
    tool: str | None = None


class MeasureResult(Record):
    """Measurements: of the object that was pointed at, or of what the tools for this kind of image measure.

    ``doubt`` says how far the outline may be trusted that was measured. Empty with no ``refusal``: nothing measures
    this kind of image by itself; point at something.
    """

    measurements: tuple[MeasuredThing, ...] = ()
    spacing_mm: tuple[float, float] | None = None
    doubt: Doubt | None = None
    refusals: tuple[RefusalEvent | OutlineRefusal, ...] = ()


class CasesResult(Record):
    """Similar cases, the most similar first. ``reason`` says why there are none, where that is known."""

    cases: tuple[Case, ...] = ()
    reason: str | None = None
    refusals: tuple[RefusalEvent, ...] = ()


class SearchResult(Record):
    """Passages that answer, best first; empty when nothing here does."""

    passages: tuple[Passage, ...] = ()


class CheckedClaim(Record):
    """The verdict on the claim of the same place. ``score`` is the probability that its evidence supports it."""

    verdict: Verdict
    score: float
    checks: tuple[str, ...]


class VerifyResult(Record):
    """A verdict for each claim, in order."""

    claims: tuple[CheckedClaim, ...]


class RedactedSpan(Record):
    """Where identity stood in the text that was sent: half-open, in characters, and its kind."""

    start: int
    end: int
    kind: str


class RedactTextResult(Record):
    """The text with markers in place of identity, and where that was."""

    text: str
    spans: tuple[RedactedSpan, ...]


class RedactDicomResult(Record):
    """What was taken out, in counts, and where the clean file is. ``written``: it lies at ``output``."""

    removed: dict[str, int]
    bytes: int
    file: str | None = Field(None, description="Address of the clean file, a resource of this server.")
    written: bool = False


class ReportResult(Report):
    """A report draft, the same as text, and the pictures of what was looked at."""

    text: str = ""
    pictures: tuple[str, ...] = ()
