"""Fits the entailment scorer and tells how well it does on answers it has not seen.

Run ``python -m training.entailment FOLDER`` where FOLDER is ``shared/data``: K-QA's physician-labelled claims (MIT) and
PubMedQA's abstracts (MIT). Folds are by question, so that no answer is on both sides.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guardrails.entailment import FEATURES, evidence_sentences, feature_rows, word_overlap
from guardrails.standalone import judge

TARGET = Path(__file__).parent.parent / "guardrails" / "data" / "entailment.json"
PENALTY = 0.03
"""Inverse strength of the L2 penalty: strong, for there are few claims."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """A claim with its evidence: ``supported`` or not, of the answer ``group``, worth ``weight``."""

    claim: str
    evidence: tuple[str, ...]
    supported: bool
    group: str
    weight: float = 1.0


def read_kqa(path: Path) -> list[Pair]:
    """K-QA: a claim is supported when most of its three physicians called it entailed."""
    rows = json.loads(path.read_text("utf-8"))
    return [Pair(r["claim"], (r["answer"],), r["majority_label"] == "Entailment", r["Question"]) for r in rows]


def read_pubmedqa(path: Path, most: int, weight: float) -> list[Pair]:
    """PubMedQA: the first sentence of a conclusion beside its abstract, which draws it, and a sentence of an abstract
    beside the rest of it, which does not say it.
    """
    pairs = []
    for name, row in list(json.loads(path.read_text("utf-8")).items())[:most]:
        sentences = evidence_sentences(row["CONTEXTS"])
        drawn = evidence_sentences([row["LONG_ANSWER"]])
        if len(sentences) < 4 or not drawn:
            continue
        left_out = len(sentences) // 2
        rest = (*sentences[:left_out], *sentences[left_out + 1 :])
        pairs.append(Pair(drawn[0], tuple(sentences), True, name, weight))
        pairs.append(Pair(sentences[left_out], rest, False, name, weight))
    return pairs


def fit(rows: Floats, pairs: list[Pair], penalty: float = PENALTY) -> dict[str, Any]:
    """The weights as they are stored: standardised features, logistic regression."""
    from sklearn.linear_model import LogisticRegression

    worth = np.array([pair.weight for pair in pairs])
    mean = np.average(rows, axis=0, weights=worth)
    scale = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=worth)) + 1e-6
    truth = np.array([pair.supported for pair in pairs])
    model = LogisticRegression(C=penalty, max_iter=1000).fit((rows - mean) / scale, truth, sample_weight=worth)
    return {
        "features": list(FEATURES),
        "mean": mean.round(5).tolist(),
        "scale": scale.round(5).tolist(),
        "weight": model.coef_[0].round(5).tolist(),
        "offset": round(float(model.intercept_[0]), 5),
    }


def predict(rows: Floats, weights: dict[str, Any]) -> Floats:
    """Probabilities by stored weights."""
    z = (rows - np.array(weights["mean"])) / np.array(weights["scale"]) @ np.array(weights["weight"])
    probability: Floats = 1 / (1 + np.exp(-(z + weights["offset"])))
    return probability


def cross_validated(
    rows: Floats, pairs: list[Pair], judged: list[int], folds: int = 9, penalties: Sequence[float] = (PENALTY,)
) -> Floats:
    """The probability of each judged pair from weights that saw no pair of its answer.

    Of several ``penalties`` each fold takes the one that does best by answers among the rows it may see.
    """
    groups = sorted({pairs[i].group for i in judged})
    fold_of = {group: n % folds for n, group in enumerate(groups)}
    out = np.zeros(len(judged))
    for fold in range(folds):
        seen = [i for i, pair in enumerate(pairs) if fold_of.get(pair.group) != fold]
        weights = fit(rows[seen], [pairs[i] for i in seen], _best_penalty(rows, pairs, judged, seen, penalties))
        places = [n for n, i in enumerate(judged) if fold_of[pairs[i].group] == fold]
        out[places] = predict(rows[[judged[n] for n in places]], weights)
    return out


def _best_penalty(
    rows: Floats, pairs: list[Pair], judged: list[int], seen: list[int], penalties: Sequence[float]
) -> float:
    if len(penalties) == 1:
        return penalties[0]
    places = {old: new for new, old in enumerate(seen)}
    mine = [places[i] for i in judged if i in places]
    inner = [pairs[i] for i in seen]
    truth, groups = np.array([inner[i].supported for i in mine]), [inner[i].group for i in mine]
    scores = {one: cross_validated(rows[seen], inner, mine, penalties=(one,)) for one in penalties}
    return max(penalties, key=lambda one: auroc(scores[one], truth, groups, rounds=2)[0])


def auroc(
    scores: Floats, truth: NDArray[np.bool_], groups: list[str], rounds: int = 1000
) -> tuple[float, float, float]:
    """The area under the ROC curve, and its 95 % interval from drawing whole answers again."""
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    keys, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == key) for key in range(len(keys))]
    drawn = []
    for _ in range(rounds):
        rows = np.concatenate([members[k] for k in generator.integers(0, len(keys), len(keys))])
        if 0 < truth[rows].sum() < len(rows):
            drawn.append(roc_auc_score(truth[rows], scores[rows]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(roc_auc_score(truth, scores)), float(low), float(high)


def main() -> int:
    """Print the figures, then write the weights fitted to everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--abstracts", type=int, default=100)
    parser.add_argument("--weight", type=float, default=0.1, help="what a pair of PubMedQA is worth")
    parser.add_argument("--keep", action="store_true", help="only print the figures, and keep the weights as they are")
    chosen = parser.parse_args()
    kqa = read_kqa(chosen.folder / "grounding" / "kqa_nli_dev.json")
    more = read_pubmedqa(chosen.folder / "retrieval" / "pubmedqa_ori_pqal.json", chosen.abstracts, chosen.weight)
    pairs = [*kqa, *more]
    rows = feature_rows([(pair.claim, pair.evidence) for pair in pairs])
    judged = list(range(len(kqa)))
    truth, groups = np.array([pair.supported for pair in kqa]), [pair.group for pair in kqa]
    shuffled = feature_rows([(pair.claim, kqa[i - len(kqa) // 2].evidence) for i, pair in enumerate(kqa)])
    weights = fit(rows, pairs)
    figures = {
        "scorer, by question": cross_validated(rows, pairs, judged),
        "scorer, K-QA alone": cross_validated(rows[: len(kqa)], kqa, judged),
        "scorer, penalty chosen inside": cross_validated(rows, pairs, judged, penalties=(0.003, 0.01, 0.03, 0.1)),
        "plain overlap": np.array([word_overlap(pair.claim, pair.evidence) for pair in kqa]),
        "cosine of the best sentence": rows[: len(kqa), FEATURES.index("cosine")],
        "scorer, evidence shuffled": predict(shuffled, weights),
        "length alone": rows[: len(kqa), FEATURES.index("length")],
    }
    held_out = figures["scorer, by question"]
    figures["scorer and structure, by question"] = np.array(
        [judge(pair.claim, pair.evidence, float(score)).score for pair, score in zip(kqa, held_out, strict=True)]
    )
    for name, scores in figures.items():
        area, low, high = auroc(scores, truth, groups)
        entry = {"scorer": name, "n": len(kqa), "auroc": round(area, 4), "interval": [round(low, 4), round(high, 4)]}
        sys.stdout.write(json.dumps(entry) + "\n")
    if not chosen.keep:
        TARGET.write_text(json.dumps(weights, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
