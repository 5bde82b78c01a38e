"""What the two chest X-ray models share: pictures as grey batches, training, scores."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.networks import activation_network
from training.augment import Strength
from training.tower import even_draw, tensor_of, train

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

SIZE = 144
WIDTHS = (32, 64, 128, 192)
DEPTHS = (1, 2, 2, 1)
AUGMENTATION = Strength(
    turn_degrees=12, scale=(0.85, 1.25), aspect=0.18, shift=0.06, gamma=0.5, contrast=0.3, brightness=0.15, jpeg=0.1
)


def train_tower(
    pixels: NDArray[np.uint8],
    truth: NDArray[np.float32],
    steps: int,
    batch: int = 48,
    limit_s: float = 1200.0,
    start: "nn.Module | None" = None,
    rate: float = 2e-3,
) -> "nn.Module":
    """Train an activation network on grey uint8 ``(N, S, S)`` and targets ``(N, labels)``; NaN is "not known".

    Half of each batch is drawn from pictures with the first label, half from those without, so that
    its share in the data is not learned.
    """
    import torch
    from torch.nn import functional as f

    def loss(logits: "torch.Tensor", y: "torch.Tensor") -> "torch.Tensor":
        known = ~torch.isnan(y)
        target = torch.nan_to_num(y) * 0.96 + 0.02
        losses = f.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (losses * known).sum() / known.sum().clamp_min(1)

    network = start or activation_network(truth.shape[1], WIDTHS, DEPTHS)
    draw = even_draw(truth[:, 0] > 0.5, batch)
    return train(network, pixels, truth, draw, loss, AUGMENTATION, steps, rate=rate, limit_s=limit_s)


def scores(networks: Sequence["nn.Module"], pixels: NDArray[np.uint8], batch: int = 64) -> NDArray[np.float64]:
    """Mean logits over networks and over the picture and its mirror image, float64 ``(N, labels)``."""
    import torch

    out = []
    device = next(networks[0].parameters()).device
    with torch.inference_mode():
        for begin in range(0, len(pixels), batch):
            x = tensor_of(pixels[begin : begin + batch]).to(device)
            maps = [net(view).mean(dim=(2, 3)) for net in networks for view in (x, x.flip(3))]
            out.append(torch.stack(maps).mean(0).cpu().numpy().astype(np.float64))
    return np.concatenate(out)
