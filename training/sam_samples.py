"""Batches to train the starter SAM on: windows of real pictures round an object, and composed pictures.

A batch is float32 windows ``(N, 3, S, S)`` in [0, 1] and the objects' masks ``(N, 2S, 2S)``; prompts are
drawn from the masks. Window coordinates are continuous, 0 to S from the top left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.augment import Strength, tones
from training.sam_objects import Outlined
from training.sam_shapes import composed

if TYPE_CHECKING:
    from torch import Tensor

TONES = Strength(
    gamma=0.5, contrast=0.35, brightness=0.12, invert=0.12, tint=0.3, grey=0.15, blur=0.25, noise=0.06, mark=0.0
)
JITTER = 0.15
"""Largest part of a box's side by which its edges are moved."""


@dataclass(frozen=True)
class Batch:
    """Windows float32 ``(N, 3, S, S)`` in [0, 1]; masks float32 ``(N, 2S, 2S)``, the part of a pixel inside."""

    windows: "Tensor"
    masks: "Tensor"


class Samples:
    """Draws batches. ``grounds`` uint8 ``(M, G, G, 3)`` are pictures that lend their texture to composed ones."""

    def __init__(
        self, pictures: Sequence[Outlined], grounds: NDArray[np.uint8], size: int, seed: int, real: float = 0.6
    ) -> None:
        import torch

        self._generator = np.random.default_rng(seed)
        self._size = size
        self._real = real
        self._pictures = list(pictures)
        self._levels = [_pyramid(picture.pixels) for picture in pictures]
        self._grounds = torch.from_numpy(np.ascontiguousarray(grounds.transpose(0, 3, 1, 2)))
        names = [picture.set for picture in pictures]
        counts = {name: names.count(name) for name in set(names)}
        weights = np.array([counts[name] ** -0.5 for name in names])
        self._weights = weights / weights.sum()

    def draw(self, count: int) -> Batch:
        """A batch of ``count``."""
        import torch

        windows: list[Tensor] = []
        masks: list[Tensor] = []
        while len(windows) < count:
            drawn = self._from_picture() if self._generator.random() < self._real else self._composed()
            if drawn is not None:
                windows.append(drawn[0])
                masks.append(drawn[1])
        return Batch(tones(torch.stack(windows), TONES), torch.stack(masks))

    def _from_picture(self) -> "tuple[Tensor, Tensor] | None":
        import torch

        g, size = self._generator, self._size
        number = int(g.choice(len(self._pictures), p=self._weights))
        picture = self._pictures[number]
        label, (x0, y0, x1, y1) = picture.boxes[int(g.integers(len(picture.boxes)))]
        longest = max(x1 - x0, y1 - y0)
        parts = picture.mask if label == 0 else picture.parts
        wanted = max(label, 1)
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        zoomed = g.random() < (0.6 if picture.shape == "tree" else 0.06)
        if zoomed:
            filled = g.uniform(1.2, 5.0)
            rows, columns = np.nonzero(parts[y0:y1, x0:x1] == wanted)
            place = int(g.integers(len(rows)))
            centre = np.array([x0 + columns[place], y0 + rows[place]], dtype=float)
        elif g.random() < 0.7:
            filled = g.uniform(0.45, 0.8)
        else:
            filled = math.exp(g.uniform(math.log(0.12), math.log(1.1)))
        side = max(longest / filled, 16.0)
        slack = 0.06 if zoomed or filled > 0.45 else max(0.06, (1 - filled) / 2)
        centre = centre + g.uniform(-slack, slack, 2) * side
        affine = _affine(g, side)
        mask = _sampled(torch.from_numpy(parts)[None], affine, centre, 2 * size, (1.0, 1.0), wanted=wanted)[0]
        if not self._usable(mask):
            return None
        level = min(len(self._levels[number]) - 1, max(0, round(math.log2(max(side / size, 1e-6)))))
        pixels = self._levels[number][level]
        scale = (pixels.shape[2] / parts.shape[1], pixels.shape[1] / parts.shape[0])
        padding = "zeros" if g.random() < 0.7 else "border"
        return _sampled(pixels, affine, centre, size, scale, padding) / 255, mask

    def _composed(self) -> "tuple[Tensor, Tensor] | None":
        from torch.nn import functional as f

        picture, mask = composed(self._texture(), self._texture(), self._generator)
        if picture is None or mask is None:
            return None
        double = f.interpolate(mask[None, None], scale_factor=2.0, mode="bilinear", align_corners=False)[0, 0]
        return (picture, double) if self._usable(double) else None

    def _texture(self) -> "Tensor":
        g = self._generator
        ground = self._grounds[int(g.integers(len(self._grounds)))]
        side = ground.shape[-1] * g.uniform(0.35, 1.0)
        centre = ground.shape[-1] / 2 + g.uniform(-0.5, 0.5, 2) * (ground.shape[-1] - side)
        return _sampled(ground, _affine(g, side), centre, self._size, (1.0, 1.0), "border") / 255

    def _usable(self, mask: "Tensor") -> bool:
        """Enough of an object, and enough of its surroundings, to be worth a prompt."""
        inside = float((mask > 0.5).float().mean())
        return 0.0015 <= inside <= 0.9


