"""How a picture becomes a network's input, as its card describes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overread.errors import CardError
from tools.networks import square

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Preparation:
    """Size, channels, range, mean and spread of a network's input.

    ``fit`` says how the picture is brought to a square: ``stretch`` keeps all of it, ``crop`` takes the
    largest square from its middle. Values go from 0 to 255 to ``low`` to ``high``, then less ``mean``, over ``std``.
    """

    size: int
    channels: Literal[1, 3]
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: Literal["stretch", "crop"]

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """Pictures, each uint8 ``(H, W, 3)`` RGB, as float32 ``(N, channels, size, size)``."""
        if not images:
            return np.zeros((0, self.channels, self.size, self.size), dtype=np.float32)
        pixels = np.stack([square(self.framed(image), self.size) for image in images]).astype(np.float32)
        if self.channels == 1:
            pixels = pixels.mean(axis=3, keepdims=True)
        values = self.low + pixels / 255 * (self.high - self.low)
        values = (values - np.array(self.mean)) / np.array(self.std)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)

    def framed(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of a picture that the network sees."""
        x0, y0, x1, y1 = self.window(image.shape[:2])
        return image[y0:y1, x0:x1]

    def window(self, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """That part as a half-open box ``(x0, y0, x1, y1)`` of a picture of shape ``(H, W)``."""
        high, wide = shape
        if self.fit == "stretch":
            return 0, 0, wide, high
        side = min(high, wide)
        x0, y0 = (wide - side) // 2, (high - side) // 2
        return x0, y0, x0 + side, y0 + side


def read_preparation(card: str, given: Mapping[str, Any]) -> Preparation:
    """The preparation a card's ``input`` asks for. Raises ``CardError`` when it makes no sense.

    Defaults: 224 pixels, 3 channels, range 0 to 1, mean 0, std 1, stretched.
    """
    try:
        size, channels = int(given.get("size", 224)), int(given.get("channels", 3))
        low, high = (float(value) for value in given.get("range", (0, 1)))
        mean = _each(given.get("mean", 0), channels)
        std = _each(given.get("std", 1), channels)
        fit = given.get("fit", "stretch")
    except (TypeError, ValueError) as error:
        raise CardError(f"card {card}: size, channels, range, mean or std of its input cannot be understood") from error
    numbers = (low, high, *mean, *std)
    fine = 16 <= size <= 1024 and channels in (1, 3) and low < high and all(np.isfinite(numbers)) and min(std) > 0
    if not fine or len(mean) != channels or len(std) != channels:
        raise CardError(f"card {card}: size, channels, range, mean or std of its input is out of range")
    if fit not in ("stretch", "crop"):
        raise CardError(f"card {card}: fit of its input must be stretch or crop")
    return Preparation(size, 1 if channels == 1 else 3, low, high, mean, std, fit)


def _each(value: Any, channels: int) -> tuple[float, ...]:
    return tuple(float(one) for one in value) if isinstance(value, list | tuple) else (float(value),) * channels
