"""Figures with their intervals. Resampling is by patient, since pictures of one person are alike."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auroc(truth: NDArray[np.bool_], score: Floats, weight: Floats | None = None) -> float:
    """Area under the ROC curve; 0.5 when one class is missing."""
    if truth.all() or not truth.any():
        return 0.5
    if weight is None:
        from scipy.stats import rankdata

        # The rank sum of Mann and Whitney is the same area, much faster, and drawn again often.
        above = float(rankdata(score)[truth].sum()) - truth.sum() * (truth.sum() + 1) / 2
        return float(above / (truth.sum() * (~truth).sum()))
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, score, sample_weight=weight))


def ece(correct: NDArray[np.bool_], probability: Floats, weight: Floats | None = None, bins: int = 10) -> float:
    """Expected calibration error over bins of equal count (Naeini et al., 2015; adaptive bins)."""
    weight = np.ones(len(probability)) if weight is None else weight
    order = np.argsort(probability, kind="stable")
    off = (weight * (probability - correct))[order]
    bins = min(bins, len(order))
    number = np.arange(bins)
    # Where np.array_split would cut; the figure is drawn again thousands of times.
    starts = number * (len(order) // bins) + np.minimum(number, len(order) % bins)
    return float(np.abs(np.add.reduceat(off, starts)).sum() / weight.sum())


def balanced(truth: NDArray[np.bool_]) -> Floats:
    """Weights that make both classes count the same; their mean is 1."""
    share = truth.mean()
    if share in (0, 1):
        return np.ones(len(truth))
    return np.where(truth, 0.5 / share, 0.5 / (1 - share))


def bootstrap(
    figure: Callable[[NDArray[np.intp]], float],
    groups: Sequence[str],
    rounds: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """A percentile interval of ``figure``, which takes row numbers, by drawing whole groups again.

    A draw for which the figure is not a number is left out; with none left the interval is NaN twice.
    """
    generator = np.random.default_rng(seed)
    keys, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == number) for number in range(len(keys))]
    values = []
    for _ in range(rounds):
        drawn = generator.integers(0, len(keys), len(keys))
        values.append(figure(np.concatenate([members[number] for number in drawn])))
    finite = [value for value in values if np.isfinite(value)]
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2]) if finite else (np.nan, np.nan)
    return round(float(low), 4), round(float(high), 4)


def proportion(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson, 1927)."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)))
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)
