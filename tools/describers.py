"""What a card's ``described`` may name: numbers that nothing was learned for, and the linear layer that reads them.

Beside a small network they are worth much where pictures are few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools import descriptors, lesion
from tools.networks import square

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Describer:
    """``describe`` takes uint8 ``(H, W, 3)`` RGB images of any size and gives float32 ``(N, count)``."""

    count: int
    describe: Callable[[Sequence[NDArray[np.uint8]]], Floats]


def skin_numbers(images: Sequence[NDArray[np.uint8]]) -> Floats:
    """The picture's general numbers and those of the spot on the skin, float32 ``(N, 808)``."""
    import torch

    small = np.stack([square(image, lesion.SIDE) for image in images])
    with torch.inference_mode():
        general = descriptors.descriptors(torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255).numpy()
    return np.concatenate([general, np.stack([lesion.lesion_numbers(one) for one in small])], axis=1)


DESCRIBERS = {"skin": Describer(descriptors.COUNT + lesion.COUNT, skin_numbers)}
"""By the name a card uses."""


def described_layer(labels: int, count: int) -> "nn.Module":
    """A linear layer over standardised numbers: float32 ``(N, count)`` to a logit a label, ``(N, labels)``.

    Its buffers ``mean`` and ``spread`` are those of the numbers; beyond five spreads a number says no more.
    """
    import torch
    from torch import nn

    class DescribedLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(count))
            self.register_buffer("spread", torch.ones(count))
            self.linear = nn.Linear(count, labels)

        def forward(self, numbers: "Tensor") -> "Tensor":
            mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
            out: Tensor = self.linear(((numbers - mean) / spread).clamp(-5, 5))
            return out

    return DescribedLayer()
