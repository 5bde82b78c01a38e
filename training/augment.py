"""Changes made to pictures while learning, so that another scanner, export or screen does not matter.

All take and give float32 ``(N, C, S, S)`` in [0, 1] on any device, and draw from torch's own generator.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Strength:
    """How much to change. Fractions are of a picture's side; chances are of a picture."""

    turn_degrees: float = 10.0
    scale: tuple[float, float] = (0.85, 1.15)
    aspect: float = 0.15
    shift: float = 0.06
    flip: float = 0.5
    upside_down: float = 0.0
    quarter_turn: float = 0.0
    gamma: float = 0.4
    contrast: float = 0.25
    brightness: float = 0.12
    invert: float = 0.0
    tint: float = 0.0
    grey: float = 0.0
    blur: float = 0.3
    noise: float = 0.04
    jpeg: float = 0.0
    mark: float = 0.3


def geometry(x: "Tensor", how: Strength) -> "Tensor":
    """Turn, scale, stretch, shift and mirror. What comes in from outside is the picture's mean corner grey or black."""
    import math

    import torch
    from torch.nn import functional as f

    n = x.shape[0]
    device = x.device

    def between(low: float, high: float) -> "Tensor":
        return torch.empty(n, device=device).uniform_(low, high)

    angle = between(-how.turn_degrees, how.turn_degrees) * (math.pi / 180)
    quarter = torch.randint(1, 4, (n,), device=device) * (torch.rand(n, device=device) < how.quarter_turn)
    angle = angle + quarter * (math.pi / 2)
    scale = 1 / between(*how.scale)
    stretch = torch.exp(between(-how.aspect, how.aspect))
    mirror = 1 - 2 * (torch.rand(n, device=device) < how.flip).float()
    down = 1 - 2 * (torch.rand(n, device=device) < how.upside_down).float()
    sx, sy = scale * stretch, scale / stretch
    cos, sin = torch.cos(angle), torch.sin(angle)
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0] = sx * cos * mirror
    theta[:, 0, 1] = -sx * sin
    theta[:, 0, 2] = between(-2 * how.shift, 2 * how.shift)
    theta[:, 1, 0] = sy * sin * mirror
    theta[:, 1, 1] = sy * cos * down
    theta[:, 1, 2] = between(-2 * how.shift, 2 * how.shift)
    grid = f.affine_grid(theta, list(x.shape), align_corners=False)
    mode = "border" if torch.rand(()) < 0.5 else "zeros"
    return f.grid_sample(x, grid, mode="bilinear", padding_mode=mode, align_corners=False)


def tones(x: "Tensor", how: Strength) -> "Tensor":
    """Gamma, contrast, brightness, inversion, tint (gain and mixing of channels), loss of colour, blur, noise."""
    import torch
    from torch.nn import functional as f

    n = x.shape[0]
    device = x.device

    def between(low: float, high: float, channels: int = 1) -> "Tensor":
        return torch.empty(n, channels, 1, 1, device=device).uniform_(low, high)

    def chance(p: float) -> "Tensor":
        return torch.rand(n, 1, 1, 1, device=device) < p

    x = x.clamp(1e-4, 1) ** torch.exp(between(-how.gamma, how.gamma))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    x = (x - mean) * torch.exp(between(-how.contrast, how.contrast)) + mean + between(-how.brightness, how.brightness)
    if how.grey:
        x = torch.where(chance(how.grey), x.mean(dim=1, keepdim=True).expand_as(x), x)
    if how.tint:
        colour = torch.exp(between(-0.3, 0.3, x.shape[1]))
        channels = torch.eye(x.shape[1], device=device) + 0.08 * torch.randn(n, x.shape[1], x.shape[1], device=device)
        x = torch.where(chance(how.tint), torch.einsum("nchw,ncd->ndhw", x * colour, channels), x)
    if how.invert:
        x = torch.where(chance(how.invert), 1 - x, x)
    if how.blur:
        factor = 1.5 + 2 * float(torch.rand(()))
        small = f.interpolate(x, scale_factor=1 / factor, mode="bilinear", antialias=True)
        soft = f.interpolate(small, size=x.shape[-2:], mode="bilinear")
        x = torch.where(chance(how.blur), soft, x)
    if how.noise:
        x = x + torch.randn_like(x) * between(0, how.noise)
    return x.clamp(0, 1)


def marks(x: "Tensor", how: Strength) -> "Tensor":
    """Bars and blocks as side markers, burned-in text and added borders leave them; same for every label."""
    import torch

    side = x.shape[-1]
    for row in range(x.shape[0]):
        if torch.rand(()) >= how.mark:
            continue
        tone = float(torch.rand(())) if torch.rand(()) < 0.3 else float(torch.rand(()) < 0.5)
        if torch.rand(()) < 0.5:
            width = int(torch.randint(1, side // 7, ()))
            edge = int(torch.randint(0, 4, ()))
            strip = x[row].flip(1) if edge % 2 else x[row]
            strip = strip.transpose(1, 2) if edge > 1 else strip
            strip[:, :width] = tone
            if torch.rand(()) < 0.6:
                strip[:, -width:] = tone
            strip = strip.transpose(1, 2) if edge > 1 else strip
            x[row] = strip.flip(1) if edge % 2 else strip
        else:
            high, wide = int(torch.randint(3, side // 4, ())), int(torch.randint(3, side // 4, ()))
            top, left = int(torch.randint(0, side - high, ())), int(torch.randint(0, side - wide, ()))
            x[row, :, top : top + high, left : left + wide] = tone
    return x


def jpeg(x: "Tensor", how: Strength) -> "Tensor":
    """Compress some pictures as JPEG at a quality of 20 to 80."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, encode_jpeg

    for row in range(x.shape[0]):
        if torch.rand(()) < how.jpeg:
            quality = int(torch.randint(20, 81, ()))
            bytes_ = encode_jpeg((x[row].detach().cpu() * 255).to(torch.uint8), quality)
            mode = ImageReadMode.GRAY if x.shape[1] == 1 else ImageReadMode.RGB
            x[row] = decode_jpeg(bytes_, mode).to(x.device).float() / 255
    return x


def augment(x: "Tensor", how: Strength) -> "Tensor":
    """All changes in turn: geometry, tones, marks, JPEG."""
    x = tones(geometry(x, how), how)
    x = marks(x.clone(), how) if how.mark else x
    return jpeg(x, how) if how.jpeg else x
