"""Draws what the tools found onto the image: heat, masks, boxes, and a legend that names them.

Colours are Okabe and Ito's (2008), which colour-blind readers can tell apart.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from overread.records import Finding
from tools.contract import Picture

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""RGB, in the order they are given out."""

LARGEST, SMALLEST = 1024, 512
"""Bounds of the drawing's longest side, in pixels; other images are drawn smaller or larger."""

WARM = 0.8
"""Heat is painted above this quantile of the picture, so that what is hottest can be told from the rest."""


def draw_overlay(
    display: NDArray[np.uint8], pictures: Sequence[Picture], findings: Sequence[Finding]
) -> NDArray[np.uint8]:
    """The image with heatmaps, mask outlines, finding boxes and a legend under it.

    ``display`` is uint8 ``(H, W, 3)``. The result is uint8 ``(H', W', 3)``: the image, 512 to 1024 pixels on
    its longest side, and a strip below with one line a finding, those present first. Heat is drawn of these alone.
    """
    from PIL import Image, ImageDraw, ImageFont

    base = display.astype(np.float32)
    findings = sorted(findings, key=lambda finding: finding.decision != "present")
    owner = {finding.region.artifact: index for index, finding in enumerate(findings) if finding.region is not None}
    for index, picture in enumerate(pictures):
        if picture.kind != "heatmap" or picture.id in owner:
            base = _blend(base, picture, _colour(owner.get(picture.id, index)))
    height, width = display.shape[:2]
    scale = min(LARGEST, max(SMALLEST, height, width)) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(base.clip(0, 255).astype(np.uint8)).resize(size)
    points = max(11, size[1] // 45)
    font = ImageFont.load_default(points)
    lines = [_line(finding) for finding in findings] or ["no finding was looked for"]
    step = round(points * 1.5)
    sheet = Image.new("RGB", (max(size[0], 320), size[1] + step * len(lines) + step // 2), (16, 16, 16))
    sheet.paste(image, (0, 0))
    pen = ImageDraw.Draw(sheet)
    for index, finding in enumerate(findings):
        if finding.region is not None:
            x0, y0, x1, y1 = (round(edge * scale) for edge in finding.region.box)
            pen.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=_colour(index), width=2)
            pen.text((x0 + 4, y0 + 4), finding.id, font=font, fill=_colour(index))
    for index, line in enumerate(lines):
        top = size[1] + step // 4 + index * step
        pen.rectangle((6, top + 3, 6 + step // 2, top + 3 + step // 2), fill=_colour(index))
        pen.text((12 + step // 2, top), line, font=font, fill=(235, 235, 235))
    return np.asarray(sheet, dtype=np.uint8)


def _colour(index: int) -> tuple[int, int, int]:
    return COLOURS[index % len(COLOURS)]


def _blend(base: NDArray[np.float32], picture: Picture, colour: tuple[int, int, int]) -> NDArray[np.float32]:
    """Heat is laid over with the strength of the heat, a mask as its outline and a light tint."""
    if picture.kind == "overlay":
        return picture.pixels.astype(np.float32)
    paint = np.asarray(colour, dtype=np.float32)
    if picture.kind == "mask":
        from skimage.segmentation import find_boundaries

        mask = picture.pixels.astype(bool)
        strength = np.where(find_boundaries(mask), 1.0, 0.25 * mask)
    else:
        heat = picture.pixels.astype(np.float32)
        low = float(np.quantile(heat, WARM))
        strength = 0.6 * ((heat - low) / max(float(heat.max()) - low, 1e-6)).clip(0, 1)
    weight = strength.astype(np.float32)[..., None]
    return np.asarray(base * (1 - weight) + paint * weight, dtype=np.float32)


def _line(finding: Finding) -> str:
    known = "" if finding.probability is None else f", probability {finding.probability:.2f}"
    return f"{finding.id} {finding.label}: {finding.decision}{known}"
