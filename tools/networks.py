"""The small networks of the starter weights, and how a picture becomes their input.

``square`` is the one way a picture is brought to a network's size: training and use share it.
"""

from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from overread.errors import CardError

if TYPE_CHECKING:
    from torch import Tensor, nn

STRIDE = 16
"""Pixels of the input a cell of the class activation map stands for, along each axis."""


def square(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Stretch an image to a square, averaging over the pixels that fall together.

    ``image`` is uint8 ``(H, W, 3)`` RGB; the result is uint8 ``(size, size, 3)``. The whole image
    is kept and no border is added, so neither its size nor its shape can be a shortcut to a label.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image))
    small = picture.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small, dtype=np.uint8)


def activation_network(labels: int, widths: tuple[int, ...], depths: tuple[int, ...], channels: int = 1) -> "nn.Module":
    """A residual network whose class activation map is exact: a 1x1 convolution, then the mean over the map.

    Called with float32 ``(N, channels, S, S)`` in [0, 1], grey or RGB, it gives the map, float32
    ``(N, labels, S/16, S/16)``; the mean of a label's map is its logit. Each image is first brought
    to mean 0 and standard deviation 1, over all channels together: exposure does not matter, colour does.
    Source: He et al., residual learning, 2016; Zhou et al., class activation maps, 2016.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.first_norm = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.second_norm = nn.BatchNorm2d(outputs)
            self.skip: nn.Module = nn.Identity()
            if stride > 1 or inputs != outputs:
                pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
                self.skip = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

        def forward(self, x: "Tensor") -> "Tensor":
            y = torch.relu(self.first_norm(self.first(x)))
            y = self.second_norm(self.second(y))
            out: Tensor = torch.relu(y + self.skip(x))
            return out

    class ActivationNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(channels, widths[0], 5, 2, 2, bias=False),
                nn.BatchNorm2d(widths[0]),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            blocks, inputs = [], widths[0]
            strides = (1, 2, 2, *(1 for _ in widths[3:]))
            for width, depth, stride in zip(widths, depths, strides, strict=True):
                for number in range(depth):
                    blocks.append(Block(inputs, width, stride if number == 0 else 1))
                    inputs = width
            self.blocks = nn.Sequential(*blocks)
            self.drop = nn.Dropout2d(0.2)
            self.head = nn.Conv2d(inputs, labels, 1)

        def features(self, x: "Tensor") -> "Tensor":
            mean = x.mean(dim=(1, 2, 3), keepdim=True)
            spread = x.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)
            out: Tensor = self.blocks(self.stem((x - mean) / spread))
            return out

        def forward(self, x: "Tensor") -> "Tensor":
            out: Tensor = self.head(self.drop(self.features(x)))
            return out

    return ActivationNetwork()


def clip_image_tower(size: int, dimensions: int, width: int, layers: tuple[int, ...]) -> "nn.Module":
    """OpenCLIP's ResNet image tower at a small size.

    Called with float32 ``(N, 3, size, size)`` RGB in [0, 1] moved by ``clip_input``, it gives
    float32 ``(N, dimensions)``, not yet of unit length. ``size`` is a multiple of 32.
    Source: Radford et al., CLIP, 2021; Ilharco et al., OpenCLIP, 2021.
    """
    tower: nn.Module = _open_clip_module("modified_resnet").ModifiedResNet(
        layers=list(layers), output_dim=dimensions, heads=width // 2, image_size=size, width=width
    )
    return tower


def _open_clip_module(name: str) -> ModuleType:
    """One module of the installed open_clip, without what its package imports beside it.

    ``import open_clip`` loads transformers, timm and every model it knows, which takes three times
    as long as the one module that is needed.
    """
    import sys
    from importlib import import_module
    from importlib.util import find_spec

    if "open_clip" in sys.modules:
        return import_module(f"open_clip.{name}")
    parent = "tools._open_clip"
    if parent not in sys.modules:
        spec = find_spec("open_clip")
        if spec is None or not spec.submodule_search_locations:
            raise CardError("the package open_clip_torch is not installed; run: pip install open_clip_torch")
        package = ModuleType(parent)
        package.__path__ = list(spec.submodule_search_locations)
        # Two functions that no tower of ours calls, for whose sake all of torchvision would be imported.
        unused = ModuleType(f"{parent}.utils")
        vars(unused).update(freeze_batch_norm_2d=_unused, feature_take_indices=_unused)
        sys.modules |= {parent: package, unused.__name__: unused}
    return import_module(f"{parent}.{name}")


def _unused(*_: object) -> NoReturn:
    raise NotImplementedError("frozen statistics and features between layers need the whole of open_clip; import it")


def described_tower(size: int, dimensions: int, width: int, layers: tuple[int, ...]) -> "nn.Module":
    """The image tower of the domain identifier: the network's vector, and one made from ``descriptors``.

    Called with float32 ``(N, 3, 128, 128)`` RGB in [0, 1], it gives the sum of two unit vectors, float32
    ``(N, dimensions)``. Its parts are ``network``, and ``head`` over descriptors less ``mean`` over ``spread``.
    """
    import torch
    from torch import nn
    from torch.nn import functional as f

    from tools.descriptors import COUNT, descriptors

    class DescribedTower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = clip_image_tower(size, dimensions, width, layers)
            self.register_buffer("mean", torch.zeros(COUNT))
            self.register_buffer("spread", torch.ones(COUNT))
            self.head = nn.Sequential(
                nn.Linear(COUNT, 768),
                nn.LayerNorm(768),
                nn.GELU(),
                nn.Dropout(0.4),
                nn.Linear(768, 512),
                nn.GELU(),
                nn.Dropout(0.3),
                nn.Linear(512, dimensions),
            )

        def described(self, numbers: "Tensor") -> "Tensor":
            mean, spread = self.get_buffer("mean"), self.get_buffer("spread")
            out: Tensor = self.head(((numbers - mean) / spread).clamp(-5, 5))
            return out

        def forward(self, x: "Tensor") -> "Tensor":
            seen = f.normalize(self.network(clip_input(x)), dim=1)
            return seen + f.normalize(self.described(descriptors(x)), dim=1)

    return DescribedTower()


def clip_input(x: "Tensor") -> "Tensor":
    """Bring RGB in [0, 1] to about mean 0 and spread 1, as the image tower expects it."""
    return (x - 0.45) / 0.27
