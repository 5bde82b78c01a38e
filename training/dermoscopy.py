"""Trains the classifier of melanoma on dermoscopic images: ``python -m training.dermoscopy``.

Two parts give one logit: a kernel machine over numbers that nothing was learned for (``tools.describers``), and a
small colour network that also makes the heatmap. How much each counts is fitted on pictures the network did not see.
"""

import logging
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.measure import Floats, auroc, bootstrap, ece, proportion
from overread.cards import STARTER, CardFile, Figure, Label, ModelCard
from tools import descriptors
from tools.describers import DESCRIBERS
from tools.findings import Findings
from tools.networks import activation_network
from training.alike import groups
from training.augment import Strength
from training.calibrate import decision_band, fit_logistic
from training.card import figure, plain, training_sets, write_card, write_weights
from training.chest import DEPTHS, WIDTHS
from training.chest_child import NAME as CHILD
from training.chest_child import taught as taught_child
from training.command import begin, parser_for
from training.kernel import chosen, fit_kernel
from training.pictures import Picture, data_root, load, read_pictures, share
from training.tower import even_draw, started_from, stored_networks, train

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

log = logging.getLogger(__name__)

NAME = "dermoscopy-findings"
COMMAND = "python -m training.dermoscopy"
SET, MELANOMA, DESCRIBED = "dermoscopy_isic2017", "melanoma", "skin"
SEED, SIZE, FOLDS = 5, 112, 5
GENERAL = descriptors.COUNT
"""How many of the numbers are of the picture at large; the others are of the spot."""
RISK = 0.1
"""The upper bound of the risk of a decision, of each as of all together. At 0.05, as elsewhere, so few pictures allow
no decision at all."""
UNSEEN = "ISIC 2017, groups of like pictures never trained or calibrated on; melanoma as frequent as in the set"
AUGMENTATION = Strength(
    turn_degrees=20, scale=(0.8, 1.25), aspect=0.1, shift=0.06, upside_down=0.5, quarter_turn=0.5, gamma=0.25,
    contrast=0.2, brightness=0.1, tint=0.5, grey=0.05, mark=0.2,
)  # fmt: skip


@dataclass(frozen=True)
class Split:
    """The pictures, uint8 ``(N, S, S, 3)``, their numbers, truth, group, and place in [0, 1)."""

    pictures: list[Picture]
    pixels: "NDArray[np.uint8]"
    numbers: "NDArray[np.float32]"
    truth: "NDArray[np.bool_]"
    group: "NDArray[np.str_]"
    place: Floats

    @property
    def learn(self) -> "NDArray[np.bool_]":
        """Rows the network learns from."""
        return self.place < 0.55

    @property
    def tune(self) -> "NDArray[np.bool_]":
        """Rows on which the two parts are joined and calibrated; the kernel machine scores them from other folds."""
        return (self.place >= 0.55) & (self.place < 0.75)

    @property
    def unseen(self) -> "NDArray[np.bool_]":
        """Rows that are only measured on."""
        return self.place >= 0.75


def main(arguments: list[str] | None = None) -> None:
    """Train, join, calibrate, measure, and write the card and its weights."""
    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--limit", type=float, default=700.0, help="seconds of the network's training at most")
    parser.add_argument("--weights", type=Path, help="weights trained before: only join, calibrate, measure and write")
    given = begin(parser, arguments, seed=SEED)
    root = data_root(given.data)
    split = read_split(root)
    if given.weights:
        (network,) = stored_networks(given.weights, 1, WIDTHS, DEPTHS, 3)
    else:
        network = train_network(split, given.steps, given.limit)
    taught = [p for p, held in zip(split.pictures, split.unseen, strict=True) if not held]
    finish(network, split, [*taught_child(root), *taught], given.out)


def read_split(root: Path) -> Split:
    """The open pictures of the set, split by groups of like pictures."""
    pictures, pixels, group, place = placed(root)
    truth = np.array([p.label == MELANOMA for p in pictures])
    return Split(pictures, pixels, _numbers(pictures), truth, group, place)


