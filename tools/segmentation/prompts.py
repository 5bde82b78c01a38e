"""What a person or a tool points at: a box, points, or both."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.records import Box
from tools.errors import ToolError

Floats = NDArray[np.float64]


class PromptError(ToolError):
    """A prompt that lies outside the image or says nothing."""

    code = "bad_prompt"


@dataclass(frozen=True)
class Point:
    """A pixel ``x, y`` of the image as stored; ``inside`` says whether it belongs to the object."""

    x: int
    y: int
    inside: bool = True


@dataclass(frozen=True)
class Prompt:
    """What to outline: a half-open box of stored pixels, points, or both."""

    box: Box | None = None
    points: tuple[Point, ...] = ()

    def checked(self, shape: tuple[int, int]) -> "Prompt":
        """This prompt, if it can be meant of an image of ``shape`` (H, W). Raises ``PromptError``."""
        height, width = shape
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise PromptError(
                    f"the box must lie in the image, which is {width} x {height}, with x0 < x1 and y0 < y1"
                )
        if any(not (0 <= point.x < width and 0 <= point.y < height) for point in self.points):
            raise PromptError(f"a point lies outside the image, which is {width} x {height}; points count from 0")
        if self.box is None and not any(point.inside for point in self.points):
            raise PromptError("a box, or at least one point inside the object, is needed")
        return self

    def edges(self) -> Floats | None:
        """The box as float64 ``(4,)``, or ``None``."""
        return None if self.box is None else np.array(self.box, dtype=np.float64)

    def places(self) -> Floats:
        """The middles of the points' pixels, float64 ``(N, 2)``."""
        return np.array([(point.x + 0.5, point.y + 0.5) for point in self.points], dtype=np.float64).reshape(-1, 2)

    def labels(self) -> NDArray[np.float32]:
        """1 for a point inside, 0 for one outside: float32 ``(N,)``."""
        return np.array([float(point.inside) for point in self.points], dtype=np.float32)
