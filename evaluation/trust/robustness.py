"""T2, robustness: spoilt images for the domain and the classifiers, and sources that taught nothing."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats
from evaluation.trust.bench import AT_ONCE, SMALL_SIDE, Bench, Pixels, Subject, changed, small
from evaluation.trust.corruption import CORRUPTIONS, corrupt
from evaluation.trust.manifest import Row, drawn
from evaluation.trust.outcome import Better, Curve, Measured, Outcome, Point, drawn_again, share_of
from evaluation.trust.reliability import area, known_rows, too_few, truth_of
from overread.records import Decision
from tools.calibration import decide

DRAWN = "The corruptions are drawn by a program; a real bad picture is bad in other ways."
UNJUDGED = "Declining is right where a picture is too bad to be read, which nobody judged."
Key = tuple[str, int]
"""A corruption and its severity; ``("clean", 0)`` for the image as it is."""
CLEAN: Key = ("clean", 0)
CHANGES = ("change of the probability", "decisions turned round")
"""Figures that are changes from the clean image, and 0 on it."""

Values = dict[Key, Floats]
"""A number a row, float64 ``(N,)``, by corruption."""


def robustness(bench: Bench) -> Outcome:
    """T2 for the domain identifier and for every classifier."""
    names = corruptions(bench)
    severities = " and ".join(map(str, bench.sizes.severities))
    outcome = Outcome(
        done=[
            f"{len(names)} corruptions ({', '.join(names)}) at severity {severities} of 3, of pictures that were first "
            f"reduced to {SMALL_SIDE} pixels on the longer side: the networks see less."
        ]
    )
    _domain(bench, outcome)
    for subject in bench.subjects:
        _classifier(bench, subject, outcome)
    _sources(bench, outcome)
    return outcome


def corruptions(bench: Bench) -> tuple[str, ...]:
    """The corruptions of a run."""
    return bench.sizes.corruptions or tuple(CORRUPTIONS)


def keys(bench: Bench) -> list[Key]:
    """The clean image, then every corruption at every severity."""
    return [CLEAN, *((name, k) for name in corruptions(bench) for k in bench.sizes.severities)]


def copy_of(bench: Bench, row: Row, key: Key, reduced: bool = False) -> Pixels:
    """A row's image, spoilt in one way; the same for the same seed. With ``reduced``, the ``small`` picture of it."""
    display = bench.image(row).display
    if reduced:
        display = small(display)
    return display if key == CLEAN else corrupt(display, *key, bench.generator("spoil", row.number, *key))


def tell(
    bench: Bench, subject: str, what: str, values: Values, who: Sequence[str], better: Better | None, unshown: str,
    note: str, outcome: Outcome, share: bool = False,
) -> None:  # fmt: skip
    """The mean of ``values`` clean and at each severity over all corruptions, the worst one, and the curve."""
    counted = len(set(who)) if share else None
    for severity in (0, *bench.sizes.severities):
        stack = np.stack([one for key, one in values.items() if key[1] == severity])
        if severity == 0 and what in CHANGES:
            continue
        told = "clean" if severity == 0 else f"severity {severity}"
        outcome.figures.append(
            drawn_again(
                f"{what}, {told}", _mean(stack), who, subject, better, f"{unshown} {DRAWN}", note, counted=counted
            )
        )
    top = max(bench.sizes.severities)
    at_top = [key for key in values if key[1] == top]
    pick = max if better == "lower" else min
    worst = pick(at_top, key=lambda key: float(values[key].mean()))
    if better is not None and len({float(values[key].mean()) for key in at_top}) > 1:
        said = "; ".join(filter(None, (f"{worst[0]}, severity {top}", note)))
        unsaid = "The worst of many is picked on the same rows, so it looks a little worse than it is."
        outcome.figures.append(
            drawn_again(f"{what}, worst corruption", _mean(values[worst][None]), who, subject, better, unsaid, said)
        )
    lines = {
        name: (
            Point(0, round(float(values[CLEAN].mean()), 4)),
            *(Point(k, round(float(values[name, k].mean()), 4)) for k in bench.sizes.severities),
        )
        for name in corruptions(bench)
    }
    outcome.curves.append(Curve(f"{subject}: {what}", "severity", what, lines, None))


def _mean(stack: Floats) -> Callable[[NDArray[np.intp]], float]:
    return lambda rows: float(stack[:, rows].mean())


