"""Numbers that describe a spot on the skin as the ABCD rule looks at it: asymmetry, border, colour, structure.

The spot is found by Otsu's threshold on what is darker than the skin round it, after thin hairs were closed.
Nothing here was learned, so it cannot overfit a small set.
Sources: Nachbar et al., the ABCD rule of dermatoscopy, 1994; Otsu, 1979; Lee et al., DullRazor (hairs), 1997.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 128
"""The side of the square an image is brought to first, in pixels."""

COUNT = 167
"""How many numbers ``lesion_numbers`` gives."""

SECTORS, RINGS = 8, 5
_COLOURS = np.array(
    [
        [0.90, 0.85, 0.82],
        [0.72, 0.33, 0.30],
        [0.66, 0.45, 0.30],
        [0.36, 0.22, 0.15],
        [0.40, 0.45, 0.52],
        [0.10, 0.08, 0.08],
    ]
)
"""The six colours of the rule as RGB in [0, 1]: white, red, light brown, dark brown, blue-grey, black."""


def lesion_numbers(image: NDArray[np.uint8]) -> Floats:
    """Describe a dermoscopic image: uint8 ``(128, 128, 3)`` RGB to float32 ``(167,)``, all finite."""
    x = without_hair(image.astype(np.float32) / np.float32(255))
    spot = spot_mask(x)
    skin = _skin(x, spot)
    relative = x / np.maximum(skin, 0.05)
    parts = [
        _shape(spot),
        _colour(x, relative, spot),
        _rings(relative, spot),
        _sectors(relative, spot),
        _structure(x, spot),
    ]
    out = np.nan_to_num(np.concatenate(parts), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(out, -20, 20).astype(np.float32)


def without_hair(x: Floats) -> Floats:
    """Close thin dark lines, float32 ``(S, S, 3)``. A pixel changes only where its closing is much brighter."""
    from scipy import ndimage

    closed = ndimage.grey_closing(x, size=(7, 7, 1))
    hair = (closed - x).max(axis=2) > 0.12
    thin = hair & ~ndimage.binary_opening(hair, iterations=2)
    return np.where(ndimage.binary_dilation(thin)[..., None], closed, x).astype(np.float32)


def spot_mask(x: Floats) -> NDArray[np.bool_]:
    """The spot, bool ``(S, S)``: never empty. Where nothing stands out it is a disc in the middle."""
    from scipy import ndimage

    side = x.shape[0]
    inside = _radius(side) < 0.95
    dark = 1 - ndimage.gaussian_filter(0.5 * x[..., 2] + 0.3 * x[..., 1] + 0.2 * x[..., 0], 1.5)
    areas, number = ndimage.label(ndimage.binary_opening((dark > _otsu(dark[inside])) & inside, iterations=2))
    middle = np.exp(-((_radius(side) / 0.6) ** 2))
    if number:
        weight = ndimage.sum_labels(middle, areas, np.arange(1, number + 1))
        found = ndimage.binary_fill_holes(areas == 1 + int(np.argmax(weight)))
        if found is not None and 0.01 * side * side < found.sum() < 0.95 * side * side:
            return np.asarray(found, dtype=bool)
    return np.asarray(_radius(side) < 0.5)


def _radius(side: int) -> Floats:
    """The distance from the middle: 1 at the middle of an edge."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    return np.hypot(axis[:, None], axis[None])


def _otsu(values: NDArray[np.floating]) -> float:
    counts, edges = np.histogram(values, 64)
    middle = (edges[:-1] + edges[1:]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middle)
    above = below[-1] - below
    safe = np.maximum(below * above, 1)
    between = np.where((below > 0) & (above > 0), (mass[-1] * below - mass * below[-1]) ** 2 / safe, 0)
    return float(middle[int(between.argmax())])


