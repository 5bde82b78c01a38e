"""The objects to learn to outline: pictures with masks, split into objects, by what their licence allows.

What each set's masks may teach, and how a mask becomes objects, is data: ``training/data/masks.yaml``.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from overread.packaged import packaged_yaml
from overread.records import Box
from training.pictures import share

Bools = NDArray[np.bool_]

LARGEST = 1024
"""Longest side a picture is kept at, in pixels."""

SMALLEST = 24
"""Fewest pixels of an object worth learning from or measuring on."""

SEED = 11
VALIDATION = 0.12
"""Part of the learning pictures kept back, by patient, to fit the uncertainty on."""


class MaskSet(BaseModel):
    """What the masks of one set may teach, and how they become objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    set: str
    use: Literal["learn", "measure"]
    shape: Literal["parts", "outline", "tree"]
    licence: str
    rows: str = ""
    note: str = ""


@dataclass(frozen=True)
class Outlined:
    """A picture, uint8 ``(H, W, 3)``, and its objects: ``mask`` bool ``(H, W)``, ``parts`` int32 labels from 1.

    ``boxes`` are the half-open boxes of the parts worth having, with the label of each; label 0 is the
    whole mask. ``role`` is ``learn``, ``validate`` or ``measure``.
    """

    set: str
    shape: str
    role: str
    patient: str
    pixels: NDArray[np.uint8]
    mask: Bools
    parts: NDArray[np.int32]
    boxes: tuple[tuple[int, Box], ...]

    def object(self, label: int) -> Bools:
        """The mask of one object, bool ``(H, W)``."""
        return self.mask if label == 0 else self.parts == label


@lru_cache(maxsize=1)
def mask_sets() -> dict[str, MaskSet]:
    """Every set with masks, by name, from ``training/data/masks.yaml``."""
    sets = [MaskSet.model_validate(entry) for entry in packaged_yaml("training", "data/masks.yaml")]
    return {one.set: one for one in sets}


def role_of(one: MaskSet, licence: str, patient: str) -> str:
    """What a row is for: ``learn``, ``validate`` or ``measure``, which is all a licence that is not open allows."""
    if one.use == "measure" or (one.rows and not re.search(one.rows, licence)):
        return "measure"
    return "validate" if share(patient, SEED) < VALIDATION else "learn"


def read_outlined(root: Path, sets: Iterable[str] | None = None) -> list[Outlined]:
    """Every picture with a mask, or those of the sets named, in the order of the list."""
    wanted, found = set(mask_sets() if sets is None else sets), []
    with (root / "images.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            one = mask_sets().get(row["domain"])
            if one is None or one.set not in wanted or not row["mask"]:
                continue
            patient = _patient(row)
            found.append(_outlined(root, row, one, role_of(one, row["license"], patient), patient))
    return [picture for picture in found if picture.boxes]


def _patient(row: dict[str, str]) -> str:
    told = re.search(r"patient=(\w+)", row["note"])
    stem = Path(row["file"]).stem
    match = re.match(r"(P\d+)_" if row["domain"] == "ct_abdomen_stone" else r"(Image_\d+|\d+VAS|\d+(?=_))", stem)
    if row["domain"] == "us_breast_busbra":
        match = re.match(r"\d_\w+?_(\d+)", stem)
    return f"{row['domain']}:{told.group(1) if told else match.group(1) if match else stem}"


def _outlined(root: Path, row: dict[str, str], one: MaskSet, role: str, patient: str) -> Outlined:
    from PIL import Image

    with Image.open(root / row["file"]) as image, Image.open(root / row["mask"]) as drawn:
        picture, mask = image.convert("RGB"), drawn.convert("L")
        if mask.size != picture.size:
            mask = mask.resize(picture.size, Image.Resampling.NEAREST)
        scale = LARGEST / max(picture.size)
        if scale < 1:
            size = (round(picture.width * scale), round(picture.height * scale))
            picture, mask = picture.resize(size), mask.resize(size, Image.Resampling.NEAREST)
        pixels, on = np.asarray(picture, dtype=np.uint8), np.asarray(mask) > 127
    mask_, parts, boxes = objects_in(on, one.shape)
    return Outlined(one.set, one.shape, role, patient, pixels, mask_, parts, boxes)


def objects_in(mask: Bools, shape: str) -> tuple[Bools, NDArray[np.int32], tuple[tuple[int, Box], ...]]:
    """The mask as it stands for objects, its labelled parts, and the box of each object."""
    from scipy import ndimage

    if shape == "outline":
        mask = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(mask, 4), iterations=3))[4:-4, 4:-4]
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    parts = labels.astype(np.int32)
    areas = np.bincount(parts.ravel(), minlength=count + 1)
    boxes = []
    for label, place in enumerate(ndimage.find_objects(parts), start=1):
        rows, columns = place
        box = (int(columns.start), int(rows.start), int(columns.stop), int(rows.stop))
        if areas[label] >= SMALLEST and min(box[2] - box[0], box[3] - box[1]) >= 3:
            boxes.append((areas[label], label, box))
    boxes.sort(reverse=True)
    if shape == "tree" and boxes:
        return mask, parts, ((0, box_of(mask)),)
    kept = [(label, box) for area, label, box in boxes if area * 50 >= boxes[0][0]]
    if len(kept) == 2 and len(boxes) == 2:
        kept.append((0, box_of(mask)))
    return mask, parts, tuple(kept)


def box_of(mask: Bools) -> Box:
    """The half-open box round a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
