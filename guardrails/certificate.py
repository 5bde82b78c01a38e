"""When an answer may be given: a threshold on a score with a stated bound on the error of what is answered.

For each group, "P(error among the answered <= alpha) >= 1 - delta", over the draw of the calibration rows.
Learn then test (Angelopoulos et al., 2021): each threshold is a hypothesis "the error at or above it is more
than alpha", tested by the exact binomial tail (Clopper and Pearson, 1934), strictest threshold first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from guardrails.errors import CertificateError
from overread.records import ModelRef, Record

MOST_THRESHOLDS = 200
"""Thresholds tried in one group. More than this cost time and gain no coverage worth having."""


class Certificate(Record):
    """What was certified for one group: answer when the score is at or above ``threshold``.

    ``threshold`` is ``None`` where nothing could be certified, and ``reason`` then says why.
    ``n`` rows were looked at, of which ``answered`` lie at or above the threshold.
    """

    group: str
    threshold: float | None
    alpha: float = Field(gt=0, lt=1)
    delta: float = Field(gt=0, lt=1)
    n: int = Field(ge=0)
    answered: int = Field(ge=0)
    reason: str | None = None


class Bins(Record):
    """How the calibration scores of a group were spread: counts between rising ``edges``, for the drift test."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class StoredCertificates(Record):
    """Certificates as they are kept: from which data, on which day, and for which models they were made."""

    data_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    made_on: date
    models: tuple[ModelRef, ...]
    groups: tuple[Certificate, ...]
    spread: dict[str, Bins] = Field(default_factory=dict)

    def void_because(self, models: Iterable[ModelRef]) -> str | None:
        """Why these certificates no longer hold with the models in use now, or ``None`` when they do."""
        now = {model.name: model for model in models}
        for then in self.models:
            if then.name not in now:
                return f"the model {then.name} that was certified is not here"
            if now[then.name].sha256 != then.sha256:
                return f"the weights of {then.name} are not those that were certified; calibrate again"
        return None

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Outcomes:
    """Calibration rows of one group: ``scores`` float64 ``(n,)``, finite; ``correct`` bool ``(n,)``."""

    scores: NDArray[np.float64]
    correct: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.scores.shape != self.correct.shape or self.scores.ndim != 1:
            raise CertificateError("scores and outcomes must be two lists of the same length")
        if not np.isfinite(self.scores).all():
            raise CertificateError("a score is not a finite number; leave such rows out")


def smallest_certifiable(alpha: float, delta: float) -> int:
    """The fewest answers that can certify anything, when all of them are right: (1 - alpha)^n <= delta.

    No method can do with fewer: with one less, an error rate of alpha shows no error too often.
    """
    _check(alpha, delta)
    n = max(int(np.ceil(np.log(delta) / np.log1p(-alpha) - 1e-9)), 1)
    return n if (1 - alpha) ** n <= delta * (1 + 1e-12) else n + 1


def certify(outcomes: Outcomes, alpha: float, delta: float, group: str = "all") -> Certificate:
    """The lowest threshold that holds for a group, or a certificate without one and the reason.

    Thresholds are placed by the scores alone, never by the outcomes, and rows of equal score are answered
    together or not at all. Testing starts at up to three of them (the strictest that could pass, all rows, and
    one between), each with an equal share of ``delta``. A threshold that passes hands its share on to the next;
    one that fails ends that run. The chance that any threshold passes wrongly stays under ``delta``
    (the fallback procedure: Wiens and Dmitrienko, 2005).
    """
    from scipy.stats import binom

    least = smallest_certifiable(alpha, delta)
    n = len(outcomes.scores)

    def without(reason: str) -> Certificate:
        return Certificate(group=group, threshold=None, alpha=alpha, delta=delta, n=n, answered=0, reason=reason)

    if n < least:
        return without(f"too few rows: {n}, and at least {least} that are all right are needed")
    thresholds, answered, errors = _steps(outcomes)
    tails = binom.cdf(errors, answered, alpha)
    shares = _shares(answered, n, alpha, delta)
    level, best = 0.0, -1
    for at, tail in enumerate(tails):
        level += shares.get(at, 0.0)
        if level and tail <= level * (1 + 1e-12):
            best = at
        else:
            level = 0.0
    if best < 0:
        return without(f"the error could not be shown to be at most {alpha:g} at any threshold")
    return Certificate(
        group=group, threshold=float(thresholds[best]), alpha=alpha, delta=delta, n=n, answered=int(answered[best])
    )


