"""Every object of an image without a prompt: a grid of points, the masks that hold, each once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overread.records import Box
from tools.segmentation.predictor import OUTSIDE, ImagePredictor, box_round
from tools.segmentation.prompts import Point, Prompt
from tools.segmentation.window import Window, paste

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Choice:
    """Which masks are kept.

    ``grid`` points a side in every window; ``quality`` the least foretold overlap; ``stable`` the
    least overlap of the mask cut one logit higher and lower; ``same`` the overlap from which two masks are one
    object; ``least`` and ``most`` are parts of the image's area.
    """

    grid: int = 8
    quality: float = 0.7
    stable: float = 0.8
    same: float = 0.6
    least: float = 0.0005
    most: float = 0.7
    objects: int = 100


@dataclass(frozen=True)
class Found:
    """One object: its mask bool ``(H, W)``, its half-open box, and the overlap the network foretells."""

    mask: Bools
    box: Box
    quality: float


def automatic_masks(predictor: ImagePredictor, choice: Choice | None = None) -> list[Found]:
    """The objects of an image, the surest first. None may be found."""
    choice = choice or Choice()
    candidates = []
    for window in predictor.tiles():
        candidates += _candidates(predictor, window, choice)
    candidates.sort(key=lambda one: -one.quality)
    kept: list[Found] = []
    for one in candidates:
        if len(kept) == choice.objects:
            break
        if all(_overlap(one, other) < choice.same for other in kept):
            kept.append(one)
    return kept


def _candidates(predictor: ImagePredictor, window: Window, choice: Choice) -> list[Found]:
    height, width = predictor.shape
    steps = (np.arange(choice.grid) + 0.5) / choice.grid
    places = [(window.x0 + x * window.width, window.y0 + y * window.height) for y in steps for x in steps]
    points = [Point(int(x), int(y)) for x, y in places if 0 <= x < width and 0 <= y < height]
    found = []
    for logits, qualities in predictor.at_points(window, [Prompt(points=(point,)) for point in points]):
        for grid, quality in zip(logits, qualities, strict=True):
            if (
                quality < choice.quality
                or _stability(grid) < choice.stable
                or _on_border(grid, window, (height, width))
            ):
                continue
            mask = paste(grid, window, (height, width), OUTSIDE) > 0
            if choice.least <= mask.mean() <= choice.most:
                found.append(Found(mask, box_round(mask), float(quality)))
    return found


def _stability(grid: NDArray[np.float32]) -> float:
    """The overlap of the mask cut one logit higher with the mask cut one logit lower (Kirillov et al., 2023)."""
    lower = int((grid > -1).sum())
    return float((grid > 1).sum() / lower) if lower else 0.0


def _on_border(grid: NDArray[np.float32], window: Window, shape: tuple[int, int]) -> bool:
    """Whether the mask runs over a border of the window that is inside the image: another window sees it whole."""
    on = grid > 0
    return bool(
        (on[0].any() and window.y0 > 0)
        or (on[:, 0].any() and window.x0 > 0)
        or (on[-1].any() and window.y0 + window.height < shape[0])
        or (on[:, -1].any() and window.x0 + window.width < shape[1])
    )


def _overlap(a: Found, b: Found) -> float:
    x0, y0 = max(a.box[0], b.box[0]), max(a.box[1], b.box[1])
    x1, y1 = min(a.box[2], b.box[2]), min(a.box[3], b.box[3])
    if x0 >= x1 or y0 >= y1:
        return 0.0
    both = int((a.mask[y0:y1, x0:x1] & b.mask[y0:y1, x0:x1]).sum())
    return both / (int(a.mask.sum()) + int(b.mask.sum()) - both)
