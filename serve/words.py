"""What every interface says about an event, in the same words. The phrases are data: ``words.yaml``."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agent.engines.phrases import number
from overread.domains import words_for
from overread.events import (
    BaseEvent,
    DeltaEvent,
    DomainEvent,
    DoneEvent,
    EngineEvent,
    PassageEvent,
    RefusalEvent,
    StudyEvent,
    ToolResultEvent,
    ToolStartEvent,
    WithheldEvent,
)
from overread.packaged import packaged_yaml
from overread.records import Contents, Context, Finding, Measurement, Privacy


@lru_cache(maxsize=1)
def phrases() -> dict[str, Any]:
    """The phrases by their kind, as the data file has them."""
    data: dict[str, Any] = packaged_yaml("serve", "words.yaml")
    return data


def percent(probability: float) -> str:
    """A probability in [0, 1] as a reader should see it: never 0 % and never 100 %."""
    if probability < 0.01:
        return "less than 1 %"
    if probability > 0.99:
        return "more than 99 %"
    return f"{probability * 100:.0f} %"


def seconds(milliseconds: float) -> str:
    """A duration: "40 ms" below a tenth of a second, else "1.2 s"."""
    return f"{milliseconds:.0f} ms" if milliseconds < 100 else f"{milliseconds / 1000:.1f} s"


def study_facts(event: StudyEvent) -> list[str]:
    """A study's kind, size, frames and spacing, and what is known of the patient."""
    rows, columns = event.size
    facts = ["the prior"] if event.prior else []
    facts += [event.modality or "picture", f"{columns} x {rows} pixels"]
    if event.frames > 1:
        facts.append(f"{event.frames} {'slices' if event.images == event.frames else 'frames'}")
    facts += contents_facts(event.contents)
    if event.spacing_mm is None:
        facts.append("spacing not known")
    else:
        facts.append(f"spacing {event.spacing_mm[0]:.3g} x {event.spacing_mm[1]:.3g} mm")
    return facts + context_facts(event.context)


def contents_facts(contents: Contents) -> list[str]:
    """What of a folder or archive is not shown: "1 other series not shown", "2 files could not be read"."""
    facts = [f"{contents.series - 1} other series not shown"] if contents.series > 1 else []
    counted = (
        (contents.duplicates, "duplicate", "left out"),
        (contents.broken, "file", "could not be read"),
        (contents.without_picture, "file", "without a picture left out"),
        (contents.not_dicom, "file", "of another kind left out"),
    )
    return facts + [f"{count} {what if count == 1 else what + 's'} {fate}" for count, what, fate in counted if count]


def context_facts(context: Context) -> list[str]:
    """What survived de-identification: "age group child", "view PA"."""
    known = context.model_dump(exclude_none=True)
    return [f"{words} {known[name]}" for name, words in phrases()["context"].items() if name in known]


def receipt(privacy: Privacy) -> str:
    """The privacy receipt as one phrase: "14 header values removed, 1 burned-in region masked"."""
    done: list[str] = []
    unchecked: list[str] = []
    for name, (one, many) in phrases()["privacy"].items():
        count = getattr(privacy, name)
        if count is None:
            unchecked.append(phrases()["privacy_unchecked"][name])
        elif count:
            done.append(f"{count} {one if count == 1 else many}")
    parts = [", ".join(done) if done else phrases()["privacy_none"], *(note for note in unchecked if note)]
    return "; ".join(parts)


def domain_line(event: DomainEvent) -> str:
    """What the image is: "chest X-ray, 97 %", or that it was not accepted and why."""
    if event.label is not None and event.accepted:
        return f"{words_for(event.label)}, {percent(event.probability)}"
    why = f": {event.reason}" if event.reason else ""
    return f"not accepted{why}"


def alternatives(event: DomainEvent) -> str:
    """The other domains it could be, "or: …", or what it is nearest to when not accepted; else an empty text."""
    likely = [other for other in event.alternatives if other.probability >= 0.01]
    listed = ", ".join(f"{words_for(other.label)} {percent(other.probability)}" for other in likely)
    return f"{'or' if event.accepted else 'nearest'}: {listed}" if listed else ""


