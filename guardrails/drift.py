"""Whether the world is still the one that was certified: two small tests, one without and one with outcomes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from guardrails.certificate import Bins
from guardrails.errors import CertificateError


def score_drift(before: Bins, scores: NDArray[np.float64]) -> float:
    """The p-value of "these scores are spread as the calibration scores were": a chi-square test of homogeneity.

    Needs no outcomes. 1.0 when there is nothing to compare. Bins empty on both sides are left out.
    """
    from scipy.stats import chi2_contingency

    now = np.bincount(np.searchsorted(before.edges, scores, side="right"), minlength=len(before.counts))
    table = np.array([before.counts, now])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


class ErrorWatch:
    """Watches the errors of answered cases as they become known, and tells when they are too many for ``alpha``.

    The evidence is a mixture of bets that the error rate is one of a few rates above ``alpha``. While the true
    rate is at most ``alpha`` it is a non-negative supermartingale that starts at 1, so it ever reaches
    1 / ``level`` with a chance of at most ``level``, however often one looks (Ville, 1939).
    """

    def __init__(self, alpha: float, level: float = 0.01) -> None:
        if not (0 < alpha < 1 and 0 < level < 1):
            raise CertificateError("alpha and level are shares between 0 and 1, both ends excluded")
        self._rates = alpha + (1 - alpha) * np.array([0.05, 0.1, 0.2, 0.4])
        self._alpha = alpha
        self._level = level
        self._log = np.zeros(len(self._rates))
        self._alarmed = False

    def see(self, outcomes: Iterable[bool]) -> bool:
        """Take outcomes, in order, ``True`` for a right answer; give whether the alarm is raised, now or before."""
        for right in outcomes:
            ratio = (1 - self._rates) / (1 - self._alpha) if right else self._rates / self._alpha
            self._log += np.log(ratio)
            self._alarmed = self._alarmed or self.evidence >= 1 / self._level
        return self._alarmed

    @property
    def evidence(self) -> float:
        """How many times better "too many errors" explains what was seen, in [0, inf)."""
        return float(np.exp(np.minimum(self._log, 700)).mean())