def _skin(x: Floats, spot: NDArray[np.bool_]) -> Floats:
    """The colour of the skin, float32 ``(3,)``: the median outside the spot, dark corners aside."""
    outside = ~spot & (x.mean(axis=2) > 0.2) & (_radius(x.shape[0]) < 1.1)
    out: Floats = np.median(x[outside] if outside.sum() > 50 else x.reshape(-1, 3), axis=0).astype(np.float32)
    return out


def _axes(spot: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats, Floats]:
    """Coordinates along the spot's long and short axis, ``(S, S)`` each, and the variance and middle of each."""
    rows, columns = np.nonzero(spot)
    points = np.stack([rows, columns], axis=1).astype(np.float32)
    middle = points.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov((points - middle).T) + 1e-3 * np.eye(2))
    grid = np.indices(spot.shape).transpose(1, 2, 0) - middle
    turned = grid @ vectors[:, ::-1]
    return turned[..., 0], turned[..., 1], variance[::-1], middle


def _shape(spot: NDArray[np.bool_]) -> Floats:
    """Size, roundness, elongation, place, touching the edge, and the asymmetry about both axes: 10 numbers."""
    from scipy import ndimage

    side, area = spot.shape[0], float(spot.sum())
    rim = spot & ~ndimage.binary_erosion(spot)
    long, short, variance, middle = _axes(spot)
    edge = np.concatenate([spot[0], spot[-1], spot[:, 0], spot[:, -1]]).mean()
    mirrored = [_mirrored(spot, long, short, axis) for axis in (0, 1)]
    unlike = [float((spot ^ other).sum() / (2 * area)) for other in mirrored]
    smooth = ndimage.gaussian_filter(spot.astype(np.float32), 4) > 0.5
    return np.array(
        [
            area / side**2,
            math.log(area),
            float(rim.sum()) ** 2 / (4 * math.pi * area),
            math.sqrt(variance[1] / variance[0]),
            area / max(4 * math.pi * math.sqrt(variance[0] * variance[1]), 1.0),
            float(np.abs(middle / side - 0.5).sum()),
            edge,
            min(unlike),
            max(unlike),
            float((spot ^ smooth).sum() / rim.sum()),
        ],
        dtype=np.float32,
    )


def _mirrored(spot: NDArray[np.bool_], long: Floats, short: Floats, axis: int) -> NDArray[np.bool_]:
    """The spot mirrored about its long (0) or short (1) axis."""
    from scipy import ndimage

    _, _, _, middle = _axes(spot)
    rows, columns = np.nonzero(spot)
    points = np.stack([rows, columns], axis=1) - middle
    _, vectors = np.linalg.eigh(np.cov(points.T) + 1e-3 * np.eye(2))
    normal = vectors[:, 0] if axis == 0 else vectors[:, 1]
    distance = short if axis == 0 else long
    where = np.indices(spot.shape) - 2 * distance * normal[:, None, None]
    return np.asarray(ndimage.map_coordinates(spot.astype(np.float32), where, order=1) > 0.5)


def _colour(x: Floats, relative: Floats, spot: NDArray[np.bool_]) -> Floats:
    """Level, spread, quantiles of the spot's and the skin's colours, the six colours' shares, variety: 52 numbers."""
    inner, outer = x[spot], x[~spot]
    shown = relative[spot]
    quantiles = np.quantile(shown, [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98], axis=0).ravel()
    chroma = inner / np.maximum(inner.sum(axis=1, keepdims=True), 0.05)
    nearest = ((inner[:, None] - _COLOURS) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(_COLOURS)) / len(nearest)
    cells = np.bincount((np.clip(inner, 0, 0.999) * 8).astype(int) @ [64, 8, 1], minlength=512) / len(inner)
    variety = -float((cells * np.log(cells + 1e-9)).sum())
    relations = np.corrcoef(shown.T + 1e-4 * np.random.default_rng(0).standard_normal(shown.T.shape))
    out: Floats = np.concatenate(
        [
            inner.mean(axis=0),
            inner.std(axis=0),
            outer.mean(axis=0) if len(outer) else np.zeros(3),
            outer.std(axis=0) if len(outer) else np.zeros(3),
            quantiles,
            chroma.mean(axis=0),
            chroma.std(axis=0),
            np.sqrt(shares),
            [variety, float((shares > 0.05).sum())],
            relations[np.triu_indices(3, 1)],
            [shown[:, 2].mean() - shown[:, 0].mean(), float((shown[:, 2] > shown[:, 0]).mean())],
        ]
    ).astype(np.float32)
    return out


