"""The built-in composer's report draft: Indication, Technique, Findings and Impression, from the evidence alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.engines import change, neighbours, phrases, volume
from agent.engines.impression import impression
from agent.engines.ladder import rung, say, sections
from agent.engines.phrases import count, listed, percent
from agent.evidence import Evidence, image_words, study_facts
from agent.state import SeenFinding, SeenImage, SeenMeasurement
from overread.domains import domains, with_article

SURE = 0.99
"""From this probability on, the kind of an image is not told to be uncertain."""


def draft(evidence: Evidence) -> Iterator[str]:
    """The report section by section: a heading on a line of its own, then the section's sentences as a paragraph."""
    parts = (_indication(evidence), _technique(evidence), _findings(evidence), impression(evidence))
    for heading, sentences in zip(sections(), parts, strict=True):
        yield f"{heading}\n\n" + " ".join(sentences) + "\n\n"


def _indication(evidence: Evidence) -> Iterator[str]:
    """What the request tells, in its own words, and of whom; nothing from the header."""
    told = [*_told(evidence), *(_said(said) for said in evidence.indication)]
    yield from told or [say("not_given")]


def _said(said: str) -> str:
    return say("request", verb="asks" if said.endswith("?") else "says", said=said)


def _told(evidence: Evidence) -> Iterator[str]:
    image = next(image for image in evidence.images if not image.prior_of)
    facts = study_facts(image.model_copy(update={"context": evidence.told}))
    who = ", ".join(filter(None, (with_article(facts["age group"]) if facts["age group"] else "", facts["sex"])))
    if who:
        yield say("patient", patient=who, id=image.id)
    if facts["view"]:
        yield say("view_told", view=facts["view"], id=image.id)


def _technique(evidence: Evidence) -> Iterator[str]:
    current = [image for image in evidence.images if not image.prior_of]
    for n, image in enumerate(current, start=1):
        yield from _made(image, n if len(current) > 1 else None)
    for image in evidence.images:
        if image.prior_of:
            words = with_article(image_words(image))
            yield phrases.say("earlier", words=words, probability=percent(image.probability), id=image.id)


def _made(image: SeenImage, n: int | None) -> Iterator[str]:
    facts, words = study_facts(image), image_words(image)
    where, it = (f" of image {n}", f"image {n}") if n else (" of this image", "it")
    number = image.frames if image.frames > 1 else image.images
    unit = ("slices" if image.slices else "frames") if image.frames > 1 else "image" if number == 1 else "images"
    yield say(
        "made",
        place=f"Image {n}: " if n else "",
        Words=words if n and not words.startswith(("MR", "CT", "X-")) else words[:1].upper() + words[1:],
        view=f" in {facts['view']} view" if facts["view"] else "",
        images=f"{'a single' if number == 1 else count(number)} {unit}",
        modality=f", modality {image.modality}" if image.modality else "",
        id=image.id,
    )
    if image.probability < SURE:
        yield say("recognised", it=it, words=with_article(words), probability=percent(image.probability), id=image.id)
    if image.domain not in domains() and any(label.startswith(f"{image.domain}/") for label in domains()):
        yield say("part_uncertain", id=image.id)
    if facts["pixel spacing"]:
        yield say("spacing", where=where, spacing=facts["pixel spacing"], id=image.id)
    else:
        yield say("no_spacing", where=where, id=image.id)
    if image.slices:
        yield phrases.say("slices", n=count(len(image.slices) + 1), id=image.id)


def _findings(evidence: Evidence) -> Iterator[str]:
    current = [image for image in evidence.images if not image.prior_of]
    for n, image in enumerate(current, start=1):
        yield from _of_image(evidence, image, n if len(current) > 1 else None)
    if any(image.prior_of for image in evidence.images) or evidence.change_asked or evidence.not_compared:
        yield from change.compared(evidence)


