"""T5, fairness: every figure by group, and the worst gap between groups."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, ece
from evaluation.trust.bench import Bench, Subject, chosen_of
from evaluation.trust.groups import (
    FEWEST_MASKS,
    Bools,
    Statistic,
    gap_between,
    groupings,
    holm,
    means_by_group,
    named,
    usable,
)
from evaluation.trust.manifest import Row, mask_of
from evaluation.trust.outcome import Better, Measured, Outcome, drawn_again, share_of
from evaluation.trust.outlines import answered, dice, outlined, prompted_rows, targets, unprompted_rows
from evaluation.trust.reliability import LIES_HIGH, area, known_rows, prevalence, truth_of, weights_at
from tools.calibration import decide
from tools.segmentation.prompts import Prompt

SPECIFICITY = 0.9


@dataclass(frozen=True)
class Said:
    """What a model said of rows: probabilities and truths of one label, and what its card decides."""

    p: Floats
    truth: Bools
    decided: Bools
    called_absent: Bools
    threshold: float
    prevalence: float | None


@dataclass(frozen=True)
class Measure:
    """A figure that is looked at by group."""

    name: str
    better: Better | None
    of: Callable[[Said, NDArray[np.intp]], float]
    ranks: bool
    unshown: str
    counted: Callable[[Said], Bools] | None = None
    """For a share: the rows that it is a share of."""


def _sensitivity(said: Said, r: NDArray[np.intp]) -> float:
    ill = said.p[r][said.truth[r]]
    return float((ill >= said.threshold).mean()) if len(ill) else float("nan")


def _underdiagnosis(said: Said, r: NDArray[np.intp]) -> float:
    ill = said.called_absent[r][said.truth[r]]
    return float(ill.mean()) if len(ill) else float("nan")


def _ece(said: Said, r: NDArray[np.intp]) -> float:
    return ece(said.truth[r], said.p[r], weights_at(said.prevalence, said.truth[r]))


MEASURES = (
    Measure("AUROC", "higher", lambda s, r: area(s.truth[r], s.p[r]), True, "One threshold may still be unfair."),
    Measure(f"sensitivity at specificity {SPECIFICITY:g} of all", "higher", _sensitivity, True,
            "The threshold is that of all groups together, taken from the same rows.", lambda s: s.truth),
    Measure("underdiagnosis: ill, but decided absent", "lower", _underdiagnosis, True,
            "A model that decides nothing has none; see the share decided.", lambda s: s.truth),
    Measure("ECE", "lower", _ece, True,
            "At the card's prevalence, where it has one, in every group; larger in small groups by chance alone. "
            f"{LIES_HIGH}"),
    Measure("decided", None, lambda s, r: float(s.decided[r].mean()), False,
            "Declining hides a gap among those answered; read it with the figures above.",
            lambda s: np.ones(len(s.p), bool)),
)  # fmt: skip


def fairness(bench: Bench) -> Outcome:
    """All of T5."""
    outcome = Outcome(
        done=[
            f"By {', '.join(bench.manifest.group_columns) or 'no column'}, and by two of them together, unless one "
            "tells all that the other does."
        ]
    )
    if not bench.manifest.group_columns:
        outcome.not_done.append("Everything: the manifest names no groups (age_band, sex, view, source or any column).")
        return outcome
    for subject in bench.subjects:
        for column, label in enumerate(subject.labels):
            _label(bench, subject, column, label, outcome)
    for name, rows, values, note in outlines(bench):
        _dice(bench, name, rows, values, note, outcome)
    _refusals(bench, outcome)
    return outcome


def _label(bench: Bench, subject: Subject, column: int, label: str, outcome: Outcome) -> None:
    name = subject.card.name
    chosen = known_rows(subject, label, bench.sizes.images)
    p = subject.chances(chosen.rows, lambda: bench.step(name))[:, column]
    rows = [row for row, one in zip(chosen.rows, p, strict=True) if not np.isnan(one)]
    if len(rows) < 2:
        return
    said = _said(subject, label, rows, p[~np.isnan(p)])
    groups = groupings(bench, rows)
    if not groups:
        outcome.not_done.append(f"{name}, {label}: the manifest knows no two groups of these {len(rows)} images.")
    few: list[str] = []
    gaps: list[Measured] = []
    planned = [(by, m) for by in groups for m in MEASURES]
    for by, measure in planned:
        told = usable(bench, groups[by], said.truth if measure.ranks else None)
        few += [f"{by} {one} (n {len(groups[by][one])})" for one in groups[by] if one not in told]
        for group, at in told.items() if " and " not in by else ():
            outcome.figures.append(
                drawn_again(f"{measure.name}, {label}, {by} {group}", _within(measure, said, at),
                            [rows[k].patient for k in at], name, measure.better, measure.unshown, chosen.note,
                            counted=_patients(measure, said, rows, at))
            )  # fmt: skip
        if len(told) > 1:
            level = 1 - 0.05 / len(planned)
            gaps.append(
                gap_between(bench, name, f"{measure.name}, {label}, {by}", told,
                            lambda r, m=measure: m.of(said, r), rows, measure.better, level)  # type: ignore[misc]
            )  # fmt: skip
            bench.step(f"{name}, {by}")
    outcome.figures += holm(gaps)
    if few:
        outcome.not_done.append(f"{name}, {label}: too few to say: {named(few)}.")


def _within(measure: Measure, said: Said, at: NDArray[np.intp]) -> Statistic:
    return lambda r: measure.of(said, at[r])


def _patients(measure: Measure, said: Said, rows: Sequence[Row], at: NDArray[np.intp]) -> int | None:
    """Of how many patients a share is."""
    return None if measure.counted is None else len({rows[k].patient for k in at[measure.counted(said)[at]]})


def _said(subject: Subject, label: str, rows: Sequence[Row], p: Floats) -> Said:
    truth = truth_of(rows, label)
    card_label = next(one for one in subject.card.labels if one.name == label)
    decisions = [decide(card_label, float(one)) for one in p]
    healthy = p[~truth]
    threshold = float(np.quantile(healthy, SPECIFICITY, method="higher")) if len(healthy) else 1.0
    return Said(
        p,
        truth,
        np.array([one != "indeterminate" for one in decisions]),
        np.array([one == "absent" for one in decisions]),
        np.nextafter(threshold, 2.0),
        prevalence(subject, label),
    )


def outlines(bench: Bench) -> Iterator[tuple[str, list[Row], Floats, str]]:
    """Of each segmenter its name, the rows with a mask and a group beside the source, and their Dice."""
    for segmenter in bench.segmenters:
        chosen = prompted_rows(bench, segmenter, bench.sizes.corrupted * 2)
        some = [row for one in chosen for row in one.rows if set(row.groups) - {"source"}]
        found = targets(bench, some)
        values = [dice(answered(segmenter, bench.image(one.row).display, Prompt(one.box)), one.mask) for one in found]
        bench.step(f"{segmenter.card.name}, Dice")
        taught = sum(segmenter.card.name in one.row.taught for one in found)
        note = "from a box" + (f"; {taught} of these images taught the model: too good" if taught else "")
        yield segmenter.card.name, [one.row for one in found], np.array(values), note
    for tool in bench.outliners:
        chosen_rows = unprompted_rows(bench, tool, bench.sizes.images)
        values, rows = [], []
        for row in chosen_rows.rows:
            mask = mask_of(row, bench.image(row).display.shape[:2])
            if mask is not None and mask.any():
                seen = outlined(tool, bench, row)
                values.append(0.0 if seen is None else dice(seen, mask))
                rows.append(row)
        bench.step(f"{tool.card.name}, Dice")
        yield tool.card.name, rows, np.array(values), chosen_rows.note


def _dice(bench: Bench, name: str, rows: Sequence[Row], values: Floats, note: str, outcome: Outcome) -> None:
    """Mean Dice by group."""

    def figure(told: str, at: NDArray[np.intp]) -> Measured:
        return drawn_again(told, lambda r: float(values[at][r].mean()), [rows[k].patient for k in at], name, "higher",
                           "The masks were drawn by few people.", note)  # fmt: skip

    if not means_by_group(bench, name, "Dice", rows, values, "higher", figure, outcome, FEWEST_MASKS):
        outcome.not_done.append(f"{name}, Dice by group: no masks of two groups.")


def _refusals(bench: Bench, outcome: Outcome) -> None:
    """Refused by the domain identifier, by group: refusal must not hide a gap."""
    name = bench.identifier.card.name
    told_of = [row for row in bench.manifest.rows if row.domain is not None and set(row.groups) - {"source"}]
    chosen = [chosen_of([row for row in told_of if row.domain == label], name, bench.sizes.images, bench.seed)
              for label in dict.fromkeys(row.domain for row in told_of)]  # fmt: skip
    rows = [row for one in chosen for row in one.rows]
    taught = sum(one.taught for one in chosen)
    note = f"{taught} of these images taught the model: too good" if taught else ""
    refused = np.array([not one.accepted for one in bench.decisions(rows)], dtype=np.float64)

    def figure(told: str, at: NDArray[np.intp]) -> Measured:
        return share_of(told, int(refused[at].sum()), len(at), name, "lower",
                        "Why: a group may have the worse pictures.", note)  # fmt: skip

    means_by_group(bench, name, "refused", rows, refused, "lower", figure, outcome, left_out="source")
