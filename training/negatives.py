"""Pictures that are not medical: drawn by the project, and the sample photographs inside scikit-image's wheel.

Everything drawn is a function of a NumPy generator, so a seed makes the same pictures again. The
dead leaves (shapes that hide one another, in 1/f textures) have the statistics of photographs.
Source: Ruderman, origins of scaling in natural images, 1997.
"""

import string
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tools.networks import square

Picture = NDArray[np.uint8]
Draw = Callable[[np.random.Generator, int], Picture]

SAMPLE_PHOTOGRAPHS = (
    "brick.png",
    "camera.png",
    "clock_motion.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "horse.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_left.png",
    "rocket.jpg",
)
"""scikit-image's photographs that are learned from. The cat, the coffee and the astronaut are kept for tests."""


def sample_photographs(size: int) -> NDArray[np.uint8]:
    """The photographs of ``SAMPLE_PHOTOGRAPHS``, uint8 ``(N, size, size, 3)``."""
    from importlib.resources import files

    from PIL import Image

    pictures = []
    for name in SAMPLE_PHOTOGRAPHS:
        with files("skimage").joinpath("data", name).open("rb") as file, Image.open(file) as image:
            pictures.append(square(np.asarray(image.convert("RGB")), size))
    return np.stack(pictures)


def noise(draw: np.random.Generator, size: int) -> Picture:
    """White or blurred noise, grey or in colour, of several distributions."""
    channels = int(draw.choice([1, 3]))
    coarse = max(2, size // int(draw.choice([1, 1, 2, 4, 8])))
    kind = draw.integers(0, 4)
    field: NDArray[np.float64]
    if kind == 0:
        field = draw.integers(0, 256, (coarse, coarse, channels)).astype(np.float64)
    elif kind == 1:
        field = draw.standard_normal((coarse, coarse, channels)) * draw.uniform(15, 80) + draw.uniform(60, 190)
    elif kind == 2:
        field = np.where(draw.random((coarse, coarse, channels)) < draw.uniform(0.02, 0.98), 255.0, 0.0)
    else:
        field = draw.gamma(draw.uniform(0.5, 3), 40.0, (coarse, coarse, channels)).astype(np.float64)
    return square(np.repeat(_bytes(field), 3 // channels, axis=2), size)


def texture(draw: np.random.Generator, size: int) -> Picture:
    """A random field whose spectrum falls as 1/f to a power, in random colours."""
    channels = int(draw.choice([1, 3, 3]))
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    fall = np.maximum(np.hypot(fx * draw.uniform(0.5, 2), fy), 1 / size) ** -draw.uniform(0.6, 2.2)
    fields = []
    for _ in range(channels):
        field = np.real(np.fft.ifft2(np.fft.fft2(draw.normal(size=(size, size))) * fall))
        fields.append((field - field.mean()) / (field.std() + 1e-9))
    stacked = np.stack(fields * (3 // channels), axis=2)
    if channels == 3:
        stacked = stacked @ draw.normal(0, 0.6, (3, 3)) + 0.4 * stacked
    return _bytes(stacked * draw.uniform(20, 70) + draw.uniform(50, 200, 3 if channels == 3 else 1))


def blank(draw: np.random.Generator, size: int) -> Picture:
    """One colour, a gradient, or a vignette."""
    first, second = draw.uniform(0, 255, 3), draw.uniform(0, 255, 3)
    if draw.random() < 0.5:
        first, second = np.full(3, first[0]), np.full(3, second[0])
    if draw.random() < 0.35:
        level = float(draw.choice([0, 255, draw.uniform(0, 255)]))
        second = first = np.full(3, level) if draw.random() < 0.7 else first
    y, x = np.mgrid[0:size, 0:size] / size
    angle = draw.uniform(0, 2 * np.pi)
    ramp = x * np.cos(angle) + y * np.sin(angle) if draw.random() < 0.6 else np.hypot(x - 0.5, y - 0.5) * 1.4
    ramp = (ramp - ramp.min()) / (np.ptp(ramp) + 1e-9)
    return _bytes(first + (second - first) * ramp[..., None] + draw.normal(0, draw.choice([0, 0, 3]), (size, size, 1)))


def leaves(draw: np.random.Generator, size: int) -> Picture:
    """Shapes that hide one another, each with its own colour and texture, as things in a photograph do."""
    from PIL import Image, ImageDraw

    big = size
    out = texture(draw, big)
    fills = [np.tile(texture(draw, 48).astype(np.float64), (big // 48 + 1, big // 48 + 1, 1)) for _ in range(4)]
    for _ in range(int(draw.integers(6, 40))):
        radius = float(np.clip(draw.pareto(1.2) * 4 + 3, 3, big * 0.45))
        cx, cy = draw.uniform(0, big, 2)
        mask = Image.new("L", (big, big))
        pen = ImageDraw.Draw(mask)
        if draw.random() < 0.4:
            pen.ellipse((cx - radius, cy - radius * draw.uniform(0.4, 1), cx + radius, cy + radius), fill=255)
        else:
            turns = np.sort(draw.uniform(0, 2 * np.pi, int(draw.integers(3, 8))))
            pen.polygon([(cx + radius * np.cos(t), cy + radius * np.sin(t)) for t in turns], fill=255)
        inside = np.asarray(mask) > 0
        colour = draw.uniform(0, 255, 3) if draw.random() < 0.8 else np.full(3, draw.uniform(0, 255))
        tiled = fills[int(draw.integers(0, 4))][:big, :big]
        out[inside] = _bytes(colour + (tiled[inside] - 128) * draw.uniform(0, 0.6))
    grey = out.mean(axis=2, keepdims=True)
    return _bytes(grey + (out - grey) * draw.choice([0, 0.3, 0.6, 1]))


def page(draw: np.random.Generator, size: int) -> Picture:
    """Lines of letters on paper, seldom with a heading, a rule or dark paper."""
    from PIL import Image, ImageDraw, ImageFont

    wide, high = int(size * draw.uniform(2, 5)), int(size * draw.uniform(2, 5))
    paper, ink = draw.integers(200, 256), draw.integers(0, 90)
    if draw.random() < 0.2:
        paper, ink = ink, paper
    image = Image.new("L", (wide, high), int(paper))
    pen = ImageDraw.Draw(image)
    points = float(draw.uniform(9, 26))
    font = ImageFont.load_default(points)
    y, margin = draw.uniform(5, 60), draw.uniform(5, 60)
    while y < high - points:
        if draw.random() < 0.1:
            y += 2 * points
        length = int((wide - 2 * margin) / points * draw.uniform(0.8, 2.0)) + 2
        pen.text((margin, y), _words(draw, length), fill=int(ink), font=font)
        y += points * draw.uniform(1.2, 1.5)
    return square(np.repeat(np.asarray(image)[..., None], 3, axis=2), size)


def screenshot(draw: np.random.Generator, size: int) -> Picture:
    """Windows with bars, buttons and text on a desktop."""
    from PIL import Image, ImageDraw, ImageFont

    side = size * 3
    image = Image.fromarray(square(blank(draw, size), side))
    pen = ImageDraw.Draw(image)
    for _ in range(int(draw.integers(1, 5))):
        x, y = draw.uniform(0, side * 0.6, 2)
        w, h = draw.uniform(side * 0.25, side, 2)
        dark = draw.random() < 0.4
        ground, ink = ((30, 30, 36), (220, 220, 220)) if dark else ((245, 245, 245), (20, 20, 20))
        pen.rectangle((x, y, x + w, y + h), fill=ground, outline=(120, 120, 120))
        pen.rectangle((x, y, x + w, y + 22), fill=tuple(int(c) for c in draw.integers(30, 230, 3)))
        if draw.random() < 0.5:
            pen.rectangle((x, y + 22, x + w * 0.2, y + h), fill=tuple(int(c) for c in draw.integers(30, 230, 3)))
        font = ImageFont.load_default(float(draw.uniform(10, 20)))
        for line in range(int(h // 24)):
            if draw.random() < 0.7:
                pen.text((x + w * 0.25, y + 28 + 24 * line), _words(draw, int(w // 14)), fill=ink, font=font)
        for _ in range(int(draw.integers(0, 6))):
            bx, by = x + draw.uniform(0, w), y + draw.uniform(0, h)
            pen.rounded_rectangle((bx, by, bx + 70, by + 24), 5, fill=tuple(int(c) for c in draw.integers(0, 256, 3)))
    return square(np.asarray(image), size)


def chart(draw: np.random.Generator, size: int) -> Picture:
    """Bars, lines, points or slices, with axes and numbers."""
    from PIL import Image, ImageDraw, ImageFont

    side = size * 3
    dark = draw.random() < 0.2
    image = Image.new("RGB", (side, side), (20, 20, 20) if dark else (255, 255, 255))
    pen = ImageDraw.Draw(image)
    ink = (220, 220, 220) if dark else (10, 10, 10)
    left, bottom = side * 0.12, side * 0.88
    pen.line((left, side * 0.05, left, bottom, side * 0.96, bottom), fill=ink, width=2)
    font = ImageFont.load_default(12.0)
    for tick in range(5):
        pen.text((4, bottom - tick * side * 0.18), f"{draw.integers(0, 999)}", fill=ink, font=font)
    colours = [tuple(int(c) for c in draw.integers(0, 256, 3)) for _ in range(6)]
    n, kind = int(draw.integers(4, 20)), draw.integers(0, 4)
    heights = draw.uniform(side * 0.08, bottom - 10, n)
    step = (side * 0.82) / n
    if kind == 0:
        for k, high in enumerate(heights):
            x = left + k * step
            pen.rectangle((x + 2, high, x + step * 0.8, bottom), fill=colours[k % int(draw.integers(1, 6))])
    elif kind == 1:
        for colour in colours[: int(draw.integers(1, 5))]:
            ys = draw.uniform(side * 0.08, bottom - 10, n)
            pen.line([(left + k * step, float(y)) for k, y in enumerate(ys)], fill=colour, width=4)
    elif kind == 2:
        for _ in range(n * 12):
            x, y = draw.uniform(left, side * 0.95), draw.uniform(side * 0.06, bottom)
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colours[int(draw.integers(0, 3))])
    else:
        cuts = np.sort(draw.uniform(0, 360, 5))
        for k, (start, end) in enumerate(zip(cuts, np.roll(cuts, -1), strict=True)):
            pen.pieslice((left + 20, 30, side * 0.9, bottom - 20), float(start), float(end), fill=colours[k])
    return square(np.asarray(image), size)


def pattern(draw: np.random.Generator, size: int) -> Picture:
    """Stripes, checks, rings, or drawn lines and circles."""
    from PIL import Image, ImageDraw

    y, x = np.mgrid[0:size, 0:size] / size
    one, two = draw.uniform(0, 255, 3), draw.uniform(0, 255, 3)
    if draw.random() < 0.4:
        one, two = np.full(3, one[0]), np.full(3, two[0])
    kind, pitch = draw.integers(0, 4), draw.uniform(2, 24)
    if kind == 0:
        angle = draw.uniform(0, np.pi)
        wave = np.sin(2 * np.pi * pitch * (x * np.cos(angle) + y * np.sin(angle)))
    elif kind == 1:
        wave = np.sign(np.sin(np.pi * pitch * x) * np.sin(np.pi * pitch * y))
    elif kind == 2:
        wave = np.sin(2 * np.pi * pitch * np.hypot(x - draw.random(), y - draw.random()))
    else:
        image = Image.new("RGB", (size * 2, size * 2), tuple(int(c) for c in draw.integers(0, 256, 3)))
        pen = ImageDraw.Draw(image)
        for _ in range(int(draw.integers(3, 30))):
            box = np.sort(draw.uniform(0, size * 2, (2, 2)), axis=0).ravel().tolist()
            colour = tuple(int(c) for c in draw.integers(0, 256, 3))
            shape = draw.integers(0, 3)
            if shape == 0:
                pen.ellipse(box, outline=colour, fill=colour if draw.random() < 0.5 else None, width=3)
            elif shape == 1:
                pen.rectangle(box, outline=colour, fill=colour if draw.random() < 0.5 else None, width=3)
            else:
                pen.line(draw.uniform(0, size * 2, 4).tolist(), fill=colour, width=int(draw.integers(1, 9)))
        return square(np.asarray(image), size)
    return _bytes(one + (two - one) * (wave[..., None] + 1) / 2)


def scrambled(draw: np.random.Generator, picture: Picture) -> Picture:
    """The tiles of a picture in another order: its colours and textures without what it shows."""
    size, tiles = picture.shape[0], int(draw.choice([3, 4, 6, 8]))
    edge = size // tiles
    grid = picture[: edge * tiles, : edge * tiles].reshape(tiles, edge, tiles, edge, 3).swapaxes(1, 2)
    order = draw.permutation(tiles * tiles)
    mixed = grid.reshape(-1, edge, edge, 3)[order].reshape(tiles, tiles, edge, edge, 3).swapaxes(1, 2)
    return square(mixed.reshape(edge * tiles, edge * tiles, 3), size)


def collage(draw: np.random.Generator, first: Picture, second: Picture) -> Picture:
    """A part of one photograph beside or over a part of another, with the colours turned round."""
    size = first.shape[0]
    out = part_of(draw, first)
    if draw.random() < 0.6:
        w, h = draw.integers(size // 4, size, 2)
        x, y = draw.integers(0, size - w + 1), draw.integers(0, size - h + 1)
        out[y : y + h, x : x + w] = part_of(draw, second)[y : y + h, x : x + w]
    if draw.random() < 0.6:
        out = out[..., draw.permutation(3)]
    if draw.random() < 0.15:
        out = 255 - out
    if draw.random() < 0.15:
        out = np.repeat(out.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    return out


DRAWN: dict[str, Draw] = {
    "noise": noise,
    "blank": blank,
    "page": page,
    "screenshot": screenshot,
    "chart": chart,
    "pattern": pattern,
    "photograph": leaves,
}
"""How the pictures of each kind in ``tools/data/not_medical.yaml`` are drawn."""


def drawn(kind: str, number: int, size: int, seed: int) -> NDArray[np.uint8]:
    """``number`` pictures of one kind of ``DRAWN``, uint8 ``(number, size, size, 3)``."""
    draw = np.random.default_rng([seed, sorted(DRAWN).index(kind)])
    make = DRAWN[kind]
    extra = texture if kind == "pattern" else make
    return np.stack([(extra if k % 3 == 0 else make)(draw, size) for k in range(number)])


def part_of(draw: np.random.Generator, picture: Picture) -> Picture:
    """A square part of a picture, a third of its side at least, at the picture's own size."""
    size = picture.shape[0]
    edge = int(size * draw.uniform(0.35, 1))
    x, y = draw.integers(0, size - edge + 1, 2)
    return square(picture[y : y + edge, x : x + edge], size).copy()


def _words(draw: np.random.Generator, length: int) -> str:
    letters = list(string.ascii_letters + string.digits + "      .,")
    return "".join(draw.choice(letters, max(1, length)))


def _bytes(values: NDArray[np.float64]) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)
