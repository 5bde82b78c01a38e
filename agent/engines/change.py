"""What the composer says of an earlier image: what it is, and what was measured to have changed."""

from collections.abc import Iterator

from agent.engines.phrases import number, percent, say
from agent.evidence import Evidence, image_words
from overread.domains import with_article
from overread.records import Change


def sentences(evidence: Evidence) -> Iterator[str]:
    """The comparison with the prior: its kind, each measured change, or why there is no comparison."""
    before = next((image for image in evidence.images if image.prior_of), None)
    if before is not None:
        words = with_article(image_words(before))
        yield say("earlier", words=words, probability=percent(before.probability), id=before.id)
    yield from compared(evidence)


def compared(evidence: Evidence) -> Iterator[str]:
    """Each measured change, or why there is none to tell."""
    for change in evidence.changes:
        yield _change(change, evidence)
    if evidence.not_compared:
        yield say("not_compared", reason=evidence.not_compared)
    elif evidence.change_asked and not evidence.changes:
        yield say("no_prior")
        yield say("give_prior")


def changed(evidence: Evidence) -> Iterator[str]:
    """The measured changes that are clear: higher or lower."""
    for change in evidence.changes:
        if change.direction != "same":
            yield _change(change, evidence)


def _change(change: Change, evidence: Evidence) -> str:
    findings = {seen.finding.id: seen.finding for seen in evidence.findings}
    shown = {"name": change.name, "now_id": change.now, "before_id": change.before}
    verb = say(f"change_{change.direction}")
    if change.now in findings:
        then, now = (percent(findings[one].probability or 0.0) for one in (change.before, change.now))
        return say("change_finding", then=then, now=now, verb=verb, **shown)
    measured = {seen.measurement.id: seen.measurement for seen in evidence.measurements}
    then, now = (f"{number(measured[one].value)} {measured[one].unit}" for one in (change.before, change.now))
    return say("change_measurement", then=then, now=now, verb=verb, **shown)
