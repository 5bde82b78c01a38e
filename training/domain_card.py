"""Calibrates and measures the domain identifier through the shipped class, and writes its card.

Three groups of pictures that share nothing: ``tune`` fits the calibration, ``held`` and ``unseen``
are only measured on. ``unseen`` are sources that taught nothing at all.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats
from overread.cards import CardFile, Label, ModelCard, TrainingSet
from overread.domains import domains
from tools.domain import NAME, DomainIdentifier
from tools.prompts import prompt_key, prompt_vectors, prompts_by_label
from training import negatives
from training.augment import Strength, augment
from training.card import plain, training_set, write_card, write_weights
from training.domain_figures import measure
from training.domain_pictures import ORDERLESS, SIZE, Part, Parts, Sampler, drawn, half
from training.pictures import picture_sets
from training.tissue import tissue

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

REFERENCES = 40
"""Most known images kept of each label."""
OTHER_SCANNER = Strength(
    turn_degrees=4,
    scale=(0.9, 1.25),
    aspect=0.1,
    shift=0.04,
    gamma=0.3,
    contrast=0.2,
    brightness=0.1,
    tint=0.2,
    blur=0.25,
    noise=0.03,
    jpeg=0.3,
    mark=0.1,
)
"""Half the pictures that calibrate are changed so: less than in training, about as sources differ."""
START = {"odds": 1.0, "nearest": 0.0, "refused": 0.0, "offset": 0.0}


def write(tower: "nn.Module", scale: float, parts: Parts, out: Path) -> None:
    """Write the weights, calibrate, measure, write the card."""
    from training.domain import INPUT, as_input

    drawings = drawn(250, 1)
    photographs = Sampler(parts.learn, drawings, seed=31).photographs(REFERENCES)
    known = _joined([_references(parts.learn, drawings), _drawn_tissue(), photographs])
    tensors = {f"tower.{name}": tensor for name, tensor in tower.state_dict().items()}
    flat = [prompt for prompts in prompts_by_label().values() for prompt in prompts]
    stored = {prompt_key(prompt): row for prompt, row in zip(flat, prompt_vectors(flat, {}), strict=True)}
    import torch

    names = sorted(set(known.labels.tolist()))
    rows = torch.tensor([names.index(label) for label in known.labels.tolist()], dtype=torch.int32)
    tensors |= {f"prompt.{key}": torch.from_numpy(row) for key, row in stored.items()}
    tensors |= {"reference_labels": rows, "references": torch.zeros(len(known), 384)}
    notes = {"reference_labels": json.dumps(names)}
    weights = write_weights(out, tensors, notes)
    card = ModelCard(
        name=NAME,
        version="1",
        title="Which kind of medical image is this, and is it one at all",
        task="domain",
        domains=(),
        architecture="open-clip-resnet",
        input=INPUT | {"layers": list(INPUT["layers"])},
        labels=tuple(Label(name=label) for label in domains()),
        calibration={
            "scale": round(scale, 4),
            "modality": START,
            "label": START,
            "accept_from": 0.5,
            "label_from": 0.5,
        },
        training=_sets(parts.learn),
        weights=weights,
        limits=LIMITS,
    )
    embedded = DomainIdentifier(CardFile(card=card, folder=out)).embed(list(as_input(known.pixels)))
    tensors["references"] = torch.from_numpy(embedded)
    card = card.model_copy(update={"weights": write_weights(out, tensors, notes)})
    tune, tune_bad = _tuning(parts)
    calibration = _calibrate(DomainIdentifier(CardFile(card=card, folder=out)), tune, tune_bad)
    card = card.model_copy(update={"calibration": {"scale": round(scale, 4), **calibration}})
    write_card(out, card)
    figures = measure(DomainIdentifier(CardFile(card=card, folder=out)), parts)
    write_card(out, card.model_copy(update={"figures": figures}))
    for one in figures:
        log.info("%s: %.4f %s (n %d; %s)", one.name, one.value, one.interval, one.n, one.data)


def _drawn_tissue() -> Part:
    """Sections the project drew, so that one in other dyes is not far from every known section."""
    generator = np.random.default_rng(23)
    pixels = np.stack([tissue(generator, SIZE) for _ in range(REFERENCES)])
    labels = np.array(["histopathology"] * REFERENCES)
    return Part(pixels, labels, np.array(["drawn tissue"] * REFERENCES), np.arange(REFERENCES).astype(str))


def _references(learn: Part, drawings: Part) -> Part:
    generator = np.random.default_rng(5)
    chosen = []
    for part in (learn, drawings):
        for label in np.unique(part.labels):
            rows = np.flatnonzero(part.labels == label)
            chosen.append(part.where(np.isin(np.arange(len(part)), generator.permutation(rows)[:REFERENCES])))
    return _joined(chosen)


def _joined(parts: Sequence[Part]) -> Part:
    return Part(
        np.concatenate([p.pixels for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.sets for p in parts]),
        np.concatenate([p.patients for p in parts]),
    )


def _tuning(parts: Parts) -> tuple[Part, Part]:
    """Medical pictures and others to calibrate on: each as it is and changed a little, as another scanner might."""
    import torch

    torch.manual_seed(17)
    check = half(parts.check, first=True)
    food = check.labels == "food"
    good = _joined([_thin(check.where(~food), 25), parts.tune])

    def changed(part: Part) -> Part:
        x = augment(torch.from_numpy(part.pixels).permute(0, 3, 1, 2).float() / 255, OTHER_SCANNER)
        pixels = (x.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
        return Part(pixels, part.labels, part.sets, part.patients)

    bad = _joined([check.where(food), *(_others(check.where(food), good, seed=4))])
    return _joined([good, changed(good)]), _joined([bad, changed(bad)])


def _others(food: Part, good: Part, seed: int) -> list[Part]:
    """Drawn pictures, collages of photographs and scrambled medical pictures."""
    generator = np.random.default_rng(seed)
    drawings = drawn(20, seed)
    photographs = food.pixels
    collages = np.stack(
        [negatives.collage(generator, *photographs[generator.integers(0, len(photographs), 2)]) for _ in range(40)]
    )
    whole = np.flatnonzero(~np.isin(good.labels, ORDERLESS))
    tiles = np.stack([negatives.scrambled(generator, good.pixels[row]) for row in generator.choice(whole, 40)])
    return [drawings, _named(collages, "photograph"), _named(tiles, "scrambled")]


def _named(pixels: NDArray[np.uint8], label: str) -> Part:
    return Part(
        pixels, np.full(len(pixels), label), np.full(len(pixels), f"made: {label}"), np.arange(len(pixels)).astype(str)
    )


def _thin(part: Part, most: int) -> Part:
    """At most so many pictures of each set, so that the large sets do not drown the others."""
    generator = np.random.default_rng(8)
    rows = [generator.permutation(np.flatnonzero(part.sets == name))[:most] for name in np.unique(part.sets)]
    return part.where(np.isin(np.arange(len(part)), np.concatenate(rows)))


def _calibrate(identifier: DomainIdentifier, good: Part, bad: Part) -> dict[str, object]:
    """Two logistic maps, for the modality and for the whole label, each over the best candidate."""
    from sklearn.linear_model import LogisticRegression

    from training.domain import as_input

    part = _joined([good, bad])
    seen = identifier.evidence(identifier.embed(list(as_input(part.pixels))))
    known = list(domains())
    modalities = list(dict.fromkeys(label.split("/")[0] for label in known))
    columns = [[k for k, label in enumerate(known) if label.split("/")[0] == m] for m in modalities]
    shares = np.stack([seen.chance[:, c].sum(axis=1) for c in columns], axis=1)
    weight = np.concatenate([np.full(len(good), 0.65 / len(good)), np.full(len(bad), 0.35 / len(bad))])
    out: dict[str, object] = {}
    best = shares.argmax(axis=1)
    for kind in ("modality", "label"):
        features, right = [], []
        for row in range(len(part)):
            m = int(best[row])
            own = max(columns[m], key=lambda k, row=row: float(seen.chance[row, k]))  # type: ignore[misc]
            features.append(seen.of(row, columns[m] if kind == "modality" else [own], m))
            truth = str(part.labels[row])
            right.append(truth == known[own] if kind == "label" else truth.split("/")[0] == modalities[m])
        model = LogisticRegression(C=3.0, max_iter=1000).fit(
            np.array(features), np.array(right), sample_weight=weight * len(part)
        )
        out[kind] = plain(
            {**dict(zip(("odds", "nearest", "refused"), model.coef_[0], strict=True)), "offset": model.intercept_[0]}
        )
        chance = model.predict_proba(np.array(features))[:, 1]
        if kind == "modality":
            out["accept_from"] = _accept_from(chance[: len(good)], chance[len(good) :])
    out["label_from"] = 0.6
    return out


def _accept_from(good: Floats, bad: Floats) -> float:
    """The threshold that refuses 4 % of known pictures, or more if needed to refuse 95 % of what is not medical.

    The pictures here are nearer to what was learned than those of other sources, which it may refuse twice as often.
    """
    return round(float(max(np.quantile(good, 0.04), np.quantile(bad, 0.95))), 3)


def _sets(learn: Part) -> tuple[TrainingSet, ...]:
    return tuple(
        training_set(picture_sets()[str(name)], int((learn.sets == name).sum())) for name in np.unique(learn.sets)
    )


LIMITS = (
    "It knows the kinds of image it was taught, from one to three sources each; others may be refused.",
    "No abdominal ultrasound was in the data: that label has words but no pictures behind it.",
    "Nuclear medicine, PET and optical coherence tomography have no label; they should be refused, and may not be.",
    "Of photographs it has seen food and a few samples; another that looks like one of its domains may be accepted.",
    "Other stains than haematoxylin and eosin it knows from drawings alone; immunohistochemistry may be refused.",
    "The shipped network learned in two rounds, the second with drawn tissue; the command does both in one.",
    "The descriptors were added after the sources left out had been measured once: their figures may be a little high.",
    "Badly spoilt images are seldom refused: with bright reflections or motion it names another kind, and with fog it"
    " accepts one in six as another kind (docs/trust).",
    "It judges the kind of image only: neither its quality nor whether anything is ill.",
)