def _of_image(evidence: Evidence, image: SeenImage, n: int | None) -> Iterator[str]:
    mine = [seen for seen in evidence.findings if seen.image == image.id]
    where = f" in image {n}" if n else ""
    outside = [seen for seen in mine if seen.reason and seen.finding.decision == "indeterminate"]
    inside = [seen for seen in mine if seen not in outside]
    rows = [seen for seen in inside if not (image.slices and volume.is_absent(seen))]
    rows.sort(key=lambda seen: (_order(seen), -(seen.finding.probability or 0)))
    for seen in rows:
        yield _row(seen, f"{volume.where(seen.frame)}{where}" if image.slices else where)
    if image.slices:
        yield from volume.absences([_in_words(seen) for seen in inside], len(image.slices) + 1)
    unsure = [seen for seen in inside if seen.experimental and seen.finding.decision != "indeterminate"]
    for _, group in groupby(unsure, key=lambda seen: seen.tool):
        yield say("experimental", ids=", ".join(seen.finding.id for seen in group))
    yield from _measured([made for made in evidence.measurements if made.image == image.id], bool(image.slices), where)
    yield from _outside(outside, {seen.finding.label for seen in inside}, where)
    if evidence.cases_asked:
        yield from neighbours.sentences([one.case for one in evidence.cases if one.image == image.id], mine, True)
    yield from _not_looked_for(evidence, image, mine, n)


def _row(seen: SeenFinding, where: str) -> str:
    """One finding as a sentence, its words from the ladder."""
    finding = seen.finding
    label = finding.label.replace("_", " ")
    negative = label.startswith("no ")
    shown = {
        "finding": f"{label}{where}",
        "Finding": f"{label[:1].upper()}{label[1:]}{where}",
        "rest": f"{label.removeprefix('no ')}{where}",
        "title": _title(seen),
        "id": finding.id,
    }
    if finding.probability is None:
        return say("unknown_no" if negative else "unknown", **shown)
    row = rung(finding.decision, finding.probability).row
    if negative:
        row = row if finding.decision == "present" else finding.decision.replace("indeterminate", "open")
    return say(
        f"{row}_no" if negative else row,
        probability=percent(finding.probability),
        interval=phrases.interval(finding),
        **shown,
    )


def _outside(outside: Sequence[SeenFinding], decided: set[str], where: str) -> Iterator[str]:
    """What tools may not decide, because the patient is not of their population, less what another tool speaks of."""
    left = [seen for seen in outside if seen.finding.label not in decided]
    for _, group in groupby(left, key=lambda seen: (seen.tool, seen.reason)):
        same = list(group)
        yield say(
            "outside",
            title=same[0].title,
            findings=listed(list(dict.fromkeys(f"{seen.finding.label.replace('_', ' ')}" for seen in same))) + where,
            reason=same[0].reason,
            ids=", ".join(seen.finding.id for seen in same),
        )


def _not_looked_for(evidence: Evidence, image: SeenImage, mine: Sequence[SeenFinding], n: int | None) -> Iterator[str]:
    words = with_article(image_words(image))
    if not mine:
        yield say("no_tool", words=words)
    gap = next((one for one in evidence.gaps if one.image == image.id), None)
    if gap and gap.items:
        yield say("gap", items=listed(gap.items), where=f" in image {n}" if n else "")
    if mine:
        yield say("nothing_else", this=f"image {n}" if n else "this image")


def _measured(given: Sequence[SeenMeasurement], sliced: bool, where: str) -> Iterator[str]:
    """Each measurement, then once what their methods remark."""
    remarks: dict[str, list[str]] = {}
    for seen in given:
        made = seen.measurement
        method, *more = (part.strip() for part in made.method.split(";"))
        for remark in more:
            remarks.setdefault(remark, []).append(made.id)
        place = f"{volume.where(seen.frame)}{where}" if sliced else where
        value = phrases.number(made.value)
        yield phrases.say(
            "measurement", name=f"{made.name}{place}", value=value, unit=made.unit, method=method, id=made.id
        )
    for remark, ids in remarks.items():
        yield say("remark", remark=remark, ids=", ".join(ids))


def _in_words(seen: SeenFinding) -> SeenFinding:
    label = seen.finding.label.replace("_", " ")
    return seen.model_copy(update={"finding": seen.finding.model_copy(update={"label": label})})


def _title(seen: SeenFinding) -> str:
    """The model's name within a sentence."""
    return seen.title[:1].lower() + seen.title[1:] if seen.title.startswith(("The ", "A ", "An ")) else seen.title


def _order(seen: SeenFinding) -> int:
    return ["present", "indeterminate", "absent"].index(seen.finding.decision)
