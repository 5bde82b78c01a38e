"""What the composer says of an earlier image: what it is, and what was measured to have changed."""

from collections.abc import Iterator

from agent.engines.phrases import number, percent, say
from agent.evidence import Evidence, image_words
from overread.domains import with_article


def sentences(evidence: Evidence) -> Iterator[str]:
    """The comparison with the prior: its kind, each measured change, or why there is no comparison."""
    before = next((image for image in evidence.images if image.prior_of), None)
    if before is not None:
        words = with_article(image_words(before))
        yield say("earlier", words=words, probability=percent(before.probability), id=before.id)
    findings = {seen.finding.id: seen.finding for seen in evidence.findings}
    measured = {seen.measurement.id: seen.measurement for seen in evidence.measurements}
    for change in evidence.changes:
        shown = {"name": change.name, "now_id": change.now, "before_id": change.before}
        verb = say(f"change_{change.direction}")
        if change.now in findings:
            then, now = (percent(findings[one].probability or 0.0) for one in (change.before, change.now))
            yield say("change_finding", then=then, now=now, verb=verb, **shown)
        else:
            then, now = (f"{number(measured[one].value)} {measured[one].unit}" for one in (change.before, change.now))
            yield say("change_measurement", then=then, now=now, verb=verb, **shown)
    if evidence.not_compared:
        yield say("not_compared", reason=evidence.not_compared)
    elif evidence.change_asked and not evidence.changes:
        yield say("no_prior")
        yield say("give_prior")
