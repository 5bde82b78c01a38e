"""Numbers that describe a picture without having learned anything: colour, layout, edges, texture, spectrum.

Beside a small network they are worth much: they cannot overfit the few pictures of a rare kind.
Sources: Dalal and Triggs, histograms of oriented gradients, 2005; Ojala et al., local binary patterns, 2002;
Torralba and Oliva, statistics of natural image categories, 2003.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

COUNT = 641
"""How many numbers ``descriptors`` gives."""

SIDE = 128
"""The side of the pictures it takes, in pixels."""

_DARK, _BRIGHT, _COLOURED = 0.04, 0.94, 0.08


def descriptors(x: "Tensor") -> "Tensor":
    """Describe pictures: float32 ``(N, 3, 128, 128)`` RGB in [0, 1] to float32 ``(N, 641)``.

    All but the colour numbers are taken from the grey picture stretched between its 2nd and 98th percentile,
    so that exposure and window do not matter.
    """
    import torch

    grey = x.mean(1, keepdim=True)
    ends = grey.flatten(1).quantile(torch.tensor([0.02, 0.98], device=x.device), dim=1)
    low, high = (end.view(-1, 1, 1, 1) for end in ends)
    stretched = ((grey - low) / (high - low).clamp_min(0.05)).clamp(0, 1)
    parts = [
        _colour(x, grey),
        _layout(x, stretched),
        _shares(stretched.flatten(1) * 15.99, 16).sqrt(),
        _rings(stretched, grey),
        _edges_and_texture(stretched),
        _spectrum(stretched),
        _symmetry(stretched),
    ]
    return torch.cat(parts, 1)


def _shares(bins: "Tensor", count: int, weight: "Tensor | None" = None) -> "Tensor":
    """A histogram a row: which share of the row's values falls in each bin."""
    import torch

    ones = torch.ones_like(bins, dtype=torch.float32) if weight is None else weight
    total = torch.zeros(len(bins), count, device=bins.device)
    return total.scatter_add_(1, bins.long().clamp(0, count - 1), ones) / bins.shape[1]


def _column(values: "Tensor") -> "Tensor":
    return values.flatten(1).mean(1, keepdim=True)


def _colour(x: "Tensor", grey: "Tensor") -> "Tensor":
    """Means, spreads, saturation, hue by how much of it there is, and how much is nearly black or white."""
    import torch

    red, green, blue = x[:, 0], x[:, 1], x[:, 2]
    most = x.amax(1, keepdim=True)
    saturation = most - x.amin(1, keepdim=True)
    hue = torch.atan2((red + green) / 2 - blue, red - green)
    turn = ((hue + math.pi) / (2 * math.pi) * 12).flatten(1)
    return torch.cat(
        [
            x.mean((2, 3)),
            x.std((2, 3)),
            _column(saturation),
            saturation.flatten(1).std(1, keepdim=True),
            _column(saturation / most.clamp_min(0.05)),
            _column((saturation > _COLOURED).float()),
            _column((grey < _DARK).float()),
            _column((grey > _BRIGHT).float()),
            _shares(turn, 12, saturation.flatten(1)).sqrt() * 3,
        ],
        1,
    )


def _layout(x: "Tensor", grey: "Tensor") -> "Tensor":
    """Thumbnails: of the grey picture, of its colours, and of how rough each part is."""
    import torch
    from torch.nn import functional as f

    opponent = torch.stack([x[:, 0] - x[:, 1], (x[:, 0] + x[:, 1]) / 2 - x[:, 2]], 1)
    coarse = f.adaptive_avg_pool2d(grey, 16).repeat_interleave(8, 2).repeat_interleave(8, 3)
    return torch.cat(
        [
            f.adaptive_avg_pool2d(grey, 10).flatten(1) - 0.5,
            f.adaptive_avg_pool2d(opponent, 6).flatten(1) * 2,
            f.adaptive_avg_pool2d((grey - coarse).abs(), 6).flatten(1) * 4,
        ],
        1,
    )


