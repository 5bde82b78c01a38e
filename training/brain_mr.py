"""Trains the classifier of tumours on MR images of the brain: ``python -m training.brain_mr``."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.measure import Floats, auroc, bootstrap, ece, proportion
from guardrails.conformal import ConformalSets, calibrate_sets
from overread.cards import STARTER, CardFile, Figure, Label, ModelCard
from tools.calibration import SoftmaxCalibration
from tools.findings import Findings
from tools.networks import activation_network
from training.alike import COPY, groups, likeness
from training.augment import Strength
from training.calibrate import decision_band, fit_softmax
from training.card import figure, plain, training_sets, write_card, write_weights
from training.chest import DEPTHS, WIDTHS
from training.chest_child import NAME as CHILD
from training.chest_child import taught as taught_child
from training.command import begin, parser_for
from training.loop import seed_all
from training.pictures import Picture, data_root, load, read_pictures, share
from training.tower import even_draw, started_from, stored_networks, train

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

log = logging.getLogger(__name__)

NAME = "brain-mr-findings"
COMMAND = "python -m training.brain_mr"
SET = "mr_brain_nickparvar"
SEED, SIZE, MEMBERS = 3, 112, 2
ALPHA = 0.1
"""In how many of a label's pictures its conformal set may lack it."""
LABELS = {"glioma": "glioma", "meningioma": "meningioma", "pituitary": "pituitary tumour", "notumor": "no tumour"}
"""The set's names and ours."""
UNSEEN = (
    "Nickparvar brain MR, groups of like slices never trained or calibrated on; classes as in the set, alike in size"
)
AUGMENTATION = Strength(
    turn_degrees=15, scale=(0.85, 1.2), aspect=0.12, shift=0.05, gamma=0.4, contrast=0.25, brightness=0.12, mark=0.2
)


@dataclass(frozen=True)
class Split:
    """The pictures, uint8 ``(N, S, S)`` grey, with their class, group, and place in [0, 1): learn, tune, unseen."""

    pictures: list[Picture]
    pixels: "NDArray[np.uint8]"
    truth: "NDArray[np.intp]"
    group: "NDArray[np.str_]"
    place: Floats

    @property
    def learn(self) -> "NDArray[np.bool_]":
        """Rows the network learns from."""
        return self.place < 0.68

    @property
    def tune(self) -> "NDArray[np.bool_]":
        """Rows the calibration and the decision band are fitted on."""
        return (self.place >= 0.68) & (self.place < 0.84)

    @property
    def unseen(self) -> "NDArray[np.bool_]":
        """Rows that are only measured on."""
        return self.place >= 0.84


def main(arguments: list[str] | None = None) -> None:
    """Train, calibrate, measure, and write the card and its weights."""
    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--steps", type=int, default=1000, help="steps a network")
    parser.add_argument("--limit", type=float, default=700.0, help="seconds of training a network at most")
    parser.add_argument("--weights", type=Path, help="weights trained before: train only the networks they lack")
    given = begin(parser, arguments, seed=SEED)
    root = data_root(given.data)
    split = read_split(root)
    networks = stored_networks(given.weights, len(LABELS), WIDTHS, DEPTHS) if given.weights else []
    while len(networks) < MEMBERS:
        networks.append(train_network(split, networks, given.steps, given.limit))
    finish(networks, split, [*taught_child(root), *kept(split.pictures, split.learn)], given.out)


def read_split(root: Path) -> Split:
    """The open pictures of the set, split by groups of like slices."""
    pictures = [p for p in read_pictures(root, [SET]) if p.open]
    pixels = load(pictures, SIZE)[..., 0]
    names = [p.label for p in pictures]
    numbers = [int(re.findall(r"\d+", p.path.stem)[-1]) for p in pictures]
    group = np.array([f"{SET}:{number}" for number in groups(pixels, names, numbers)])
    truth = np.array([list(LABELS).index(name) for name in names])
    return Split(pictures, pixels, truth, group, np.array([share(one, SEED) for one in group.tolist()]))


def kept(pictures: list[Picture], rows: "NDArray[np.bool_]") -> list[Picture]:
    """The pictures for which ``rows`` is true."""
    return [p for p, keep in zip(pictures, rows, strict=True) if keep]


def train_network(split: Split, before: list["nn.Module"], steps: int, limit_s: float) -> "nn.Module":
    """Train one more network.

    The first starts from the children's chest tower, whose layers know edges and textures of grey pictures already;
    each other one from the one before, with the rate warm again (snapshot ensembles, Huang et al., 2017).
    """
    import copy

    from torch.nn import functional as f

    def loss(logits: "Tensor", y: "Tensor") -> "Tensor":
        return f.cross_entropy(logits, y, label_smoothing=0.05)

    seed_all(SEED + len(before))
    if before:
        network = copy.deepcopy(before[-1]).train().requires_grad_(True)
    else:
        (start,) = stored_networks(STARTER / CHILD / "weights.safetensors", 1, WIDTHS, DEPTHS)
        network = started_from(activation_network(len(LABELS), WIDTHS, DEPTHS), start)
    learn = split.learn
    draw = even_draw(split.truth[learn], 32)
    return train(network, split.pixels[learn], split.truth[learn], draw, loss, AUGMENTATION, steps, limit_s=limit_s)


