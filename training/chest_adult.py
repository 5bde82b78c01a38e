"""Trains the experimental classifier for chest X-rays of adults: ``python -m training.chest_adult``.

The tower is that of the children's model, as it is; only the last layer is learned, on the NIH rows.
Every figure is of patients held out in turn, with the strength of the penalty chosen inside.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, auroc, balanced, bootstrap, ece, proportion
from evaluation.pointing import nih_boxes, pointing
from overread.cards import STARTER, Figure, Label, ModelCard, Population
from training.calibrate import decision_band, fit_logistic
from training.card import figure, plain, training_sets, write_card, write_weights
from training.chest import DEPTHS, SIZE, WIDTHS
from training.chest_child import NAME as CHILD
from training.chest_child import taught as taught_child
from training.command import begin, parser_for
from training.pictures import Picture, data_root, load, read_pictures, share
from training.tower import stored_networks

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

NAME = "chest-findings-adult"
COMMAND = "python -m training.chest_adult"
FOLDS = 5
LEAST_BOXES = 10
"""Films with a box of a finding below which its heatmap is not checked."""
PENALTIES = (0.001, 0.01, 0.1, 1.0)
CANDIDATES = {
    "pneumonia": "Pneumonia",
    "infiltration": "Infiltration",
    "pulmonary oedema": "Edema",
    "pleural effusion": "Effusion",
    "atelectasis": "Atelectasis",
    "consolidation": "Consolidation",
}
"""Our names and NIH's, for the labels that at least twenty films have."""
DATA = "NIH ChestX-ray14 (part), adults, patients held out in turn; labels mined from reports"


@dataclass(frozen=True)
class Trial:
    """How a label did on held-out patients. ``score`` is float64 ``(N,)``, each from a model without that patient."""

    label: str
    truth: NDArray[np.bool_]
    score: Floats
    figures: tuple[Figure, ...]
    kept: bool


def main(arguments: list[str] | None = None) -> None:
    """Fit, try every label on held-out patients, and write the card with those that hold."""
    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--tower", type=Path, default=STARTER / CHILD / "weights.safetensors")
    given = begin(parser, arguments, seed=0)
    pictures = [p for p in read_pictures(data_root(given.data), ["cxr_nih"]) if p.open and _age(p) >= 18]
    (tower,) = stored_networks(given.tower, 1, WIDTHS, DEPTHS)
    features = _features(tower, load(pictures, SIZE)[..., 0])
    trials = [_trial(ours, theirs, pictures, features) for ours, theirs in CANDIDATES.items()]
    for trial in trials:
        for one in trial.figures:
            log.info(
                "%s: %.3f %s (n %d)%s", one.name, one.value, one.interval, one.n, "" if trial.kept else " left out"
            )
    _write(tower, features, pictures, trials, given.out)


def _pointed(tower: "nn.Module", pictures: list[Picture], features: Floats, ours: str) -> list[Figure]:
    """The pointing game on the films with a box of the finding, each with the weights fitted without its patient."""
    import torch

    theirs = CANDIDATES[ours]
    truth = np.array([theirs in p.label.split("|") for p in pictures])
    fold = _folds(pictures)
    rows = [row for row, p in enumerate(pictures) if nih_boxes(p.note, theirs)]
    if len(rows) < LEAST_BOXES:
        return []
    x = torch.from_numpy(load([pictures[row] for row in rows], SIZE)[..., 0])[:, None].float() / 255
    with torch.inference_mode():
        seen = (tower.features(x) + tower.features(x.flip(3)).flip(3)).numpy() / 2  # type: ignore[operator]
    fitted = {held: _chosen(features[fold != held], truth[fold != held], fold[fold != held])[0] for held in set(fold)}
    maps = np.stack([np.einsum("chw,c->hw", one, fitted[fold[row]]) for one, row in zip(seen, rows, strict=True)])
    game = pointing(maps, [nih_boxes(pictures[row].note, theirs) for row in rows])
    data = "films with a radiologist's box, patients held out in turn"
    name = f"heatmap's peak in the box, {ours}"
    return [
        figure(name, game.hits / game.n, game.n, data, COMMAND, proportion(game.hits, game.n)),
        figure(f"{name}: a point drawn anywhere", game.anywhere, game.n, data, COMMAND),
        figure(f"{name}: the usual place of the others", game.usual / game.n, game.n, data, COMMAND),
    ]


