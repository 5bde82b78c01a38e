"""Fit the weights of relevance to questions with known answers, and print them for ``data/relevance.yaml``.

Run it as ``python -m retrieval.fit_relevance FITTED.yaml [HELD_OUT.yaml]``. Both are lists of
``question``, ``answer`` (a note's id or null) and optionally ``findings`` and ``domain``.
"""

import sys
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import yaml

from retrieval.relevance import Features, Weights
from retrieval.search import Considered, KnowledgeBase

_Row = tuple[bool, list[Considered]]


def considered(base: KnowledgeBase, path: Path, dense: bool) -> list[_Row]:
    """For each question: whether the notes answer it, and the passages that may, as the search sees them."""
    rows = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        passages = base.consider(
            entry["question"],
            domain=entry.get("domain"),
            findings=entry.get("findings", ()),
            dense=dense,
        )
        rows.append((entry["answer"] is not None, passages))
    return rows


def fit(rows: list[_Row]) -> Weights:
    """A logistic on each question's first passage: is the question answered here?"""
    from sklearn.linear_model import LogisticRegression

    features = [astuple(first.features) for _, (first, *_) in rows]
    model = LogisticRegression(C=3.0, max_iter=1000, class_weight="balanced").fit(
        features, [answer for answer, _ in rows]
    )
    names = [field.name for field in fields(Features)]
    weights = {name: round(max(0.0, float(w)), 2) for name, w in zip(names, model.coef_[0], strict=True)}
    return Weights(bias=round(float(model.intercept_[0]), 2), **weights)


def measure(rows: list[_Row], weights: Weights) -> dict[str, float]:
    """AUROC and, at a probability of one half, the share of right decisions, of each kind."""
    from sklearn.metrics import roc_auc_score

    scores = [max((weights.probability(c.features) for c in passages), default=0.0) for _, passages in rows]
    labels = [answer for answer, _ in rows]
    answered = [score >= 0.5 for score, label in zip(scores, labels, strict=True) if label]
    refused = [score < 0.5 for score, label in zip(scores, labels, strict=True) if not label]
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "answerable answered": sum(answered) / len(answered),
        "unanswerable refused": sum(refused) / len(refused),
        "questions": len(rows),
    }


def main(arguments: list[str]) -> int:
    """Print the weights fitted to the first file, and the figures on both."""
    base = KnowledgeBase.open()
    out: dict[str, Any] = {}
    for name, dense in (("with_meaning", True), ("words_alone", False)):
        files = {Path(path).name: considered(base, Path(path), dense) for path in arguments}
        weights = fit([row for row in next(iter(files.values())) if row[1]])
        out[name] = weights.model_dump()
        for file, rows in files.items():
            sys.stdout.write(f"# {name} {file}: {measure(rows, weights)}\n")
    sys.stdout.write(yaml.safe_dump(out, sort_keys=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
