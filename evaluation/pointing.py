"""The pointing game: does the peak of a heatmap lie in the box a radiologist drew? (Zhang et al., 2016)"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` as fractions of the picture's width and height."""


@dataclass(frozen=True)
class Game:
    """``hits`` of ``n`` peaks lie in a box. ``anywhere`` is the chance of a point drawn anywhere, ``usual`` the hits of
    one point for all: the peak of the mean of the other pictures' maps.
    """

    hits: int
    n: int
    anywhere: float
    usual: int


def nih_boxes(note: str, finding: str) -> list[Box]:
    """The boxes of a finding in the note of an NIH row, which gives x, y, width and height of 1024."""
    found = re.search(r"bbox1024=(\[.*\])", note)
    if not found:
        return []
    rows = [
        tuple(float(number) / 1024 for number in numbers) for name, *numbers in json.loads(found[1]) if name == finding
    ]
    return [(x, y, x + w, y + h) for x, y, w, h in rows]


def pointing(maps: NDArray[np.floating], boxes: Sequence[Sequence[Box]]) -> Game:
    """Play it: ``maps`` is float ``(N, h, w)``; ``boxes`` has at least one box a map.

    The peak is the middle of the hottest cell.
    """
    total = maps.sum(axis=0)
    hits = [_inside(_peak(one), around) for one, around in zip(maps, boxes, strict=True)]
    usual = [_inside(_peak(total - one), around) for one, around in zip(maps, boxes, strict=True)]
    return Game(sum(hits), len(hits), float(np.mean([_covered(around) for around in boxes])), sum(usual))


def _peak(cells: NDArray[np.floating]) -> tuple[float, float]:
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    return (float(column) + 0.5) / cells.shape[1], (float(row) + 0.5) / cells.shape[0]


def _inside(point: tuple[float, float], boxes: Sequence[Box]) -> bool:
    x, y = point
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in boxes)


def _covered(boxes: Sequence[Box]) -> float:
    """The share of the picture that the boxes cover together, on a grid of 256 x 256."""
    grid = np.zeros((256, 256), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        grid[round(y0 * 256) : round(y1 * 256), round(x0 * 256) : round(x1 * 256)] = True
    return float(grid.mean())