def _age(picture: Picture) -> int:
    found = re.search(r"age=(\d+)", picture.note)
    return int(found.group(1)) if found else 0


def _features(tower: "nn.Module", pixels: NDArray[np.uint8]) -> Floats:
    """What the tower gives before its last layer, mean over the picture and its mirror image: ``(N, 192)``."""
    import torch

    out = []
    with torch.inference_mode():
        for begin in range(0, len(pixels), 64):
            x = torch.from_numpy(pixels[begin : begin + 64])[:, None].float() / 255
            both = [tower.features(view).mean(dim=(2, 3)) for view in (x, x.flip(3))]  # type: ignore[operator]
            out.append(((both[0] + both[1]) / 2).numpy().astype(np.float64))
    return np.concatenate(out)


def _fit(features: Floats, truth: NDArray[np.bool_], penalty: float) -> tuple[Floats, float]:
    """Weights and offset of a logistic regression on standardised features, both classes counting the same."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = LogisticRegression(C=penalty, class_weight="balanced", max_iter=1000)
    model.fit((features - mean) / spread, truth)
    slope: Floats = model.coef_[0] / spread
    return slope, float(model.intercept_[0] - slope @ mean)


def _chosen(features: Floats, truth: NDArray[np.bool_], fold: NDArray[np.intp]) -> tuple[Floats, float]:
    """``_fit`` with the penalty that does best on folds held out of what is given."""
    values = []
    for penalty in PENALTIES:
        score = np.zeros(len(truth))
        for held in np.unique(fold):
            slope, offset = _fit(features[fold != held], truth[fold != held], penalty)
            score[fold == held] = features[fold == held] @ slope + offset
        values.append(auroc(truth, score))
    return _fit(features, truth, PENALTIES[int(np.argmax(values))])


def _folds(pictures: list[Picture]) -> NDArray[np.intp]:
    """The fold of every picture, the same for all of a patient."""
    return np.array([int(share(p.patient, 5) * FOLDS) for p in pictures])


def _trial(ours: str, theirs: str, pictures: list[Picture], features: Floats) -> Trial:
    truth = np.array([theirs in p.label.split("|") for p in pictures])
    ill = np.array([p.label != "No Finding" for p in pictures])
    who = np.array([p.patient for p in pictures])
    fold = _folds(pictures)
    score = np.zeros(len(truth))
    for held in range(FOLDS):
        rest = fold != held
        slope, offset = _chosen(features[rest], truth[rest], fold[rest])
        score[~rest] = features[~rest] @ slope + offset
    whole = bootstrap(lambda r: auroc(truth[r], score[r]), list(who))
    figures = [figure(f"AUROC, {ours}", auroc(truth, score), len(truth), DATA, COMMAND, whole)]
    if not (truth == ill).all():
        t, s = truth[ill], score[ill]
        among = bootstrap(lambda r: auroc(t[r], s[r]), list(who[ill]))
        figures.append(figure(f"AUROC, {ours} among abnormal films", auroc(t, s), len(t), DATA, COMMAND, among))
    kept = all(one.interval is not None and one.interval[0] > 0.5 for one in figures)
    return Trial(ours, truth, score, tuple(figures), kept)


def _write(tower: "nn.Module", features: Floats, pictures: list[Picture], trials: list[Trial], out: Path) -> None:
    import torch

    who = [p.patient for p in pictures]
    fold = _folds(pictures)
    labels, calibrations, slopes, offsets, figures = [], {}, [], [], []
    for trial in trials:
        if not trial.kept:
            continue
        weight = balanced(trial.truth)
        calibration = fit_logistic(trial.score, trial.truth, weight, who)
        probability = np.zeros(len(who))
        for held in range(FOLDS):
            rest = fold != held
            other = fit_logistic(
                trial.score[rest], trial.truth[rest], weight[rest], [w for w, r in zip(who, rest, strict=True) if r], 20
            )
            probability[~rest] = [other.probability(s) for s in trial.score[~rest]]
        absent, present = decision_band(probability, trial.truth, weight, risk=0.1)
        slope, offset = _chosen(features, trial.truth, fold)
        slopes.append(slope)
        offsets.append(offset)
        labels.append(Label(name=trial.label, absent_below=absent, present_from=present))
        calibrations[trial.label] = plain(vars(calibration))
        figures += [*trial.figures, *_calibrated(trial, probability, weight, who, absent, present)]
        figures += _pointed(tower, pictures, features, trial.label)
    if not labels:
        raise SystemExit("no label is clearly better than chance on held-out patients; no card is written")
    tensors = {f"0.{name}": tensor for name, tensor in tower.state_dict().items()}
    tensors["0.head.weight"] = torch.tensor(np.array(slopes), dtype=torch.float32)[:, :, None, None]
    tensors["0.head.bias"] = torch.tensor(np.array(offsets), dtype=torch.float32)
    card = ModelCard(
        name=NAME,
        version="1",
        title="The experimental chest X-ray model for adults",
        task="classification",
        domains=("xray/chest",),
        population=Population(
            age_bands=("adult", "elderly"), views=("AP", "PA"), note="Patients of one hospital in the United States."
        ),
        experimental=True,
        localises=False,
        architecture="activation-resnet",
        input={"size": SIZE, "widths": list(WIDTHS), "depths": list(DEPTHS), "members": 1},
        labels=tuple(labels),
        calibration={
            "kind": "logistic",
            "labels": calibrations,
            "fitted_on": f"{len(who)} images, scores of held-out patients; both classes count the same",
            "prevalence": 0.5,
        },
        training=training_sets([*taught_child(data_root()), *pictures]),
        figures=tuple(figures),
        weights=write_weights(out, tensors),
        limits=(*LIMITS, *_left_out(trials)),
    )
    write_card(out, card)


def _calibrated(
    trial: Trial, p: Floats, weight: Floats, who: list[str], absent: float | None, present: float | None
) -> list[Figure]:
    t, n = trial.truth, len(trial.truth)
    yes = p >= (2.0 if present is None else present)
    no = p < (-1.0 if absent is None else absent)
    undecided = int((~yes & ~no).sum())
    span = bootstrap(lambda r: ece(t[r], p[r], weight[r]), who)
    return [
        figure(f"ECE, {trial.label}", ece(t, p, weight), n, DATA + "; both classes count the same", COMMAND, span),
        figure(f"indeterminate, {trial.label}", undecided / n, n, DATA, COMMAND, proportion(undecided, n)),
    ]


def _left_out(trials: list[Trial]) -> tuple[str, ...]:
    out = []
    for trial in trials:
        if not trial.kept:
            told = "; ".join(
                f"{f.name} {f.value:.2f} [{f.interval[0]:.2f}, {f.interval[1]:.2f}]"
                for f in trial.figures
                if f.interval
            )
            out.append(f"Left out, not clearly better than chance on held-out patients: {trial.label} ({told}).")
    return tuple(out)


LIMITS = (
    "Experimental: a few hundred films of one hospital, with labels mined from reports, some of them wrong.",
    "In its data every abnormal film carries the label pneumonia; it was chosen so, and no hospital is like that.",
    "A probability holds where half of the patients have the finding; where fewer have it, it is too high.",
    "Of 66 films of pneumonia of other hospitals (Cohen 2020, most of them COVID-19) it gave 71 % [59, 81] a"
    " probability of 0.5 or more; there are too few healthy films there to say how often it does so without"
    " (docs/trust).",
    "It decides nothing but that there is no infiltration, and that seldom: asked of a film alone, the assistant"
    " refuses (docs/trust). Whoever has the weights can turn it round by changes of a few grey levels that nobody"
    " sees.",
    "The heatmap shows what moved the score, not where disease is: its peak"
    " lies in a radiologist's box hardly more often than a point drawn anywhere, so a finding gets no place.",
)


if __name__ == "__main__":
    main()