def finish(networks: list["nn.Module"], split: Split, taught: list[Picture], out: Path) -> None:
    """Write the weights, calibrate on one part of the groups, measure on another, write the card.

    One decision band serves all labels, since at most one of them can be present: its risk is that of any "present".
    """
    tensors = {f"{k}.{name}": t for k, net in enumerate(networks) for name, t in net.state_dict().items()}
    weights = write_weights(out, tensors)
    card = ModelCard(
        name=NAME,
        version="1",
        title="The brain MR model",
        task="classification",
        domains=("mr/brain",),
        architecture="activation-resnet",
        input={"size": SIZE, "widths": list(WIDTHS), "depths": list(DEPTHS), "members": len(networks)},
        labels=tuple(Label(name=name) for name in LABELS.values()),
        training=training_sets(taught),
        weights=weights,
        limits=(),
    )
    rows = ~split.learn
    scores = np.full((len(split.truth), len(LABELS)), np.nan)
    shown = [np.repeat(one[..., None], 3, axis=2) for one in split.pixels[rows]]
    scores[rows] = Findings(CardFile(card=card, folder=out)).maps(shown).mean(axis=(2, 3))
    tune = split.tune
    calibration = fit_softmax(scores[tune], split.truth[tune], list(split.group[tune]))
    chance = np.full_like(scores, np.nan)
    chance[rows] = [[p for p, _ in calibration.chances(one)] for one in scores[rows]]
    held = np.eye(len(LABELS), dtype=bool)[split.truth]
    even = np.ones(held[tune].size)
    absent, present = decision_band(chance[tune].ravel(), held[tune].ravel(), even)
    absent = None if absent is None else min(absent, 1 / len(LABELS))
    labels = [Label(name=name, absent_below=absent, present_from=present) for name in LABELS.values()]
    sets = label_sets(chance[tune], split.truth[tune], split.group[tune])
    unseen = chance[split.unseen], split.truth[split.unseen], split.group[split.unseen]
    figures = (*measured(*unseen, labels), *measured_sets(*unseen, sets))
    full = card.model_copy(
        update={
            "labels": tuple(labels),
            "calibration": stored(calibration, int(tune.sum())),
            "sets": sets.model_dump(mode="json"),
            "figures": figures,
            "limits": (*LIMITS, closeness(split)),
        }
    )
    write_card(out, full)
    for one in figures:
        log.info("%s: %.4f %s (n %d)", one.name, one.value, one.interval, one.n)


def stored(calibration: SoftmaxCalibration, n: int) -> dict[str, object]:
    """The card's entry for a softmax calibration."""
    return {
        "kind": "softmax",
        "scale": round(calibration.scale, 6),
        "offsets": plain(dict(zip(LABELS.values(), calibration.offsets, strict=True))),
        "covariance": [[round(float(v), 6) for v in row] for row in calibration.covariance],
        "fitted_on": f"{n} images of groups of like slices not trained on",
        "prevalence": dict.fromkeys(LABELS.values(), 0.25),
    }


def measured(
    chance: Floats, truth: "NDArray[np.intp]", group: "NDArray[np.str_]", labels: list[Label]
) -> tuple[Figure, ...]:
    """All figures on unseen pictures: ``chance`` is float64 ``(N, 4)``."""
    who, n = list(group), len(truth)
    right, sure = chance.argmax(axis=1) == truth, chance.max(axis=1)
    out = [
        figure("accuracy", right.mean(), n, UNSEEN, COMMAND, bootstrap(lambda r: float(right[r].mean()), who)),
        figure("ECE", ece(right, sure), n, UNSEEN, COMMAND, bootstrap(lambda r: ece(right[r], sure[r]), who)),
    ]
    said = np.full(n, False)
    for k, label in enumerate(labels):
        t, p = truth == k, chance[:, k]
        present = p >= (2.0 if label.present_from is None else label.present_from)
        said |= present
        span = bootstrap(lambda r, t=t, p=p: auroc(t[r], p[r]), who)  # type: ignore[misc]
        out.append(figure(f"AUROC, {label.name} against the rest", auroc(t, p), n, UNSEEN, COMMAND, span))
        span = bootstrap(lambda r, t=t, p=p: ece(t[r], p[r]), who)  # type: ignore[misc]
        out.append(figure(f"ECE, {label.name}", ece(t, p), n, UNSEEN, COMMAND, span))
        caught = int((t & right).sum())
        out.append(
            figure(
                f"recall, {label.name}", caught / t.sum(), int(t.sum()), UNSEEN, COMMAND, proportion(caught, t.sum())
            )
        )
        wrong, of = int((present & ~t).sum()), int(present.sum())
        out.append(
            figure(
                f"present that is wrong, {label.name}", wrong / max(1, of), of, UNSEEN, COMMAND, proportion(wrong, of)
            )
        )
    low = np.array([[p < (label.absent_below or -1.0) for p, label in zip(one, labels, strict=True)] for one in chance])
    wrong, of = int((low & np.eye(len(labels), dtype=bool)[truth]).sum()), int(low.sum())
    out.append(
        figure("absent that is wrong, any label", wrong / max(1, of), of, UNSEEN, COMMAND, proportion(wrong, of))
    )
    undecided = int((~said).sum())
    out.append(figure("no label present", undecided / n, n, UNSEEN, COMMAND, proportion(undecided, n)))
    return tuple(out)