def _pyramid(pixels: NDArray[np.uint8]) -> "list[Tensor]":
    """The picture and its halves, uint8 ``(3, H, W)``, down to about 128 pixels."""
    import torch
    from PIL import Image

    image, levels = Image.fromarray(pixels), []
    while True:
        levels.append(torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()))
        if max(image.size) < 256 or len(levels) == 4:
            return levels
        image = image.reduce(2)


def _affine(g: np.random.Generator, side: float) -> NDArray[np.float64]:
    """From window coordinates in [-0.5, 0.5] to pixels off the window's centre: turn, stretch, mirror."""
    turn = math.radians(g.uniform(-25, 25)) if g.random() < 0.6 else 0.0
    turn += math.pi / 2 * int(g.integers(0, 4)) * (g.random() < 0.3)
    stretch = math.exp(g.uniform(-0.2, 0.2))
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.asarray(side * rotation @ np.diag([stretch * (1 if g.random() < 0.5 else -1), 1 / stretch]))


def _sampled(
    picture: "Tensor",
    affine: NDArray[np.float64],
    centre: NDArray[np.float64],
    size: int,
    scale: tuple[float, float],
    padding: str = "zeros",
    wanted: int | None = None,
) -> "Tensor":
    """The window of a picture ``(C, H, W)`` as float32 ``(C, size, size)``; ``scale`` brings pixels to its own size.

    With ``wanted``, what is sampled is whether the picture has that value. Only the part of the
    picture that the window needs is touched.
    """
    import torch
    from torch.nn import functional as f

    to_own = np.array(scale)
    reach = np.abs(affine).sum(axis=1) / 2 * to_own
    middle = centre * to_own
    limits = np.array([picture.shape[2], picture.shape[1]])
    low = np.clip(np.floor(middle - reach - 2), 0, limits - 1).astype(int)
    high = np.clip(np.ceil(middle + reach + 2), low + 1, limits).astype(int)
    part = picture[:, low[1] : high[1], low[0] : high[0]]
    part = part.float() if wanted is None else (part == wanted).float()
    # The affine runs from -0.5 to 0.5 over the window, grids from -1 to 1 over the window and over the part.
    grow = 2 * to_own / (high - low)
    shift = 2 * (middle - low) / (high - low) - 1
    theta = np.concatenate([affine * grow[:, None] / 2, shift[:, None]], axis=1)
    grid = f.affine_grid(torch.from_numpy(theta.astype(np.float32))[None], [1, 1, size, size], align_corners=False)
    return f.grid_sample(part[None], grid, mode="bilinear", padding_mode=padding, align_corners=False)[0]


def boxes_of(masks: "Tensor", g: np.random.Generator, jitter: float = JITTER) -> "Tensor":
    """A box round each mask with its edges moved: float32 ``(N, 4)`` in window coordinates."""
    import torch

    out = []
    for mask in masks > 0.5:
        rows, columns = torch.nonzero(mask.any(1))[:, 0], torch.nonzero(mask.any(0))[:, 0]
        edges = np.array([int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]) / 2
        sides = np.tile([edges[2] - edges[0], edges[3] - edges[1]], 2)
        out.append(edges + g.uniform(-1, 1, 4) * sides * jitter * g.random())
    return torch.from_numpy(np.stack(out).astype(np.float32))


def points_of(masks: "Tensor", count: int, g: np.random.Generator) -> "tuple[Tensor, Tensor]":
    """``count`` points a mask, float32 ``(N, count, 2)`` as x, y, and labels ``(N, count)``: 1 inside, 0 outside.

    The first is inside, and half of the time deep inside; points outside lie near the object as often
    as anywhere.
    """
    import torch
    from torch.nn import functional as f

    places, labels = np.zeros((len(masks), count, 2), np.float32), np.zeros((len(masks), count), np.float32)
    for row, mask in enumerate(masks > 0.5):
        coarse = f.avg_pool2d(mask[None].float(), 8)[0]
        near = (f.max_pool2d(coarse[None], 7, 1, 3)[0] > 0) & (coarse == 0)
        for k in range(count):
            inside = k == 0 or g.random() < 0.55
            allowed = mask if inside else ~mask
            if not inside and g.random() < 0.6 and bool(near.any()):
                allowed = allowed & f.interpolate(near[None, None].float(), scale_factor=8.0)[0, 0].bool()
            elif inside and g.random() < 0.5:
                deep = f.interpolate((coarse[None, None] > 0.95).float(), scale_factor=8.0)[0, 0].bool()
                allowed = deep if bool(deep.any()) else allowed
            found = torch.nonzero(allowed)
            y, x = found[int(g.integers(len(found)))].tolist()
            places[row, k] = (x + 0.5) * 0.5, (y + 0.5) * 0.5
            labels[row, k] = inside
    return torch.from_numpy(places), torch.from_numpy(labels)
