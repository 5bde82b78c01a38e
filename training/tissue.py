"""Stained tissue drawn by the project: nuclei and fibres in the colours of common stains.

The sections one may learn from come of one laboratory and one stain. Drawn ones teach that nuclei on a
stained ground are a section whatever its dyes are. Source of the colour model: Ruifrok and Johnston, 2001.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

STAINS = {
    "haematoxylin": (0.65, 0.70, 0.29),
    "eosin": (0.07, 0.99, 0.11),
    "DAB": (0.27, 0.57, 0.78),
    "fast red": (0.21, 0.85, 0.48),
    "methyl green": (0.98, 0.14, 0.13),
    "aniline blue": (0.85, 0.50, 0.10),
}
"""Optical density of each dye in red, green and blue, of length 1."""


def tissue(draw: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """One drawn section, uint8 ``(size, size, 3)``: dyes, density, size of nuclei and magnification at random."""
    nuclear = STAINS[str(draw.choice(["haematoxylin"] * 5 + ["methyl green"]))]
    marks = bool(draw.random() < 0.6)
    # Immunohistochemistry is counterstained with haematoxylin alone.
    others = ["haematoxylin"] * 9 + ["eosin"] if marks else ["eosin"] * 6 + ["haematoxylin"] * 3 + ["aniline blue"]
    ground = STAINS[str(draw.choice(others))]
    radius = float(np.exp(draw.uniform(np.log(0.8), np.log(5))))
    gathered = _field(draw, size, size / draw.uniform(3, 14))
    gathered = np.clip(0.5 + draw.uniform(0.2, 1.2) * gathered, 0, 1)
    nuclei = _blobs(draw, size, radius, share=draw.uniform(0.08, 0.5)) * gathered
    density = nuclei[..., None] * np.asarray(nuclear) * draw.uniform(0.5, 1.5)
    density = density + _ground(draw, size)[..., None] * np.asarray(ground) * draw.uniform(0.05, 0.7)
    if marks:
        if draw.random() < 0.6:  # whole glands, else single cells
            wide = _blobs(draw, size, size / draw.uniform(6, 20), share=draw.uniform(0.15, 0.75))
            marked = wide * (0.6 + 0.25 * _field(draw, size, draw.uniform(0.7, 1.5)))
        else:
            marked = _blobs(draw, size, radius * draw.uniform(0.8, 3), share=draw.uniform(0.05, 0.45))
            marked = marked * np.clip(0.5 + _field(draw, size, size / draw.uniform(3, 10)), 0, 1)
        marked = np.clip(marked, 0, None)
        dye = STAINS[str(draw.choice(["DAB"] * 4 + ["fast red"]))]
        density = density + marked[..., None] * np.asarray(dye) * draw.uniform(0.5, 3.0)
    if draw.random() < 0.6:
        holes = _field(draw, size, size / draw.uniform(8, 40))
        density = density * (holes < np.quantile(holes, draw.uniform(0.65, 1.0)))[..., None]
    light = 255 * np.exp(-density) * draw.uniform(0.86, 1.0, 3) + draw.normal(0, 2.5, (size, size, 3))
    return np.asarray(np.clip(light, 0, 255), dtype=np.uint8)


def _field(draw: np.random.Generator, size: int, width: float) -> NDArray[np.float64]:
    """A smooth field of mean 0 and spread 1."""
    field = ndimage.gaussian_filter(draw.standard_normal((size, size)), width, mode="wrap")
    return np.asarray((field - field.mean()) / (field.std() + 1e-9))


def _blobs(draw: np.random.Generator, size: int, radius: float, share: float) -> NDArray[np.float64]:
    """Soft spots of about one size that cover a share of the picture, each with its own strength."""
    field = ndimage.gaussian_filter(draw.standard_normal((size, size)), radius * np.exp(draw.normal(0, 0.2, 2)))
    level = np.quantile(field, 1 - share)
    spots = np.clip((field - level) / (field.std() * 0.25 + 1e-9), 0, 1)
    grain = ndimage.gaussian_filter(draw.standard_normal((size, size)), 0.8)
    return np.asarray(spots * (0.8 + 0.35 * grain))


def _ground(draw: np.random.Generator, size: int) -> NDArray[np.float64]:
    """What lies between the nuclei: fine grain and cloud, and in some sections fibres in one direction."""
    fine = _field(draw, size, draw.uniform(0.6, 2.0))
    cloud = _field(draw, size, size / draw.uniform(4, 16))
    ground = 0.6 + 0.2 * fine + draw.uniform(0, 0.4) * cloud
    if draw.random() < 0.4:
        widths = (draw.uniform(0.6, 1.6), draw.uniform(3.0, 10.0))
        streaks = ndimage.gaussian_filter(draw.standard_normal((size, size)), widths)
        turned = ndimage.rotate(streaks, float(draw.uniform(0, 180)), reshape=False, mode="reflect")
        ground = ground + draw.uniform(0.1, 0.3) * turned / (turned.std() + 1e-9)
    return np.asarray(np.clip(ground, 0, None))
