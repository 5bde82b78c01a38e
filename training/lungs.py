"""Trains the outline of lung fields on chest X-rays: ``python -m training.lungs``.

Films whose own licence is CC BY teach it; the others of the set, which are of other patients, measure it.
Every mask is of both fields, with what of them lies behind the heart.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import bootstrap
from overread.cards import CardFile, Figure, Label, ModelCard, Population
from overread.records import Context
from tools.contract import ToolImage
from tools.lungs import Lungs
from tools.networks import square
from tools.segmentation.uncertainty import doubt
from tools.segmentation.window import paste, whole
from tools.unet import UNetShape, unet
from training.augment import Strength, geometry, jpeg, marks, tones
from training.card import figure, training_set, write_card, write_weights
from training.command import begin, parser_for
from training.loop import best_device, fit
from training.pictures import data_root, picture_sets, share
from training.sam_bars import dice_of
from training.sam_card import LOW_DICE, Row, spearman, threshold_for
from training.sam_objects import Outlined, mask_sets, read_outlined

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

log = logging.getLogger(__name__)

NAME = "lungs"
SET = "cxr_cohen"
COMMAND = "python -m training.lungs"
SEED = 11
SHAPE = UNetShape(192, (16, 32, 64, 96, 128))
VALIDATION = 0.2
"""Part of the teaching patients kept back to fit the limit of doubt on."""

COPIES = 12
"""Spoilt copies of each film kept back, on which outlines fail now and then."""

AUGMENTATION = Strength(
    turn_degrees=15, scale=(0.7, 1.3), aspect=0.2, shift=0.08, gamma=0.6, contrast=0.4, brightness=0.2,
    invert=0.08, blur=0.3, noise=0.06, jpeg=0.15, mark=0.6,
)  # fmt: skip
SPOILT = Strength(
    turn_degrees=30, scale=(0.5, 1.6), aspect=0.3, shift=0.15, gamma=1.0, contrast=0.8, brightness=0.3,
    invert=0.15, blur=0.5, noise=0.2, jpeg=0.3, mark=0.8,
)  # fmt: skip


@dataclass(frozen=True)
class Films:
    """Films as the network sees them: grey uint8 ``(N, S, S)`` and the part of a pixel that is lung, in [0, 255]."""

    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]


def main(arguments: list[str] | None = None) -> None:
    """Train, fit the limit of doubt, measure on films that never taught, and write the card and its weights."""
    import torch

    parser = parser_for(COMMAND, __doc__, NAME)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--limit", type=float, default=700.0, help="seconds of training at most")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    given = begin(parser, arguments, seed=SEED)
    torch.set_num_threads(given.threads)
    films = read_outlined(data_root(given.data), [SET])
    may_teach = [film for film in films if film.role != "measure"]
    kept_back = [film for film in may_teach if share(film.patient, SEED) < VALIDATION]
    learn = [film for film in may_teach if share(film.patient, SEED) >= VALIDATION]
    log.info("%d films teach, %d are kept back", len(learn), len(kept_back))
    network = train(as_seen(learn), given.steps, given.limit, given.batch)
    finish(network, learn, kept_back, [film for film in films if film.role == "measure"], given.out)


def as_seen(films: Sequence[Outlined]) -> Films:
    """Films and masks stretched to the network's square."""
    pixels = [square(film.pixels, SHAPE.size).mean(axis=2).round() for film in films]
    masks = [square(np.repeat(film.mask[..., None] * np.uint8(255), 3, axis=2), SHAPE.size)[..., 0] for film in films]
    return Films(np.stack(pixels).astype(np.uint8), np.stack(masks))


