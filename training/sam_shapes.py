"""Objects made on the fly: a drawn shape filled with the texture of another real picture.

Their masks are exact and their kinds without end, so the network learns that an object is what differs
from its surroundings, and not what the few real sets show.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("ellipse", "blob", "polygon", "tube")


def drawn_shape(size: int, generator: np.random.Generator) -> "Tensor":
    """A shape as float32 ``(size, size)`` in [0, 1], 1 inside, its edge one pixel soft. Somewhere in the square."""
    import torch

    kind = KINDS[generator.choice(4, p=[0.25, 0.4, 0.2, 0.15])]
    radius = size * math.exp(generator.uniform(math.log(0.08), math.log(0.42)))
    centre = generator.uniform(0.3, 0.7, 2) * size
    axis = torch.arange(size, dtype=torch.float32) + 0.5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    if kind == "tube":
        return _tube(x, y, centre, radius, generator)
    turn = generator.uniform(0, math.pi)
    stretch = math.exp(generator.uniform(-0.6, 0.6)) if kind != "blob" else math.exp(generator.uniform(-0.4, 0.4))
    dx, dy = x - float(centre[0]), y - float(centre[1])
    u = (dx * math.cos(turn) + dy * math.sin(turn)) * stretch
    v = (dy * math.cos(turn) - dx * math.sin(turn)) / stretch
    away, angle = torch.sqrt(u * u + v * v), torch.atan2(v, u)
    reach = torch.full_like(angle, radius)
    if kind == "blob":
        rough = generator.uniform(0.1, 0.9)
        for k in range(2, int(generator.integers(4, 14))):
            size_ = radius * rough * float(generator.normal()) / k**1.3 * 0.7
            reach = reach + size_ * torch.cos(k * angle + float(generator.uniform(0, 2 * math.pi)))
    elif kind == "polygon":
        corners = np.sort(generator.uniform(0, 2 * math.pi, int(generator.integers(3, 9))))
        radii = radius * generator.uniform(0.6, 1.2, len(corners))
        table = np.linspace(-math.pi, math.pi, 512)
        drawn = np.interp(table % (2 * math.pi), corners, radii, period=2 * math.pi)
        index = ((angle + math.pi) / (2 * math.pi) * 511).long()
        reach = torch.from_numpy(drawn.astype(np.float32))[index]
    return (reach.clamp_min(radius * 0.2) - away + 0.5).clamp(0, 1)


def _tube(
    x: "Tensor", y: "Tensor", centre: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", radius: float,
    generator: np.random.Generator,
) -> "Tensor":  # fmt: skip
    """A bent line of changing thickness, as vessels, ribs and bones are."""
    import torch

    heading, bend = generator.uniform(0, 2 * math.pi), generator.normal() * 0.12
    thick = max(1.2, radius * generator.uniform(0.06, 0.35))
    steps = 24
    points = np.zeros((steps, 2))
    place = centre - radius * np.array([math.cos(heading), math.sin(heading)])
    for k in range(steps):
        points[k] = place
        heading += bend + generator.normal() * 0.08
        place = place + 2 * radius / steps * np.array([math.cos(heading), math.sin(heading)])
    nodes = torch.from_numpy(points.astype(np.float32))
    away = torch.full_like(x, 1e6)
    for k in range(steps):
        away = torch.minimum(away, (x - nodes[k, 0]) ** 2 + (y - nodes[k, 1]) ** 2)
    width = max(thick, 1.1 * radius / steps)
    return (width - away.sqrt() + 0.5).clamp(0, 1)


def composed(
    ground: "Tensor", filling: "Tensor", generator: np.random.Generator
) -> "tuple[Tensor, Tensor] | tuple[None, None]":
    """A picture with one to four shapes of the ``filling`` in it, and the mask of the first.

    Both are float32 ``(3, S, S)`` in [0, 1]. The mask is float32 ``(S, S)``, or both are ``None`` when
    what was drawn is hidden or too small.
    """
    import torch
    from torch.nn import functional as f

    size = ground.shape[-1]
    picture = ground.clone()
    contrast = float(generator.uniform(0.04, 0.6)) * (1 if generator.random() < 0.5 else -1)
    keep = float(generator.uniform(0.2, 1.0))
    texture = filling - filling.mean(dim=(1, 2), keepdim=True)
    if generator.random() < 0.5:
        texture = texture.mean(0, keepdim=True).expand_as(texture)
    inside = ground.mean(dim=(1, 2), keepdim=True) + contrast + keep * texture
    if generator.random() < 0.3:
        inside = 0.5 * ground + 0.5 * inside
    target = drawn_shape(size, generator)
    shapes = [drawn_shape(size, generator) for _ in range(int(generator.integers(0, 3)))]
    soft = float(generator.uniform(0, 2.5)) if generator.random() < 0.6 else 0.0
    for shape in [*shapes, target]:
        laid = _blurred(shape, soft) if soft > 0.4 else shape
        picture = picture * (1 - laid) + inside * laid
        if generator.random() < 0.15:
            rim = (f.max_pool2d(shape[None, None], 5, 1, 2)[0, 0] - shape).clamp(0, 1)
            picture = picture * (1 - rim) + float(generator.random()) * rim
    if shapes and generator.random() < 0.5:
        for shape in shapes:
            target = torch.where(_touches(shape, target), torch.maximum(target, shape), target)
    if not 30 <= float(target.sum()) <= 0.7 * size * size:
        return None, None
    return picture.clamp(0, 1), target


def _touches(a: "Tensor", b: "Tensor") -> "Tensor":
    """Whether two shapes of the same filling run together, so that nobody could tell them apart."""
    return ((a > 0.5) & (b > 0.5)).any()


def _blurred(shape: "Tensor", soft: float) -> "Tensor":
    import torch
    from torch.nn import functional as f

    reach = math.ceil(2 * soft)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float32) / soft) ** 2)
    line = line / line.sum()
    x = f.pad(shape[None, None], (reach,) * 4, mode="replicate")
    return f.conv2d(f.conv2d(x, line[None, None, None]), line[None, None, :, None])[0, 0]
