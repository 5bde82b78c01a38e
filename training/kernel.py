"""A kernel machine over described pictures: how like is a picture to those of either kind? (Boser et al., 1992)

Its choices are made on folds held out of what it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, auroc

BEYOND = 5.0
"""Spreads beyond which a number says no more; ``tools.describers`` clips there too."""


@dataclass(frozen=True)
class Setting:
    """``share`` is the weight of the second block of numbers against the first, ``gamma`` how fast likeness falls."""

    share: float
    gamma: float
    cost: float = 1.0


SETTINGS = tuple(Setting(share, gamma) for share, gamma in product((0.5, 0.7), (0.3, 0.6, 1.0)))


@dataclass(frozen=True)
class Kernel:
    """Score: the sum of ``weight * exp(-|scale * (z - centre)|^2)`` plus ``offset``; ``z`` is standardised and clipped.

    ``mean``, ``spread``, ``scale`` are float64 ``(count,)``, ``centres`` ``(M, count)``, ``weight`` ``(M,)``.
    """

    mean: Floats
    spread: Floats
    scale: Floats
    centres: Floats
    weight: Floats
    offset: float

    def score(self, numbers: NDArray[np.float32]) -> Floats:
        """float64 ``(N,)``."""
        z = np.clip((numbers - self.mean) / self.spread, -BEYOND, BEYOND) * self.scale
        out: Floats = np.exp(-_distances(z, self.centres * self.scale)) @ self.weight + self.offset
        return out


def _distances(one: Floats, other: Floats) -> Floats:
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None] - 2 * one @ other.T
    return np.asarray(np.maximum(squares, 0), dtype=np.float64)


def fit_kernel(numbers: NDArray[np.float32], truth: NDArray[np.bool_], first: int, how: Setting) -> Kernel:
    """Fit with both classes counting the same. ``first`` is the length of the first block of numbers."""
    from sklearn.svm import SVC

    mean, spread = numbers.mean(axis=0).astype(np.float64), numbers.std(axis=0).astype(np.float64) + 1e-3
    z = np.clip((numbers - mean) / spread, -BEYOND, BEYOND)
    count = numbers.shape[1]
    blocks = np.where(np.arange(count) < first, (1 - how.share) / first, how.share / (count - first))
    scale = np.sqrt(how.gamma * blocks)
    machine = SVC(C=how.cost, kernel="precomputed", class_weight="balanced")
    machine.fit(np.exp(-_distances(z * scale, z * scale)), truth)
    return Kernel(mean, spread, scale, z[machine.support_], machine.dual_coef_[0], float(machine.intercept_[0]))


def held_out(
    numbers: NDArray[np.float32], truth: NDArray[np.bool_], fold: NDArray[np.intp], first: int, how: Setting
) -> Floats:
    """Scores, each from a fit without the picture's fold: float64 ``(N,)``."""
    score = np.zeros(len(truth))
    for held in np.unique(fold):
        rest = fold != held
        score[~rest] = fit_kernel(numbers[rest], truth[rest], first, how).score(numbers[~rest])
    return score


def chosen(
    numbers: NDArray[np.float32],
    truth: NDArray[np.bool_],
    fold: NDArray[np.intp],
    first: int,
    settings: Sequence[Setting] = SETTINGS,
) -> tuple[Setting, Floats]:
    """The setting that does best on held-out folds, and its held-out scores."""
    tried = [(how, held_out(numbers, truth, fold, first, how)) for how in settings]
    return max(tried, key=lambda one: auroc(truth, one[1]))
