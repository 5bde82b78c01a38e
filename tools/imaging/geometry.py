"""Where a picture lies in the patient, and how far one slice is from the next.

Sources: PS3.3 C.7.6.2 (Image Plane), C.7.6.16.2.3 and .4 (plane position and orientation of a frame).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from tools.imaging.header import frame_groups, numbers
from tools.imaging.spacing import plausible

SAME_PLACE_MM = 0.01
"""Slices nearer than this lie in one place."""
_SAME_DIRECTION = 0.01
_MOST_UNEVEN = 0.01


@dataclass(frozen=True)
class Plane:
    """``position`` is the centre of the first pixel in mm, ``orientation`` the directions of a row and of a column."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]


def plane(header: Dataset, frame: int = 0) -> Plane | None:
    """The plane of a frame, or ``None`` where the header does not give a sound one."""
    position = _first(header, frame, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _first(header, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
    if len(position) != 3 or len(orientation) != 6:
        return None
    row, column = np.array(orientation).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    upright = all(abs(length - 1) <= _SAME_DIRECTION for length in lengths) and abs(row @ column) <= _SAME_DIRECTION
    return Plane(position, orientation) if upright else None


def parallel(one: Plane, other: Plane) -> bool:
    """Whether two planes have their rows and columns in the same directions."""
    return bool(np.allclose(one.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION))


def distances_mm(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """How far along the normal of the first of parallel ``planes`` each lies, float64 ``(N,)``."""
    normal = np.cross(planes[0].orientation[:3], planes[0].orientation[3:])
    found: NDArray[np.float64] = np.array([one.position for one in planes]) @ (normal / np.linalg.norm(normal))
    return found


def slice_spacing_mm(planes: Sequence[Plane | None]) -> float | None:
    """The distance from each slice to the next in mm, if it is the same all through a stack in this order.

    ``None`` where a place is unknown or taken twice, a slice is missing, or the planes are not
    parallel. Slice Thickness and Spacing Between Slices are not asked: they may leave gaps unsaid.
    """
    known = [one for one in planes if one is not None]
    if len(known) < 2 or len(known) < len(planes) or not all(parallel(known[0], one) for one in known):
        return None
    steps = np.diff(distances_mm(known))
    step = float(np.mean(steps))
    even = bool(np.ptp(steps) <= max(_MOST_UNEVEN * abs(step), SAME_PLACE_MM))
    return abs(step) if even and abs(step) > SAME_PLACE_MM and plausible(abs(step)) else None


def _first(header: Dataset, frame: int, group: str, keyword: str) -> tuple[float, ...]:
    return next(filter(None, (numbers(one, keyword) for one in frame_groups(header, frame, group))), ())
