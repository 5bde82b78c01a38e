"""Which pictures must stay together when there are no patient numbers: copies, and like neighbours in file order.

Without this, slices of one head lie on both sides of a split, and a figure measures memory.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIDE = 32
COPY = 0.94
"""Correlation of two pictures, 32 x 32 grey, from which they count as copies wherever they stand."""

NEIGHBOUR, REACH = 0.85, 8
"""Correlation from which pictures of one series whose numbers differ by ``REACH`` at most count as one patient's."""


def likeness(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation of every picture with every other: uint8 ``(N, S, S)`` grey to float32 ``(N, N)`` in [-1, 1]."""
    from PIL import Image

    small = np.stack(
        [np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) for one in pixels]
    ).reshape(len(pixels), -1)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)
    return np.asarray(small @ small.T, dtype=np.float32)


def groups(
    pixels: NDArray[np.uint8],
    series: Sequence[str],
    numbers: Sequence[int],
    copy: float = COPY,
    neighbour: float = NEIGHBOUR,
    reach: int = REACH,
) -> NDArray[np.intp]:
    """A group number a picture. Pictures joined by a chain of copies or like neighbours share one.

    ``pixels`` is uint8 ``(N, S, S)`` grey; ``series`` and ``numbers`` are the kind and the running
    number in each picture's file name. The limits are as explained above, where their defaults are.
    """
    from scipy.sparse.csgraph import connected_components

    alike = likeness(pixels)
    same = np.asarray(series)[:, None] == np.asarray(series)[None]
    apart = np.abs(np.asarray(numbers)[:, None] - np.asarray(numbers)[None])
    joined = (alike > copy) | (same & (apart <= reach) & (alike > neighbour))
    _, found = connected_components(joined, directed=False)
    return np.asarray(found, dtype=np.intp)