def placed(root: Path) -> "tuple[list[Picture], NDArray[np.uint8], NDArray[np.str_], Floats]":
    """The open pictures of the set, their pixels, the group of like pictures each is in, and its place in [0, 1)."""
    pictures = [p for p in read_pictures(root, [SET]) if p.open]
    pixels = load(pictures, SIZE)
    grey = np.rint(pixels.mean(axis=3)).astype(np.uint8)
    order = [int(re.findall(r"\d+", p.path.stem)[-1]) for p in pictures]
    found = groups(grey, [SET] * len(pictures), order, copy=0.99, neighbour=0.97, reach=3)
    group = np.array([f"{SET}:{number}" for number in found])
    return pictures, pixels, group, np.array([share(one, SEED) for one in group.tolist()])


def _numbers(pictures: list[Picture]) -> "NDArray[np.float32]":
    """What the describer says of every picture, from a cache when it was asked before."""
    from PIL import Image

    describer = DESCRIBERS[DESCRIBED]
    stored = Path(tempfile.gettempdir()) / "overread-training" / f"{DESCRIBED}-{len(pictures)}-{describer.count}.npy"
    if stored.is_file():
        cached: NDArray[np.float32] = np.load(stored, allow_pickle=False)
        return cached
    out = []
    for picture in pictures:
        with Image.open(picture.path) as image:
            out.append(describer.describe([np.asarray(image.convert("RGB"))])[0])
    stored.parent.mkdir(parents=True, exist_ok=True)
    np.save(stored, np.stack(out), allow_pickle=False)
    return np.stack(out)


def train_network(split: Split, steps: int, limit_s: float) -> "nn.Module":
    """Train the colour network from the children's chest tower; melanoma and not alike often."""
    from torch.nn import functional as f

    def loss(logits: "Tensor", y: "Tensor") -> "Tensor":
        return f.binary_cross_entropy_with_logits(logits[:, 0], y * 0.9 + 0.05)

    (start,) = stored_networks(STARTER / CHILD / "weights.safetensors", 1, WIDTHS, DEPTHS)
    network = started_from(activation_network(1, WIDTHS, DEPTHS, 3), start)
    learn = split.learn
    draw = even_draw(split.truth[learn], 32)
    targets = split.truth[learn].astype(np.float32)
    return train(network, split.pixels[learn], targets, draw, loss, AUGMENTATION, steps, decay=0.05, limit_s=limit_s)


def network_scores(network: "nn.Module", pixels: "NDArray[np.uint8]") -> Floats:
    """The network's logits, mean over the picture and its mirror image: float64 ``(N,)``."""
    from training.chest import scores

    return scores([network], pixels)[:, 0]


def finish(network: "nn.Module", split: Split, taught: list[Picture], out: Path) -> None:
    """Join the parts, write the weights, calibrate, measure on unseen pictures, write the card."""
    import torch
    from sklearn.linear_model import LogisticRegression

    rest, tune = ~split.unseen, split.tune
    fold = np.array([int(share(one, SEED + 1) * FOLDS) for one in split.group[rest].tolist()])
    described = np.full(len(split.truth), np.nan)
    how, described[rest] = chosen(split.numbers[rest], split.truth[rest], fold, GENERAL)
    log.info("%s: held-out AUROC %.4f", how, auroc(split.truth[rest], described[rest]))
    seen = np.full(len(split.truth), np.nan)
    seen[~split.learn] = network_scores(network, split.pixels[~split.learn])
    both = np.stack([seen, described], axis=1)
    log.info("on tuning rows, AUROC: network %.4f, kernel %.4f", *[auroc(split.truth[tune], c[tune]) for c in both.T])
    joined = LogisticRegression(C=1.0).fit(both[tune], split.truth[tune])
    parts = np.maximum(joined.coef_[0], 0.0)
    kernel = fit_kernel(split.numbers[rest], split.truth[rest], GENERAL, how)
    layer = {name: torch.tensor(getattr(kernel, name)) for name in ("mean", "spread", "scale", "centres")}
    layer["weight"] = torch.tensor(kernel.weight * parts[1])[None]
    layer["offset"] = torch.tensor([kernel.offset * parts[1]])
    state = network.state_dict()
    for name in ("head.weight", "head.bias"):
        state[name] = state[name] * float(parts[0])
    tensors = {f"0.{name}": tensor for name, tensor in state.items()}
    tensors |= {f"described.{name}": tensor for name, tensor in layer.items()}
    score = both[tune] @ parts
    even = np.ones(int(tune.sum()))
    calibration = fit_logistic(score, split.truth[tune], even, list(split.group[tune]))
    p = np.array([calibration.probability(s) for s in score])
    absent, present = decision_band(p, split.truth[tune], even, RISK)
    absent = None if absent is None else min(absent, RISK)
    card = ModelCard(
        name=NAME,
        version="1",
        title="The dermoscopy model",
        task="classification",
        domains=("dermoscopy",),
        architecture="activation-resnet",
        input={
            "size": SIZE,
            "channels": 3,
            "widths": list(WIDTHS),
            "depths": list(DEPTHS),
            "members": 1,
            "described": DESCRIBED,
            "centres": len(kernel.centres),
        },
        labels=(Label(name=MELANOMA, absent_below=absent, present_from=present),),
        calibration={
            "kind": "logistic",
            "labels": {MELANOMA: plain(vars(calibration))},
            "fitted_on": f"{int(tune.sum())} images of groups of like pictures the network was not trained on",
            "prevalence": round(float(split.truth[tune].mean()), 3),
        },
        training=training_sets(taught),
        weights=write_weights(out, tensors),
        limits=LIMITS,
    )
    maps = Findings(CardFile(card=card, folder=out)).maps(_stored(split))
    figures = measured(card, maps.mean(axis=(2, 3))[:, 0].astype(np.float64), split)
    write_card(out, card.model_copy(update={"figures": figures}))
    for one in figures:
        log.info("%s: %.4f %s (n %d)", one.name, one.value, one.interval, one.n)


