"""A small U-Net, which marks one kind of region in a grey picture.

Source: Ronneberger et al., U-Net, 2015; the blocks are residual (He et al., 2016).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from overread.errors import CardError

if TYPE_CHECKING:
    from torch import Tensor, nn

STRIDE = 2
"""Pixels of the input a cell of the result stands for, along each axis."""


@dataclass(frozen=True)
class UNetShape:
    """``size`` is the side of the input; ``widths`` the channels at strides 2, 4, 8 and so on."""

    size: int
    widths: tuple[int, ...]


def shape_of(given: Mapping[str, Any], card: str) -> UNetShape:
    """The shape that a card's input asks for. Raises ``CardError`` when it makes no sense."""
    try:
        shape = UNetShape(int(given["size"]), tuple(int(width) for width in given["widths"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(f"card {card}: its input must name size and widths") from error
    levels = len(shape.widths)
    if not (2 <= levels <= 6 and 64 <= shape.size <= 1024 and shape.size % 2**levels == 0):
        raise CardError(f"card {card}: the size of its input must be a multiple of 2 for each of 2 to 6 widths")
    if not all(4 <= width <= 512 for width in shape.widths):
        raise CardError(f"card {card}: the widths of its input are out of range")
    return shape


def unet(shape: UNetShape) -> "nn.Module":
    """An untrained network: float32 ``(N, 1, S, S)`` grey in [0, 1] to logits float32 ``(N, 1, S/2, S/2)``.

    Each picture is brought to mean 0 and standard deviation 1 first, so that exposure does not matter.
    """
    import torch
    from torch import nn
    from torch.nn import functional as f

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.first_norm = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.second_norm = nn.BatchNorm2d(outputs)
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.skip = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x: "Tensor") -> "Tensor":
            y = self.second_norm(self.second(torch.relu(self.first_norm(self.first(x)))))
            out: Tensor = torch.relu(y + self.skip(x))
            return out

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = shape.widths
            self.stem = nn.Sequential(
                nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
            )
            steps = list(pairwise(widths))
            self.down = nn.ModuleList(Block(inputs, outputs, 2) for inputs, outputs in steps)
            self.up = nn.ModuleList(Block(outputs + inputs, inputs) for inputs, outputs in reversed(steps))
            self.head = nn.Conv2d(widths[0], 1, 1)

        def forward(self, x: "Tensor") -> "Tensor":
            mean = x.mean(dim=(1, 2, 3), keepdim=True)
            spread = x.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)
            y = self.stem((x - mean) / spread)
            passed = []
            for block in self.down:
                passed.append(y)
                y = block(y)
            for block, other in zip(self.up, reversed(passed), strict=True):
                y = block(torch.cat([f.interpolate(y, scale_factor=2.0, mode="bilinear"), other], dim=1))
            out: Tensor = self.head(y)
            return out

    return UNet()
