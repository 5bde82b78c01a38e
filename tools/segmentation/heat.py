"""Prompts made from a classifier's heatmap: the box round its hottest area, and points on its peaks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolError
from tools.segmentation.prompts import Point, Prompt

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class HeatPrompt:
    """How a heatmap becomes a prompt.

    The hottest area is the pixels joined to the peak whose height above the map's least is at least
    ``part`` of the peak's. ``box`` asks for the box round it; ``points`` is how many of its peaks are
    pointed at, each at least ``apart`` of the area's longer side from the others.
    """

    part: float = 0.5
    box: bool = True
    points: int = 0
    apart: float = 0.25

    def __post_init__(self) -> None:
        if not (0 < self.part <= 1 and 0 <= self.points <= 16 and 0 <= self.apart <= 1):
            raise ToolError("part must be above 0 and at most 1, points at most 16, apart between 0 and 1")
        if not self.box and self.points == 0:
            raise ToolError("a prompt from a heatmap needs a box, points, or both")


def prompt_from_heat(heat: Floats, how: HeatPrompt | None = None) -> Prompt | None:
    """The prompt that a heatmap, float32 ``(H, W)`` in [0, 1], makes for an image of its size.

    ``None`` when the map is flat: it points at nothing. Raises ``ToolError`` for a map that is not
    two-dimensional, is empty, or holds what is no number.
    """
    from scipy import ndimage

    how = how or HeatPrompt()
    if heat.ndim != 2 or 0 in heat.shape or not np.isfinite(heat).all():
        raise ToolError("a heatmap is (H, W), not empty, and of numbers alone")
    height = heat.astype(np.float64) - float(heat.min())
    if float(height.max()) <= 1e-6:
        return None
    areas, _ = ndimage.label(height >= how.part * height.max())
    peak = np.unravel_index(int(height.argmax()), height.shape)
    area = areas == areas[peak]
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    reach = how.apart * max(box[2] - box[0], box[3] - box[1])
    return Prompt(box if how.box else None, _peaks(np.where(area, height, -np.inf), how.points, reach))


def _peaks(height: NDArray[np.float64], count: int, reach: float) -> tuple[Point, ...]:
    """The ``count`` highest hilltops, the highest first, no two within ``reach`` pixels of each other."""
    from scipy import ndimage

    left = np.where(height >= ndimage.maximum_filter(height, 3), height, -np.inf)
    found: list[Point] = []
    y, x = np.ogrid[: height.shape[0], : height.shape[1]]
    while len(found) < count and np.isfinite(left.max()):
        # In the middle of a plateau rather than at its corner.
        rows, columns = np.nonzero(left == left.max())
        nearest = int(((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin())
        row, column = int(rows[nearest]), int(columns[nearest])
        found.append(Point(column, row))
        left[(y - row) ** 2 + (x - column) ** 2 <= reach**2] = -np.inf
    return tuple(found)
