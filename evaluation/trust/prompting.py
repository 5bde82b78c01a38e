"""T2 for segmentation: spoilt images, boxes that are off, points instead of a box, their order, several objects."""

from collections.abc import Callable, Sequence

import numpy as np

from evaluation.measure import Floats
from evaluation.trust.bench import Bench, Pixels
from evaluation.trust.manifest import Row, mask_of
from evaluation.trust.outcome import Curve, Measured, Outcome, Point, drawn_again, share_of
from evaluation.trust.outlines import (
    MOST_PARTS,
    Bools,
    Target,
    answered,
    dice,
    moved,
    outlined,
    parts_of,
    points_in,
    prompted_rows,
    targets,
    unprompted_rows,
)
from evaluation.trust.robustness import CLEAN, Values, copy_of, keys, tell
from tools.segmentation.predictor import Segmenter, box_round
from tools.segmentation.prompts import Prompt

JITTERS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
POINTS = (1, 3, 10)
BOX_IS_TRUE = "The box is drawn round the true mask, which no user has; the next figures move it."
FEW_KINDS = "The mean over images of several kinds hides those that are much worse."


def segmentation(bench: Bench) -> Outcome:
    """Dice of every segmenter under corruption; of promptable ones also when the prompt is poorer."""
    outcome = Outcome(done=["Dice against the manifest's masks, under the same corruptions, and with poorer prompts."])
    for segmenter in bench.segmenters:
        _prompted(bench, segmenter, outcome)
    for tool in bench.outliners:
        chosen = unprompted_rows(bench, tool, max(bench.sizes.corrupted // 2, 2))
        cases = [Target(row, mask) for row in chosen.rows
                 if (mask := mask_of(row, bench.image(row).display.shape[:2])) is not None and mask.any()]  # fmt: skip
        if not cases:
            outcome.not_done.append(f"{tool.card.name}: the manifest has no mask of what it outlines.")
            continue

        def outline(case: Target, pixels: Pixels, tool: object = tool) -> Bools | None:
            return outlined(tool, bench, case.row, pixels)  # type: ignore[arg-type]

        values = _spoilt(bench, cases, outline, tool.card.name)
        tell(bench, tool.card.name, "Dice", values, [case.row.patient for case in cases], "higher",
             "An outline that is declined counts as 0.", chosen.note, outcome)  # fmt: skip
    return outcome


def _spoilt(
    bench: Bench, cases: Sequence[Target], outline: Callable[[Target, Pixels], Bools | None], name: str
) -> Values:
    found: Values = {}
    for key in keys(bench):
        masks = [outline(case, copy_of(bench, case.row, key)) for case in cases]
        found[key] = np.array(
            [0.0 if mask is None else dice(mask, case.mask) for mask, case in zip(masks, cases, strict=True)]
        )
        bench.step(f"{name}, {key[0]}")
    return found


def _prompted(bench: Bench, segmenter: Segmenter, outcome: Outcome) -> None:
    name = segmenter.card.name
    chosen = prompted_rows(bench, segmenter, max(bench.sizes.corrupted // 8, 1))[: 5 if bench.quick else None]
    cases = targets(bench, [row for one in chosen for row in one.rows])
    if len(cases) < 2:
        outcome.not_done.append(f"{name}: the manifest has fewer than two masks it may be measured on.")
        return
    taught = sum(one.taught for one in chosen)
    kinds = sorted({case.row.domain or "" for case in cases})
    note = f"{len(kinds)} kinds of image" + (f"; {taught} of them taught the model: too good" if taught else "")
    who = [case.row.patient for case in cases]
    values = _spoilt(bench, cases, lambda case, pixels: answered(segmenter, pixels, Prompt(case.box)), name)
    tell(bench, name, "Dice from a box", values, who, "higher", f"{BOX_IS_TRUE} {FEW_KINDS}", note, outcome)
    ways = {f"edges off by up to {j:g} of the side": _moved(bench, segmenter, cases, j) for j in JITTERS[1:]}
    ways |= {
        f"{count} {'point' if count == 1 else 'points'}": _pointed(bench, segmenter, cases, count) for count in POINTS
    }
    for told, scores in ways.items():
        outcome.figures.append(
            drawn_again(f"Dice, {told}", lambda r, s=scores: float(s[r].mean()), who, name, "higher",  # type: ignore[misc]
                        "One draw an image; a user is off in other ways.", note)
        )  # fmt: skip
    start = float(values[CLEAN].mean())
    line = (Point(0, round(start, 4)), *(Point(j, round(float(ways[f"edges off by up to {j:g} of the side"].mean()), 4))
                                         for j in JITTERS[1:]))  # fmt: skip
    outcome.curves.append(Curve(f"{name}: Dice as the box is moved", "edges off by up to, of the side", "Dice",
                                {"box": line}))  # fmt: skip
    for kind in kinds:
        some = [k for k, case in enumerate(cases) if case.row.domain == kind]
        mean = float(values[CLEAN][some].mean())
        outcome.figures.append(
            Measured(f"Dice from a box, clean, {kind}", round(mean, 4), len(some), subject=name, better="higher",
                     unshown="A handful of images, so no interval: it shows where to look, and no more.")
        )  # fmt: skip
    _order(bench, segmenter, cases, outcome)
    _several(bench, segmenter, [row for one in chosen for row in one.rows], note, outcome)


def _moved(bench: Bench, segmenter: Segmenter, cases: Sequence[Target], jitter: float) -> Floats:
    out = []
    for case in cases:
        display = bench.image(case.row).display
        prompt = moved(case.box, jitter, case.mask.shape, bench.generator("box", case.row.number, jitter))
        out.append(dice(answered(segmenter, display, prompt), case.mask))
    bench.step(f"{segmenter.card.name}, box off by {jitter:g}")
    return np.array(out)


def _pointed(bench: Bench, segmenter: Segmenter, cases: Sequence[Target], count: int) -> Floats:
    out = []
    for case in cases:
        prompt = points_in(case.mask, count, bench.generator("points", case.row.number, count))
        out.append(dice(answered(segmenter, bench.image(case.row).display, prompt), case.mask))
    bench.step(f"{segmenter.card.name}, {count} points")
    return np.array(out)


def _order(bench: Bench, segmenter: Segmenter, cases: Sequence[Target], outcome: Outcome) -> None:
    """The same three points, told in the opposite order."""
    name, alike = segmenter.card.name, []
    for case in cases:
        display = bench.image(case.row).display
        prompt = points_in(case.mask, 3, bench.generator("points", case.row.number, 3))
        turned = Prompt(points=prompt.points[::-1])
        alike.append(dice(answered(segmenter, display, prompt), answered(segmenter, display, turned)))
    bench.step(f"{name}, points in another order")
    same = np.array(alike)
    outcome.figures.append(
        drawn_again("Dice of two masks from the same three points in another order", lambda r: float(same[r].mean()),
                    [case.row.patient for case in cases], name, "higher", "Whether either mask is right.",
                    f"the least alike pair: {same.min():.3f}")
    )  # fmt: skip


def _several(bench: Bench, segmenter: Segmenter, rows: Sequence[Row], note: str, outcome: Outcome) -> None:
    """Images with several objects: a box for each, beside one box round all of them."""
    name, who = segmenter.card.name, []
    each, once, order = [], [], []
    for row in rows:
        display = bench.image(row).display
        mask = mask_of(row, display.shape[:2])
        parts = parts_of(mask) if mask is not None else []
        if len(parts) < 2:
            continue
        true = np.any(parts, axis=0)
        masks = [answered(segmenter, display, Prompt(box_round(part))) for part in parts]
        back = [answered(segmenter, display, Prompt(box_round(part))) for part in parts[::-1]][::-1]
        each.append(dice(np.any(masks, axis=0), true))
        once.append(dice(answered(segmenter, display, Prompt(box_round(true))), true))
        order.append(all(np.array_equal(a, b) for a, b in zip(masks, back, strict=True)))
        who.append(row.patient)
    bench.step(f"{name}, several objects")
    if len(who) < 2:
        outcome.not_done.append(f"{name}, several objects: fewer than two masks with more than one object.")
        return
    unshown = f"At most {MOST_PARTS} objects of an image, the largest; what is touching counts as one object."
    for told, scores in (("a box for each", each), ("one box round all", once)):
        values = np.array(scores)
        outcome.figures.append(
            drawn_again(f"Dice, several objects, {told}", lambda r, s=values: float(s[r].mean()), who, name, "higher",  # type: ignore[misc]
                        unshown, note)
        )  # fmt: skip
    outcome.figures.append(
        share_of("several objects: the same masks when asked in the opposite order", sum(order), len(order), name,
                 "higher", "Whether the masks are right.")
    )  # fmt: skip