def _domain(bench: Bench, outcome: Outcome) -> None:
    card = bench.identifier.card.name
    chosen = bench.per_domain(bench.sizes.corrupted if not bench.quick else 1, card)
    rows = [row for one in chosen.values() for row in one.rows]
    taught = sum(one.taught for one in chosen.values())
    note = f"{taught} of these images taught the model: too good" if taught else ""
    right: Values = {key: np.zeros(len(rows)) for key in keys(bench)}
    taken: Values = {key: np.zeros(len(rows)) for key in keys(bench)}
    for begin in range(0, len(rows), AT_ONCE):
        some = rows[begin : begin + AT_ONCE]
        for key in keys(bench):
            found = bench.identifier.identify([copy_of(bench, row, key, reduced=True) for row in some])
            for number, (one, row) in enumerate(zip(found, some, strict=True), begin):
                right[key][number] = one.label is not None and _names(one.label, row)
                taken[key][number] = one.accepted
            bench.step(f"{card}, {begin} of {len(rows)} images, {key[0]}")
    silent: Values = {key: taken[key] * (1 - right[key]) for key in right}
    who = [row.patient for row in rows]
    tell(bench, card, "kind named rightly", right, who, "higher", "A modality alone counts as right.", note, outcome,
         share=True)  # fmt: skip
    tell(bench, card, "accepted", taken, who, None, UNJUDGED, note, outcome, share=True)
    tell(bench, card, "accepted as another kind", silent, who, "lower", "Whether a tool then ran on it.", note, outcome,
         share=True)  # fmt: skip
    outcome.figures.append(_starts_to_refuse(bench, card, taken, len(rows)))


def _names(label: str, row: Row) -> bool:
    return row.domain is not None and (row.domain == label or row.domain.startswith(label + "/"))


def _starts_to_refuse(bench: Bench, card: str, taken: Values, n: int) -> Measured:
    """From which severity on a tenth more are refused than of the clean images."""
    clean = float(taken[CLEAN].mean())
    for severity in bench.sizes.severities:
        at = float(np.stack([one for key, one in taken.items() if key[1] == severity]).mean())
        if at <= clean - 0.1:
            return Measured("severity from which a tenth more is refused", severity, n, subject=card,
                            unshown=UNJUDGED)  # fmt: skip
    return Measured("severity from which a tenth more is refused", None, n, subject=card, unshown=UNJUDGED,
                    note="at none of them")  # fmt: skip


def _classifier(bench: Bench, subject: Subject, outcome: Outcome) -> None:
    card = subject.card
    known = known_rows(subject, subject.labels[0], bench.sizes.corrupted)
    rows = [row for row in known.rows if all(row.holds(label) is not None for label in subject.labels)]
    clean = _said_of(bench, subject, rows, CLEAN)
    rows = [row for row, one in zip(rows, clean, strict=True) if not np.isnan(one).any()]
    if len(rows) < 2:
        outcome.not_done.append(f"{card.name}: fewer than two rows that it decides about and whose labels are known.")
        return
    who = [row.patient for row in rows]
    found = {}
    for key in keys(bench):
        found[key] = _said_of(bench, subject, rows, key)
        bench.step(f"{card.name}, {key[0]}")
    for column, label in enumerate(card.labels):
        _areas(bench, subject, label.name, {key: one[:, column] for key, one in found.items()}, rows, known.note,
               outcome)  # fmt: skip
    changes = {key: np.abs(one - found[CLEAN]).mean(axis=1) for key, one in found.items()}
    decided = {key: _decisions(subject, one) for key, one in found.items()}
    turned = {
        key: np.array([_turned(a, b) for a, b in zip(decided[CLEAN], one, strict=True)]) for key, one in decided.items()
    }
    open_ = {key: np.array([[d == "indeterminate" for d in row] for row in one]).mean(axis=1)
             for key, one in decided.items()}  # fmt: skip
    towards = "A change may be towards the truth."
    tell(bench, card.name, CHANGES[0], changes, who, "lower", towards, known.note, outcome)
    tell(bench, card.name, CHANGES[1], turned, who, "lower", "Only present to absent and back.",
         known.note, outcome, share=True)  # fmt: skip
    tell(bench, card.name, "left undecided", open_, who, None, UNJUDGED, known.note, outcome, share=True)


def _said_of(bench: Bench, subject: Subject, rows: Sequence[Row], key: Key) -> Floats:
    return subject.of([changed(bench.image(row), copy_of(bench, row, key, reduced=True)) for row in rows])