def label_sets(chance: Floats, truth: "NDArray[np.intp]", group: "NDArray[np.str_]") -> ConformalSets:
    """Sets that hold the true label of all slices of a new group with a probability of ``1 - ALPHA``, label by label.

    Like slices are no independent draws, so a group is one row: its slice whose true label is the least likely. The
    calibration was fitted on the same rows; it has five numbers, so the sets are hardly too small for it.
    """
    names = list(LABELS.values())
    own = chance[np.arange(len(truth)), truth]
    worst = np.array([np.flatnonzero(group == one)[own[group == one].argmin()] for one in np.unique(group)])
    true = [names[t] for t in truth[worst]]
    return calibrate_sets(chance[worst], true, ["mr/brain"] * len(worst), names, ALPHA, most=2, by_label=True)


def measured_sets(
    chance: Floats, truth: "NDArray[np.intp]", group: "NDArray[np.str_]", sets: ConformalSets
) -> tuple[Figure, ...]:
    """How often the sets of unseen pictures hold the true label, and how many labels they hold."""
    names, who, n = list(LABELS.values()), list(group), len(truth)
    found = [sets.predict(row, "mr/brain") for row in chance]
    holds = np.array([names[t] in one.labels for t, one in zip(truth, found, strict=True)])
    out = [
        figure(
            "sets that hold the true label", holds.mean(), n, UNSEEN, COMMAND, bootstrap(lambda r: holds[r].mean(), who)
        )
    ]
    for k, name in enumerate(names):
        mine, kept_k = int((truth == k).sum()), int(holds[truth == k].sum())
        out.append(figure(f"sets that hold it, {name}", kept_k / mine, mine, UNSEEN, COMMAND, proportion(kept_k, mine)))
    for words, fits in {
        "sets of one label": [one.outcome == "answer" for one in found],
        "sets of two labels": [one.outcome == "hedge" for one in found],
        "sets that refuse": [one.outcome == "refuse" for one in found],
    }.items():
        count = sum(fits)
        out.append(figure(words, count / n, n, UNSEEN, COMMAND, proportion(count, n)))
    return tuple(out)


def closeness(split: Split) -> str:
    """How like unseen pictures are to the nearest learned one, in a sentence for the card."""
    near = likeness(split.pixels)[np.ix_(split.unseen, split.learn)].max(axis=1)
    middle, worst = np.quantile(near, [0.5, 1.0])
    return (
        f"The set names no patients. Copies (correlation above {COPY} at 32 x 32) and like neighbours in file order "
        f"were kept on one side of the split; the likest learned picture still correlates {middle:.2f} with an unseen "
        f"one (median; {worst:.2f} at most), and slices of one head may be on both sides. Elsewhere it will do worse."
    )


LIMITS = (
    "Single slices, most of them T1 with contrast. It knows three kinds of tumour and nothing else: no stroke, "
    "bleeding, metastasis or multiple sclerosis. 'No tumour' means none of these three, not a normal brain.",
    "The set is put together from several collections, and 'no tumour' comes from another one than the tumours; "
    "part of what tells them apart may be the collection.",
    "The probabilities hold where each of the four is as frequent as the others, as in the set. Where tumours are "
    "rare, those of the tumours are too high.",
    "Whoever has the weights can turn it round by changes of a few grey levels that nobody sees; fog and strong haze do"
    " so too, and it does not decline (docs/trust).",
    "No figure on another hospital is known. The set gives no age, so no age is asked for.",
    "Every image is stretched to a square, as the training pictures had been.",
    "The heatmap shows what moved the score; it is not an outline of the tumour, and without masks in the set it could "
    "not be checked against one.",
)


if __name__ == "__main__":
    main()