def certify_groups(groups: Mapping[str, Outcomes], alpha: float, delta: float) -> tuple[Certificate, ...]:
    """One certificate a group, in the order given. Each holds for its group by itself."""
    return tuple(certify(outcomes, alpha, delta, group) for group, outcomes in groups.items())


def store(
    groups: Mapping[str, Outcomes],
    certificates: tuple[Certificate, ...],
    data_sha256: str,
    models: Iterable[ModelRef] = (),
) -> StoredCertificates:
    """The certificates with everything that is needed to tell later whether they still hold."""
    return StoredCertificates(
        data_sha256=data_sha256,
        made_on=datetime.now(UTC).date(),
        models=tuple(models),
        groups=certificates,
        spread={name: spread(outcomes.scores) for name, outcomes in groups.items()},
    )


def load(path: Path) -> StoredCertificates:
    """Stored certificates. Raises ``CertificateError`` for a file that holds none."""
    try:
        return StoredCertificates.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the whole file"
        raise CertificateError(f"the certificate file is not as it was written: {where} is wrong") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CertificateError(f"the certificate file cannot be read ({type(error).__name__})") from None


def spread(scores: NDArray[np.float64], most: int = 10) -> Bins:
    """Up to ``most`` bins of about equal counts. An edge belongs to the bin above it; the outer bins are open."""
    if not len(scores):
        return Bins(edges=(), counts=(0,))
    quantiles = np.unique(np.quantile(scores, np.linspace(0, 1, most + 1)[1:-1], method="higher"))
    inner = [float(edge) for edge in quantiles if edge > scores.min()]
    counts = np.bincount(np.searchsorted(inner, scores, side="right"), minlength=len(inner) + 1)
    return Bins(edges=tuple(inner), counts=tuple(int(count) for count in counts))


def _steps(outcomes: Outcomes) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Thresholds from the strictest down, how many rows each answers, and how many of those are wrong.

    Where there are too many they lie closer together at the strict end, where few rows are answered.
    """
    order = np.argsort(-outcomes.scores, kind="stable")
    scores = outcomes.scores[order]
    wrong = np.cumsum(~outcomes.correct[order], dtype=np.int64)
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    if len(last) > MOST_THRESHOLDS:
        last = last[np.unique(np.geomspace(1, len(last), MOST_THRESHOLDS).round().astype(int)) - 1]
    return scores[last], last + 1, wrong[last]


def _shares(answered: NDArray[np.int64], n: int, alpha: float, delta: float) -> dict[int, float]:
    """Where testing starts, as places in ``answered``, and the share of ``delta`` each start has."""
    two, three = smallest_certifiable(alpha, delta / 2), smallest_certifiable(alpha, delta / 3)
    if n >= 2 * three:
        starts = [three, round((three * n) ** 0.5), n]
    elif n > two:
        starts = [two, n]
    else:
        starts = [smallest_certifiable(alpha, delta)]
    shares: dict[int, float] = {}
    for start in starts:
        place = int(np.searchsorted(answered, start))
        shares[place] = shares.get(place, 0.0) + delta / len(starts)
    return shares


def _check(alpha: float, delta: float) -> None:
    if not (0 < alpha < 1 and 0 < delta < 1):
        raise CertificateError("alpha and delta are shares between 0 and 1, both ends excluded; give for example 0.1")