def _areas(
    bench: Bench, subject: Subject, label: str, found: Mapping[Key, Floats], rows: Sequence[Row], note: str,
    outcome: Outcome,
) -> None:  # fmt: skip
    truth = truth_of(rows, label)
    if too_few(truth, 2 if bench.quick else 5):
        outcome.not_done.append(f"{subject.card.name}, {label}: too few rows with or without it to rank spoilt copies.")
        return
    for severity in (0, *bench.sizes.severities):
        stack = np.stack([one for key, one in found.items() if key[1] == severity])

        def mean_area(r: NDArray[np.intp], stack: Floats = stack) -> float:
            return float(np.mean([area(truth[r], one[r]) for one in stack]))

        told = "clean" if severity == 0 else f"severity {severity}"
        outcome.figures.append(
            drawn_again(f"AUROC, {label}, {told}", mean_area, [row.patient for row in rows], subject.card.name,
                        "higher", f"The mean over corruptions; one of them may be much worse. {DRAWN}", note)
        )  # fmt: skip


def _decisions(subject: Subject, chances: Floats) -> list[list[Decision]]:
    labels = subject.card.labels
    return [[decide(label, float(p)) for label, p in zip(labels, row, strict=True)] for row in chances]


def _turned(before: Sequence[Decision], after: Sequence[Decision]) -> float:
    return float(np.mean([{a, b} == {"present", "absent"} for a, b in zip(before, after, strict=True)]))


def _sources(bench: Bench, outcome: Outcome) -> None:
    """What the domain identifier says of sources of which no row taught it, beside those of which some did."""
    for subject in bench.subjects:
        for column, label in enumerate(subject.labels):
            _shifted(bench, subject, column, label, outcome)
    card = bench.identifier.card.name
    sources: dict[str, list[Row]] = {}
    for row in bench.manifest.rows:
        if row.domain is not None and "source" in row.groups:
            sources.setdefault(row.groups["source"], []).append(row)
    if not sources:
        outcome.not_done.append("Unseen sources: the manifest has no column source.")
        return
    new = {name for name, rows in sources.items() if not any(card in row.taught for row in rows)}
    for told, names in (
        ("sources that taught nothing", new),
        ("sources that taught, other images", sources.keys() - new),
    ):
        rows = [row for name in sorted(names) for row in sources[name] if card not in row.taught]
        rows = rows[:: max(len(rows) // (2 * bench.sizes.images), 1)]
        found = bench.decisions(rows)
        right = sum(one.label is not None and _names(one.label, row) for one, row in zip(found, rows, strict=True))
        note = f"{len(names)} sources: {', '.join(sorted(names))}" if len(names) <= 8 else f"{len(names)} sources"
        outcome.figures.append(
            share_of(f"kind named rightly, {told}", right, len(rows), card, "higher",
                     "A source that taught nothing may still be like one that did. Images of one source are alike, so "
                     "the interval is too narrow.", note)
        )  # fmt: skip


def _shifted(bench: Bench, subject: Subject, column: int, label: str, outcome: Outcome) -> None:
    """A label on each source of which no row taught the model: an area where both classes are there, else a share."""
    name = subject.card.name
    known = [row for row in subject.fitting if row.holds(label) is not None and "source" in row.groups]
    seen = {row.groups["source"] for row in known if name in row.taught}
    for source in sorted({row.groups["source"] for row in known} - seen):
        rows = drawn([row for row in known if row.groups["source"] == source], bench.sizes.images, bench.seed)
        p = subject.chances(rows, lambda: bench.step(f"{name}, another source"))[:, column]
        kept = [(row, float(one)) for row, one in zip(rows, p, strict=True) if not np.isnan(one)]
        truth, said = truth_of([row for row, _ in kept], label), np.array([one for _, one in kept])
        who = [row.patient for row, _ in kept]
        told = f"{label}, unseen source {source}"
        if not too_few(truth, 2 if bench.quick else 10):
            outcome.figures.append(
                drawn_again(f"AUROC, {told}", lambda r, t=truth, s=said: area(t[r], s[r]), who, name, "higher",  # type: ignore[misc]
                            "One other source; the next may be unlike it.")
            )  # fmt: skip
        least = 2 if bench.quick else 10
        alone = "" if min(truth.sum(), (~truth).sum()) >= least else "The source has too few of the others to tell. "
        for ill, words in ((True, "ill and said to be"), (False, "well and said to be")):
            some = said[truth == ill]
            if len(some) >= least:
                hits = int(((some >= 0.5) == ill).sum())
                outcome.figures.append(
                    share_of(f"{words}, at 0.5, {told}", hits, len(some), name, "higher",
                             "The share of the ill and that of the well belong together: a model that calls everybody "
                             f"ill has the first at 1. {alone}Films of one person are counted as if they were of "
                             "several.")
                )  # fmt: skip