def _rings(stretched: "Tensor", grey: "Tensor") -> "Tensor":
    """Mean, spread and darkness in twelve rings around the middle: what is round, and what is framed in black."""
    import torch

    place = torch.arange(SIDE, device=grey.device) - (SIDE - 1) / 2
    radius = torch.sqrt(place[:, None] ** 2 + place[None] ** 2) / (SIDE / 2 * 1.42)
    ring = (radius * 12).long().clamp(0, 11).flatten()
    count = torch.bincount(ring, minlength=12).float()

    def over(values: "Tensor") -> "Tensor":
        empty = torch.zeros(len(values), 12, device=grey.device)
        return empty.index_add_(1, ring, values.flatten(1)) / count

    mean = over(stretched)
    spread = (over(stretched**2) - mean**2).clamp_min(0).sqrt()
    return torch.cat([mean - 0.5, spread, over((grey < _DARK + 0.01).float())], 1)


def _edges_and_texture(grey: "Tensor") -> "Tensor":
    """Edges by direction and local binary patterns, at four scales; at the two finest, edges by place too."""
    import torch
    from torch.nn import functional as f

    parts: list[Tensor] = []
    for scale in range(4):
        across = grey[:, :, 1:-1, 2:] - grey[:, :, 1:-1, :-2]
        down = grey[:, :, 2:, 1:-1] - grey[:, :, :-2, 1:-1]
        strength = torch.sqrt(across**2 + down**2 + 1e-9)
        direction = ((torch.atan2(down, across) % math.pi) / math.pi * 8).long().clamp(0, 7)
        by_direction = f.one_hot(direction[:, 0], 8).permute(0, 3, 1, 2).float() * strength
        flat = strength.flatten(1)
        parts += [by_direction.mean((2, 3)).sqrt() * 3, _column(strength) * 4, flat.std(1, keepdim=True) * 4]
        parts.append((flat**4).mean(1, keepdim=True) ** 0.25)
        if scale < 2:
            cells = f.adaptive_avg_pool2d(by_direction, 4).flatten(1)
            parts.append(cells / cells.norm(dim=1, keepdim=True).clamp_min(1e-4) * 2)
        parts.append(_binary_patterns(grey))
        grey = f.avg_pool2d(grey, 2)
    return torch.cat(parts, 1)


def _binary_patterns(grey: "Tensor") -> "Tensor":
    """Shares of the nine uniform patterns of eight neighbours, and of all others."""
    import torch

    high, wide = grey.shape[2:]
    middle = grey[:, 0, 1:-1, 1:-1]
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    brighter = torch.stack(
        [(grey[:, 0, y : high - 2 + y, x : wide - 2 + x] > middle + 0.01).float() for y, x in around], 1
    )
    changes = (brighter - brighter.roll(1, 1)).abs().sum(1)
    pattern = torch.where(changes <= 2, brighter.sum(1), torch.full_like(changes, 9))
    return _shares(pattern.flatten(1), 10).sqrt()


def _spectrum(grey: "Tensor") -> "Tensor":
    """The logarithm of the power's share in fourteen bands of frequency, half an octave each."""
    import torch

    power = torch.fft.rfft2(grey[:, 0] - grey.mean((2, 3))[..., None]).abs() ** 2
    rows = torch.fft.fftfreq(SIDE, device=grey.device)[:, None] * SIDE
    columns = torch.arange(SIDE // 2 + 1, device=grey.device)[None]
    frequency = torch.sqrt(rows**2 + columns**2).clamp_min(1)
    band = (torch.log2(frequency) * 2).long().clamp(0, 13).flatten()
    shares = torch.zeros(len(grey), 14, device=grey.device).index_add_(1, band, power.flatten(1))
    return torch.log(shares / shares.sum(1, keepdim=True).clamp_min(1e-6) + 1e-6) / 4


def _symmetry(grey: "Tensor") -> "Tensor":
    """How like the picture is to itself mirrored left to right, top to bottom, and across the diagonal."""
    import torch

    centred = grey - grey.mean((2, 3), keepdim=True)
    power = (centred**2).mean((1, 2, 3)).clamp_min(1e-4)
    others = (centred.flip(3), centred.flip(2), centred.transpose(2, 3))
    return torch.stack([(centred * other).mean((1, 2, 3)) / power for other in others], 1)
