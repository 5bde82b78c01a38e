"""What the domain identifier learns from: pictures by domain, split by patient, and pictures that are not medical."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.prompts import prompts_by_label
from training import negatives
from training.pictures import Picture, load, read_pictures, share
from training.tissue import tissue

SEED = 11
SIZE = 144
LARGEST = 700
"""Most pictures of one set that are used; the large sets are thinned by patient."""
ORDERLESS = ("histopathology", "microscopy")
"""Domains whose pictures stay what they are when their tiles are shuffled."""
OFTEN = {"histopathology": 5, "fundus": 2, "endoscopy": 2, "mammography": 2}
"""Domains drawn more often than the others: in colour or faint, from few pictures, and so slow to learn."""


@dataclass(frozen=True)
class Part:
    """Pictures with their labels: uint8 ``(N, SIZE, SIZE, 3)``, and for each its label, set and patient."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.str_]
    sets: NDArray[np.str_]
    patients: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, keep: NDArray[np.bool_]) -> "Part":
        """The rows for which ``keep`` is true."""
        return Part(self.pixels[keep], self.labels[keep], self.sets[keep], self.patients[keep])


@dataclass(frozen=True)
class Parts:
    """``learn`` and ``check`` share their sources but no patient; ``tune`` and ``unseen`` are other sources."""

    learn: Part
    check: Part
    tune: Part
    unseen: Part


def medical(root: Path) -> Parts:
    """The medical pictures and the food, split.

    A fifth of the patients of each source goes to ``check``. Of the sources that teach nothing,
    the CC BY rows of the COVID-19 collection tune the calibration; the others, ``unseen``, are only
    measured on.
    """
    pictures = [p for p in read_pictures(root) if p.set.domain is not None or p.set.name == "nonmedical_food"]
    counts: dict[str, int] = {}
    for picture in pictures:
        counts[picture.set.name] = counts.get(picture.set.name, 0) + 1
    kept = [p for p in pictures if share(p.patient, SEED) < LARGEST / counts[p.set.name]]
    pixels = load(kept, SIZE)
    part = Part(
        pixels,
        np.array([p.set.domain or "food" for p in kept]),
        np.array([p.set.name for p in kept]),
        np.array([p.patient for p in kept]),
    )
    outside = np.array([p.set.use == "measurement" for p in kept])
    tuning = np.array([tunes(p) for p in kept]) & outside
    # A second seed, so that thinning and splitting do not draw the same patients.
    held = np.array([share(p.patient, SEED + 1) < 0.2 for p in kept])
    return Parts(
        learn=part.where(~outside & ~held),
        check=part.where(~outside & held),
        tune=part.where(tuning),
        unseen=part.where(outside & ~tuning),
    )


def tunes(picture: Picture) -> bool:
    """Whether the calibration of the domain identifier is fitted on a picture of a source that teaches nothing."""
    return picture.set.name == "cxr_cohen" and picture.licence.startswith("CC BY ")


def half(part: Part, first: bool) -> Part:
    """One half of a part's patients: the first tunes, the other is measured on."""
    return part.where(np.array([(share(p, 29) < 0.5) == first for p in part.patients.tolist()], dtype=bool))


def drawn(number: int, seed: int) -> Part:
    """``number`` drawn pictures of every kind in ``negatives.DRAWN``, from a cache when they were drawn before."""
    stored = Path(tempfile.gettempdir()) / "overread-training" / f"drawn-{number}-{seed}-{SIZE}.npy"
    kinds = list(negatives.DRAWN)
    if stored.is_file():
        pixels = np.load(stored, allow_pickle=False)
    else:
        pixels = np.concatenate([negatives.drawn(kind, number, SIZE, seed) for kind in kinds])
        stored.parent.mkdir(parents=True, exist_ok=True)
        np.save(stored, pixels, allow_pickle=False)
    labels = np.repeat(np.array(kinds), number)
    return Part(pixels, labels, np.array([f"drawn {label}" for label in labels]), np.arange(len(labels)).astype(str))