def _rings(relative: Floats, spot: NDArray[np.bool_]) -> Floats:
    """The mean colour in five rings from the rim to the core, and two round the spot: 21 numbers."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(spot)
    depth = depth / max(float(depth.max()), 1.0)
    away = ndimage.distance_transform_edt(~spot)
    places = [spot & (depth > k / RINGS) & (depth <= (k + 1) / RINGS) for k in range(RINGS)]
    places += [(away > 0) & (away <= 4), (away > 4) & (away <= 10)]
    out: Floats = np.concatenate([relative[p].mean(axis=0) if p.any() else np.ones(3) for p in places]).astype(
        np.float32
    )
    return out


def _sectors(relative: Floats, spot: NDArray[np.bool_]) -> Floats:
    """How unlike eight sectors are in colour, spread, rim and sharpness of the rim: 20 numbers."""
    from scipy import ndimage

    long, short, _, _ = _axes(spot)
    sector = ((np.arctan2(short, long) + math.pi) / (2 * math.pi) * SECTORS).astype(int) % SECTORS
    distance = ndimage.distance_transform_edt(spot)
    slope = ndimage.gaussian_gradient_magnitude(relative.mean(axis=2), 1.5)
    rim = (distance > 0) & (distance <= 4)
    level, sharp, reach = np.ones((SECTORS, 3)), np.zeros(SECTORS), np.zeros(SECTORS)
    for k in range(SECTORS):
        here, line = spot & (sector == k), rim & (sector == k)
        if here.any():
            level[k] = relative[here].mean(axis=0)
            reach[k] = np.hypot(long[here], short[here]).max()
        if line.any():
            sharp[k] = slope[line].mean()
    opposite = np.abs(level - np.roll(level, SECTORS // 2, axis=0))
    out: Floats = np.concatenate(
        [
            level.std(axis=0),
            level.min(axis=0),
            level.max(axis=0),
            opposite.max(axis=0),
            opposite.mean(axis=0),
            [sharp.mean(), sharp.std(), sharp.max(), sharp.min(), reach.std() / max(reach.mean(), 1.0)],
        ]
    ).astype(np.float32)
    return out


def _structure(x: Floats, spot: NDArray[np.bool_]) -> Floats:
    """Bands of detail in four channels and the pattern of the grey, in the spot and against the skin: 64 numbers."""
    from scipy import ndimage

    grey = x.mean(axis=2)
    planes = [grey, x[..., 0] - x[..., 2], x[..., 1] - grey, x[..., 2] - grey]
    core = ndimage.binary_erosion(spot, iterations=3)
    core = core if core.sum() > 30 else spot
    numbers: list[float] = []
    for plane in planes:
        levels = [plane, *(ndimage.gaussian_filter(plane, sigma) for sigma in (0.8, 1.6, 3.2, 6.4))]
        for fine, coarse in pairwise(levels):
            band = fine - coarse
            inner, outer = band[core], band[~spot] if (~spot).any() else band[core]
            spread = float(inner.std()) + 1e-5
            numbers += [math.log(spread), math.log(spread / (float(outer.std()) + 1e-5))]
            numbers += [float(((inner / spread) ** 3).mean()), float((np.abs(inner) > 2 * spread).mean())]
    return np.array(numbers, dtype=np.float32)
