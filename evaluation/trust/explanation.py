"""T4, explanations: does a heatmap point at the truth, and does the model need what it points at?

The picture of a label is found by its place: the pictures of a classifier are called ``A1``, ``A2`` … in the order of
the card's labels (see ``tools.findings`` and ``tools.classifiers``).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.measure import Floats
from evaluation.pointing import Box as Part
from evaluation.pointing import pointing
from evaluation.trust.bench import Bench, Pixels, Subject, changed
from evaluation.trust.manifest import Row, mask_of
from evaluation.trust.outcome import Curve, Outcome, Point, drawn_again, share_of
from overread.records import says_absence
from tools.findings import hot_box
from tools.segmentation.predictor import box_round

CELLS = 32
"""Maps are compared on a grid of this many cells a side."""

SHARES = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of the picture that are taken away, the hottest first."""

LARGEST = 256
"""The longest side, in pixels, of pictures from which something is taken away."""

BLURRED = (
    "What is taken away is blurred, not absent; a model may react to the blur itself, which the random order shows."
)


def explanation(bench: Bench) -> Outcome:
    """All of T4 but what asks the whole assistant."""
    outcome = Outcome(done=["Heatmaps against boxes and masks; deletion and insertion, beside a random order."])
    for subject in bench.subjects:
        for column, label in enumerate(subject.labels[: bench.sizes.labels]):
            if says_absence(label):
                outcome.not_done.append(f"{subject.card.name}, {label}: what is not there has no place.")
                continue
            _placed(bench, subject, column, label, outcome)
            _needed(bench, subject, column, label, outcome)
    return outcome


def maps_of(bench: Bench, subject: Subject, rows: Sequence[Row], column: int) -> list[Floats | None]:
    """The heatmap of a label for each row, float64 ``(CELLS, CELLS)``, or ``None`` where none was drawn."""
    out: list[Floats | None] = []
    for row in rows:
        (output,) = subject.tool.run([bench.image(row)])
        found = [p for p in output.pictures if p.id == f"A{column + 1}" and p.kind == "heatmap"]
        out.append(_small(found[0].pixels) if found else None)
    bench.step(f"{subject.card.name}, heatmaps")
    return out


def _small(pixels: NDArray[np.generic]) -> Floats:
    picture = Image.fromarray(np.asarray(pixels, np.float32)).resize((CELLS, CELLS), Image.Resampling.BOX)
    return np.asarray(picture, dtype=np.float64)


def true_boxes(bench: Bench, row: Row, label: str) -> list[Part]:
    """Where a label is, as parts of the picture's width and height: the row's boxes, or the box round its mask."""
    height, width = bench.image(row).display.shape[:2]
    boxes = [box for name, box in row.boxes if name == label]
    if not boxes and row.mask_of == label:
        mask = mask_of(row, (height, width))
        boxes = [box_round(mask)] if mask is not None and mask.any() else []
    return [(x0 / width, y0 / height, x1 / width, y1 / height) for x0, y0, x1, y1 in boxes]


def _placed(bench: Bench, subject: Subject, column: int, label: str, outcome: Outcome) -> None:
    name = subject.card.name
    chosen = subject.rows(2 * bench.sizes.explained, lambda row: label in {row.mask_of, *(one for one, _ in row.boxes)})
    places = [true_boxes(bench, row, label) for row in chosen.rows]
    maps = maps_of(bench, subject, chosen.rows, column)
    kept = [
        (row, heat, box) for row, heat, box in zip(chosen.rows, maps, places, strict=True) if heat is not None and box
    ]
    if len(kept) < 2:
        outcome.not_done.append(
            f"{name}, {label}: the manifest has no boxes or masks of it, so the map was not checked."
        )
        return
    game = pointing(np.stack([heat for _, heat, _ in kept]), [box for *_, box in kept])
    unshown = "A box is larger than what it holds, and the label may show in other places too."
    outcome.figures += [
        share_of(f"pointing game, {label}", game.hits, game.n, name, "higher", unshown, chosen.note),
        share_of(f"pointing game, {label}: the usual place of the others", game.usual, game.n, name, None,
                 "A map that does no better than this knows the anatomy, not the picture."),
        drawn_again(f"pointing game, {label}: a point drawn anywhere", lambda r: float(np.mean([_area(kept[k][2])
                    for k in r])), [row.patient for row, *_ in kept], name, None, "What chance gives."),
        drawn_again(f"IoU of the hot area and the box, {label}",
                    lambda r: float(np.mean([_iou(kept[k][1], kept[k][2]) for k in r])),
                    [row.patient for row, *_ in kept], name, "higher",
                    "The hot area is cut at a height that was chosen for looks, not for overlap.", chosen.note),
    ]  # fmt: skip


def _area(boxes: Sequence[Part]) -> float:
    return float(_grid(boxes).mean())