def train(films: Films, steps: int, limit_s: float, batch: int) -> "nn.Module":
    """The network after training on changed copies of the films. Film and mask move together."""
    import torch
    from torch.nn import functional as f

    device = best_device()
    network = unet(SHAPE).to(device)
    generator = np.random.default_rng(SEED)

    def loss_of(net: "nn.Module") -> "Tensor":
        rows = generator.choice(len(films.pixels), batch, replace=batch > len(films.pixels))
        with torch.autocast(device.type, enabled=False):
            x, wanted = changed(films, rows, AUGMENTATION, device)
        target = f.avg_pool2d(wanted, 2)
        logits = net(x.contiguous(memory_format=torch.channels_last)).float()
        chance = logits.sigmoid()
        both, sums = (chance * target).sum(dim=(1, 2, 3)), (chance + target).sum(dim=(1, 2, 3))
        loss: Tensor = f.binary_cross_entropy_with_logits(logits, target) + (1 - (2 * both + 1) / (sums + 1)).mean()
        return loss

    return fit(network, loss_of, steps, rate=2e-3, limit_s=limit_s)


def changed(films: Films, rows: NDArray[np.intp], how: Strength, device: "torch.device") -> "tuple[Tensor, Tensor]":
    """Changed copies of some films and of their masks, both float32 ``(N, 1, S, S)`` in [0, 1]."""
    import torch

    both = np.stack([films.pixels[rows], films.masks[rows]], axis=1)
    moved = geometry(torch.from_numpy(both).to(device).float() / 255, how)
    x = marks(tones(moved[:, :1], how).clone(), how)
    return jpeg(x, how), moved[:, 1:]


def finish(
    network: "nn.Module",
    learn: Sequence[Outlined],
    kept_back: Sequence[Outlined],
    unseen: Sequence[Outlined],
    out: Path,
) -> None:
    """Write the weights, fit the limit of doubt on films kept back, measure on the unseen, write the card."""
    told = training_set(picture_sets()[SET].model_copy(update={"use": "findings"}), len(learn))
    note = "; ".join(filter(None, (told.note, mask_sets()[SET].note, "the age of most patients is not told")))
    card = ModelCard(
        name=NAME,
        version="1",
        title="The outline of the lung fields",
        task="segmentation",
        domains=("xray/chest",),
        population=Population(
            age_bands=("adult", "elderly"),
            views=("AP", "PA"),
            note="Frontal films of adults. Where age or view are not told, the outline comes with that remark.",
        ),
        architecture="lung-unet",
        input={"size": SHAPE.size, "widths": list(SHAPE.widths)},
        labels=(Label(name="lung fields"),),
        training=(told.model_copy(update={"licence": mask_sets()[SET].licence, "note": note}),),
        calibration={"kind": "expected-dice", "distrust_from": 1.0},
        weights=write_weights(out, network.state_dict()),
        limits=LIMITS,
    )
    lungs = Lungs(CardFile(card=card, folder=out))
    rows = spoilt(lungs, as_seen(kept_back))
    cut = threshold_for(rows)
    low = sum(row.dice["box"] < LOW_DICE for row in rows)
    log.info("doubt from %.4f; %d of %d spoilt copies are outlined badly", cut, low, len(rows))
    validated = measured(lungs, kept_back)
    log.info("kept back: mean Dice %.4f (n %d)", np.mean([row.dice["box"] for row in validated]), len(validated))
    calibration = {
        "kind": "expected-dice",
        "distrust_from": round(cut, 4),
        "fitted_on": f"{COPIES} spoilt copies of each of {len(kept_back)} films kept back by patient;"
        f" {low} of {len(rows)} came out with a Dice below {LOW_DICE}",
    }
    card = card.model_copy(update={"calibration": calibration})
    figures = figures_of(Lungs(CardFile(card=card, folder=out)), learn, unseen)
    write_card(out, card.model_copy(update={"figures": tuple(figures)}))
    for one in figures:
        log.info("%s: %.4f %s (n %d)", one.name, one.value, one.interval, one.n)


def outlined(lungs: Lungs, film: Outlined) -> tuple[NDArray[np.bool_], float]:
    """What of a film is lung by the network alone, bool ``(H, W)``, and the doubt."""
    logits = lungs.logits([film.pixels])[0]
    shape = film.mask.shape[0], film.mask.shape[1]
    return paste(logits, whole(shape, stretch=True), shape, 0.0) > 0, doubt(1 / (1 + np.exp(-logits)))


