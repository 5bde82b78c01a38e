"""One measured figure with its interval and its aim."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from evaluation.planted_errors import wilson

Direction = Literal["at least", "at most"]


@dataclass(frozen=True)
class Aim:
    """Where a figure should be."""

    direction: Direction
    value: float

    def met_by(self, value: float) -> bool:
        """Whether a figure is there."""
        return value >= self.value if self.direction == "at least" else value <= self.value

    def __str__(self) -> str:
        return f"{'>=' if self.direction == 'at least' else '<='} {self.value:g}"


@dataclass(frozen=True)
class Figure:
    """What was measured, of how many, with a 95 % interval where there is one. Without a value, ``note`` says why."""

    name: str
    value: float | None
    n: int
    interval: tuple[float, float] | None = None
    aim: Aim | None = None
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; ``None`` where there is no aim or no value."""
        return None if self.aim is None or self.value is None else self.aim.met_by(self.value)

    def as_json(self) -> dict[str, Any]:
        """The figure as a JSON object."""
        aim = str(self.aim) if self.aim is not None else None
        return {**asdict(self), "aim": aim, "met": self.met}


def share(name: str, hits: int, n: int, aim: Aim | None = None, note: str = "") -> Figure:
    """A share with Wilson's interval."""
    low, high = wilson(hits, n)
    return Figure(name, round(hits / max(n, 1), 4), n, (round(low, 4), round(high, 4)), aim, note=note)


def at_least(value: float) -> Aim:
    """An aim that a figure should reach."""
    return Aim("at least", value)


def at_most(value: float) -> Aim:
    """An aim that a figure should not pass."""
    return Aim("at most", value)


def as_lines(figures: Sequence[Figure]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(figure.as_json(), ensure_ascii=False) + "\n" for figure in figures)


def print_figures(purpose: str | None, measure: Callable[[Path, int | None], Sequence[Figure]]) -> int:
    """A measuring command that takes a folder and ``--most``: prints one JSON object a figure."""
    parser = argparse.ArgumentParser(description=(purpose or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, help="at most so many texts of each set")
    chosen = parser.parse_args()
    sys.stdout.write(as_lines(measure(chosen.folder, chosen.most)))
    return 0