def _grid(boxes: Sequence[Part]) -> NDArray[np.bool_]:
    grid = np.zeros((256, 256), dtype=bool)
    for x0, y0, x1, y1 in boxes:
        grid[round(y0 * 256) : round(y1 * 256), round(x0 * 256) : round(x1 * 256)] = True
    return grid


def _iou(heat: Floats, boxes: Sequence[Part]) -> float:
    x0, y0, x1, y1 = hot_box(heat.astype(np.float32), (CELLS, CELLS))
    hot, true = _grid([(x0 / CELLS, y0 / CELLS, x1 / CELLS, y1 / CELLS)]), _grid(boxes)
    return float((hot & true).sum() / (hot | true).sum())


def _needed(bench: Bench, subject: Subject, column: int, label: str, outcome: Outcome) -> None:
    """How the probability falls as the hottest parts go, and rises as they come back, beside a random order."""
    name = subject.card.name
    chosen = subject.rows(bench.sizes.explained // 2, lambda row: row.holds(label) is True)
    p = subject.chances(chosen.rows)[:, column]
    some = [row for row, one in zip(chosen.rows, p, strict=True) if one >= 0.5]
    maps = maps_of(bench, subject, some, column)
    kept = [(row, heat) for row, heat in zip(some, maps, strict=True) if heat is not None]
    if len(kept) < 2:
        outcome.not_done.append(f"{name}, {label}: fewer than two ill images that it says are ill; nothing taken away.")
        return
    rows = [row for row, _ in kept]
    hottest = _curves(bench, subject, column, kept, False)
    anyhow = _curves(bench, subject, column, [(row, _noise(bench, row)) for row in rows], False)
    back = _curves(bench, subject, column, kept, True)
    note = f"of {len(chosen.rows)} ill images, those given a probability of at least 0.5"
    who = [row.patient for row in rows]
    outcome.figures += [
        drawn_again(f"deletion: area under the probability, {label}", lambda r: float(_area_under(hottest[r]).mean()),
                    who, name, "lower", BLURRED, note),
        drawn_again(f"deletion: hottest first less at random, {label}",
                    lambda r: float((_area_under(hottest[r]) - _area_under(anyhow[r])).mean()), who, name, "lower",
                    "Below 0 the map tells what the model needs, which need not be where the disease is.", note),
        drawn_again(f"insertion: area under the probability, {label}", lambda r: float(_area_under(back[r]).mean()),
                    who, name, "higher", BLURRED, note),
    ]  # fmt: skip
    lines = {"hottest first": hottest, "at random": anyhow, "hottest put back into the blur": back}
    outcome.curves.append(
        Curve(
            f"{name}, {label}: taken away",
            "share of the picture",
            "probability",
            {
                told: tuple(Point(x, round(float(y), 4)) for x, y in zip(SHARES, values.mean(axis=0), strict=True))
                for told, values in lines.items()
            },
        )
    )


def _noise(bench: Bench, row: Row) -> Floats:
    """A smooth random map: pieces of about the size of a heatmap's."""
    from scipy import ndimage

    noise = bench.generator("anyhow", row.number).standard_normal((CELLS, CELLS))
    return np.asarray(ndimage.gaussian_filter(noise, 2.5, mode="reflect"), dtype=np.float64)


def _curves(bench: Bench, subject: Subject, column: int, kept: "Sequence[tuple[Row, Floats]]", insert: bool) -> Floats:
    """Probabilities, float64 ``(N, shares)``."""
    out = []
    for row, heat in kept:
        image = bench.image(row)
        display = _reduced(image.display)
        shown = [changed(image, taken(display, heat, share, insert)) for share in SHARES]
        out.append(subject.of(shown)[:, column])
        bench.step(f"{subject.card.name}, taken away")
    return np.stack(out)


def _reduced(display: Pixels) -> Pixels:
    """The picture with its longer side at most ``LARGEST``: what a classifier sees is smaller still."""
    picture = Image.fromarray(display)
    picture.thumbnail((LARGEST, LARGEST))
    return np.asarray(picture)


def taken(display: Pixels, heat: Floats, share: float, insert: bool = False) -> Pixels:
    """The picture with the hottest ``share`` of a map blurred; with ``insert``, the rest blurred."""
    import cv2

    height, width = display.shape[:2]
    blurred = cv2.GaussianBlur(display, (0, 0), max(min(height, width) / 12, 1.0), borderType=cv2.BORDER_REFLECT)
    order = np.argsort(-heat, axis=None, kind="stable")
    hot = np.zeros(heat.size, dtype=np.uint8)
    hot[order[: round(share * heat.size)]] = 1
    away = cv2.resize(hot.reshape(heat.shape), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    away = ~away if insert else away
    return np.where(away[..., None], blurred, display).astype(np.uint8)


def _area_under(values: Floats) -> Floats:
    """The area under each row's curve over ``SHARES``, in [0, 1]."""
    return np.asarray(np.trapezoid(values, np.array(SHARES), axis=1))
