"""What a thread remembers between questions: plain JSON, no pixels, no identity.

The graph's nodes return updates to this state, and LangGraph checkpoints it. Pixels, the gate and
the identity list live in ``agent.run.Run`` and end with the run.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from overread.records import Case, Context, Finding, Measurement, Passage, Record, RefusalReason, Usage


class SeenImage(Record):
    """One image of the thread after its domain was identified. ``domain`` is ``None`` when refused.

    ``slices`` are the other frames of the volume that the tools see, of the same kind as ``frame``, by which
    it was identified. ``prior_of`` is the image that this one was given as the prior of. ``incomparable`` says why
    the two may not be compared, whatever is measured. ``images``, ``frames`` and ``spacing_mm`` (row, column) are the
    study's.
    """

    id: str
    study_id: str
    frame: int
    modality: str | None
    domain: str | None
    probability: float
    reason: str | None = None
    context: Context
    slices: tuple[int, ...] = ()
    prior_of: str | None = None
    incomparable: str | None = None
    images: int = 1
    frames: int = 1
    spacing_mm: tuple[float, float] | None = None


class SeenFinding(Record):
    """A finding, with the image and the tool it came from.

    ``covers`` are the words of what the tool looked for. ``reason`` says why it may not decide. ``version`` is the
    SHA-256 of the weights that spoke. ``side`` is the patient's side it lies on, where that is known. ``hedged`` says
    that it is one of several labels that the tool cannot tell apart on this image.
    """

    image: str
    tool: str
    title: str
    experimental: bool = False
    finding: Finding
    covers: tuple[str, ...] = ()
    reason: str | None = None
    hedged: bool = False
    version: str = ""
    frame: int = 0
    side: Literal["left", "right"] | None = None


class SeenMeasurement(Record):
    """A measurement, with the image it was made on and what made it."""

    image: str
    measurement: Measurement
    tool: str = ""
    version: str = ""
    frame: int = 0


class SeenCase(Record):
    """A similar case, with the image it is like."""

    image: str
    case: Case


class KeptCase(Record):
    """What a thread keeps of a similar case: neither its label nor its id in the index.

    ``key`` finds it in the index as long as it is there. ``id`` is its evidence id, ``C1``.
    """

    image: str
    id: str
    similarity: float
    key: str


class Refused(Record):
    """A refusal of this run. ``image`` is the study id of the image refused, ``None`` for the question."""

    reason: RefusalReason
    message: str
    missing: str | None = None
    next_step: str | None = None
    study_id: str | None = None


class ThreadState(TypedDict, total=False):
    """The graph's state. The first group lasts as long as the thread, the second is one run's.

    ``asked`` is what of the question a language model may read: no sentence in it gives orders.
    """

    images: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    measurements: list[dict[str, Any]]
    cases: list[dict[str, Any]]
    passages: list[dict[str, Any]]
    turns: list[dict[str, str]]
    counts: dict[str, int]

    question: str
    asked: str
    context: dict[str, Any]
    with_images: bool
    readable: int
    new_images: list[str]
    new_passages: list[str]
    refused: list[dict[str, Any]]
    refused_question: bool
    answer: str
    claims: list[dict[str, Any]]
    usage: Usage


def fresh_run(question: str, context: Context, with_images: bool) -> ThreadState:
    """The one-run fields as a new question finds them. What the thread remembers stays untouched."""
    return ThreadState(
        question=question,
        asked=question,
        context=context.model_dump(exclude_none=True),
        with_images=with_images,
        readable=0,
        new_images=[],
        new_passages=[],
        refused=[],
        refused_question=False,
        answer="",
        claims=[],
        usage={},
    )


def passages_of(state: ThreadState) -> list[Passage]:
    """Every passage of the thread, as records."""
    return [Passage.model_validate(entry) for entry in state.get("passages", [])]


def images_of(state: ThreadState) -> list[SeenImage]:
    """Every image of the thread whose domain was looked at."""
    return [SeenImage.model_validate(entry) for entry in state.get("images", [])]


def findings_of(state: ThreadState) -> list[SeenFinding]:
    """Every finding of the thread."""
    return [SeenFinding.model_validate(entry) for entry in state.get("findings", [])]


def measurements_of(state: ThreadState) -> list[SeenMeasurement]:
    """Every measurement of the thread."""
    return [SeenMeasurement.model_validate(entry) for entry in state.get("measurements", [])]


def cases_of(state: ThreadState) -> list[KeptCase]:
    """What is kept of every similar case of the thread. Which of them are still in the index, ``agent.cases`` says."""
    return [KeptCase.model_validate(entry) for entry in state.get("cases", [])]


class Numbering:
    """Gives out evidence ids that are unique within a thread: F1, F2, … M1 … A1 … C1 … D1 … S1 …."""

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = dict(counts or {})

    def next(self, kind: str) -> str:
        """The next id of a kind, which is one capital letter."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"


def least_certain(findings: Sequence[SeenFinding]) -> list[Finding]:
    """One finding of each label a tool gave of an image: of several slices, the one that is least certain.

    Slices of one volume are so much alike that to multiply their probabilities would count one doubt many times.
    """
    kept: dict[tuple[str, str, str], Finding] = {}
    for seen in findings:
        key = (seen.image, seen.tool, seen.finding.label)
        if key not in kept or _certainty(seen.finding) < _certainty(kept[key]):
            kept[key] = seen.finding
    return list(kept.values())


def _certainty(finding: Finding) -> float:
    if finding.decision == "indeterminate":
        return 2.0  # It asserts nothing that could be wrong.
    if finding.probability is None:
        return -1.0
    return finding.probability if finding.decision == "present" else 1 - finding.probability


def in_focus(state: ThreadState) -> tuple[list[SeenImage], list[SeenFinding]]:
    """The images a question is about, and their findings: this run's, or else the thread's last study.

    The prior of an image comes behind it.
    """
    images = images_of(state)
    focus = [image for image in images if image.id in state["new_images"]]
    if not focus and not state["with_images"]:
        last = next((image for image in reversed(images) if image.prior_of is None), None)
        focus = [image for image in images if last is not None and last.id in (image.id, image.prior_of)]
    ids = {image.id for image in focus}
    return focus, [seen for seen in findings_of(state) if seen.image in ids]
