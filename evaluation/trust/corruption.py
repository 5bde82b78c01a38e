"""Eighteen ways an image is spoilt, at three severities. Nothing here is learned; randomness comes from a generator.

After Hendrycks and Dietterich, 2019, and the study of corrupted surgical images with SAM (Wang et al., 2023); the
severities are those of neither: 1 is slight, 2 plain, 3 as bad as a picture that somebody might still hand in.
All pictures are uint8 ``(H, W, 3)``. Lengths go by the shorter side, so that a small picture is spoilt as much as a
large one.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Draw = np.random.Generator
Spoil = Callable[[Floats, int, Draw], Floats]
"""From float32 ``(H, W, 3)`` in [0, 1] to the same shape, which is clipped afterwards."""


def corrupt(image: Pixels, name: str, severity: int, draw: Draw) -> Pixels:
    """A spoilt copy. ``severity`` is 1, 2 or 3. Raises ``KeyError`` for a name that is not in ``CORRUPTIONS``."""
    if severity not in (1, 2, 3):
        raise ValueError("a severity is 1, 2 or 3")
    x = image.astype(np.float32) / np.float32(255)
    out = CORRUPTIONS[name](x, severity - 1, draw)
    return np.rint(np.clip(out, 0, 1) * 255).astype(np.uint8)


def _side(x: Floats) -> float:
    return float(min(x.shape[:2]))


def _brightness(x: Floats, k: int, _: Draw) -> Floats:
    return x + np.float32((0.1, 0.2, 0.35)[k])


def _darkness(x: Floats, k: int, _: Draw) -> Floats:
    return x * np.float32((0.8, 0.6, 0.4)[k])


def _contrast(x: Floats, k: int, _: Draw) -> Floats:
    middle = np.float32(x.mean())
    return np.asarray((x - middle) * np.float32((0.7, 0.45, 0.25)[k]) + middle, np.float32)


def _defocus(x: Floats, k: int, _: Draw) -> Floats:
    import cv2

    radius = max(1, round(_side(x) * (0.008, 0.016, 0.03)[k]))
    y, z = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (y * y + z * z <= radius * radius).astype(np.float32)
    return np.asarray(cv2.filter2D(x, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT), np.float32)


def _gaussian_blur(x: Floats, k: int, _: Draw) -> Floats:
    import cv2

    sigma = max(0.5, _side(x) * (0.004, 0.008, 0.016)[k])
    return np.asarray(cv2.GaussianBlur(x, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), np.float32)


def _motion(x: Floats, k: int, draw: Draw) -> Floats:
    import cv2

    length = max(3, 2 * round(_side(x) * (0.02, 0.04, 0.08)[k] / 2) + 1)
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), float(draw.uniform(0, 180)), 1.0)
    turned = np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)
    kernel = turned / np.float32(max(float(turned.sum()), 1e-6))
    return np.asarray(cv2.filter2D(x, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def _zoom(x: Floats, k: int, _: Draw) -> Floats:
    """The mean over copies that are enlarged round the middle."""
    import cv2

    height, width = x.shape[:2]
    most = (1.06, 1.12, 1.22)[k]
    out = np.zeros_like(x)
    scales = np.linspace(1, most, 6)
    for scale in scales:
        about = cv2.getRotationMatrix2D((width / 2, height / 2), 0, float(scale))
        out += cv2.warpAffine(x, about, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out / len(scales), np.float32)


def _gaussian_noise(x: Floats, k: int, draw: Draw) -> Floats:
    return x + draw.normal(0, (0.04, 0.08, 0.16)[k], x.shape).astype(np.float32)


def _shot_noise(x: Floats, k: int, draw: Draw) -> Floats:
    photons = (200.0, 60.0, 15.0)[k]
    return (draw.poisson(x * photons) / photons).astype(np.float32)


def _impulse_noise(x: Floats, k: int, draw: Draw) -> Floats:
    place = draw.random(x.shape[:2])
    share = (0.01, 0.03, 0.08)[k]
    out = x.copy()
    out[place < share / 2], out[place > 1 - share / 2] = 0, 1
    return out


def _speckle_noise(x: Floats, k: int, draw: Draw) -> Floats:
    return x * (1 + draw.normal(0, (0.1, 0.2, 0.4)[k], x.shape)).astype(np.float32)


def _jpeg(x: Floats, k: int, _: Draw) -> Floats:
    memory = io.BytesIO()
    Image.fromarray(np.rint(x * 255).astype(np.uint8)).save(memory, "JPEG", quality=(30, 15, 7)[k])
    with Image.open(memory) as image:
        return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _pixelate(x: Floats, k: int, _: Draw) -> Floats:
    import cv2

    height, width = x.shape[:2]
    part = (0.5, 0.3, 0.15)[k]
    small = cv2.resize(x, (max(1, round(width * part)), max(1, round(height * part))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _saturation(x: Floats, k: int, _: Draw) -> Floats:
    """Colours taken towards grey. A grey picture stays what it is."""
    grey = x.mean(axis=2, keepdims=True)
    return np.asarray(grey + (x - grey) * np.float32((0.6, 0.3, 0.0)[k]), np.float32)


def _clouds(shape: tuple[int, ...], draw: Draw) -> Floats:
    """Smooth random clouds, float32 ``(H, W, 1)`` in [0, 1]: noise of several sizes."""
    import cv2

    height, width = shape[:2]
    out = np.zeros((height, width), np.float32)
    for cells in (3, 6, 12, 24):
        noise = draw.random((cells, cells)).astype(np.float32)
        out += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / cells
    out -= out.min()
    return np.asarray((out / max(float(out.max()), 1e-6))[..., None], np.float32)


def _fog(x: Floats, k: int, draw: Draw) -> Floats:
    """White clouds over the picture."""
    thick = (0.25, 0.45, 0.65)[k] * _clouds(x.shape, draw)
    return np.asarray(x * (1 - thick) + thick, np.float32)


def _haze(x: Floats, k: int, draw: Draw) -> Floats:
    """Like smoke: an even grey veil, thicker in places, that also blurs."""
    thick = np.float32((0.2, 0.4, 0.6)[k]) * (0.6 + 0.4 * _clouds(x.shape, draw))
    veiled = _gaussian_blur(x, max(k - 1, 0), draw)
    return np.asarray(veiled * (1 - thick) + thick * np.float32(0.6), np.float32)


def _highlights(x: Floats, k: int, draw: Draw) -> Floats:
    """Specular reflections: a few bright spots with soft edges."""
    height, width = x.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    light = np.zeros((height, width), np.float32)
    for _ in range((4, 8, 14)[k]):
        size = _side(x) * float(draw.uniform(0.01, (0.02, 0.035, 0.05)[k]))
        long = size * float(draw.uniform(1, 3))
        y, z = float(draw.uniform(0, height)), float(draw.uniform(0, width))
        light = np.maximum(light, np.exp(-(((rows - y) / size) ** 2) - ((columns - z) / long) ** 2))
    return np.maximum(x, np.clip(1.6 * light[..., None], 0, 1))


def _occlusion(x: Floats, k: int, draw: Draw) -> Floats:
    """A black bar across the picture, as of a letterbox, an instrument or a shutter."""
    height, width = x.shape[:2]
    thick = round(_side(x) * (0.06, 0.12, 0.2)[k])
    out = x.copy()
    if draw.random() < 0.5:
        start = int(draw.integers(0, max(height - thick, 1)))
        out[start : start + thick] = 0
    else:
        start = int(draw.integers(0, max(width - thick, 1)))
        out[:, start : start + thick] = 0
    return out


CORRUPTIONS: dict[str, Spoil] = {
    "brightness": _brightness,
    "darkness": _darkness,
    "contrast": _contrast,
    "saturation": _saturation,
    "defocus": _defocus,
    "gaussian blur": _gaussian_blur,
    "motion": _motion,
    "zoom": _zoom,
    "gaussian noise": _gaussian_noise,
    "shot noise": _shot_noise,
    "impulse noise": _impulse_noise,
    "speckle noise": _speckle_noise,
    "jpeg": _jpeg,
    "pixelate": _pixelate,
    "fog": _fog,
    "haze": _haze,
    "highlights": _highlights,
    "occlusion": _occlusion,
}
"""All of them by name."""
