"""What a mask measures: area, axes, place, brightness. Lengths in mm only where the image has a spacing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.records import Measurement
from tools.errors import ToolError

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """The longest width of an object and the greatest width across it.

    ``long`` and ``short`` are lengths in the unit of the spacing given; ``angle`` is the direction of the
    longest in degrees, 0 along a row, growing clockwise as the image is shown, in [0, 180).
    """

    long: float
    short: float
    angle: float


def measure_mask(
    mask: Bools,
    spacing_mm: tuple[float, float] | None = None,
    values: NDArray[np.float32] | None = None,
    unit: str = "a.u.",
) -> tuple[Measurement, ...]:
    """Area, axes, centroid, and the mean of ``values``, of one mask.

    ``mask`` is bool ``(H, W)``; ``spacing_mm`` is (row, column) millimetres, or ``None``: everything is
    in pixels then; ``values`` is float32 ``(H, W)`` in ``unit`` ("HU" for CT). Ids are local: M1, M2 ….

    Raises ``ToolError`` for an empty mask, one of another shape than ``values``, or a spacing that is
    not positive.
    """
    if mask.ndim != 2 or not mask.any():
        raise ToolError("the mask is empty, so there is nothing to measure; give another prompt")
    if values is not None and values.shape != mask.shape:
        raise ToolError("the mask and the values are not of the same size")
    if spacing_mm is not None and not all(np.isfinite(side) and side > 0 for side in spacing_mm):
        raise ToolError("the spacing must be two numbers above 0, in millimetres")
    length = "px" if spacing_mm is None else "mm"
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    axes = axes_of(mask, (row_mm, column_mm))
    y, x = centroid_of(mask)
    how = "in pixels; the image has no spacing" if spacing_mm is None else "pixel spacing of the image"
    found = [
        ("area", float(mask.sum()) * row_mm * column_mm, f"{length}²", f"pixels of the mask, {how}"),
        ("longest axis", axes.long, length, f"greatest Feret diameter over pixel corners, {how}"),
        ("short axis", axes.short, length, f"greatest extent at a right angle to the longest axis, {how}"),
        ("centroid x", x, "px", "mean column of the mask's pixels, 0 at the middle of the first"),
        ("centroid y", y, "px", "mean row of the mask's pixels, 0 at the middle of the first"),
    ]
    if values is not None:
        inside = values[mask].astype(np.float64)
        inside = inside[np.isfinite(inside)]
        if inside.size:
            found.append(("mean intensity", float(inside.mean()), unit, "mean of the stored values inside the mask"))
    return tuple(
        Measurement(id=f"M{number}", name=name, value=round(value, 4), unit=unit_, method=method)
        for number, (name, value, unit_, method) in enumerate(found, start=1)
    )


def centroid_of(mask: Bools) -> tuple[float, float]:
    """The mean (row, column) of the mask's pixels."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def axes_of(mask: Bools, spacing: tuple[float, float] = (1.0, 1.0)) -> Axes:
    """The axes of a mask that is not empty, ``spacing`` being (row, column) lengths of a pixel.

    The longest axis joins the two corners of pixels that are farthest apart; the short axis is the
    extent at a right angle to it. Both are found on the convex hull.
    Source: Shamos, Computational Geometry, 1978 (antipodal points).
    """
    hull = hull_of(mask, spacing)
    apart = hull[:, None] - hull[None]
    squares = (apart**2).sum(axis=2)
    first, second = np.unravel_index(int(squares.argmax()), squares.shape)
    long = float(np.sqrt(squares[first, second]))
    along = (hull[second] - hull[first]) / long
    across = hull @ np.array([-along[1], along[0]])
    angle = float(np.degrees(np.arctan2(along[0], along[1])) % 180)
    return Axes(long, float(np.ptp(across)), angle)


def hull_of(mask: Bools, spacing: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """The corners of the convex hull round a mask's pixels, float64 ``(N, 2)`` as (row, column) lengths, in order."""
    from scipy.spatial import ConvexHull

    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows, edge], axis=1) for edge in (first, last)]).astype(np.float64)
    corners = np.concatenate([ends, ends + np.array([1.0, 0.0])]) * np.asarray(spacing)
    return np.asarray(corners[ConvexHull(corners).vertices], dtype=np.float64)
