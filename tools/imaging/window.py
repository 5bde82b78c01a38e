"""Grey values to a picture: rescale, VOI window or table, and the default when a file has neither.

Sources: PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT, window functions), C.11.6 (presentation).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

WindowFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_SAMPLE = 200_000
"""Pixels that percentiles are taken from; more does not change them visibly."""


@dataclass(frozen=True)
class Table:
    """A lookup table: ``entries`` float32 ``(N,)``, of which the first is for input ``first``.

    Inputs below take the first entry, inputs above the last.
    """

    first: float
    entries: NDArray[np.float32]

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The entries for ``values``, of any shape. Not-a-number takes the first entry."""
        index = np.nan_to_num(values - np.float32(self.first), nan=0.0, posinf=2**30, neginf=-(2**30))
        np.clip(index, 0, len(self.entries) - 1, out=index)
        found: NDArray[np.float32] = self.entries[(index + 0.5).astype(np.int32)]
        return found


@dataclass(frozen=True)
class Rescale:
    """Stored values to the modality's unit: a table, or slope and intercept."""

    slope: float = 1.0
    intercept: float = 0.0
    table: Table | None = None

    def apply(self, stored: NDArray[np.generic]) -> NDArray[np.float32]:
        """Float32 values of the same shape. Computed in float64 where 32-bit integers need it."""
        if self.table is not None:
            return self.table.apply(stored.astype(np.float32))
        if stored.dtype.itemsize > 2:
            return (stored.astype(np.float64) * self.slope + self.intercept).astype(np.float32)
        values = stored.astype(np.float32)
        if self.slope != 1:
            values *= np.float32(self.slope)
        if self.intercept:
            values += np.float32(self.intercept)
        return values


@dataclass(frozen=True)
class Window:
    """A VOI window in the modality's unit."""

    center: float
    width: float
    function: WindowFunction = "LINEAR"

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Brightness in [0, 1], by the formulas of PS3.3 C.11.2.1.2.1 and C.11.2.1.3."""
        if self.function == "SIGMOID":
            steps = np.clip(-4 * (values - np.float32(self.center)) / np.float32(self.width), -80, 80)
            return np.asarray(1 / (1 + np.exp(steps)), np.float32)
        center, width = self.center, self.width
        if self.function == "LINEAR":
            center, width = center - 0.5, width - 1
        if width <= 0:
            return (values > center).astype(np.float32)
        return stretch(values, center - width / 2, center + width / 2)


@dataclass(frozen=True)
class Presentation:
    """How grey values become a picture: the first of table, window and range that is there.

    ``span`` is a range shown from black to white. With none of the three, or when what is there
    shows one flat grey, the range between two percentiles of the image is shown.
    ``inverted`` turns the picture so that bright is dense (MONOCHROME1, or LUT shape INVERSE).
    """

    table: Table | None = None
    window: Window | None = None
    span: tuple[float, float] | None = None
    percentiles: tuple[float, float] = (0.5, 99.5)
    inverted: bool = False


def stretch(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """``values`` with ``low`` at 0 and ``high`` at 1, cut off there."""
    scaled = (values - np.float32(low)) * np.float32(1 / max(high - low, 1e-12))
    return np.clip(scaled, 0, 1, out=scaled)


@dataclass(frozen=True)
class Tone:
    """How the values of one frame become brightness: by a table, a window, or a range from black to white.

    ``how`` is ``None`` where there is nothing to be seen. ``inverted`` as in ``Presentation``.
    """

    how: Table | Window | tuple[float, float] | None
    inverted: bool = False

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Brightness in [0, 1], of any shape; not-a-number is 0."""
        if self.how is None:
            brightness = np.zeros_like(values)
        elif isinstance(self.how, tuple):
            brightness = stretch(values, *self.how)
        else:
            brightness = self.how.apply(values)
        if self.inverted:
            brightness = 1 - brightness
        return np.nan_to_num(brightness, copy=False, nan=0.0)

    @property
    def span(self) -> tuple[float, float] | None:
        """The values at the two ends of the window or range; ``None`` for a table, or nothing to be seen."""
        if isinstance(self.how, Window):
            exact = self.how.function != "LINEAR"
            center, width = (self.how.center, self.how.width) if exact else (self.how.center - 0.5, self.how.width - 1)
            return center - width / 2, center + width / 2
        return self.how if isinstance(self.how, tuple) else None


def render(
    values: NDArray[np.float32], presentation: Presentation, void: NDArray[np.bool_] | None = None
) -> NDArray[np.uint8]:
    """Grey uint8 ``(H, W)`` in [0, 255] of float32 ``(H, W)``. ``void`` pixels are black and not counted."""
    brightness = tone_of(values, presentation, void).apply(values)
    picture = (brightness * 255 + 0.5).astype(np.uint8)
    if void is not None:
        picture[void] = 0
    return picture


def tone_of(values: NDArray[np.float32], presentation: Presentation, void: NDArray[np.bool_] | None = None) -> Tone:
    """What ``presentation`` comes to for these values, float32 ``(H, W)``. ``void`` pixels are not counted."""
    return Tone(_chosen(_sample(values, void), presentation), presentation.inverted)


def _chosen(sample: NDArray[np.float32], presentation: Presentation) -> Table | Window | tuple[float, float] | None:
    if presentation.table is not None and _shows(presentation.table.apply(sample), sample):
        return presentation.table
    if presentation.window is not None and _shows(presentation.window.apply(sample), sample):
        return presentation.window
    if presentation.span is not None:
        return presentation.span
    if not sample.size:
        return None
    low, high = np.percentile(sample, presentation.percentiles)
    if high <= low:
        low, high = float(sample.min()), float(sample.max())
    return (float(low), float(high)) if high > low else None


def _shows(shown: NDArray[np.float32], sample: NDArray[np.float32]) -> bool:
    """Whether the picture is to be seen in ``shown``: more than one grey in a hundredth of its pixels."""
    if not sample.size or sample.min() == sample.max():
        return True
    low, high = np.percentile(shown, (1, 99))
    return bool(high - low > 1 / 255)


def _sample(values: NDArray[np.float32], void: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    valid = values[~void] if void is not None else values.reshape(-1)
    valid = valid[:: max(1, valid.size // _SAMPLE)]
    finite: NDArray[np.float32] = valid[np.isfinite(valid)]
    return finite
