"""Whether descriptions of a label tell pictures that show it from pictures that do not, with no training on labels.

The descriptions are the packaged concepts. Without ``--model`` they are asked of the shipped domain identifier, a
CLIP that was taught kinds of image only; with it, of an ``open-clip`` card.

    python -m evaluation.zero_shot ../shared/data [--model biomedclip] [--most 120]
"""

import argparse
import csv
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overread.cards import find_cards
from overread.encoder import sentence_encoder
from tools.classifiers.zero_shot import ZeroShot
from tools.concepts import Concept, concepts
from tools.domain import domain_identifier

Floats = NDArray[np.float32]
Similarities = Callable[[Sequence[NDArray[np.uint8]], Sequence[str]], Floats]
SEED = 7
DRAWS = 400

QUESTIONS = (
    ("melanoma", "dermoscopy_isic2017", ("melanoma",), ("not_melanoma",)),
    ("pneumonia", "cxr_kermany", ("pneumonia_bacterial", "pneumonia_viral"), ("normal",)),
    ("pneumonia", "cxr_nih", ("Pneumonia",), ("No Finding",)),
    ("glioma", "mr_brain_nickparvar", ("glioma",), ("meningioma", "pituitary", "notumor")),
    ("meningioma", "mr_brain_nickparvar", ("meningioma",), ("glioma", "pituitary", "notumor")),
    ("pituitary tumour", "mr_brain_nickparvar", ("pituitary",), ("glioma", "meningioma", "notumor")),
)
"""A concept's label, a set of the data, and the labels of the set that do and do not show it."""


@dataclass(frozen=True)
class Separation:
    """An area under the ROC curve with a 95 % interval (bootstrap), on ``n`` pictures; 0.5 is chance."""

    label: str
    data: str
    auroc: float
    interval: tuple[float, float]
    n: int

    @property
    def beats_chance(self) -> bool:
        """Whether the interval lies above one half."""
        return self.interval[0] > 0.5


def measure(root: Path, similarities: Similarities, most: int) -> list[Separation]:
    """Every question that the data under ``root`` can answer, at most ``most`` pictures of either kind each."""
    with (root / "train" / "images.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    known = {concept.label: concept for concept in concepts()}
    found = []
    for label, data, shows, lacks in QUESTIONS:
        with_it = _some([row for row in rows if row["domain"] == data and _is(row["label"], shows)], most)
        without = _some([row for row in rows if row["domain"] == data and _is(row["label"], lacks)], most)
        scores = _scores(known[label], [root / "train" / row["file"] for row in with_it + without], similarities)
        truth = np.arange(len(scores)) < len(with_it)
        found.append(Separation(label, data, *_area(truth, scores), len(scores)))
    return found


def _is(label: str, wanted: tuple[str, ...]) -> bool:
    return any(part in wanted for part in label.split("|"))


def _some(rows: list[dict[str, str]], most: int) -> list[dict[str, str]]:
    return random.Random(SEED).sample(rows, min(most, len(rows)))  # noqa: S311 -- a sample, no secret


def _scores(concept: Concept, paths: Sequence[Path], similarities: Similarities) -> NDArray[np.float64]:
    from PIL import Image

    found: list[float] = []
    for begin in range(0, len(paths), 32):
        pictures = []
        for path in paths[begin : begin + 32]:
            with Image.open(path) as opened:
                pictures.append(np.asarray(opened.convert("RGB"), dtype=np.uint8))
        found += [concept.score(row, 30.0) for row in similarities(pictures, concept.descriptors)]
    return np.array(found)


def _area(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(SEED)
    drawn = [rng.integers(0, len(truth), len(truth)) for _ in range(DRAWS)]
    areas = [roc_auc_score(truth[rows], scores[rows]) for rows in drawn if 0 < truth[rows].sum() < len(rows)]
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(roc_auc_score(truth, scores)), (float(low), float(high))


def shipped() -> Similarities:
    """The image tower of the domain identifier, with the packaged sentence encoder."""
    identifier = domain_identifier()
    return lambda images, texts: identifier.embed(images) @ sentence_encoder().encode(list(texts)).T


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--model", help="a card of the architecture open-clip; without it, the shipped CLIP")
    parser.add_argument("--most", type=int, default=120)
    given = parser.parse_args(arguments)
    if not (given.root / "train" / "images.csv").is_file():
        parser.error("ROOT must hold train/images.csv")
    cards = find_cards()
    if given.model is not None and (given.model not in cards or cards[given.model].card.architecture != "open-clip"):
        parser.error("--model must name a card of the architecture open-clip; see overread models list")
    similarities = shipped() if given.model is None else ZeroShot(cards[given.model]).similarities
    out = sys.stdout
    out.write("| label | data | AUROC [95 % interval] | n | clearly above chance |\n|---|---|---|---|---|\n")
    for one in measure(given.root, similarities, given.most):
        low, high = one.interval
        answer = "yes" if one.beats_chance else "no"
        out.write(f"| {one.label} | {one.data} | {one.auroc:.3f} [{low:.3f}, {high:.3f}] | {one.n} | {answer} |\n")


if __name__ == "__main__":
    main()
