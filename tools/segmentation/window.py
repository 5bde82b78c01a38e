"""The part of an image a network looks at, and the way of coordinates and masks to it and back.

Image coordinates are continuous: pixel ``(column, row)`` covers ``[column, column + 1)``. Window
coordinates run from 0 to the network's input size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """A rectangle of an image, in image coordinates; it may reach over the image's edges.

    ``mirrored`` windows are looked at with left and right exchanged.
    """

    x0: float
    y0: float
    width: float
    height: float
    mirrored: bool = False

    def to_window(self, places: NDArray[np.floating], size: int) -> Floats:
        """Image coordinates ``(…, 2)`` as x, y in window coordinates, float32."""
        origin, extent = np.array([self.x0, self.y0]), np.array([self.width, self.height])
        inside = (places - origin) * (size / extent)
        if self.mirrored:
            inside = np.stack([size - inside[..., 0], inside[..., 1]], axis=-1)
        return np.asarray(inside, dtype=np.float32)

    def boxes_to_window(self, boxes: NDArray[np.floating], size: int) -> Floats:
        """Boxes ``(N, 4)`` of image coordinates as ``x0, y0, x1, y1`` in window coordinates, float32."""
        corners = self.to_window(boxes.reshape(-1, 2, 2), size)
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def within(self, other: "Window", cells: int) -> "Window":
        """This window in the coordinates of a grid of ``cells`` a side that is laid over another."""
        x, y = cells / other.width, cells / other.height
        place = ((self.x0 - other.x0) * x, (self.y0 - other.y0) * y, self.width * x, self.height * y)
        return Window(*place, mirrored=self.mirrored)


def whole(shape: tuple[int, int], stretch: bool = False) -> Window:
    """The whole of an image of ``shape`` (H, W): the square from its top left corner, or stretched to fit."""
    height, width = shape
    longest = max(shape)
    return Window(0.0, 0.0, width, height) if stretch else Window(0.0, 0.0, longest, longest)


def window_round(box: NDArray[np.floating], filled: float, least: float, mirrored: bool = False) -> Window:
    """The square window in whose middle a box ``(x0, y0, x1, y1)`` lies, its longer side ``filled`` of the window's.

    ``least`` is the smallest side, in image pixels.
    """
    side = max(float(box[2] - box[0]), float(box[3] - box[1])) / filled
    side = max(side, least)
    return Window(float(box[0] + box[2] - side) / 2, float(box[1] + box[3] - side) / 2, side, side, mirrored)


def window_at(point: NDArray[np.floating], side: float) -> Window:
    """The square window of a side with a point in its middle."""
    return Window(float(point[0]) - side / 2, float(point[1]) - side / 2, side, side)


def crop(image: NDArray[np.uint8], window: Window, size: int, fill: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The window of an RGB image as uint8 ``(size, size, 3)``, averaged when smaller; outside the image is ``fill``."""
    from PIL import Image

    height, width = image.shape[:2]
    x0, y0 = max(window.x0, 0.0), max(window.y0, 0.0)
    x1, y1 = min(window.x0 + window.width, float(width)), min(window.y0 + window.height, float(height))
    canvas = Image.new("RGB", (size, size), fill)
    left, top = (round((edge - start) * size / extent) for edge, start, extent in _edges(window, x0, y0))
    right, bottom = (round((edge - start) * size / extent) for edge, start, extent in _edges(window, x1, y1))
    if x1 <= x0 or y1 <= y0 or right <= left or bottom <= top:
        return np.asarray(canvas, dtype=np.uint8)
    # Only the rows and columns that are needed are handed to the resampler.
    c0, r0, c1, r1 = int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))
    part = Image.fromarray(np.ascontiguousarray(image[r0:r1, c0:c1]))
    inside = (x0 - c0, y0 - r0, x1 - c0, y1 - r0)
    small = part.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=inside, reducing_gap=2.0)
    canvas.paste(small, (left, top))
    pixels = np.asarray(canvas, dtype=np.uint8)
    return pixels[:, ::-1] if window.mirrored else pixels


def _edges(window: Window, x: float, y: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    return (x, window.x0, window.width), (y, window.y0, window.height)


def paste(grid: Floats, window: Window, shape: tuple[int, int], outside: float) -> Floats:
    """Values on the grid of a window, float32 ``(G, G)``, at the size of the image: float32 ``(H, W)``.

    Bilinear between the grid's cells; pixels that are not in the window are ``outside``.
    """
    height, width = shape
    grid = grid[:, ::-1] if window.mirrored else grid
    out = np.full(shape, outside, dtype=np.float32)
    c0, r0 = max(0, int(np.floor(window.x0))), max(0, int(np.floor(window.y0)))
    c1 = min(width, int(np.ceil(window.x0 + window.width)))
    r1 = min(height, int(np.ceil(window.y0 + window.height)))
    if c1 <= c0 or r1 <= r0:
        return out
    x = _between((np.arange(c0, c1) + 0.5 - window.x0) * grid.shape[1] / window.width, grid.shape[1])
    y = _between((np.arange(r0, r1) + 0.5 - window.y0) * grid.shape[0] / window.height, grid.shape[0])
    rows = grid[y[0]] * (1 - y[2])[:, None] + grid[y[1]] * y[2][:, None]
    out[r0:r1, c0:c1] = rows[:, x[0]] * (1 - x[2]) + rows[:, x[1]] * x[2]
    return out


def _between(place: NDArray[np.floating], cells: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """For places along an axis of cells: the cell before, the cell after, and how far between their middles."""
    middle = np.clip(place - 0.5, 0, cells - 1)
    before = np.floor(middle).astype(np.intp)
    after = np.minimum(before + 1, cells - 1)
    return before, after, np.asarray(middle - before, dtype=np.float32)
