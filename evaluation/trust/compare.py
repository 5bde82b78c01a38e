"""Two reports side by side: which figures changed, and by more than their intervals allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation.trust.outcome import Measured
from evaluation.trust.record import Report

Verdict = Literal["worse", "better", "changed", "within", "same", "gone", "new"]


@dataclass(frozen=True)
class Difference:
    """One figure in both reports. ``within``: it changed, and the intervals overlap, or there are none."""

    id: str
    before: Measured | None
    after: Measured | None
    verdict: Verdict

    @property
    def change(self) -> float | None:
        """The later value less the earlier."""
        if self.before is None or self.after is None or self.before.value is None or self.after.value is None:
            return None
        return self.after.value - self.before.value


def differences(before: Report, after: Report) -> list[Difference]:
    """Every figure of either report, in the order of the first."""
    old, new = dict(before.figures()), dict(after.figures())
    names = [*old, *(name for name in new if name not in old)]
    return [Difference(name, old.get(name), new.get(name), verdict(old.get(name), new.get(name))) for name in names]


def verdict(before: Measured | None, after: Measured | None) -> Verdict:
    """What a change comes to. A figure that lost its value is gone."""
    if after is None or (after.value is None and before is not None and before.value is not None):
        return "gone"
    if before is None or (before.value is None and after.value is not None):
        return "new"
    if before.value is None or after.value is None or before.value == after.value:
        return "same"
    if before.interval is None or after.interval is None or _overlap(before.interval, after.interval):
        return "within"
    if after.better is None:
        return "changed"
    return "better" if (after.value > before.value) == (after.better == "higher") else "worse"


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def unlike(before: Report, after: Report) -> list[str]:
    """Why two reports may not be comparable, in plain sentences."""
    told = []
    for key, words in (("manifest", "the rows"), ("seed", "the seed"), ("sizes", "the sizes"), ("quick", "--quick")):
        if before.about.get(key) != after.about.get(key):
            told.append(f"{words} differ: a change may come from that")
    return told


def as_lines(found: Sequence[Difference], everything: bool = False) -> list[str]:
    """A line a figure that changed; with ``everything`` also for those that did not."""
    shown = [one for one in found if everything or one.verdict not in ("same", "within")]
    return [f"{one.verdict:<8}{_value(one.before):>9} -> {_value(one.after):<9}{one.id}" for one in shown]


def _value(figure: Measured | None) -> str:
    return "-" if figure is None or figure.value is None else f"{figure.value:g}"
