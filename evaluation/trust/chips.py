"""Whether the evidence that an answer shows points at the truth: places of findings, and areas that are measured."""

import numpy as np

from agent.assistant import Assistant
from evaluation.trust.asking import SUBJECT, asked
from evaluation.trust.bench import Bench
from evaluation.trust.explanation import true_boxes
from evaluation.trust.manifest import Row, drawn, mask_of
from evaluation.trust.outcome import Measured, Outcome, drawn_again, share_of
from overread.records import Box

PIXELS = "px²"
OF_BOTH = "area of both"
"""How a measurement of the whole outlined thing begins."""


async def chips(bench: Bench, assistant: Assistant, outcome: Outcome) -> list[Measured]:
    """Asks about rows with boxes or masks, and holds the answer's regions and areas against them."""
    rows = _rows_with_places(bench)
    inside = shown = found = 0
    overlaps: list[float] = []
    of_overlaps: list[str] = []
    errors: list[float] = []
    of_errors: list[str] = []
    for row in rows:
        answer = await asked(assistant, row, "What does this image show? Measure what you can.")
        bench.step("evidence against the truth")
        height, width = bench.image(row).display.shape[:2]
        for finding in (one for event in answer.results for one in event.findings):
            true = true_boxes(bench, row, finding.label)
            if not true:
                continue
            found += 1
            if finding.region is None:
                continue
            shown += 1
            boxes = [(x0 * width, y0 * height, x1 * width, y1 * height) for x0, y0, x1, y1 in true]
            inside += _middle_in(finding.region.box, boxes)
            overlaps.append(_overlap(finding.region.box, boxes, (height, width)))
            of_overlaps.append(row.patient)
        mask = mask_of(row, (height, width))
        for event in answer.results:
            for made in event.measurements:
                if mask is not None and mask.any() and made.unit == PIXELS and made.name == f"{OF_BOTH} {row.mask_of}":
                    errors.append(abs(made.value / float(mask.sum()) - 1))
                    of_errors.append(row.patient)
    figures = [
        share_of("findings with a true place that are told with a place", shown, found, SUBJECT, None,
                 "A tool whose card says that it does not localise shows none, which is better than a wrong one."),
    ]  # fmt: skip
    if shown:
        unshown = "The box of a finding is cut from a coarse map; a true box holds more than the disease."
        figures += [
            share_of("told places whose middle is in a true box", inside, shown, SUBJECT, "higher", unshown),
            drawn_again("IoU of told places and true boxes", lambda r: float(np.array(overlaps)[r].mean()), of_overlaps,
                        SUBJECT, "higher", unshown),
        ]  # fmt: skip
    else:
        outcome.not_done.append(
            "Places of findings against true boxes: no answer gave a place to a finding of which the manifest has a "
            "box or a mask. Of the adult chest model that is meant: its card says that it does not localise."
        )
    if errors:
        off = np.array(errors)
        figures.append(
            drawn_again("error of a measured area, as a part of the true mask's", lambda r: float(off[r].mean()),
                        of_errors, SUBJECT, "lower", "An area may be right and its outline wrong; see Dice.",
                        f"of {len(rows)} images with a box or a mask that were asked about")
        )  # fmt: skip
    else:
        outcome.not_done.append("Measured areas against masks: nothing was measured of which the manifest has a mask.")
    return figures


def _rows_with_places(bench: Bench) -> list[Row]:
    """Rows with a box or a mask of something that a tool speaks of."""
    labels = {label for subject in bench.subjects for label in subject.labels}
    outlined = {label.name for tool in bench.outliners for label in tool.card.labels}
    boxed = [
        row for row in bench.manifest.rows if row.mask_of in labels or any(name in labels for name, _ in row.boxes)
    ]
    masked = [row for row in bench.manifest.rows if row.mask is not None and row.mask_of in outlined]
    for tool in bench.outliners:
        fresh = [row for row in masked if tool.card.name not in row.taught]
        masked = fresh or masked
    most = 1 if bench.quick else 8
    return [*drawn(boxed, most, bench.seed), *drawn(masked, most, bench.seed)]


def _middle_in(box: Box, true: list[tuple[float, float, float, float]]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in true)


def _overlap(box: Box, true: list[tuple[float, float, float, float]], shape: tuple[int, int]) -> float:
    told, truth = np.zeros(shape, bool), np.zeros(shape, bool)
    told[box[1] : box[3], box[0] : box[2]] = True
    for x0, y0, x1, y1 in true:
        truth[round(y0) : round(y1), round(x0) : round(x1)] = True
    return float((told & truth).sum() / max((told | truth).sum(), 1))
