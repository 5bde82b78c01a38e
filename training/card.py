"""Writes a model's folder: ``weights.safetensors`` in half precision, and the card that names it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from overread.cards import Figure, ModelCard, TrainingSet, Weights
from training.pictures import Picture, PictureSet

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "weights.safetensors"


def half(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Floating tensors in float16, so that what is measured is what is shipped."""
    return {k: (v.half() if v.dtype.is_floating_point else v).contiguous().cpu() for k, v in tensors.items()}


def write_weights(folder: Path, tensors: "Mapping[str, Tensor]", notes: dict[str, str] | None = None) -> Weights:
    """Write the tensors in half precision; give back the card's entry for the file."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS
    save_file(half(tensors), path, notes)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Weights(file=WEIGHTS, sha256=digest, licence="Apache-2.0")


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``card.yaml``, leaving out what is empty."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = json.loads(card.model_dump_json(exclude_none=True, exclude_defaults=True))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    (folder / "card.yaml").write_text(text, encoding="utf-8")


def training_sets(pictures: Iterable[Picture]) -> tuple[TrainingSet, ...]:
    """One entry a set, with the number of pictures that were learned from."""
    counts: dict[str, int] = {}
    sets: dict[str, PictureSet] = {}
    for picture in pictures:
        counts[picture.set.name] = counts.get(picture.set.name, 0) + 1
        sets[picture.set.name] = picture.set
    return tuple(training_set(sets[name], counts[name]) for name in sorted(counts))


def training_set(one: PictureSet, images: int) -> TrainingSet:
    """The card's entry for a set. One that is not open says what it taught and what it did not."""
    note = one.note
    if one.use == "recognition":
        told = "its licence is not open, so it taught the recognition of its kind alone: no finding, no mask"
        note = f"{told}; {note}" if note else told
    return TrainingSet(name=one.title, licence=one.licence, images=images, source=one.source, note=note)


def figure(
    name: str, value: float, n: int, data: str, command: str, interval: tuple[float, float] | None = None
) -> Figure:
    """A figure, rounded to four places."""
    return Figure(name=name, value=round(value, 4), interval=interval, n=n, data=data, command=command)


def plain(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Numbers rounded to six places, as plain floats for YAML."""
    return {key: round(float(value), 6) for key, value in numbers.items()}
