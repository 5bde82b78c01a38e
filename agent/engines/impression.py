"""The impression of a report draft: at most three sentences, the important first, the last one what a draft is."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.engines import change
from agent.engines.ladder import rung, say
from agent.engines.phrases import count, listed
from agent.evidence import Evidence, image_words
from agent.state import SeenFinding

MOST = 2
"""Sentences before the last one."""

MOST_PRESENT = 4
"""Findings that are named as present; the others stand in the findings."""


def impression(evidence: Evidence) -> Iterator[str]:
    """What is likely there, else what changed, what is open, what shows no signs; then that this is a draft.

    ``evidence`` holds the image's own findings and the prior's; only the changes speak of the prior.
    """
    earlier = {image.id for image in evidence.images if image.prior_of}
    images = [image for image in evidence.images if image.id not in earlier]
    findings = [seen for seen in evidence.findings if seen.image not in earlier]
    places = {image.id: f" in image {n}" if len(images) > 1 else "" for n, image in enumerate(images, start=1)}
    said = [
        *_present(findings, places, {image.id: len(image.slices) + 1 for image in images}),
        *change.changed(evidence),
        *_open([seen for seen in findings if not seen.reason], places),
        *_absent(findings, places),
        *_open([seen for seen in findings if seen.reason], places, findings),
    ]
    if not findings:
        it = "the images" if len(images) > 1 else f"this {image_words(images[0])}"
        said.append(say("sum_none", where="", it=it))
    yield from said[:MOST]
    yield say("draft")


def _present(findings: Sequence[SeenFinding], places: dict[str, str], slices: dict[str, int]) -> Iterator[str]:
    """One sentence for all that is present, the likeliest first, each with its rung."""
    present = [seen for seen in findings if seen.finding.decision == "present" and not _is_absence(seen)]
    groups = []
    for (image, label), group in groupby(sorted(present, key=_thing), key=_thing):
        same = sorted(group, key=_probability, reverse=True)
        where = places[image]
        if slices[image] > 1:
            where += f" in {count(len({seen.frame for seen in same}))} of the {count(slices[image])} slices"
        if any(seen.experimental for seen in same):
            where += ", by an experimental model"
        groups.append((_probability(same[0]), f"{label}{where}", same))
    parts = []
    for probability, words, same in sorted(groups, key=lambda group: -group[0])[:MOST_PRESENT]:
        decided = same[0].finding.probability is not None
        shown = rung("present", probability).sum if decided else "possible"
        name, comma, rest = words.partition(",")
        parts.append(say("sum_present", Finding=name, rung=f"{shown}{comma}{rest}", ids=_ids(same)))
    if parts:
        joined = listed(parts, "and").replace("], ", "], ")
        yield f"{joined[:1].upper()}{joined[1:]}."


def _open(findings: Sequence[SeenFinding], places: dict[str, str], others: Sequence[SeenFinding] = ()) -> Iterator[str]:
    """One sentence for all that is not decided, and of which no other tool speaks."""
    spoken_of = {_thing(seen) for seen in others if not seen.reason}
    spoken_of |= {_thing(seen) for seen in findings if seen.finding.decision != "indeterminate"}
    left = [seen for seen in findings if seen.finding.decision == "indeterminate" and _thing(seen) not in spoken_of]
    if left:
        yield say("sum_open", findings=_named(left, places), ids=_ids(left))


def _absent(findings: Sequence[SeenFinding], places: dict[str, str]) -> Iterator[str]:
    """That a label which says an absence is present; then all that shows no signs, or is only unlikely."""
    free = [seen for seen in findings if seen.finding.decision == "present" and _is_absence(seen)]
    if free:
        yield say("sum_absent_high", findings=_named(free, places), ids=_ids(free))
    present = {_thing(seen) for seen in findings if seen.finding.decision == "present"}
    absent = [
        seen
        for seen in findings
        if seen.finding.decision == "absent" and not _is_absence(seen) and _thing(seen) not in present
    ]
    if absent:
        worst = rung("absent", max(_probability(seen) for seen in absent))
        said = "sum_absent_high" if worst == rung("absent", 0.0) else "sum_absent_mid"
        yield say(said, findings=_named(absent, places), ids=_ids(absent))


def _is_absence(seen: SeenFinding) -> bool:
    """Whether the label says an absence ("no tumour"): what it is about is told by the other labels."""
    return seen.finding.label.startswith("no ")


def _thing(seen: SeenFinding) -> tuple[str, str]:
    return seen.image, seen.finding.label.replace("_", " ")


def _named(findings: Sequence[SeenFinding], places: dict[str, str]) -> str:
    """The labels by image: "a or b in image 1, or c in image 2"."""
    groups: dict[str, list[str]] = {}
    for seen in findings:
        label = _thing(seen)[1].removeprefix("no ") if seen.finding.decision == "present" else _thing(seen)[1]
        groups.setdefault(places[seen.image], []).append(label)
    parts = [f"{listed(list(dict.fromkeys(labels)))}{place}" for place, labels in groups.items()]
    return ", or ".join(parts)


def _probability(seen: SeenFinding) -> float:
    return seen.finding.probability or 0.0


def _ids(findings: Sequence[SeenFinding]) -> str:
    return ", ".join(seen.finding.id for seen in findings)
