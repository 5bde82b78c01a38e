"""What a card's ``described`` may name: numbers that nothing was learned for, and the layer that reads them.

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


def described_layer(labels: int, count: int, centres: int) -> "nn.Module":
    """A kernel machine over standardised numbers: float32 ``(N, count)`` to a logit a label, ``(N, labels)``.

    Its buffers: ``mean`` and ``spread`` of the numbers, how much each counts (``scale``), the ``centres`` it compares
    with and their ``weight``. Beyond five spreads a number says no more. Source: Boser et al., 1992.
    """
    import torch
    from torch import nn

    class DescribedLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shapes = {
                "mean": (count,),
                "spread": (count,),
                "scale": (count,),
                "centres": (centres, count),
                "weight": (labels, centres),
                "offset": (labels,),
            }
            for name, shape in shapes.items():
                self.register_buffer(name, torch.zeros(shape))

        def forward(self, numbers: "Tensor") -> "Tensor":
            scale = self.get_buffer("scale")
            z = ((numbers - self.get_buffer("mean")) / self.get_buffer("spread")).clamp(-5, 5) * scale
            apart = torch.cdist(z, self.get_buffer("centres") * scale, compute_mode="donot_use_mm_for_euclid_dist")
            out: Tensor = torch.exp(-(apart**2)) @ self.get_buffer("weight").T + self.get_buffer("offset")
            return out

    return DescribedLayer()
