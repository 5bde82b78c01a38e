"""Groups of people in a fairness report: who is in which, what is said of each, and the worst gap between them.

A gap is the best group's figure less the worst group's. Two things are said of it: an interval of that difference by
drawing patients again, at a level corrected for all gaps of the model (Bonferroni), and how often a gap as large
comes up when the groups are dealt out at random among the patients, corrected by Holm's method.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, bootstrap
from evaluation.trust.bench import Bench
from evaluation.trust.manifest import Row
from evaluation.trust.outcome import ROUNDS, Better, Measured, Outcome

Bools = NDArray[np.bool_]
Statistic = Callable[[NDArray[np.intp]], float]
FEWEST = 30
"""Rows under which nothing is said of a group."""
FEWEST_MASKS = 15
"""Masks under which nothing is said of a group: a mean asks for fewer rows than a ranking."""
FEWEST_OF_CLASS = 10
"""Rows with a label, and rows without, under which nothing is ranked within a group."""
MOST_GROUPS = 12
OTHERS = "The groups differ in more than their name: in disease, machine and hospital; the gap says nothing of why."
SMALL = "An interval that holds 0 does not show that there is no gap."

Groups = dict[str, NDArray[np.intp]]
"""Row numbers by group."""


def groupings(bench: Bench, rows: Sequence[Row]) -> dict[str, Groups]:
    """The groups of every column that has 2 to ``MOST_GROUPS`` values here, and of every two such columns together.

    Two of which one tells all that the other does, as an age tells the age band, make no groups of their own.
    """
    columns = {}
    for name in bench.manifest.group_columns:
        values = [row.groups.get(name) for row in rows]
        if 2 <= len({one for one in values if one}) <= MOST_GROUPS:
            columns[name] = values
    found = {name: _at(values) for name, values in columns.items()}
    for one, other in combinations(columns, 2):
        pairs = [(a, b) if a and b else None for a, b in zip(columns[one], columns[other], strict=True)]
        known = {pair for pair in pairs if pair is not None}
        if len(known) > max(len({a for a, _ in known}), len({b for _, b in known}), 1):
            found[f"{one} and {other}"] = _at([None if pair is None else ", ".join(pair) for pair in pairs])
    return found


def _at(values: Sequence[str | None]) -> Groups:
    return {
        name: np.array([k for k, one in enumerate(values) if one == name], dtype=np.intp)
        for name in sorted({one for one in values if one})
    }


def usable(bench: Bench, groups: Mapping[str, NDArray[np.intp]], truth: Bools | None, fewest: int = FEWEST) -> Groups:
    """The groups with rows enough; with ``truth``, also with enough of both classes."""
    least, of_class = (4, 1) if bench.quick else (fewest, FEWEST_OF_CLASS)

    def enough(at: NDArray[np.intp]) -> bool:
        both = truth is None or (truth[at].sum() >= of_class and (~truth[at]).sum() >= of_class)
        return len(at) >= least and bool(both)

    return {name: at for name, at in groups.items() if enough(at)}


def gap_between(
    bench: Bench, subject: str, told: str, groups: Groups, statistic: Statistic, rows: Sequence[Row],
    better: Better | None, level: float,
) -> Measured:  # fmt: skip
    """The worst gap of one figure: ``statistic`` of the best group's row numbers less that of the worst group's."""
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
        note=f"{high} {round(values[high], 4):.3f}, {low} {round(values[low], 4):.3f}; "
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


def named(few: Sequence[str]) -> str:
    """The groups that are too small: by name, those of two columns by their number."""
    small = list(dict.fromkeys(few))
    told = [one for one in small if " and " not in one]
    if both := len(small) - len(told):
        told.append(f"{both} groups of two columns" if both > 1 else "a group of two columns")
    return ", ".join(told)


def means_by_group(
    bench: Bench, subject: str, told: str, rows: Sequence[Row], values: Floats, better: Better,
    figure: Callable[[str, NDArray[np.intp]], Measured], outcome: Outcome, fewest: int = FEWEST,
    left_out: str | None = None,
) -> bool:  # fmt: skip
    """The mean of ``values``, one a row, by every single column but ``left_out``, and the worst gaps.

    ``figure`` tells one group: it gets the figure's name and the group's row numbers. False where the rows are of no
    two groups.
    """
    found = groupings(bench, rows)
    groups = {by: of for by, of in found.items() if " and " not in by and by != left_out}
    gaps, few = [], []
    for by, of in groups.items():
        enough = usable(bench, of, None, fewest)
        few += [f"{by} {group} (n {len(at)})" for group, at in of.items() if group not in enough]
        outcome.figures += [figure(f"{told}, {by} {group}", at) for group, at in enough.items()]
        if len(enough) > 1:
            level = 1 - 0.05 / len(groups)
            gaps.append(
                gap_between(
                    bench, subject, f"{told}, {by}", enough, lambda r: float(values[r].mean()), rows, better, level
                )
            )
    outcome.figures += holm(gaps)
    if few:
        outcome.not_done.append(f"{subject}, {told}: too few to say: {named(few)}.")
    return bool(groups)
