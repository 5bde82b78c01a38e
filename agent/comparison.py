"""Compares an image with its prior, by what was measured in both, and by nothing else.

Two values are comparable when the same weights gave both of the same thing: a calibrated probability, or a
measurement in a unit that means the same in both images.
"""

from collections.abc import Sequence
from typing import Literal

from agent.state import SeenFinding, SeenImage, SeenMeasurement
from overread.domains import with_article, words_for
from overread.records import Change, Finding

UNITS = frozenset({"mm", "mm²", "mm2", "cm", "cm²", "cm2", "ml", "hu", "%", "ratio"})
"""Units, in lower case, that mean the same in every image. Pixels and arbitrary units do not."""

LEAST_PROBABILITY = 0.1
LEAST_MEASURE = 0.05
"""Changes smaller than these are "not clearly changed": of a probability, and of a measurement relative to the
larger value. Set by judgement: how much the tools vary between two images of one state is not measured yet."""


def compare(
    images: Sequence[SeenImage],
    findings: Sequence[SeenFinding],
    measurements: Sequence[SeenMeasurement],
) -> tuple[tuple[Change, ...], str | None]:
    """The measured changes from the prior among ``images``, and why there are none; neither without a prior.

    The reason is what follows "I cannot compare".
    """
    before = next((image for image in images if image.prior_of), None)
    now = next((image for image in images if before is not None and image.id == before.prior_of), None)
    if before is None or now is None:
        return (), None
    reason = before.incomparable or _unlike(now, before)
    if reason is not None:
        return (), reason
    changes = [
        Change(
            name=a.finding.label, before=b.finding.id, now=a.finding.id, direction=_of_findings(a.finding, b.finding)
        )
        for a in findings
        for b in findings
        if a.image == now.id and b.image == before.id and _same_finding(a, b)
    ]
    changes += [
        Change(
            name=a.measurement.name,
            before=b.measurement.id,
            now=a.measurement.id,
            direction=_of_values(a.measurement.value, b.measurement.value),
        )
        for a in measurements
        for b in measurements
        if a.image == now.id
        and b.image == before.id
        and _same_measure(a, b)
        and _alone(a, measurements)
        and _alone(b, measurements)
    ]
    return tuple(changes), None if changes else "these images, as no tool measured the same thing in both"


def _unlike(now: SeenImage, before: SeenImage) -> str | None:
    """Why two images of these kinds may not be compared, or ``None``."""
    if now.domain != before.domain:
        kinds = [with_article(words_for(image.domain)) if image.domain else "an image" for image in (now, before)]
        return f"{kinds[0]} with {kinds[1]}"
    for one, other, what in (
        (now.context.view, before.context.view, "of different views"),
        (now.context.laterality, before.context.laterality, "of different sides"),
        (now.context.body_part, before.context.body_part, "of different parts of the body"),
    ):
        if one and other and one != other:
            return f"images {what}"
    return None


def _same_finding(a: SeenFinding, b: SeenFinding) -> bool:
    known = a.finding.probability is not None and b.finding.probability is not None
    return known and (a.tool, a.version, a.finding.label) == (b.tool, b.version, b.finding.label)


def _same_measure(a: SeenMeasurement, b: SeenMeasurement) -> bool:
    one, other = a.measurement, b.measurement
    same = (a.tool, a.version, one.name, one.unit, one.method) == (
        b.tool,
        b.version,
        other.name,
        other.unit,
        other.method,
    )
    return same and bool(a.tool) and one.unit.lower() in UNITS


def _alone(made: SeenMeasurement, measurements: Sequence[SeenMeasurement]) -> bool:
    """Whether no other measurement of the image has its name: two things of one name are not matched."""
    same = [m for m in measurements if m.image == made.image and m.measurement.name == made.measurement.name]
    return len(same) == 1


def _of_findings(now: Finding, before: Finding) -> Literal["higher", "lower", "same"]:
    first, second = before.probability or 0.0, now.probability or 0.0
    low, high = (before.interval or (first, first)), (now.interval or (second, second))
    overlap = low[0] <= high[1] and high[0] <= low[1]
    if overlap or abs(second - first) < LEAST_PROBABILITY:
        return "same"
    return "higher" if second > first else "lower"


def _of_values(now: float, before: float) -> Literal["higher", "lower", "same"]:
    if abs(now - before) <= LEAST_MEASURE * max(abs(now), abs(before)):
        return "same"
    return "higher" if now > before else "lower"
