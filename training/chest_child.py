"""Trains the classifier of pneumonia on chest X-rays of children: ``python -m training.chest_child``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evaluation.measure import Floats, auroc, balanced, bootstrap, ece, proportion
from overread.cards import CardFile, Figure, Label, ModelCard, Population
from tools.findings import Findings
from training.calibrate import decision_band, fit_logistic
from training.card import figure, plain, training_sets, write_card, write_weights
from training.chest import DEPTHS, SIZE, WIDTHS, train_tower
from training.command import begin, parser_for
from training.pictures import Picture, data_root, load, read_pictures, share
from training.tower import stored_networks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

log = logging.getLogger(__name__)

NAME = "chest-findings-child"
COMMAND = "python -m training.chest_child"
SEED = 7
UNSEEN = "Kermany 2018, patients never trained or calibrated on; both classes count the same"


def main(arguments: list[str] | None = None) -> None:
    """Train, calibrate, measure, and write the card and its weights."""
    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds of training at most")
    parser.add_argument("--weights", type=Path, help="weights trained before: only calibrate, measure and write")
    given = begin(parser, arguments, seed=SEED)
    pictures = [p for p in read_pictures(data_root(given.data), ["cxr_kermany"]) if p.open]
    pixels = load(pictures, SIZE)
    truth = np.array([p.label != "normal" for p in pictures])
    place = np.array([share(p.patient, SEED) for p in pictures])
    learn = place < 0.7
    if given.weights:
        (network,) = stored_networks(given.weights, 1, WIDTHS, DEPTHS)
    else:
        targets = truth[learn].astype(np.float32)[:, None]
        network = train_tower(pixels[learn][..., 0], targets, given.steps, limit_s=given.limit)
    learned = [p for p, used in zip(pictures, learn, strict=True) if used]
    finish(network, pictures, pixels, truth, place, learned, given.out)


def taught(root: Path) -> list[Picture]:
    """The pictures the shipped tower learned from, for the cards of models that start from it."""
    return [p for p in read_pictures(root, ["cxr_kermany"]) if p.open and share(p.patient, SEED) < 0.7]


def finish(
    network: "nn.Module",
    pictures: list[Picture],
    pixels: "NDArray[np.uint8]",
    truth: "NDArray[np.bool_]",
    place: Floats,
    learned: list[Picture],
    out: Path,
) -> None:
    """Write the weights, calibrate on one part of the patients, measure on another, write the card."""
    tensors = {f"0.{name}": tensor for name, tensor in network.state_dict().items()}
    weights = write_weights(out, tensors)
    card = ModelCard(
        name=NAME,
        version="1",
        title="The chest X-ray model for children",
        task="classification",
        domains=("xray/chest",),
        population=Population(
            age_bands=("infant", "child"),
            views=("AP", "PA"),
            view_needed=False,
            note="Children of one to five years, one hospital in Guangzhou. All films were frontal and AP, so a view "
            "that is not told is taken for frontal; PA films were not measured.",
        ),
        architecture="activation-resnet",
        input={"size": SIZE, "widths": list(WIDTHS), "depths": list(DEPTHS), "members": 1},
        labels=(Label(name="pneumonia"),),
        training=training_sets(learned),
        weights=weights,
        limits=LIMITS,
    )
    score = np.full(len(pictures), np.nan)
    maps = Findings(CardFile(card=card, folder=out)).maps(list(pixels[place >= 0.7]))
    score[place >= 0.7] = maps.mean(axis=(2, 3))[:, 0]
    patients = np.array([p.patient for p in pictures])
    tune, unseen = (place >= 0.7) & (place < 0.85), place >= 0.85
    weight = balanced(truth[tune])
    calibration = fit_logistic(score[tune], truth[tune], weight, list(patients[tune]))
    probability = np.array([calibration.probability(s) if np.isfinite(s) else np.nan for s in score])
    absent, present = decision_band(probability[tune], truth[tune], weight)
    labels = (Label(name="pneumonia", absent_below=absent, present_from=present),)
    figures = _figures(score, probability, truth, patients, unseen, absent, present)
    figures += _kinds(score, truth, patients, unseen, np.array([p.label for p in pictures]))
    full = card.model_copy(
        update={
            "labels": labels,
            "calibration": {
                "kind": "logistic",
                "labels": {"pneumonia": plain(vars(calibration))},
                "fitted_on": f"{int(tune.sum())} images of patients not trained on; both classes count the same",
                "prevalence": 0.5,
            },
            "figures": figures,
        }
    )
    write_card(out, full)
    for one in figures:
        log.info("%s: %.4f %s (n %d)", one.name, one.value, one.interval, one.n)


def _figures(
    score: Floats,
    probability: Floats,
    truth: "NDArray[np.bool_]",
    patients: "NDArray[np.str_]",
    unseen: "NDArray[np.bool_]",
    absent: float | None,
    present: float | None,
) -> tuple[Figure, ...]:
    s, p, t, who = score[unseen], probability[unseen], truth[unseen], patients[unseen]
    w, n = balanced(t), int(unseen.sum())
    said_present = p >= (present if present is not None else 2)
    said_absent = p < (absent if absent is not None else -1)
    wrong_present, wrong_absent = int((said_present & ~t).sum()), int((said_absent & t).sum())
    undecided = int((~said_present & ~said_absent).sum())

    def interval(right: int, of: int) -> tuple[float, float]:
        return proportion(right, of)

    return (
        figure("AUROC", auroc(t, s), n, UNSEEN, COMMAND, bootstrap(lambda r: auroc(t[r], s[r]), list(who))),
        figure("ECE", ece(t, p, w), n, UNSEEN, COMMAND, bootstrap(lambda r: ece(t[r], p[r], w[r]), list(who))),
        figure(
            "present that is wrong",
            wrong_present / max(1, int(said_present.sum())),
            int(said_present.sum()),
            UNSEEN.split(";")[0],
            COMMAND,
            interval(wrong_present, int(said_present.sum())),
        ),
        figure(
            "absent that is wrong",
            wrong_absent / max(1, int(said_absent.sum())),
            int(said_absent.sum()),
            UNSEEN.split(";")[0],
            COMMAND,
            interval(wrong_absent, int(said_absent.sum())),
        ),
        figure("indeterminate", undecided / n, n, UNSEEN.split(";")[0], COMMAND, interval(undecided, n)),
        figure("sensitivity at 0.5", float((p[t] >= 0.5).mean()), int(t.sum()), UNSEEN.split(";")[0], COMMAND),
        figure("specificity at 0.5", float((p[~t] < 0.5).mean()), int((~t).sum()), UNSEEN.split(";")[0], COMMAND),
    )


def _kinds(
    score: Floats,
    truth: "NDArray[np.bool_]",
    patients: "NDArray[np.str_]",
    unseen: "NDArray[np.bool_]",
    labels: "NDArray[np.str_]",
) -> tuple[Figure, ...]:
    out = []
    for kind in ("bacterial", "viral"):
        rows = unseen & (~truth | (labels == f"pneumonia_{kind}"))
        s, t, who = score[rows], truth[rows], list(patients[rows])
        span = bootstrap(lambda r, s=s, t=t: auroc(t[r], s[r]), who)  # type: ignore[misc]
        out.append(figure(f"AUROC, {kind} against normal", auroc(t, s), len(s), UNSEEN.split(";")[0], COMMAND, span))
    return tuple(out)


LIMITS = (
    "Trained on children of one to five years from one hospital; it must not decide about other ages.",
    "A probability holds where half of the children have pneumonia; where fewer have it, it is too high.",
    "It tells pneumonia from a normal film only; another disease, not in its data, may look like pneumonia to it.",
    "Measured on patients it never saw, but of the hospital it learned from. Of 19 films without a finding of children"
    " at another hospital (NIH ChestX-ray14) it called 12 ill (docs/trust): elsewhere its positives mean little.",
    "An ill film that is blurred beyond reading is still called ill, with more than 0.99 (docs/trust): it does not"
    " decline a bad film.",
    "Whoever has the weights can turn it round by changes of a few grey levels that nobody sees (docs/trust).",
    "The training pictures had been stretched to squares of 224 pixels, so every image is stretched the same way.",
    "The heatmap shows what moved the score. It is not an outline of disease.",
)


if __name__ == "__main__":
    main()
