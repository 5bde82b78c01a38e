"""The pictures to learn from: lists, licences, patients, and a cache of small arrays.

The lists are ``images.csv`` and ``train/images.csv`` under the data root. What each set may teach
is data: ``training/data/sets.yaml``. The cache holds every picture once, stretched to a square of
uint8 RGB, in a folder outside the repository.
"""

import csv
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from overread.packaged import packaged_yaml
from tools.networks import square
from training.errors import TrainingError

Use = Literal["findings", "recognition", "measurement"]

NOT_OPEN = re.compile(r"\bNC\b|research|unknown|not stated|not quoted|unquoted|not in repo|resource-specific", re.I)
"""Words in a licence column that keep a row from teaching a finding or a mask."""


class PictureSet(BaseModel):
    """One set of pictures: its domain, what it may teach, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    domain: str | None
    use: Use
    title: str
    licence: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """One row of the lists. ``patient`` is a key that is the same for all pictures of one person."""

    path: Path
    set: PictureSet
    label: str
    patient: str
    licence: str
    note: str

    @property
    def open(self) -> bool:
        """Whether the row's own licence column lets it teach findings."""
        return self.set.use == "findings" and not NOT_OPEN.search(self.licence)


@lru_cache(maxsize=1)
def picture_sets() -> dict[str, PictureSet]:
    """Every set by name, from ``training/data/sets.yaml``."""
    sets = [PictureSet.model_validate(entry) for entry in packaged_yaml("training", "data/sets.yaml")]
    return {one.name: one for one in sets}


def data_root(given: Path | None = None) -> Path:
    """The folder with ``images.csv``: ``given``, else ``OVERREAD_SHARED``/data, else ``../shared/data``."""
    shared = os.environ.get("OVERREAD_SHARED")
    root = given or (Path(shared) if shared else Path(__file__).parents[2] / "shared") / "data"
    if not (root / "images.csv").is_file():
        raise TrainingError("there is no images.csv in the data folder; name the folder with --data")
    return root


def read_pictures(root: Path, names: Iterable[str] | None = None) -> list[Picture]:
    """All rows of both lists, or those of the sets in ``names``, in the order of the lists."""
    sets = picture_sets()
    wanted = set(sets if names is None else names)
    found = []
    for base in (root, root / "train"):
        listing = base / "images.csv"
        if not listing.is_file():
            continue
        with listing.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row["domain"] in wanted:
                    known = sets[row["domain"]]
                    path = base / row["file"]
                    found.append(
                        Picture(path, known, row["label"], _patient(row), row["license"], row["note"]),
                    )
    if not found:
        raise TrainingError("the lists name no picture of the sets asked for")
    return found


def _patient(row: dict[str, str]) -> str:
    """A key for the person in the picture: from the file name or the note, else the picture itself."""
    stem = Path(row["file"]).stem
    patterns = {
        "cxr_kermany": r"(?:pneumonia_)?(person\d+|normal_(?:NORMAL2_)?IM_\d+)",
        "cxr_nih": r"(\d{8})_",
        "ct_abdomen_stone": r"(P\d+)_",
        "ct_abdomen_kits": r"(\d+)_",
        "us_carotid": r"(\d+VAS)_",
        "fundus_chasedb1": r"(Image_\d+)",
        "mammography_cesm": r".*_(P\d+)_",
        "mr_lumbar_spine": r"(\d+)_",
        "mr_prostate": r"(\d+)_",
        "us_breast_busbra": r"\d_\w+?_(\d+)",
    }
    match = re.match(patterns.get(row["domain"], r"(.+)"), stem)
    told = re.search(r"patient=(\w+)", row["note"])
    return f"{row['domain']}:{told.group(1) if told else match.group(1) if match else stem}"


def share(patient: str, seed: int) -> float:
    """A number in [0, 1) that depends only on the patient and the seed; patients are split by it."""
    digest = hashlib.sha256(f"{seed}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def load(pictures: Sequence[Picture], size: int, cache: Path | None = None) -> NDArray[np.uint8]:
    """The pictures as uint8 ``(N, size, size, 3)`` RGB, stretched to the square, from a cache when it is there."""
    from PIL import Image

    key = hashlib.sha256("\n".join(f"{p.path}" for p in pictures).encode() + str(size).encode()).hexdigest()[:16]
    folder = cache or Path(tempfile.gettempdir()) / "overread-training"
    stored = folder / f"{key}.npy"
    if stored.is_file():
        loaded: NDArray[np.uint8] = np.load(stored, allow_pickle=False)
        return loaded
    out = np.empty((len(pictures), size, size, 3), dtype=np.uint8)
    for row, picture in zip(out, pictures, strict=True):
        with Image.open(picture.path) as image:
            row[:] = square(np.asarray(image.convert("RGB")), size)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(stored, out, allow_pickle=False)
    return out
