"""The promptable networks by architecture name, built from segment-anything's own modules.

``sam-vit-b``, ``sam-vit-l`` and ``sam-vit-h`` are the published shapes (MedSAM is a ``sam-vit-b``).
``sam-starter`` keeps SAM's prompt encoder, two-way transformer and mask decoder at a small size, and
puts a convolutional pyramid where the large vision transformer stands.
Source: Kirillov et al., Segment Anything, 2023; Lin et al., feature pyramids, 2017.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from overread.errors import CardError

if TYPE_CHECKING:
    from torch import Tensor, nn

STARTER = "sam-starter"
OFFICIAL = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}
ARCHITECTURES = (STARTER, *OFFICIAL)
"""The architectures a card may name that are prompted, and so never run by themselves."""

STRIDE = 8
"""Pixels of the starter's input a cell of its embedding stands for, along each axis."""


class Promptable(Protocol):
    """The parts of segment-anything's ``Sam`` that the predictor works with."""

    image_encoder: Any
    prompt_encoder: Any
    mask_decoder: Any
    pixel_mean: "Tensor"
    pixel_std: "Tensor"


def build_network(architecture: str, given: Mapping[str, Any], card: str) -> "nn.Module":
    """An untrained ``Sam`` of an architecture. ``given`` is the card's input. Raises ``CardError``."""
    if architecture in OFFICIAL:
        from segment_anything import sam_model_registry

        official: nn.Module = sam_model_registry[OFFICIAL[architecture]]()
        return official
    if architecture != STARTER:
        raise CardError(f"card {card}: the architecture is not one of {', '.join(ARCHITECTURES)}")
    try:
        size, dimensions = int(given["size"]), int(given["dimensions"])
        widths = tuple(int(width) for width in given["widths"])
        depths = tuple(int(depth) for depth in given["depths"])
    except (KeyError, TypeError, ValueError) as error:
        raise CardError(f"card {card}: its input must name size, dimensions, widths and depths") from error
    fits = size % 32 == 0 and 64 <= size <= 1024 and dimensions % 32 == 0 and 32 <= dimensions <= 512
    if not fits or len(widths) != 5 or len(depths) != 4 or max(widths) > 1024 or max(depths) > 16:
        raise CardError(f"card {card}: the size, dimensions, widths or depths of its input are out of range")
    return starter_sam(size, dimensions, widths, depths)


def starter_sam(size: int, dimensions: int, widths: tuple[int, ...], depths: tuple[int, ...]) -> "nn.Module":
    """SAM at a small size: embedding float32 ``(N, dimensions, size/8, size/8)``, masks at ``size/2``.

    ``widths`` are the channels at strides 2, 4, 8, 16 and 32, ``depths`` the residual blocks at
    strides 4 to 32.
    """
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    cells = (size // STRIDE, size // STRIDE)
    network: nn.Module = Sam(
        image_encoder=pyramid_encoder(size, dimensions, widths, depths),
        prompt_encoder=PromptEncoder(
            embed_dim=dimensions, image_embedding_size=cells, input_image_size=(size, size), mask_in_chans=16
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=dimensions, mlp_dim=4 * dimensions, num_heads=4),
            transformer_dim=dimensions,
            iou_head_depth=3,
            iou_head_hidden_dim=dimensions,
        ),
        pixel_mean=[114.0, 114.0, 114.0],
        pixel_std=[64.0, 64.0, 64.0],
    )
    return network


def pyramid_encoder(size: int, dimensions: int, widths: tuple[int, ...], depths: tuple[int, ...]) -> "nn.Module":
    """A residual network whose levels at strides 4 to 32 are summed at stride 8, then SAM's neck.

    Called with float32 ``(N, 3, size, size)``; each image is brought to mean 0 and standard
    deviation 1 first, so that exposure and window do not matter.
    """
    import torch
    from segment_anything.modeling.common import LayerNorm2d
    from torch import nn
    from torch.nn import functional as f

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
            out: Tensor = torch.relu(self.second_norm(self.second(y)) + self.skip(x))
            return out

    def level(inputs: int, outputs: int, depth: int) -> nn.Module:
        return nn.Sequential(*(Block(inputs if k == 0 else outputs, outputs, 2 if k == 0 else 1) for k in range(depth)))

    class PyramidEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.img_size = size
            self.stem = nn.Sequential(
                nn.Conv2d(3, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
            )
            self.levels = nn.ModuleList(level(widths[k], widths[k + 1], depths[k]) for k in range(4))
            self.fine = nn.Conv2d(widths[1], dimensions, 2, 2)
            self.laterals = nn.ModuleList(nn.Conv2d(width, dimensions, 1) for width in widths[2:])
            self.neck = nn.Sequential(
                nn.Conv2d(dimensions, dimensions, 3, 1, 1, bias=False),
                LayerNorm2d(dimensions),
                nn.ReLU(),
                nn.Conv2d(dimensions, dimensions, 3, 1, 1, bias=False),
                LayerNorm2d(dimensions),
            )

        def forward(self, x: "Tensor") -> "Tensor":
            mean = x.mean(dim=(1, 2, 3), keepdim=True)
            x = (x - mean) / x.std(dim=(1, 2, 3), keepdim=True).clamp_min(1e-3)
            x = self.stem(x)
            features = []
            for stage in self.levels:
                x = stage(x)
                features.append(x)
            top = self.laterals[2](features[3])
            for k in (1, 0):
                side = self.laterals[k](features[k + 1])
                top = side + f.interpolate(top, size=side.shape[-2:], mode="bilinear", align_corners=False)
            out: Tensor = self.neck(top + self.fine(features[0]))
            return out

    return PyramidEncoder()
