"""From a calibrated probability to words: the ladder of report drafts, and their sentences, kept in ``draft.yaml``.

The idea of a ladder is ChatCAD's (Wang et al., 2023); the rungs and the words are ours, and a rung is chosen by what
the model decided before it is by the probability.
"""

from functools import lru_cache
from typing import Any

from overread.packaged import packaged_yaml
from overread.records import Decision, Record


class Rung(Record):
    """A rung: the probability it ends below, its sentence among the findings, and its words in the impression."""

    below: float
    row: str
    sum: str


def rung(decision: Decision, probability: float) -> Rung:
    """The rung of a decided or undecided probability in [0, 1]."""
    return next(one for one in ladder()[decision] if probability < one.below)


def say(phrase: str, /, **values: object) -> str:
    """A sentence of a draft by its name, filled in."""
    return str(_draft()["phrases"][phrase]).format(**values)


def sections() -> tuple[str, ...]:
    """The headings of a report, in order."""
    return tuple(_draft()["sections"])


@lru_cache(maxsize=1)
def ladder() -> dict[str, tuple[Rung, ...]]:
    """The rungs by decision, from the lowest probability up."""
    return {name: tuple(Rung.model_validate(one) for one in rungs) for name, rungs in _draft()["ladder"].items()}


@lru_cache(maxsize=1)
def _draft() -> dict[str, Any]:
    data: dict[str, Any] = packaged_yaml("agent", "engines/draft.yaml")
    return data
