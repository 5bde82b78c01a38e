"""The nouns that travel between rooms: what was seen, measured, found, quoted and claimed.

All records are immutable pydantic models that refuse unknown fields. Pixel coordinates are
``x, y`` from the top left of the image as stored; boxes are half-open ``(x0, y0, x1, y1)``.
"""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AgeBand = Literal["newborn", "infant", "child", "adolescent", "adult", "elderly"]
Decision = Literal["present", "absent", "indeterminate"]
ToolStatus = Literal["ok", "unavailable", "failed", "skipped"]
ArtifactKind = Literal["mask", "heatmap", "overlay", "uncertainty"]
Verdict = Literal["supported", "contradicted", "unsupported", "not_checkable"]
RefusalReason = Literal[
    "out_of_domain",
    "low_confidence",
    "no_evidence",
    "out_of_scope",
    "unsafe_request",
    "unreadable_input",
    "not_certified",
]
WithheldReason = Literal["phi", "contradicted", "unsupported", "injection", "error"]
Box = tuple[int, int, int, int]
Usage = dict[str, int | float]
"""What a run used of a language model, by name: tokens, calls."""


class Record(BaseModel):
    """Base of every record: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(Record):
    """What survives de-identification and changes how an image is read. ``None`` is "not known"."""

    age_band: AgeBand | None = None
    sex: Literal["F", "M", "O"] | None = None
    view: str | None = Field(None, description="DICOM ViewPosition, such as PA, AP, LL, CC, MLO")
    laterality: Literal["L", "R", "B", "U"] | None = None
    body_part: str | None = Field(None, description="DICOM BodyPartExamined, upper case")

    def merged(self, other: "Context") -> "Context":
        """This context with the fields that ``other`` knows laid over it."""
        return self.model_copy(update=other.model_dump(exclude_none=True))


class Privacy(Record):
    """The receipt: how many of each were taken out. ``None`` where that check did not run."""

    header_removed: int | None = None
    header_replaced: int | None = None
    regions_masked: int | None = None
    text_redacted: int | None = None


class Contents(Record):
    """What a study was read from, in files: ``files`` is the sum of all other counts but ``series``.

    ``images`` are in the series that is shown; ``other_images`` in the other ones, of which there are
    ``series`` - 1. ``without_picture`` are DICOM files that hold no image, such as reports.
    ``duplicates`` hold an image a second time. ``broken`` could not be read. ``not_dicom`` were not looked into.
    """

    files: int = 1
    series: int = 1
    images: int = 1
    other_images: int = 0
    without_picture: int = 0
    duplicates: int = 0
    broken: int = 0
    not_dicom: int = 0


class ModelRef(Record):
    """Which weights spoke."""

    name: str
    version: str
    sha256: str


class Region(Record):
    """Where a finding is: a half-open box in stored pixels, and the artifact that shows it."""

    box: Box
    artifact: str | None = None


def label_words(label: str) -> str:
    """A label in words: ``pleural_effusion`` is "pleural effusion"."""
    return re.sub(r"[_\-/]+", " ", label).strip().lower()


def says_absence(label: str) -> bool:
    """Whether a label itself says that something is not there: "no tumour"."""
    return label_words(label).startswith("no ")


class Finding(Record):
    """What a tool says of an image.

    ``probability`` is calibrated, or ``None`` where the card has no calibration.
    ``interval`` is a 95 % interval of that probability.
    """

    id: str
    label: str
    probability: float | None = Field(ge=0, le=1)
    interval: tuple[float, float] | None = None
    decision: Decision
    region: Region | None = None

    @property
    def denies(self) -> bool:
        """Whether the label says that something is not there, as "no tumour" does."""
        return says_absence(self.label)


class Measurement(Record):
    """A length, area, intensity or ratio, with how it was made."""

    id: str
    name: str
    value: float
    unit: str
    method: str


class Artifact(Record):
    """A picture a tool made. ``href`` is where a client fetches it."""

    id: str
    kind: ArtifactKind
    href: str


class Case(Record):
    """A similar case from the case index. ``similarity`` is a cosine in [-1, 1]."""

    id: str
    label: str
    similarity: float


class Change(Record):
    """A measured change between an earlier image and this one, of the same thing by the same tool.

    ``before`` and ``now`` are the evidence ids of the two values. ``same`` is "not clearly changed".
    """

    name: str
    before: str
    now: str
    direction: Literal["higher", "lower", "same"]


class Passage(Record):
    """A piece of a source, verbatim. ``score`` is its relevance in [0, 1]."""

    id: str
    title: str
    source: str
    url: str | None = None
    text: str
    score: float


class Claim(Record):
    """One sentence of the answer and how it stood up to its evidence."""

    claim_id: str
    text: str
    verdict: Verdict
    evidence: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class Alternative(Record):
    """A domain the image could also be."""

    label: str
    probability: float
