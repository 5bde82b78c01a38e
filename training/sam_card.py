"""Measures a promptable network with the code that ships, fits its doubt, and writes the card of the starter SAM.

Every source under "never seen" has a licence that keeps it from teaching, or none that is known, so the
network has seen nothing of it. Intervals come from drawing whole pictures again.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import bootstrap
from overread.cards import CardFile, Figure, Label, ModelCard, TrainingSet
from overread.records import Box
from tools.segmentation.predictor import Segmenter
from tools.segmentation.prompts import Point, Prompt
from tools.segmentation.uncertainty import Perturbation, with_uncertainty
from training.augment import Strength, tones
from training.card import figure, training_set, write_card, write_weights
from training.pictures import picture_sets
from training.sam_bars import dice_of, ellipse_in, grabcut_in
from training.sam_objects import SEED, Bools, Outlined, mask_sets

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

OBJECTS = 2
"""Most objects of one picture that are measured, the largest first."""

LEAST_SIDE = 8
"""Shortest side of a box, in pixels, that is measured."""

ROUND = 0.85
"""An object whose ellipse has a lower Dice than this is no ellipse."""

COPIES = 3
"""Spoilt copies of each picture kept back: outlines fail on some; the limit of doubt is fitted on both."""

SPOILT = Strength(gamma=1.0, contrast=0.8, brightness=0.3, invert=0.1, blur=0.5, noise=0.2, mark=0.0)

LOW_DICE = 0.8
"""A mask with a lower Dice is one that should have been flagged."""


@dataclass
class Row:
    """What one object gave: its set, its picture, and the Dice of each way to outline it."""

    set: str
    picture: int
    dice: dict[str, float] = field(default_factory=dict)
    score: float = 1.0


def moved(box: Box, part: float, shape: tuple[int, int], generator: np.random.Generator) -> Box:
    """The box with each edge moved by up to ``part`` of its side, inside the image and not empty."""
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) * part, (y1 - y0) * part
    edges = np.array(box) + generator.uniform(-1, 1, 4) * (dx, dy, dx, dy)
    left, top = max(0, round(edges[0])), max(0, round(edges[1]))
    return left, top, min(shape[1], max(left + 1, round(edges[2]))), min(shape[0], max(top + 1, round(edges[3])))


def points_in(wanted: Bools, count: int, generator: np.random.Generator) -> tuple[Point, ...]:
    """``count`` points: the deepest inside, then one beside the object near it, then one more inside."""
    from scipy import ndimage

    deep = ndimage.distance_transform_edt(np.pad(wanted, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(deep.argmax()), deep.shape)
    points = [Point(int(column), int(row))]
    ring = ndimage.binary_dilation(wanted, iterations=9) & ~ndimage.binary_dilation(wanted, iterations=4)
    for inside, allowed in ((False, ring), (True, wanted & (deep > deep.max() / 3))):
        places = np.argwhere(allowed)
        if len(points) < count and len(places):
            row, column = places[int(generator.integers(len(places)))]
            points.append(Point(int(column), int(row), inside))
    return tuple(points)


def measure(segmenter: Segmenter, pictures: Sequence[Outlined], how: Perturbation, full: bool = True) -> list[Row]:
    """One row an object. With ``full``, points, moved boxes and GrabCut too, else box, doubt and ellipse alone."""
    generator = np.random.default_rng(17)
    rows = []
    for number, picture in enumerate(pictures):
        predictor = segmenter.set_image(picture.pixels, f"{picture.set}:{number}")
        if number % 20 == 0:
            log.info("measuring picture %d of %d", number, len(pictures))
        usable = [
            b for b in picture.boxes if min(b[1][2] - b[1][0], b[1][3] - b[1][1]) >= LEAST_SIDE and _one(b[0], picture)
        ]
        for label, box in usable[:OBJECTS]:
            wanted = picture.object(label)
            row = Row(picture.set, number)
            shaken = moved(box, 0.1, predictor.shape, generator)
            doubtful = with_uncertainty(predictor, Prompt(box), how)
            row.dice["box"] = dice_of(doubtful.mask, wanted)
            row.dice["ellipse in the box"] = dice_of(ellipse_in(box, predictor.shape), wanted)
            row.score = doubtful.score
            if full:
                row.dice["box, moved by up to 0.1"] = dice_of(
                    with_uncertainty(predictor, Prompt(shaken), how).mask, wanted
                )
                row.dice["box, asked once"] = dice_of(predictor.predict(Prompt(box)).masks[0], wanted)
                row.dice["GrabCut in the box"] = dice_of(grabcut_in(picture.pixels, box), wanted)
                for count, name in ((1, "one point"), (3, "three points")):
                    points = points_in(wanted, count, generator)
                    row.dice[name] = dice_of(predictor.predict(Prompt(points=points)).masks[0], wanted)
            rows.append(row)
    return rows


def spoilt(pictures: Sequence[Outlined]) -> list[Outlined]:
    """``COPIES`` of each picture with other tones, blur and noise, always the same."""
    import torch

    torch.manual_seed(SEED)
    out = []
    for picture in pictures:
        x = torch.from_numpy(picture.pixels.copy()).permute(2, 0, 1)[None].float() / 255
        changed = [tones(x.clone(), SPOILT)[0].permute(1, 2, 0).clamp(0, 1).numpy() for _ in range(COPIES)]
        out += [replace(picture, pixels=(one * 255).round().astype(np.uint8)) for one in changed]
    return out


def _one(label: int, picture: Outlined) -> bool:
    """Whether a label is one object: the whole mask counts only for a branching structure."""
    return label != 0 or picture.shape == "tree"


def spearman(rows: Sequence[Row], chosen: NDArray[np.intp] | None = None) -> float:
    """Rank correlation of the doubt with 1 - Dice."""
    from scipy.stats import spearmanr

    score, dice = np.array([row.score for row in rows]), np.array([row.dice["box"] for row in rows])
    if chosen is not None:
        score, dice = score[chosen], dice[chosen]
    return float(spearmanr(score, 1 - dice).statistic)


def threshold_for(rows: Sequence[Row]) -> float:
    """The doubt from which on masks are not to be trusted: the cut that tells a Dice below 0.8 best (Youden, 1950)."""
    score, low = np.array([row.score for row in rows]), np.array([row.dice["box"] < LOW_DICE for row in rows])
    if low.all() or not low.any():
        return float(np.quantile(score, 0.9))
    gains = [(score[low] >= cut).mean() - (score[~low] >= cut).mean() for cut in score]
    return float(score[int(np.argmax(gains))])


def finish(network: "nn.Module", pictures: Sequence[Outlined], out: Path) -> None:
    """Write the weights, fit the doubt on pictures kept back, measure on sources never seen, write the card."""
    from training.sam import DEPTHS, DIMENSIONS, MEASURE, NAME, SIZE, WIDTHS

    weights = write_weights(out, network.state_dict())
    learned = Counter(picture.set for picture in pictures if picture.role == "learn")
    card = ModelCard(
        name=NAME,
        version="1",
        title="Outlines what a box or points show, in any kind of image",
        task="segmentation",
        domains=(),
        architecture="sam-starter",
        input={
            "size": SIZE,
            "dimensions": DIMENSIONS,
            "widths": list(WIDTHS),
            "depths": list(DEPTHS),
            "filled": 0.6,
            "grey": True,
        },
        labels=(Label(name="object"),),
        training=tuple(_taught(name, count) for name, count in sorted(learned.items())),
        weights=weights,
        limits=LIMITS,
    )
    segmenter = Segmenter(CardFile(card=card, folder=out))
    how = Perturbation()
    may_fit = [one for one in pictures if one.role == "validate"]
    kept_back = measure(segmenter, may_fit, how, full=False)
    spoilt_too = measure(segmenter, spoilt(may_fit), how, full=False)
    cut = threshold_for([*kept_back, *spoilt_too])
    calibration = {
        "kind": "prompt-perturbation",
        "jitter": how.jitter,
        "prompts": how.prompts,
        "filled": list(how.filled),
        "distrust_from": round(cut, 4),
        "fitted_on": f"{len(kept_back)} objects of learning sets' pictures kept back and {len(spoilt_too)} of spoilt"
        f" copies, to find a Dice below {LOW_DICE}",
    }
    card = card.model_copy(update={"calibration": calibration})
    log.info("kept back: mean Dice %.4f, doubt from %.4f", np.mean([row.dice["box"] for row in kept_back]), cut)
    write_card(out, card)  # usable from here on; its figures follow
    unseen = measure(segmenter, [one for one in pictures if one.role == "measure" and one.set not in learned], how)
    figures = [*_overall(unseen, MEASURE), *_doubt(unseen, cut, MEASURE), *_by_set(unseen, set(learned), MEASURE)]
    write_card(out, card.model_copy(update={"figures": tuple(figures)}))
    same = [one for one in pictures if one.role == "measure" and one.set in learned]
    figures += _by_set(measure(segmenter, same, how, full=False), set(learned), MEASURE)
    write_card(out, card.model_copy(update={"figures": tuple(figures)}))
    for one in figures:
        log.info("%s: %.4f %s (n %d)", one.name, one.value, one.interval, one.n)


def _taught(name: str, count: int) -> TrainingSet:
    one = mask_sets()[name]
    told = training_set(picture_sets()[name].model_copy(update={"use": "findings", "licence": one.licence}), count)
    return told.model_copy(update={"note": "; ".join(filter(None, (told.note, one.note)))})


UNSEEN = "sources never seen"


def _mean(rows: Sequence[Row], name: str, title: str, data: str, command: str) -> Figure:
    values = np.array([row.dice[name] for row in rows])
    span = bootstrap(lambda chosen: float(values[chosen].mean()), [f"{row.set}:{row.picture}" for row in rows])
    return figure(title, float(values.mean()), len(values), data, command, span)


def _overall(rows: Sequence[Row], command: str) -> list[Figure]:
    """Each way to outline, over all objects; and the box against the ellipse, object by object."""
    sets = ", ".join(sorted({picture_sets()[row.set].title for row in rows}))
    data = f"{UNSEEN}: {sets}; at most {OBJECTS} objects a picture"
    found = [_mean(rows, name, f"mean Dice, {name}", data, command) for name in rows[0].dice]
    groups = [f"{row.set}:{row.picture}" for row in rows]
    for bar in ("ellipse", "GrabCut"):
        gain = np.array([row.dice["box"] - row.dice[f"{bar} in the box"] for row in rows])
        span = bootstrap(lambda chosen, gain=gain: float(gain[chosen].mean()), groups)  # type: ignore[misc]
        found.append(figure(f"Dice above {bar}, box", float(gain.mean()), len(gain), data, command, span))
    for some, which in (
        ([row for row in rows if row.dice["ellipse in the box"] < ROUND], f"no ellipse (its Dice below {ROUND})"),
        ([row for row in rows if mask_sets()[row.set].shape != "tree"], "no vessel tree"),
    ):
        for way in ("box", "ellipse in the box", "GrabCut in the box"):
            found.append(_mean(some, way, f"mean Dice, {way}, objects that are {which}", data, command))
    means = [
        np.mean([row.dice["box"] for row in rows if row.set == name]) for name in sorted({row.set for row in rows})
    ]
    found.append(
        figure("mean Dice, box, every source counting the same", float(np.mean(means)), len(means), data, command)
    )
    return found


def _doubt(rows: Sequence[Row], cut: float, command: str) -> list[Figure]:
    groups = [f"{row.set}:{row.picture}" for row in rows]
    low, flagged = np.array([row.dice["box"] < LOW_DICE for row in rows]), np.array([row.score >= cut for row in rows])
    span = bootstrap(lambda chosen: spearman(rows, chosen), groups)
    name = "Spearman of doubt and 1 - Dice"
    out = [figure(name, spearman(rows), len(rows), UNSEEN, command, span)]
    plain = [row for row in rows if mask_sets()[row.set].shape != "tree"]
    span = bootstrap(lambda chosen: spearman(plain, chosen), [f"{row.set}:{row.picture}" for row in plain])
    out.append(figure(f"{name}, objects that are no vessel tree", spearman(plain), len(plain), UNSEEN, command, span))
    if low.any() and (~low).any():
        caught, spared = float(flagged[low].mean()), float((~flagged[~low]).mean())
        out.append(figure(f"flagged of masks with Dice below {LOW_DICE}", caught, int(low.sum()), UNSEEN, command))
        out.append(
            figure(f"not flagged of masks with Dice from {LOW_DICE}", spared, int((~low).sum()), UNSEEN, command)
        )
    return out


def _by_set(rows: Sequence[Row], learned: set[str], command: str) -> list[Figure]:
    out = []
    for name in sorted({row.set for row in rows}):
        some = [row for row in rows if row.set == name]
        seen = "other pictures of a source it learned from" if name in learned else UNSEEN
        data = f"{picture_sets()[name].title}, {seen}"
        for way in ("box", "ellipse in the box", "GrabCut in the box"):
            if way not in some[0].dice:
                continue
            out.append(_mean(some, way, f"mean Dice, {way}, {name}", data, command))
    return out


LIMITS = (
    "It outlines what it is shown; it does not know what the thing is, nor whether it is ill.",
    "Small for a network of its kind and taught by a few hundred pictures: a published SAM or MedSAM outlines better.",
    "Vessel trees and other thin branching structures are not outlined: it sees 128 x 128 pixels at a time, and"
    " gives a blob for them, and does not doubt it: a box round a vessel tree may as well mean the disc it lies in.",
    "Give a box: one point is not enough, and three fall clearly short of it on sources it never saw. Ten points did no"
    " better than the one best place (docs/trust). Give each of several objects its own box.",
    "On sources it never saw it is only a little better than an ellipse drawn in the box, and no better for vessels and"
    " for one set of polyps.",
    "The foretold overlap is not calibrated. The doubt ranks masks; it is not a probability of being wrong.",
    "No figure is known for kinds of image that are not in the list of figures.",
)
