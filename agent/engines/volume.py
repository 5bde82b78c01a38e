"""How the composer speaks of a volume, of which the tools saw some slices: each finding names its slice."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.engines.phrases import count, say
from agent.state import SeenFinding


def where(frame: int) -> str:
    """The words that place something in a slice, counted from 0 as ``--frame`` counts."""
    return f" in slice {frame}"


def is_absent(seen: SeenFinding) -> bool:
    """Whether a finding is told together with those of other slices."""
    return seen.finding.decision == "absent" and seen.finding.probability is not None


def absences(decided: Sequence[SeenFinding], total: int) -> Iterator[str]:
    """One sentence for all slices in which a tool finds no signs of a label, with the highest probability of these."""
    absent = sorted(filter(is_absent, decided), key=lambda seen: (seen.tool, seen.finding.label))
    for _, group in groupby(absent, key=lambda seen: (seen.tool, seen.finding.label)):
        same = sorted(group, key=lambda seen: seen.frame)
        highest = max(seen.finding.probability or 0.0 for seen in same)
        yield say(
            "absent_slices",
            title=same[0].title,
            finding=same[0].finding.label,
            n="any" if len(same) == total else count(len(same)),
            total=count(total),
            probability=f"{max(1, math.ceil(highest * 100))} %",
            ids=", ".join(seen.finding.id for seen in same),
        )
