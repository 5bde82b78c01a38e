"""What a part of the report says: figures, curves, and what was not done. As JSON and back."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evaluation.figure import Figure
from evaluation.measure import bootstrap, proportion

Better = Literal["higher", "lower"]
ROUNDS = 400
"""Draws of an interval."""


@dataclass(frozen=True)
class Measured(Figure):
    """A figure of the report: of which model or part, which direction is better, and what it does not show."""

    subject: str = ""
    better: Better | None = None
    unshown: str = ""

    def as_json(self) -> dict[str, Any]:
        """The figure as a JSON object; without an aim, which is a gate's business here."""
        told = asdict(self)
        del told["aim"]
        return told


@dataclass(frozen=True)
class Point:
    """A point of a curve, with its interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """Lines over one axis. ``span`` is the range of the upright axis, ``None`` to fit the points."""

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[Point, ...]]
    span: tuple[float, float] | None = (0.0, 1.0)
    note: str = ""

    @property
    def points(self) -> list[Point]:
        """All points of all lines."""
        return [point for line in self.lines.values() for point in line]


@dataclass
class Outcome:
    """What one part came to. ``not_done`` says in plain sentences what was left out, and why."""

    figures: list[Measured] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    not_done: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object. A number that is not finite becomes null."""
        return {
            "done": self.done,
            "not_done": self.not_done,
            "figures": [_finite(figure.as_json()) for figure in self.figures],
            "curves": [_finite(asdict(curve)) for curve in self.curves],
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> "Outcome":
        """What ``as_json`` gave. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
        figures = [Measured(**{**one, "interval": _pair(one["interval"])}) for one in told["figures"]]
        curves = [
            Curve(
                one["title"],
                one["x"],
                one["y"],
                {name: tuple(Point(**point) for point in line) for name, line in one["lines"].items()},
                _pair(one["span"]),
                one["note"],
            )
            for one in told["curves"]
        ]
        return cls(figures, curves, list(told["done"]), list(told["not_done"]))


def _pair(given: Sequence[float] | None) -> tuple[float, float] | None:
    return None if given is None else (given[0], given[1])


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        # An interval with an end that is no number is no interval.
        told = [_finite(one) for one in value]
        return None if isinstance(value, tuple) and len(told) == 2 and None in told else told
    return value


def share_of(
    name: str, hits: int, n: int, subject: str, better: Better | None, unshown: str, note: str = ""
) -> Measured:
    """A share with Wilson's interval; without a value where there is nothing to count."""
    if n == 0:
        return Measured(name, None, 0, None, note=note or "nothing to count", subject=subject, better=better,
                        unshown=unshown)  # fmt: skip
    return Measured(
        name, round(hits / n, 4), n, proportion(hits, n), note=note, subject=subject, better=better, unshown=unshown
    )


def drawn_again(
    name: str,
    statistic: Callable[[NDArray[np.intp]], float],
    patients: Sequence[str],
    subject: str,
    better: Better | None,
    unshown: str,
    note: str = "",
    unit: str = "",
    seed: int = 0,
    level: float = 0.95,
    counted: int | None = None,
) -> Measured:
    """A figure of rows with an interval by drawing whole patients again. A value that is no number is left out.

    For a share, ``counted`` is of how many patients: where all draws give 0, or all give 1, it has Wilson's interval.
    """
    n = len(patients)
    value = statistic(np.arange(n)) if n else float("nan")
    if not math.isfinite(value):
        return Measured(name, None, n, None, note=note or "cannot be computed on these rows", subject=subject,
                        better=better, unshown=unshown)  # fmt: skip
    people = len(set(patients))
    interval = bootstrap(statistic, patients, ROUNDS, seed, level) if people > 1 else None
    if interval is not None and not all(map(math.isfinite, interval)):
        interval = None
    elif interval is not None and interval[0] == interval[1]:
        interval = where_all_are_alike(value, counted)
        why = "so no interval" if interval is None else f"Wilson's interval, of {counted} patients"
        note = "; ".join(filter(None, (note, f"every draw gives the same, {why}")))
    return Measured(name, round(value, 4), n, interval, unit=unit, note=note, subject=subject, better=better,
                    unshown=unshown)  # fmt: skip


def where_all_are_alike(value: float, counted: int | None) -> tuple[float, float] | None:
    """The interval where every draw gives the same: of a share of 0 or 1 of ``counted``, Wilson's, else none.

    Rows that are all alike say nothing of others: a range of no width would look like certainty.
    """
    return proportion(round(value) * counted, counted) if counted and value in (0.0, 1.0) else None