def _stored(split: Split) -> "list[NDArray[np.uint8]]":
    """The unseen pictures in their own size, as a user would hand them in."""
    from PIL import Image

    out = []
    for picture, held in zip(split.pictures, split.unseen, strict=True):
        if held:
            with Image.open(picture.path) as image:
                out.append(np.asarray(image.convert("RGB")))
    return out


def measured(card: ModelCard, score: Floats, split: Split) -> tuple[Figure, ...]:
    """All figures on unseen pictures, from the weights as they are shipped."""
    from tools.calibration import decide, read_calibration

    t, who = split.truth[split.unseen], list(split.group[split.unseen])
    n, calibration = len(t), read_calibration(card)
    p = np.array([calibration.chances([s])[0][0] for s in score], dtype=np.float64)
    said = np.array([decide(card.labels[0], float(one)) for one in p])
    out = [
        figure("AUROC", auroc(t, p), n, UNSEEN, COMMAND, bootstrap(lambda r: auroc(t[r], p[r]), who)),
        figure("ECE", ece(t, p), n, UNSEEN, COMMAND, bootstrap(lambda r: ece(t[r], p[r]), who)),
    ]
    for decision, wrong in (("absent", t), ("present", ~t)):
        rows = said == decision
        missed, of = int((rows & wrong).sum()), int(rows.sum())
        span = proportion(missed, of)
        out.append(figure(f"{decision} that is wrong", missed / max(1, of), of, UNSEEN, COMMAND, span))
    undecided = int((said == "indeterminate").sum())
    out.append(figure("indeterminate", undecided / n, n, UNSEEN, COMMAND, proportion(undecided, n)))
    out.append(figure("melanoma among them", t.mean(), n, UNSEEN, COMMAND, proportion(int(t.sum()), n)))
    return tuple(out)


LIMITS = (
    "It tells melanoma from other spots as they are in ISIC 2017: naevi and seborrhoeic keratoses. It knows no other "
    "skin cancer: 'no signs of melanoma' does not mean harmless.",
    "The probability holds where about one spot in five is a melanoma, as in the set. Where fewer are, it is too high.",
    "A decision is made where its risk was at most 0.1 (upper bound, on the tuning pictures), twice what the other "
    "models allow: so few pictures support no less. The probability says more than the decision.",
    "About half of the spots are left undecided; the assistant then refuses, where it would without this model say only"
    " what kind of image it is (docs/trust).",
    "Mostly fair skin, in a challenge set put together from several clinics; no figure on another source is known, and "
    "dark skin, nails and mucosa were not measured.",
    "Copies were looked for and kept on one side of the split; the set names no patients, so two spots of one person "
    "may be on both sides.",
    "The heatmap is that of the network, one of two parts of the score; the other looks at the spot as a whole. "
    "It is not an outline, and without masks in the set it could not be checked against one.",
    "Every image is stretched to a square, as the training pictures had been.",
)


if __name__ == "__main__":
    main()
