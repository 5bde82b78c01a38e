"""How well masks are outlined: Dice against the manifest's masks, from a box round them or without a prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.trust.bench import Bench, Chosen, Pixels, changed, chosen_of
from evaluation.trust.manifest import Row, mask_of
from overread.domains import covered
from tools.contract import Tool
from tools.segmentation.predictor import Segmenter, box_round
from tools.segmentation.prompts import Point, Prompt

Bools = NDArray[np.bool_]
SMALLEST = 24
"""Fewest pixels of a mask that is measured on."""

MOST_PARTS = 6
"""Most objects of one image that are asked for."""


def dice(one: Bools, other: Bools) -> float:
    """The overlap of two masks, in [0, 1]; 1 when both are empty."""
    both = int(one.sum() + other.sum())
    return 2 * float((one & other).sum()) / both if both else 1.0


def largest_part(mask: Bools) -> Bools:
    """The largest connected part: a box prompt points at one object."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    areas = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == 1 + int(areas.argmax()))


def parts_of(mask: Bools) -> list[Bools]:
    """The connected parts of at least ``SMALLEST`` pixels, the ``MOST_PARTS`` largest, the largest first."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())[1:]
    order = [k for k in np.argsort(-areas, kind="stable") if areas[k] >= SMALLEST]
    return [np.asarray(labels == 1 + k) for k in order[:MOST_PARTS]]


@dataclass(frozen=True)
class Target:
    """A row's object, bool ``(H, W)``, and the box round it."""

    row: Row
    mask: Bools

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The half-open box round the object."""
        return box_round(self.mask)


def targets(bench: Bench, rows: Sequence[Row]) -> list[Target]:
    """The largest object of each row that has a mask worth measuring on."""
    found = []
    for row in rows:
        mask = mask_of(row, bench.image(row).display.shape[:2])
        if mask is not None:
            part = largest_part(mask)
            if part.sum() >= SMALLEST:
                found.append(Target(row, part))
    return found


def prompted_rows(bench: Bench, segmenter: Segmenter, most: int) -> list[Chosen]:
    """For each domain, at most ``most`` rows with a mask that a promptable network may be asked of."""
    card, out = segmenter.card, []
    for label in dict.fromkeys(row.domain for row in bench.manifest.rows if row.domain is not None):
        if not card.domains or covered(card.domains, label):
            rows = [row for row in bench.manifest.of_domain(label) if row.mask is not None]
            if rows:
                out.append(chosen_of(rows, card.name, most, bench.seed))
    return out


def unprompted_rows(bench: Bench, tool: Tool, most: int) -> Chosen:
    """At most ``most`` rows whose mask outlines what the card is for."""
    labels = {label.name for label in tool.card.labels}
    rows = [
        row
        for row in bench.manifest.rows
        if row.mask is not None
        and row.mask_of in labels
        and row.domain is not None
        and covered(tool.card.domains, row.domain)
    ]
    return chosen_of(rows, tool.card.name, most, bench.seed)


def outlined(tool: Tool, bench: Bench, row: Row, display: Pixels | None = None) -> Bools | None:
    """What an unprompted model outlines of a row, or of other pixels in its place; ``None`` when it declines."""
    image = bench.image(row)
    (output,) = tool.run([image if display is None else changed(image, display)])
    for picture in output.pictures:
        if picture.kind == "mask":
            return np.asarray(picture.pixels, dtype=bool)
    return None


def moved(box: tuple[int, int, int, int], jitter: float, shape: tuple[int, int], draw: np.random.Generator) -> Prompt:
    """A box with each edge moved by up to ``jitter`` of its side, within the image."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    a, b, c, d = draw.uniform(-jitter, jitter, 4) * np.array([width, height, width, height])
    left, top = int(np.clip(round(x0 + a), 0, shape[1] - 2)), int(np.clip(round(y0 + b), 0, shape[0] - 2))
    right = int(np.clip(round(x1 + c), left + 1, shape[1]))
    bottom = int(np.clip(round(y1 + d), top + 1, shape[0]))
    return Prompt((left, top, right, bottom))


def points_in(mask: Bools, count: int, draw: np.random.Generator) -> Prompt:
    """Points in a mask: the first is its deepest place, more are drawn from the deeper half beside it.

    So more points never say less: three points at random alone can be a poorer prompt than the one best place.
    """
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(mask)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    first = Point(int(column), int(row))
    inner = np.argwhere(depth >= np.median(depth[mask]))
    inner = inner[(inner != (row, column)).any(axis=1)]
    more = min(count - 1, len(inner))
    picked = inner[draw.choice(len(inner), more, replace=False)] if more else inner[:0]
    return Prompt(points=(first, *(Point(int(x), int(y)) for y, x in picked)))


def answered(segmenter: Segmenter, display: Pixels, prompt: Prompt) -> Bools:
    """The mask of one prompt."""
    mask: Bools = segmenter.set_image(display).predict(prompt).masks[0]
    return mask
