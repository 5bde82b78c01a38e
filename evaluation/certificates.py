"""Whether certificates keep their word: on synthetic scores of known risk, and on MIRAGE's stored answers.

Run ``python -m evaluation.certificates`` for 2,000 draws of each law, or with ``--mirage FILE`` for the table of
``shared/data/refusal/mirage_votes_dev.jsonl``.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.certificate import Outcomes, certify

Floats = NDArray[np.float64]
VOTER_ORDER = ("rag_32:gpt-4-32k", "cot:gpt-4-32k", "rag_32:gpt-35-turbo-16k", "cot:gpt-35-turbo-16k")
"""Whose answer stands where votes are even."""


@dataclass(frozen=True)
class Law:
    """A score uniform on [0, 1], rounded down to ``steps`` values where given, and the risk at each score.

    ``certifiable``: some threshold answers a fifth of the rows or more with half the error that may be borne.
    """

    name: str
    risk: Callable[[Floats], Floats]
    steps: int | None = None

    def draw(self, n: int, generator: np.random.Generator) -> Outcomes:
        """``n`` rows."""
        scores = self._rounded(generator.random(n))
        return Outcomes(scores, generator.random(n) >= self.risk(scores))

    def true_risk(self, threshold: float) -> float:
        """The error among all cases with a score at or above ``threshold``."""
        scores = self._rounded((np.arange(200_000) + 0.5) / 200_000)
        return float(self.risk(scores[scores >= threshold]).mean())

    def certifiable(self, alpha: float) -> bool:
        """Whether a good method should find a threshold, given rows enough."""
        return any(self.true_risk(t) <= alpha / 2 for t in (0.8, 0.6, 0.4, 0.2, 0.0))

    def _rounded(self, scores: Floats) -> Floats:
        return scores if self.steps is None else np.floor(scores * self.steps) / self.steps


LAWS = (
    Law("calibrated", lambda s: 1 - s),
    Law("calibrated, five values", lambda s: 1 - s, steps=5),
    Law("convex", lambda s: (1 - s) ** 2),
    Law("flat, low", lambda s: np.full_like(s, 0.03)),
    Law("flat, at alpha", lambda s: np.full_like(s, 0.1)),
    Law("flat, just above alpha", lambda s: np.full_like(s, 0.105)),
    Law("a cliff", lambda s: np.where(s > 0.7, 0.02, 0.4)),
    Law("worst at the top", lambda s: np.where(s > 0.9, 0.25, 0.06)),
    Law("hopeless", lambda s: np.full_like(s, 0.5)),
)


def measure(law: Law, n: int, alpha: float, delta: float, draws: int, seed: int = 0) -> dict[str, Any]:
    """How often a certificate was given, how often its true risk was above ``alpha``, and what it answered."""
    generator = np.random.default_rng(seed)
    given = broken = answered = 0
    for _ in range(draws):
        certificate = certify(law.draw(n, generator), alpha, delta)
        if certificate.threshold is None:
            continue
        given += 1
        answered += certificate.answered
        broken += law.true_risk(certificate.threshold) > alpha + 1e-9
    bound = delta + 2 * (delta * (1 - delta) / draws) ** 0.5
    return {
        "law": law.name,
        "n": n,
        "alpha": alpha,
        "delta": delta,
        "draws": draws,
        "certified": round(given / draws, 4),
        "coverage": round(answered / draws / n, 4),
        "broken": round(broken / draws, 4),
        "bound": round(bound, 4),
        "holds": broken / draws <= bound,
        "certifiable": law.certifiable(alpha),
    }


def vote(answers: dict[str, str | None]) -> tuple[str | None, float]:
    """The answer most voters gave, and the share of all voters who gave it. A missing answer matches nothing."""
    counts = Counter(answer for answer in answers.values() if answer is not None)
    if not counts:
        return None, 0.0
    most = max(counts.values())
    chosen = next(a for name in VOTER_ORDER if (a := answers.get(name)) is not None and counts[a] == most)
    return chosen, most / len(answers)


def mirage_rows(path: Path) -> list[dict[str, Any]]:
    """MIRAGE's stored answers as lines for ``overread calibrate``: group, score (agreement), correct."""
    rows = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        chosen, share = vote(row["answers"])
        rows.append({"group": row["group"], "score": share, "correct": chosen == row["gold"]})
    return rows


def mirage_table(rows: list[dict[str, Any]], alpha: float, delta: float) -> Iterable[dict[str, Any]]:
    """A certificate a group, with what four-way agreement gives beside it."""
    for group in sorted({row["group"] for row in rows}):
        own = [row for row in rows if row["group"] == group]
        outcomes = Outcomes(np.array([row["score"] for row in own]), np.array([row["correct"] for row in own]))
        agreed = outcomes.scores == 1
        yield {
            **certify(outcomes, alpha, delta, group).model_dump(),
            "agreed": round(float(agreed.mean()), 4),
            "error_when_agreed": round(float((~outcomes.correct[agreed]).mean()), 4),
        }


def main() -> int:
    """Print one JSON object a law, or a group; exit code 1 when a law breaks its bound."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--delta", type=float, default=0.1)
    parser.add_argument("--mirage", type=Path, help="the table of these stored answers instead")
    parser.add_argument("--rows", type=Path, help="also write the lines for overread calibrate to this file")
    chosen = parser.parse_args()
    if chosen.mirage:
        rows = mirage_rows(chosen.mirage)
        if chosen.rows:
            chosen.rows.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        for entry in mirage_table(rows, chosen.alpha, chosen.delta):
            sys.stdout.write(json.dumps(entry) + "\n")
        return 0
    held = True
    for law in LAWS:
        for n in (100, 300, 1_000):
            entry = measure(law, n, chosen.alpha, chosen.delta, chosen.draws)
            held = held and entry["holds"]
            sys.stdout.write(json.dumps(entry) + "\n")
            sys.stdout.flush()
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())
