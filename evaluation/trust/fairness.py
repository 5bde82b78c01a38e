"""T5, fairness: every figure by group, the worst gap with intervals that know how many were looked at.

A gap is the best group's figure less the worst group's. Two things are said of it: an interval of that difference by
drawing patients again, at a level corrected for all gaps of the model (Bonferroni), and how often a gap as large
comes up when the groups are dealt out at random among the patients, corrected by Holm's method.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, bootstrap, ece
from evaluation.trust.bench import Bench, Subject, chosen_of
from evaluation.trust.manifest import Row, mask_of
from evaluation.trust.outcome import ROUNDS, Better, Measured, Outcome, drawn_again, share_of
from evaluation.trust.outlines import answered, dice, outlined, prompted_rows, targets, unprompted_rows
from evaluation.trust.reliability import LIES_HIGH, area, known_rows, prevalence, truth_of, weights_at
from tools.calibration import decide
from tools.segmentation.prompts import Prompt

Bools = NDArray[np.bool_]
Statistic = Callable[[NDArray[np.intp]], float]
FEWEST = 30
"""Rows under which nothing is said of a group."""
FEWEST_MASKS = 15
"""Masks under which nothing is said of a group: a mean asks for fewer rows than a ranking."""
FEWEST_OF_CLASS = 10
"""Rows with a label, and rows without, under which nothing is ranked within a group."""
MOST_GROUPS = 12
SPECIFICITY = 0.9
OTHERS = "The groups differ in more than their name: in disease, machine and hospital; the gap says nothing of why."
SMALL = "An interval that holds 0 does not show that there is no gap."


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
            "The threshold is that of all groups together, taken from the same rows."),
    Measure("underdiagnosis: ill, but decided absent", "lower", _underdiagnosis, True,
            "A model that decides nothing has none; see the share decided."),
    Measure("ECE", "lower", _ece, True,
            "At the card's prevalence, where it has one, in every group; larger in small groups by chance alone. "
            f"{LIES_HIGH}"),
    Measure("decided", None, lambda s, r: float(s.decided[r].mean()), False,
            "Declining hides a gap among those answered; read it with the figures above."),
)  # fmt: skip


def fairness(bench: Bench) -> Outcome:
    """All of T5."""
    outcome = Outcome(
        done=[f"By {', '.join(bench.manifest.group_columns) or 'no column'}, and by two of them together."]
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
                            [rows[k].patient for k in at], name, measure.better, measure.unshown, chosen.note)
            )  # fmt: skip
        if len(told) > 1:
            level = 1 - 0.05 / len(planned)
            gaps.append(_gap(bench, name, f"{measure.name}, {label}, {by}", told, lambda r, m=measure: m.of(said, r),  # type: ignore[misc]
                             rows, measure.better, level))  # fmt: skip
            bench.step(f"{name}, {by}")
    outcome.figures += holm(gaps)
    if few:
        outcome.not_done.append(f"{name}, {label}: too few to say: {_named(few)}.")


def _named(few: Sequence[str]) -> str:
    """The groups that are too small: by name, those of two columns by their number."""
    small = list(dict.fromkeys(few))
    told = [one for one in small if " and " not in one]
    if both := len(small) - len(told):
        told.append(f"{both} groups of two columns" if both > 1 else "a group of two columns")
    return ", ".join(told)


def _within(measure: Measure, said: Said, at: NDArray[np.intp]) -> Statistic:
    return lambda r: measure.of(said, at[r])


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


Groups = dict[str, NDArray[np.intp]]
"""Row numbers by group."""


def groupings(bench: Bench, rows: Sequence[Row]) -> dict[str, Groups]:
    """The groups of every column that has 2 to ``MOST_GROUPS`` values here, and of every two such columns together."""
    columns = {}
    for name in bench.manifest.group_columns:
        values = [row.groups.get(name) for row in rows]
        if 2 <= len({one for one in values if one}) <= MOST_GROUPS:
            columns[name] = values
    found = {name: _at(values) for name, values in columns.items()}
    for one, other in combinations(columns, 2):
        pairs = zip(columns[one], columns[other], strict=True)
        found[f"{one} and {other}"] = _at([f"{a}, {b}" if a and b else None for a, b in pairs])
    return found


def _at(values: Sequence[str | None]) -> Groups:
    return {
        name: np.array([k for k, one in enumerate(values) if one == name], dtype=np.intp)
        for name in sorted({one for one in values if one})
    }


def usable(bench: Bench, groups: Mapping[str, NDArray[np.intp]], truth: Bools | None) -> Groups:
    """The groups with rows enough; with ``truth``, also with enough of both classes."""
    least, of_class = (4, 1) if bench.quick else (FEWEST, FEWEST_OF_CLASS)

    def enough(at: NDArray[np.intp]) -> bool:
        both = truth is None or (truth[at].sum() >= of_class and (~truth[at]).sum() >= of_class)
        return len(at) >= least and bool(both)

    return {name: at for name, at in groups.items() if enough(at)}


def _gap(
    bench: Bench, subject: str, told: str, groups: Groups, statistic: Statistic, rows: Sequence[Row],
    better: Better | None, level: float,
) -> Measured:  # fmt: skip
    values = {name: statistic(at) for name, at in groups.items()}
    high, low = max(values, key=lambda k: values[k]), min(values, key=lambda k: values[k])
    gap, n = values[high] - values[low], int(sum(map(len, groups.values())))
    towards: Better | None = "lower" if better else None
    if gap == 0:
        return Measured(f"worst gap, {told}", 0.0, n, note=f"{values[high]:.3f} in every group; p = 1.0000",
                        subject=subject, better=towards, unshown=OTHERS)  # fmt: skip
    both = np.concatenate([groups[high], groups[low]])
    first = np.concatenate([np.ones(len(groups[high]), bool), np.zeros(len(groups[low]), bool)])

    def difference(r: NDArray[np.intp]) -> float:
        return statistic(both[r][first[r]]) - statistic(both[r][~first[r]])

    rounds = 60 if bench.quick else max(ROUNDS, round(10 / (1 - level)))
    interval = bootstrap(difference, [rows[k].patient for k in both], rounds, bench.seed, level)
    chance = _by_chance(bench, groups, statistic, rows, gap, 60 if bench.quick else ROUNDS)
    worst = low if better == "higher" else high
    return Measured(
        f"worst gap, {told}", round(gap, 4), n,
        interval if all(map(np.isfinite, interval)) else None,
        note=f"{high} {values[high]:.3f}, {low} {values[low]:.3f}; "
             + (f"worst for {worst}; " if better else "") + f"p = {chance:.4f}",
        subject=subject, better=towards, unshown=f"{OTHERS} {SMALL}",
    )  # fmt: skip


def _by_chance(
    bench: Bench, groups: Groups, statistic: Statistic, rows: Sequence[Row], gap: float, rounds: int
) -> float:
    """How often dealing the groups out at random among patients gives a gap as large."""
    draw = bench.generator("deal", *groups)
    at = np.concatenate(list(groups.values()))
    sizes = np.cumsum([len(one) for one in groups.values()])[:-1]
    people, person = np.unique([rows[k].patient for k in at], return_inverse=True)
    as_large = 1
    for _ in range(rounds):
        order = np.argsort(draw.permutation(len(people))[person], kind="stable")
        dealt = [statistic(part) for part in np.split(at[order], sizes)]
        finite = [one for one in dealt if np.isfinite(one)]
        as_large += bool(finite) and max(finite) - min(finite) >= gap - 1e-12
    return as_large / (rounds + 1)


def holm(gaps: Sequence[Measured]) -> list[Measured]:
    """The gaps with the chance of each corrected for all of them (Holm, 1979), and what it comes to in words."""
    raw = [float(one.note.rpartition("p = ")[2]) for one in gaps]
    order = np.argsort(raw, kind="stable")
    corrected = np.zeros(len(raw))
    highest = 0.0
    for place, k in enumerate(order):
        highest = max(highest, min(1.0, raw[k] * (len(raw) - place)))
        corrected[k] = highest
    out = []
    for one, p in zip(gaps, corrected, strict=True):
        before = one.note.rpartition("p = ")[0]
        word = "a gap beyond chance" if p <= 0.05 else "may be chance"
        out.append(replace(one, note=f"{before}p = {p:.3f} of {len(gaps)} gaps (Holm): {word}"))
    return out


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
    """Mean Dice by group, and the worst gaps."""
    groups = {by: of for by, of in groupings(bench, rows).items() if " and " not in by}
    least = 4 if bench.quick else FEWEST_MASKS
    gaps, few = [], []
    for by, of in groups.items():
        told = {group: at for group, at in of.items() if len(at) >= least}
        few += [f"{by} {group} (n {len(at)})" for group, at in of.items() if group not in told]
        for group, at in told.items():
            outcome.figures.append(
                drawn_again(f"Dice, {by} {group}", lambda r, v=values[at]: float(v[r].mean()),  # type: ignore[misc]
                            [rows[k].patient for k in at], name, "higher", "The masks were drawn by few people.", note)
            )  # fmt: skip
        if len(told) > 1:
            level = 1 - 0.05 / len(groups)
            gaps.append(
                _gap(bench, name, f"Dice, {by}", told, lambda r: float(values[r].mean()), rows, "higher", level)
            )
    outcome.figures += holm(gaps)
    if few:
        outcome.not_done.append(f"{name}, Dice: too few to say: {_named(few)}.")
    if not groups:
        outcome.not_done.append(f"{name}, Dice by group: no masks of two groups.")


def _refusals(bench: Bench, outcome: Outcome) -> None:
    """Refused by the domain identifier, by group: refusal must not hide a gap."""
    name = bench.identifier.card.name
    told_of = [row for row in bench.manifest.rows if row.domain is not None and set(row.groups) - {"source"}]
    chosen = [chosen_of([row for row in told_of if row.domain == label], name, bench.sizes.images, bench.seed)
              for label in dict.fromkeys(row.domain for row in told_of)]  # fmt: skip
    rows = [row for one in chosen for row in one.rows]
    if not rows:
        return
    taught = sum(one.taught for one in chosen)
    note = f"{taught} of these images taught the model: too good" if taught else ""
    refused = np.array([not one.accepted for one in bench.decisions(rows)], dtype=np.float64)
    groups = {by: of for by, of in groupings(bench, rows).items() if by != "source" and " and " not in by}
    gaps, few = [], []
    for by, of in groups.items():
        told = usable(bench, of, None)
        few += [f"{by} {group} (n {len(at)})" for group, at in of.items() if group not in told]
        for group, at in told.items():
            outcome.figures.append(
                share_of(f"refused, {by} {group}", int(refused[at].sum()), len(at), name, "lower",
                         "Why: a group may have the worse pictures.", note)
            )  # fmt: skip
        if len(told) > 1:
            level = 1 - 0.05 / len(groups)
            gaps.append(
                _gap(bench, name, f"refused, {by}", told, lambda r: float(refused[r].mean()), rows, "lower", level)
            )
    outcome.figures += holm(gaps)
    if few:
        outcome.not_done.append(f"{name}, refused: too few to say: {_named(few)}.")
