"""Draws what the tools found onto the image: heat, masks, boxes, a scale bar, a side marker, and a legend.

Colours are Okabe and Ito's (2008), which colour-blind readers can tell apart; the legend names each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from overread.records import Context, Finding
from tools.contract import Picture

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""RGB, in the order they are given out: first to findings, then to masks."""

LARGEST, SMALLEST = 1024, 512
"""Bounds of the drawing's longest side, in pixels; other images are drawn smaller or larger."""

WARM = 0.8
"""Heat is painted above this quantile of the picture, so that what is hottest can be told from the rest."""

TINT = 0.18
"""How much of a mask's colour lies over its inside."""

BAR = 0.3
"""The longest a scale bar may be, as a part of the image's width."""

INK, PAPER = (255, 255, 255), (16, 16, 16)


@dataclass(frozen=True)
class Scene:
    """What is known of the image: ``spacing_mm`` (row, column) or ``None``, and what header or user say of it."""

    spacing_mm: tuple[float, float] | None = None
    context: Context = field(default_factory=Context)


def draw_overlay(
    display: NDArray[np.uint8], pictures: Sequence[Picture], findings: Sequence[Finding], scene: Scene | None = None
) -> NDArray[np.uint8]:
    """The image with heatmaps, mask outlines, finding boxes and a legend under it.

    ``display`` is uint8 ``(H, W, 3)``. The result is uint8 ``(H', W', 3)``: the image, 512 to 1024 pixels on
    its longest side, and a strip below with a line a finding, those present first, and a line a mask. Heat is
    drawn of findings that are present. A scale bar is there where ``scene`` has a spacing, and a side marker where
    its context says which side of the body is shown.
    """
    from PIL import Image, ImageDraw, ImageFont

    scene = scene or Scene()
    findings = sorted(findings, key=lambda finding: finding.decision != "present")
    owner = {one.region.artifact: index for index, one in enumerate(findings) if one.region is not None}
    masks = [picture for picture in pictures if picture.kind == "mask"]
    height, width = display.shape[:2]
    scale = min(LARGEST, max(SMALLEST, height, width)) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    base = np.asarray(Image.fromarray(display).resize(size), dtype=np.float32)
    for picture in pictures:
        if picture.kind == "overlay":
            base = np.asarray(Image.fromarray(picture.pixels.astype(np.uint8)).resize(size), dtype=np.float32)
        elif picture.kind == "heatmap" and picture.id in owner:
            base = _heat(base, picture, _colour(owner[picture.id]))
    for number, picture in enumerate(masks):
        base = _mask(base, picture, _colour(len(findings) + number))
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8))
    points = max(11, size[1] // 45)
    font = ImageFont.load_default(points)
    lines = [_line(finding) for finding in findings] or ["no finding was looked for"]
    colours = [_colour(index) for index in range(len(lines))] if findings else [PAPER]
    lines += [f"{picture.id} {picture.title or 'mask'}: outline" for picture in masks]
    colours += [_colour(len(findings) + number) for number in range(len(masks))]
    step = round(points * 1.5)
    sheet = Image.new("RGB", (max(size[0], 320), size[1] + step * len(lines) + step // 2), PAPER)
    sheet.paste(image, (0, 0))
    pen = ImageDraw.Draw(sheet)
    for index, finding in enumerate(findings):
        if finding.region is not None:
            x0, y0, x1, y1 = (round(edge * scale) for edge in finding.region.box)
            pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=_colour(index), width=2)
            pen.text((x0 + 4, y0 + 4), finding.id, font=font, fill=_colour(index))
    if scene.spacing_mm is not None:
        _scale_bar(pen, size, scene.spacing_mm[1] / (size[0] / width), font)
    side = side_marker(scene.context)
    if side is not None:
        _word(pen, (size[0] - points, points), f"side {side}", font, anchor="ra")
    for index, (line, colour) in enumerate(zip(lines, colours, strict=True)):
        top = size[1] + step // 4 + index * step
        pen.rectangle((6, top + 3, 6 + step // 2, top + 3 + step // 2), fill=colour)
        pen.text((12 + step // 2, top), line, font=font, fill=(235, 235, 235))
    return np.asarray(sheet, dtype=np.uint8)


def side_marker(context: Context) -> str | None:
    """R or L where the context names the one side of the body that is shown; else ``None``.

    It says what is shown, as "side R", not which edge of the picture is which: a view alone does not tell that.
    """
    return context.laterality if context.laterality in ("R", "L") else None


def bar_mm(most_mm: float) -> float:
    """The longest round length, 1, 2 or 5 times a power of ten, that is at most ``most_mm`` (above 0) millimetres."""
    power = 10.0 ** math.floor(math.log10(most_mm))
    return max(step * power for step in (1, 2, 5) if step * power <= most_mm * (1 + 1e-9))


def _scale_bar(pen: "ImageDraw", size: tuple[int, int], mm_per_pixel: float, font: "FreeTypeFont | ImageFont") -> None:
    """A bar of a round length at the lower left, with its length over it. ``mm_per_pixel`` is of the drawing."""
    length = bar_mm(size[0] * BAR * mm_per_pixel)
    pixels = length / mm_per_pixel
    left, bottom = max(4, size[0] // 40), size[1] - max(4, size[1] // 40)
    pen.rectangle((left - 1, bottom - 5, left + round(pixels) + 1, bottom + 1), fill=PAPER)
    pen.rectangle((left, bottom - 4, left + round(pixels), bottom), fill=INK)
    _word(pen, (left, bottom - 8), f"{length:g} mm", font, anchor="lb")


def _word(
    pen: "ImageDraw", place: tuple[int, int], text: str, font: "FreeTypeFont | ImageFont", anchor: str = "la"
) -> None:
    """A word that can be read on light and on dark."""
    pen.text(place, text, font=font, fill=INK, stroke_width=2, stroke_fill=PAPER, anchor=anchor)


def _colour(index: int) -> tuple[int, int, int]:
    return COLOURS[index % len(COLOURS)]


def warmth(heat: NDArray[np.generic]) -> NDArray[np.float32]:
    """How strongly heat, of any shape, is painted: 0 up to its ``WARM`` quantile, 1 where it is hottest; float32."""
    warm = heat.astype(np.float32)
    low = float(np.quantile(warm, WARM))
    return np.asarray(((warm - low) / max(float(warm.max()) - low, 1e-6)).clip(0, 1), dtype=np.float32)


def _heat(base: NDArray[np.float32], picture: Picture, colour: tuple[int, int, int]) -> NDArray[np.float32]:
    """Heat laid over the drawing with the strength of the heat."""
    from PIL import Image

    strength = 0.6 * warmth(picture.pixels)
    resized = Image.fromarray(strength).resize((base.shape[1], base.shape[0]), Image.Resampling.BILINEAR)
    return _over(base, np.asarray(resized, dtype=np.float32), colour)


def _mask(base: NDArray[np.float32], picture: Picture, colour: tuple[int, int, int]) -> NDArray[np.float32]:
    """A mask as its outline, two pixels wide, and a light tint."""
    from PIL import Image
    from skimage.segmentation import find_boundaries

    small = Image.fromarray(picture.pixels.astype(np.uint8) * 255)
    mask = np.asarray(small.resize((base.shape[1], base.shape[0]), Image.Resampling.BILINEAR)) > 127
    return _over(base, np.where(find_boundaries(mask, mode="thick"), 1.0, TINT * mask).astype(np.float32), colour)


def _over(
    base: NDArray[np.float32], strength: NDArray[np.float32], colour: tuple[int, int, int]
) -> NDArray[np.float32]:
    weight = strength[..., None]
    return np.asarray(base * (1 - weight) + np.asarray(colour, dtype=np.float32) * weight, dtype=np.float32)


def _line(finding: Finding) -> str:
    known = "" if finding.probability is None else f", probability {finding.probability:.2f}"
    return f"{finding.id} {finding.label}: {finding.decision}{known}"
