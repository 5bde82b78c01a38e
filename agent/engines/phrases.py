"""The composer's fixed sentences, kept as data in ``phrases.yaml``, and how it writes numbers."""

from collections.abc import Sequence
from functools import lru_cache

from overread.packaged import packaged_yaml
from overread.records import Finding

_COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def say(phrase: str, /, **values: object) -> str:
    """A sentence by its name, filled in."""
    return _phrases()[phrase].format(**values)


def percent(probability: float) -> str:
    """A probability in words a reader trusts: never 0 % and never 100 %."""
    if probability < 0.01:
        return "less than 1 %"
    if probability > 0.99:
        return "more than 99 %"
    return f"{probability * 100:.0f} %"


def interval(finding: Finding) -> str:
    """The 95 % interval in brackets, unless it says no more than the probability does."""
    if finding.interval is None:
        return ""
    low, high = (percent(edge) for edge in finding.interval)
    return "" if low == high else f" (95 % interval {low} to {high})"


def number(value: float) -> str:
    """A measured value with two decimals at most, none from 1,000 on: more would promise a precision no mask has."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.2f}".rstrip("0").rstrip(".")


def count(value: int) -> str:
    """A small number in words."""
    return _COUNTS[value] if value < len(_COUNTS) else str(value)


def listed(words: Sequence[str], last: str = "or") -> str:
    """Words with commas, the last one after ``last``."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    phrases: dict[str, str] = packaged_yaml("agent", "engines/phrases.yaml")
    return phrases