def spoilt(lungs: Lungs, films: Films) -> list[Row]:
    """Dice and doubt of spoilt copies of films. The Dice stands under the name ``box``, as for prompted masks."""
    import torch

    rows, device = [], torch.device("cpu")
    for number in range(len(films.pixels)):
        x, wanted = changed(films, np.full(COPIES, number), SPOILT, device)
        seen = (x.permute(0, 2, 3, 1).repeat(1, 1, 1, 3).numpy() * 255).round().astype(np.uint8)
        for logits, mask in zip(lungs.logits(list(seen)), torch.nn.functional.avg_pool2d(wanted, 2)[:, 0], strict=True):
            dice = dice_of(logits > 0, mask.numpy() > 0.5)
            rows.append(Row(SET, number, {"box": dice}, doubt(1 / (1 + np.exp(-logits)))))
    return rows


def measured(lungs: Lungs, films: Sequence[Outlined]) -> list[Row]:
    """Dice and doubt of films as they are."""
    rows = []
    for number, film in enumerate(films):
        mask, unsure = outlined(lungs, film)
        rows.append(Row(SET, number, {"box": dice_of(mask, film.mask)}, unsure))
    return rows


def figures_of(lungs: Lungs, learn: Sequence[Outlined], unseen: Sequence[Outlined]) -> list[Figure]:
    """Dice beside the average outline's, the area's error, and how often nothing was measured; by patient."""
    data = "Cohen 2020 with V7's masks: films under other licences than CC BY, of patients none of whom taught"
    rows, groups = measured(lungs, unseen), [film.patient for film in unseen]
    average = as_seen(learn).masks.mean(axis=0) / 255
    usual = [dice_of(_at(average, film.mask.shape[:2]) > 0.5, film.mask) for film in unseen]
    outputs = [lungs.run([ToolImage(film.pixels, "xray/chest", Context())])[0] for film in unseen]
    areas = [{one.name: one.value for one in output.measurements} for output in outputs]
    errors = [
        abs(area["area of both lung fields"] / film.mask.sum() - 1)
        for area, film in zip(areas, unseen, strict=True)
        if area
    ]
    told = [film.patient for area, film in zip(areas, unseen, strict=True) if area]
    dice = np.array([row.dice["box"] for row in rows])
    found = []
    for name, values, owners in (
        ("mean Dice", dice, groups),
        ("mean Dice of the average teaching outline, which looks at no image", np.array(usual), groups),
        ("mean error of the area of both fields, as a part of it", np.array(errors), told),
        ("films of which nothing was measured", np.array([float(not area) for area in areas]), groups),
        ("films with a Dice below 0.9", (dice < 0.9).astype(float), groups),
    ):
        if not len(values):
            continue
        span = bootstrap(lambda chosen, v=values: float(v[chosen].mean()), owners)  # type: ignore[misc]
        found.append(figure(name, float(values.mean()), len(values), data, COMMAND, span))
    span = bootstrap(lambda chosen: spearman(rows, chosen), groups)
    found.append(figure("Spearman of doubt and 1 - Dice", spearman(rows), len(rows), data, COMMAND, span))
    return found


def _at(average: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.float32]:
    size = shape[0], shape[1]
    return paste(average.astype(np.float32), whole(size, stretch=True), size, 0.0)


LIMITS = (
    "The outline is of the whole lung field, with what of it lies behind the heart,"
    " as its teachers drew it; it is no measure of aerated lung.",
    "Taught by a few dozen films of adults, most with COVID-19, some with tubes and lines; a side white from top to"
    " bottom may be missed.",
    "Frontal films alone: nothing is known of lateral ones, nor of children.",
    "Left and right are those of the image; it does not know which is the patient's.",
    "Its measurements are told when something else is decided or a measurement is asked for; when the findings are"
    " undecided and the question is about them, the assistant refuses and they stand in the events alone.",
    "Areas are of a projection, and change with breath and posture; two films compare only when taken alike.",
    "The doubt ranks outlines; it is not a probability of being wrong.",
)


if __name__ == "__main__":
    main()
