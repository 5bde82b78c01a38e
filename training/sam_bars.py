"""What a promptable network must beat: an ellipse drawn in the box, which looks at nothing, and GrabCut."""

import numpy as np
from numpy.typing import NDArray

from overread.records import Box
from training.sam_objects import Bools

CUT_SIDE = 256
"""Longest side of the part of an image that GrabCut works on, in pixels: its time grows with the area."""

ROUNDS = 5
"""GrabCut's rounds, as in OpenCV's own example."""


def dice_of(mask: Bools, wanted: Bools) -> float:
    """Twice the overlap over the sum of both areas; 0 when both are empty."""
    both = int(mask.sum()) + int(wanted.sum())
    return 2 * int((mask & wanted).sum()) / both if both else 0.0


def ellipse_in(box: Box, shape: tuple[int, int]) -> Bools:
    """The ellipse that touches all four sides of a box: what can be had without looking at the image."""
    x0, y0, x1, y1 = box
    y, x = np.ogrid[: shape[0], : shape[1]]
    across, down = (x + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2), (y + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
    return np.asarray(across**2 + down**2 <= 1)


def grabcut_in(pixels: NDArray[np.uint8], box: Box) -> Bools:
    """OpenCV's GrabCut started from a box, on the box and a margin of half its side: bool ``(H, W)``.

    Where all of that is box, or nothing is left of the object, it is the box. Source: Rother et al., GrabCut, 2004.
    """
    import cv2

    x0, y0, x1, y1 = box
    height, width = pixels.shape[:2]
    mx, my = max(8, (x1 - x0) // 2), max(8, (y1 - y0) // 2)
    left, top, right, bottom = max(0, x0 - mx), max(0, y0 - my), min(width, x1 + mx), min(height, y1 + my)
    part = np.ascontiguousarray(pixels[top:bottom, left:right, ::-1])
    state = np.full(part.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    state[y0 - top : y1 - top, x0 - left : x1 - left] = cv2.GC_PR_FGD
    scale = min(1.0, CUT_SIDE / max(part.shape[:2]))
    if scale < 1:
        size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        state = np.asarray(cv2.resize(state, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    mask = np.zeros((height, width), dtype=bool)
    on = np.asarray(state == cv2.GC_PR_FGD)
    if not on.all():
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(part, state, (0, 0, 1, 1), *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # the rectangle is not used
        cut = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
        on = cut if cut.any() else on
    full = cv2.resize(on.astype(np.uint8), (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    mask[top:bottom, left:right] = full.astype(bool)
    return mask
