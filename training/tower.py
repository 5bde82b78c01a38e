"""Trains an activation network on pictures: changed anew at every step, drawn as the caller says."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.networks import activation_network
from training.augment import Strength, augment
from training.loop import best_device, fit

if TYPE_CHECKING:
    from torch import Tensor, nn

Draw = Callable[[np.random.Generator], NDArray[np.intp]]
"""Gives the rows of a batch."""


def tensor_of(pixels: NDArray[np.uint8]) -> "Tensor":
    """uint8 ``(N, S, S)`` or ``(N, S, S, C)`` to float32 ``(N, C, S, S)`` in [0, 1]."""
    import torch

    with_channels = pixels[..., None] if pixels.ndim == 3 else pixels
    return torch.from_numpy(np.ascontiguousarray(with_channels)).permute(0, 3, 1, 2).float() / 255


def train(
    network: "nn.Module",
    pixels: NDArray[np.uint8],
    targets: NDArray[np.generic],
    draw: Draw,
    loss: "Callable[[Tensor, Tensor], Tensor]",
    how: Strength,
    steps: int,
    rate: float = 2e-3,
    decay: float = 0.02,
    limit_s: float = 1200.0,
) -> "nn.Module":
    """Train ``network`` on pictures as in ``tensor_of``; give back its averaged copy, in evaluation mode.

    ``targets`` has a row a picture; ``loss`` takes float32 logits ``(B, labels)`` and the rows' targets.
    """
    import torch

    device = best_device()
    network = network.to(device)
    generator = np.random.default_rng(0)

    def loss_of(net: "nn.Module") -> "Tensor":
        rows = draw(generator)
        x = tensor_of(pixels[rows]).to(device)
        y = torch.from_numpy(targets[rows]).to(device)
        with torch.autocast(device.type, enabled=False):
            x = augment(x, how)
        logits = net(x.contiguous(memory_format=torch.channels_last)).float().mean(dim=(2, 3))
        return loss(logits, y)

    return fit(network, loss_of, steps, rate=rate, decay=decay, limit_s=limit_s)


def even_draw(classes: NDArray[np.generic], batch: int) -> Draw:
    """Draws as many pictures of every class, so that their shares in the data are not learned."""
    members = [np.flatnonzero(classes == one) for one in np.unique(classes)]
    sizes = [batch // len(members) + (k < batch % len(members)) for k in range(len(members))]

    def draw(generator: np.random.Generator) -> NDArray[np.intp]:
        return np.concatenate([generator.choice(rows, size) for rows, size in zip(members, sizes, strict=True)])

    return draw


def stored_networks(
    path: Path, labels: int, widths: Sequence[int], depths: Sequence[int], channels: int = 1
) -> list["nn.Module"]:
    """The networks of a weights file in their order, in evaluation mode."""
    from safetensors.torch import load_file

    tensors = {k: v.float() if v.dtype.is_floating_point else v for k, v in load_file(path).items()}
    out = []
    for k in sorted({int(name.split(".")[0]) for name in tensors if name.split(".")[0].isdigit()}):
        network = activation_network(labels, tuple(widths), tuple(depths), channels)
        network.load_state_dict({n.removeprefix(f"{k}."): t for n, t in tensors.items() if n.startswith(f"{k}.")})
        out.append(network.eval().requires_grad_(False))
    return out


def started_from(network: "nn.Module", other: "nn.Module") -> "nn.Module":
    """Copy every tensor of ``other`` but the head's into ``network``; a grey first layer serves every colour."""
    import torch

    own = network.state_dict()
    with torch.no_grad():
        for name, tensor in other.state_dict().items():
            if name.startswith("head."):
                continue
            if tensor.shape != own[name].shape:
                tensor = tensor.expand_as(own[name]) / own[name].shape[1]
            own[name].copy_(tensor)
    return network.train().requires_grad_(True)
