"""Fits the head that finds injected instructions, and tells how well it does on texts it has not seen.

Run ``python -m training.injection FOLDER`` where FOLDER is ``shared/data``. It learns from NotInject, PIGuard's
validation set, BIPIA's attacks, ASQ-PHI's queries, PubMedQA and K-QA (all MIT), and our own lines of
``data/injection.yaml``. Figures are from five folds; texts that are alike fall in one fold.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import proportion
from guardrails.disarm import disarms
from guardrails.injection import Flag, pattern_names, score_texts, window_features
from overread.packaged import packaged_yaml

TARGET = Path(__file__).parent.parent / "guardrails" / "data" / "injection.json"
FOLDS = 5
PENALTY = 3.0
"""Inverse strength of the L2 penalty."""


@dataclass(frozen=True)
class Text:
    """A text, whether it is an attack, the set it is from, and what it is worth in training."""

    text: str
    attack: bool
    source: str
    weight: float = 1.0


def read_texts(folder: Path) -> list[Text]:
    """All sets, each text once, in a fixed order."""
    inject = folder / "injection"
    found = [Text(row["prompt"], False, "NotInject", 2.0) for row in _json(inject / "NotInject_one.json")]
    found += [Text(row["prompt"], bool(row["label"]), _set_name(row), 2.0) for row in _json(inject / "valid.json")]
    found += [Text(one, True, "BIPIA", 2.0) for some in _json(inject / "BIPIA_text.json").values() for one in some]
    found += own_texts()
    queries = (folder / "phi" / "asq_phi_dev.jsonl").read_text("utf-8").splitlines()
    found += [Text(json.loads(line)["text"], False, "clinical", 0.5) for line in queries[:150]]
    abstracts = list(_json(folder / "retrieval" / "pubmedqa_ori_pqal.json").values())
    found += [Text(row["QUESTION"], False, "clinical", 0.5) for row in abstracts[:150]]
    found += [Text(row["CONTEXTS"][0][:300], False, "clinical", 0.5) for row in abstracts[150:250]]
    answers = {row["answer"] for row in _json(folder / "grounding" / "kqa_nli_dev.json")}
    found += [Text(answer, False, "clinical", 0.5) for answer in sorted(answers)]
    unique = {" ".join(one.text.lower().split()): one for one in reversed(found)}
    return list(reversed(unique.values()))


def own_texts() -> list[Text]:
    """The lines of ``data/injection.yaml``: each opening with every third payload, single attacks, harmless lines."""
    own = packaged_yaml("training", "data/injection.yaml")
    made = [
        Text(f"{opening} {payload}", True, "own", 0.3)
        for n, opening in enumerate(own["openings"])
        for payload in own["payloads"][n % 3 :: 3]
    ]
    made += [Text(line, True, "own", 1.0) for line in own["attacks"]]
    return made + [Text(line, False, "own", 1.0) for line in own["harmless"]]


def fit(rows: NDArray[np.float64], texts: list[Text]) -> dict[str, Any]:
    """The weights as they are stored."""
    from sklearn.linear_model import LogisticRegression

    truth = np.array([one.attack for one in texts])
    worth = np.array([one.weight for one in texts])
    worth[truth] *= worth[~truth].sum() / worth[truth].sum()
    model = LogisticRegression(C=PENALTY, max_iter=2000).fit(rows, truth, sample_weight=worth)
    weight = model.coef_[0].round(4).tolist()
    return {"patterns": list(pattern_names()), "weight": weight, "offset": round(float(model.intercept_[0]), 4)}


def folds(rows: NDArray[np.float64], alike: float = 0.85) -> NDArray[np.int64]:
    """A fold for each text, such that texts with a cosine above ``alike`` are in the same."""
    from scipy.sparse.csgraph import connected_components

    vectors = rows[:, : rows.shape[1] - len(pattern_names())]
    _, group = connected_components(vectors @ vectors.T > alike, directed=False)
    order = np.random.default_rng(0).permutation(group.max() + 1)
    fold: NDArray[np.int64] = order[group] % FOLDS
    return fold


def main() -> int:
    """Print the figures of each set, then write the weights fitted to everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", action="store_true", help="only print the figures, and keep the weights as they are")
    chosen = parser.parse_args()
    texts = read_texts(chosen.folder)
    rows = window_features([one.text for one in texts])
    fold = folds(rows)
    scores = np.zeros(len(texts))
    for held in range(FOLDS):
        seen, out = np.flatnonzero(fold != held), np.flatnonzero(fold == held)
        weights = fit(rows[seen], [texts[i] for i in seen])
        scores[out] = score_texts([texts[i].text for i in out], weights)
    in_a_run = np.array(
        [disarms(one.text, Flag(bool(score >= 0.5), float(score))) for one, score in zip(texts, scores, strict=True)]
    )
    for source, attack in sorted({(one.source, one.attack) for one in texts}):
        own = np.array([one.source == source and one.attack == attack for one in texts])
        right = int(((scores[own] >= 0.5) == attack).sum())
        low, high = proportion(right, int(own.sum()))
        entry = {
            "set": source,
            "kind": "attacks caught" if attack else "harmless passed",
            "share": round(right / int(own.sum()), 4),
            "interval": [round(low, 4), round(high, 4)],
            "share_in_a_run": round(float((in_a_run[own] == attack).mean()), 4),
            "n": int(own.sum()),
        }
        sys.stdout.write(json.dumps(entry) + "\n")
    if not chosen.keep:
        TARGET.write_text(json.dumps(fit(rows, texts)) + "\n", "utf-8")
    return 0


def _set_name(row: dict[str, Any]) -> str:
    return "NotInject" if str(row["source"]).startswith("NotInject") else str(row["source"]).split("_")[0]


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


if __name__ == "__main__":
    raise SystemExit(main())