def finding_line(finding: Finding) -> str:
    """A finding with its decision, probability and interval, without its id."""
    kind = "decision_no" if finding.denies else "decision"
    line = f"{finding.label}: {phrases()[kind][finding.decision]}"
    if finding.probability is not None:
        line += f", {percent(finding.probability)}"
    if finding.interval is not None:
        low, high = (percent(end) for end in finding.interval)
        line += f" (95 % interval {low} to {high})" if low != high else ""
    return line


def measurement_line(measurement: Measurement) -> str:
    """A measurement with its unit and method, without its id."""
    return f"{measurement.name}: {number(measurement.value)} {measurement.unit} ({measurement.method})"


def tool_outcome(event: ToolResultEvent) -> str:
    """How a tool ended: "finished", or "skipped: …" with the reason."""
    status: str = phrases()["tool_status"][event.status]
    return f"{status}: {event.reason}" if event.reason else status


def withheld_line(event: WithheldEvent) -> str:
    """What was withheld, and why."""
    line: str = phrases()["withheld"][event.stage][event.reason]
    return line


def standing(verdict: str) -> tuple[str, str]:
    """How a shown sentence stands: a mark for the eye, and words. ``verdict`` is a claim's, or ``hedged``."""
    mark, said = phrases()["standing"][verdict]
    return mark, said


def refusal_title(event: RefusalEvent) -> str:
    """The heading of a refusal."""
    title: str = phrases()["refusal"][event.reason]
    return title


def refusal_parts(event: RefusalEvent) -> list[tuple[str, str]]:
    """Why, what is missing and what would help; parts that were not given are left out."""
    parts = [("Why", event.message), ("What is missing", event.missing), ("What would help", event.next_step)]
    return [(name, text) for name, text in parts if text]


def repeats(delta: DeltaEvent, refusals: Sequence[RefusalEvent]) -> bool:
    """Whether a piece of the answer only says once more what a refusal shown above it says."""
    said = delta.text.strip()
    told = {" ".join(part for part in (event.message, event.next_step) if part) for event in refusals}
    return bool(said) and said in told


def progress_line(event: BaseEvent) -> str | None:
    """What goes on, in a line for who waits: an image read, a tool at work. ``None`` where that is no news."""
    said = phrases()["progress"]
    if isinstance(event, StudyEvent):
        return f"{said['study']}: {', '.join(study_facts(event))}"
    if isinstance(event, DomainEvent):
        return f"{said['domain']}: {domain_line(event)}"
    if isinstance(event, ToolStartEvent):
        return f"{said['tool']}: {event.tool}"
    if isinstance(event, ToolResultEvent):
        return f"{event.tool}: {tool_outcome(event)}"
    if isinstance(event, PassageEvent):
        return f"{said['passage']}: {event.title}"
    if isinstance(event, RefusalEvent):
        return f"{refusal_title(event)}. {event.message}"
    if isinstance(event, WithheldEvent):
        return withheld_line(event)
    if isinstance(event, EngineEvent):
        return f"{said['engine']}: {engine_line(event)}"
    return None


def engine_line(event: EngineEvent) -> str:
    """Which engine wrote, and whether it stood in for another."""
    said = phrases()["engine"]
    line: str = said["composer"] if event.name == "composer" else said["llm"].format(model=event.model)
    why = said["fallback" if event.name == "composer" else "no_tools"]
    return f"{line} ({why})" if event.fallback_from else line


def engine_limits(event: EngineEvent) -> str:
    """What that engine cannot do."""
    limits: str = phrases()["engine"]["limits" if event.name == "composer" else "llm_limits"]
    return limits


def sureness(event: DoneEvent) -> str:
    """How sure the answer is, with its certificate when there is one."""
    if event.confidence is None:
        line = "no calibrated confidence for this answer"
    else:
        line = f"{percent(event.confidence)} that every sentence shown is right"
    if event.certificate is not None:
        bound = event.certificate
        line += (
            f"; certified for {bound.group}: at most {percent(bound.alpha)} wrong among the answered,"
            f" with {percent(1 - bound.delta)} certainty, from {bound.n} cases"
        )
    return line


def disclaimer() -> str:
    """The line that stands under every answer."""
    line: str = phrases()["disclaimer"]
    return line
