"""What a report on an image usually speaks of, and no tool here looked for.

The lists by kind of image are data: ``prompts/report_items.yaml``.
"""

from collections.abc import Sequence
from functools import lru_cache

from agent.state import SeenFinding, SeenImage
from overread.packaged import packaged_yaml
from overread.records import Record


class Gap(Record):
    """The items of one image that no tool looked for, as words in a sentence. ``image`` is its evidence id."""

    image: str
    items: tuple[str, ...]


def gaps_of(images: Sequence[SeenImage], findings: Sequence[SeenFinding], indication: str) -> tuple[Gap, ...]:
    """A gap for each image but the prior: the list of its kind, and what the indication names, less what was looked
    for.

    An item whose tool looked and could not decide is no gap.
    """
    from guardrails.findings import mentioned, same_finding

    gaps = []
    for image in images:
        if image.prior_of:
            continue
        looked_for = {
            label for seen in findings if seen.image == image.id for label in (*seen.covers, seen.finding.label)
        }
        wanted = [*mentioned(indication), *_items(image.domain)]
        missing = [
            item
            for item in dict.fromkeys(wanted)
            if not any(same_finding(term, label) for term in mentioned(item) or [item] for label in looked_for)
            and item.lower() not in {label.replace("_", " ").lower() for label in looked_for}
        ]
        named = [set(mentioned(item)) for item in missing]
        kept = [item for n, item in enumerate(missing) if not (named[n] and any(named[n] <= one for one in named[:n]))]
        gaps.append(Gap(image=image.id, items=tuple(kept)))
    return tuple(gaps)


def _items(domain: str | None) -> list[str]:
    lists = _lists()
    label = domain or ""
    return lists.get(label, lists.get(label.split("/")[0], []))


@lru_cache(maxsize=1)
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = packaged_yaml("agent", "prompts/report_items.yaml")
    return lists