def stained(draw: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A section as if stained with other dyes: its optical density, with the channels mixed anew.

    Source: Tellez et al., stain augmentation, 2018 (here without separating the stains first).
    """
    density = -np.log((picture.astype(np.float64) + 1) / 256)
    mixing = np.diag(draw.uniform(0.5, 1.6, 3)) + draw.normal(0, 0.3, (3, 3))
    mixed = np.clip(density @ mixing, 0, None)
    return np.clip(256 * np.exp(-mixed) - 1, 0, 255).astype(np.uint8)


class Sampler:
    """Draws batches: two thirds medical, every domain about as often as another, one third not medical."""

    def __init__(self, learn: Part, drawings: Part, seed: int = SEED, drawn_tissue: float = 0.0) -> None:
        """``drawn_tissue`` is the share of sections that are drawn by the project."""
        self._learn, self._drawings = learn, drawings
        self._drawn_tissue = drawn_tissue
        self._draw = np.random.default_rng(seed)
        self._photographs = negatives.sample_photographs(SIZE)
        self._row = {label: row for row, label in enumerate(prompts_by_label())}
        food = learn.labels == "food"
        self._food = np.flatnonzero(food)
        self._medical = [
            [np.flatnonzero((learn.labels == label) & (learn.sets == name)) for name in np.unique(sets)]
            for label in np.unique(learn.labels[~food])
            for _ in range(OFTEN.get(str(label), 1))
            for sets in [learn.sets[learn.labels == label]]
        ]

    def batch(self, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Pictures uint8 ``(size, SIZE, SIZE, 3)`` and the rows of their labels among all prompts."""
        pixels, labels = [], []
        for place in range(size):
            turn = place % 12
            if turn < 8:
                groups = self._medical[self._draw.integers(len(self._medical))]
                row = self._draw.choice(groups[self._draw.integers(len(groups))])
                label, picture = str(self._learn.labels[row]), self._learn.pixels[row]
                if label == "histopathology" and self._draw.random() < self._drawn_tissue:
                    picture = tissue(self._draw, SIZE)
                elif label == "histopathology" and self._draw.random() < 0.6:
                    picture = stained(self._draw, picture)
                if label in ORDERLESS and self._draw.random() < 0.6:
                    picture = negatives.part_of(self._draw, picture)
                if turn == 7 and self._draw.random() < 0.7 and label not in ORDERLESS:
                    label, picture = "scrambled", negatives.scrambled(self._draw, picture)
            elif turn < 10:
                label, picture = self._photograph()
            else:
                row = self._draw.integers(len(self._drawings))
                label, picture = str(self._drawings.labels[row]), self._drawings.pixels[row]
            pixels.append(picture)
            labels.append(self._row[label])
        return np.stack(pixels), np.array(labels, dtype=np.int64)

    def photographs(self, number: int) -> Part:
        """Photographs as they are learned from, collages among them."""
        drawn_ones = [self._photograph() for _ in range(4 * number)]
        pixels = [picture for label, picture in drawn_ones if label == "photograph"][:number]
        labels = np.array(["photograph"] * len(pixels))
        return Part(np.stack(pixels), labels, labels, np.arange(len(pixels)).astype(str))

    def _photograph(self) -> tuple[str, NDArray[np.uint8]]:
        if self._draw.random() < 0.35 and len(self._food):
            return "food", self._learn.pixels[self._draw.choice(self._food)]
        first, second = self._one(), self._one()
        if self._draw.random() < 0.25:
            return "photograph", first
        return "photograph", negatives.collage(self._draw, first, second)

    def _one(self) -> NDArray[np.uint8]:
        if self._draw.random() < 0.4 or not len(self._food):
            return np.asarray(self._photographs[self._draw.integers(len(self._photographs))])
        return np.asarray(self._learn.pixels[self._draw.choice(self._food)])
