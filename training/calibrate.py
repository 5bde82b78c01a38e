"""Fits what a card's calibration holds: the logistic or softmax map with its uncertainty, and the decision band."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, proportion
from tools.calibration import LogisticCalibration, SoftmaxCalibration

SUREST_DOUBT = 0.7
"""No decision is made below this probability of being right, however low the risk of the whole group."""


def fit_logistic(
    score: Floats, truth: NDArray[np.bool_], weight: Floats, groups: Sequence[str], rounds: int = 200, seed: int = 0
) -> LogisticCalibration:
    """Platt's map on the calibration pictures, with the covariance found by drawing their patients again."""
    slope, offset = _platt(score, truth, weight)
    drawn = []
    for rows in _drawn_again(groups, rounds, seed):
        if truth[rows].any() and not truth[rows].all():
            drawn.append(_platt(score[rows], truth[rows], weight[rows]))
    spread = np.cov(np.array(drawn).T)
    return LogisticCalibration(slope, offset, spread[0, 0], spread[1, 1], spread[0, 1])


def fit_softmax(
    scores: Floats, truth: NDArray[np.intp], groups: Sequence[str], rounds: int = 100, seed: int = 0
) -> SoftmaxCalibration:
    """One scale and an offset a label, for labels that exclude each other.

    ``scores`` is float64 ``(N, K)``; ``truth`` the number of the label that holds. The covariance is found by drawing
    the groups of the calibration pictures again.
    """
    found = _vector_scaling(scores, truth)
    drawn = [_vector_scaling(scores[rows], truth[rows], found) for rows in _drawn_again(groups, rounds, seed)]
    return SoftmaxCalibration(float(found[0]), tuple(found[1:].tolist()), np.cov(np.array(drawn).T).astype(np.float64))


def _vector_scaling(scores: Floats, truth: NDArray[np.intp], start: Floats | None = None) -> Floats:
    """``(scale, *offsets)`` of least cross-entropy, with the offsets held near 0 by a weak penalty (0.01)."""
    from scipy.optimize import minimize

    n, labels = scores.shape
    held = np.eye(labels)[truth]

    def cost(x: Floats) -> tuple[float, Floats]:
        scale = np.exp(x[0])
        z = scale * scores + x[1:]
        z -= z.max(axis=1, keepdims=True)
        chance = np.exp(z)
        chance /= chance.sum(axis=1, keepdims=True)
        loss = -np.log(np.maximum((chance * held).sum(axis=1), 1e-12)).mean() + 0.01 * (x[1:] ** 2).sum()
        gap = (chance - held) / n
        slope = np.concatenate([[scale * (gap * scores).sum()], gap.sum(axis=0) + 0.02 * x[1:]])
        return float(loss), slope

    begin = np.zeros(labels + 1) if start is None else np.concatenate([[np.log(start[0])], start[1:]])
    best = minimize(cost, begin, jac=True, method="L-BFGS-B", bounds=[(-4, 4), *[(-5, 5)] * labels])
    return np.concatenate([[np.exp(best.x[0])], best.x[1:]])


def _drawn_again(groups: Sequence[str], rounds: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Row numbers of whole groups, drawn with replacement."""
    generator = np.random.default_rng(seed)
    keys, inverse = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(inverse == number) for number in range(len(keys))]
    for _ in range(rounds):
        yield np.concatenate([members[k] for k in generator.integers(0, len(keys), len(keys))])


def _platt(score: Floats, truth: NDArray[np.bool_], weight: Floats) -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=100.0, max_iter=200).fit(score[:, None], truth, sample_weight=weight)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def decision_band(
    probability: Floats, truth: NDArray[np.bool_], weight: Floats, risk: float = 0.05
) -> tuple[float | None, float | None]:
    """``(absent_below, present_from)``: the widest decisions whose error is at most ``risk``.

    The error of a decision is bounded from above by Wilson's 95 % interval, with the number of
    pictures that the weights are worth (Kish). ``None`` where no threshold is safe enough.
    """
    present = [t for t in _steps(probability) if _upper(~truth, weight, probability >= t) <= risk]
    absent = [t for t in _steps(probability) if _upper(truth, weight, probability < t) <= risk]
    present_from = max(min(present), SUREST_DOUBT) if present else None
    absent_below = min(max(absent), round(1 - SUREST_DOUBT, 3)) if absent else None
    return absent_below, present_from


def _steps(probability: Floats) -> list[float]:
    return [
        round(float(t), 3) for t in np.arange(0.01, 1.0, 0.01) if (probability >= t).any() and (probability < t).any()
    ]


def _upper(wrong: NDArray[np.bool_], weight: Floats, chosen: NDArray[np.bool_]) -> float:
    if not chosen.any():
        return 1.0
    w = weight[chosen]
    worth = w.sum() ** 2 / (w**2).sum()
    share = float((w * wrong[chosen]).sum() / w.sum())
    return proportion(round(share * worth), round(worth))[1] if worth >= 1 else 1.0
