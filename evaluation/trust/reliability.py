"""T3, reliability: calibration, risk against coverage, what is decided, refusals, certificates, planted errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.measure import Floats, auroc, ece
from evaluation.planted_errors import figures as planted_figures
from evaluation.planted_errors import rows_of
from evaluation.trust.bench import Bench, Chosen, Subject
from evaluation.trust.manifest import Row, drawn
from evaluation.trust.outcome import Curve, Measured, Outcome, Point, drawn_again, share_of
from guardrails.certificate import Outcomes, certify
from tools.calibration import decide

ALPHA = DELTA = 0.1
SPLITS = 40
FEWEST = 10
"""Rows with a label, and rows without, under which a label gets no figure."""

LIES_HIGH = "Rows drawn again add chance of their own, so its interval lies somewhat too high."
ONE_SET = "It says nothing of other hospitals, machines or times: the rows are those of the manifest."


def reliability(bench: Bench) -> Outcome:
    """All of T3 but what asks the whole assistant."""
    outcome = Outcome(
        done=["Calibration, risk and coverage of every classifier; domain; certificates; planted errors."]
    )
    for subject in bench.subjects:
        _of_subject(bench, subject, outcome)
    outcome.figures += domain_figures(bench)
    if not bench.manifest.of_domain(None):
        outcome.not_done.append("Refusal of what is no medical image: the manifest has no rows of the domain none.")
    _claims(bench, outcome)
    outcome.not_done.append(
        "Certificates of whole answers: the assistant has none unless overread calibrate made them."
    )
    return outcome


def known_rows(subject: Subject, label: str, most: int) -> Chosen:
    """The rows on which a label is measured: those of which it is known whether they show it."""
    return subject.rows(most, lambda row: row.holds(label) is not None, label)


def truth_of(rows: Sequence[Row], label: str) -> NDArray[np.bool_]:
    """Which rows show a label; all of them must be known."""
    return np.array([bool(row.holds(label)) for row in rows], dtype=bool)


def too_few(truth: NDArray[np.bool_], least: int = FEWEST) -> bool:
    """Whether there are too few rows with the label, or without."""
    return bool(truth.sum() < least or (~truth).sum() < least)


def _of_subject(bench: Bench, subject: Subject, outcome: Outcome) -> None:
    name = subject.card.name
    bins: dict[str, tuple[Point, ...]] = {}
    risks: dict[str, tuple[Point, ...]] = {}
    for column, label in enumerate(subject.labels):
        chosen = known_rows(subject, label, bench.sizes.images)
        rows = chosen.rows
        p = subject.chances(rows, lambda: bench.step(name))[:, column]
        told = ~np.isnan(p)
        rows = tuple(row for row, keep in zip(rows, told, strict=True) if keep)
        p, truth = p[told], truth_of(rows, label)
        least = 2 if bench.quick else FEWEST
        if too_few(truth, least):
            outcome.not_done.append(
                f"{name}, {label}: {int(truth.sum())} rows with it and {int((~truth).sum())} without; {least} of each "
                "are needed."
            )
            continue
        who = [row.patient for row in rows]
        outcome.figures += _figures(subject, label, p, truth, who, chosen.note)
        bins[label] = _bins(p, truth, weights_at(prevalence(subject, label), truth))
        risks[label] = _risk_curve(p, truth)
        fresh = _fresh_certificates(bench, subject, label, p, truth, who)
        outcome.figures += fresh
    if bins:
        diagonal = (Point(0, 0), Point(1, 1))
        outcome.curves.append(Curve(f"{name}: said and seen", "probability said", "share seen",
                                    {**bins, "as it should be": diagonal}))  # fmt: skip
        outcome.curves.append(Curve(f"{name}: risk and coverage", "share answered, surest first",
                                    "error among them", risks, None))  # fmt: skip


def prevalence(subject: Subject, label: str) -> float | None:
    """The prevalence of which the card's calibration of a label speaks, where it names one."""
    said = subject.card.calibration.get("prevalence")
    said = said.get(label) if isinstance(said, dict) else said
    return float(said) if isinstance(said, int | float) and 0 < said < 1 else None


def weights_at(wanted: float | None, truth: NDArray[np.bool_]) -> Floats:
    """Weights that give rows the prevalence ``wanted``: that of which a card's calibration speaks."""
    share = float(truth.mean())
    if wanted is None or share in (0.0, 1.0):
        return np.ones(len(truth))
    return np.where(truth, wanted / share, (1 - wanted) / (1 - share))


def _figures(
    subject: Subject, label: str, p: Floats, truth: NDArray[np.bool_], who: Sequence[str], note: str
) -> list[Measured]:
    name = subject.card.name
    wanted = prevalence(subject, label)
    weight = weights_at(wanted, truth)
    at = f"at the card's prevalence of {wanted:g}" if wanted else "at the manifest's prevalence"
    bins = 10
    correct = (p >= 0.5) == truth
    sure = np.maximum(p, 1 - p)
    decisions = [decide(next(one for one in subject.card.labels if one.name == label), float(one)) for one in p]
    decided = np.array([one != "indeterminate" for one in decisions])
    wrong = np.array([(one == "present") != t for one, t in zip(decisions, truth, strict=True)]) & decided
    noted = "; ".join(filter(None, (at, note)))
    return [
        drawn_again(f"AUROC, {label}", lambda r: area(truth[r], p[r]), who, name, "higher",
                    f"Which threshold to use, and how it does elsewhere. {ONE_SET}", note),
        drawn_again(f"ECE, {label}", lambda r: ece(truth[r], p[r], weight[r], bins), who, name, "lower",
                    f"It is pushed up by few rows, and hides errors that cancel out within a bin. {LIES_HIGH}", noted),
        drawn_again(f"Brier score, {label}", lambda r: float((weight[r] * (p[r] - truth[r]) ** 2).sum() /
                    weight[r].sum()), who, name, "lower", "It mixes calibration and sharpness.", noted),
        drawn_again(f"AURC, {label}", lambda r: aurc(sure[r], correct[r]), who, name, "lower",
                    "The mean error over all shares answered: a model that is seldom wrong has a low one however badly "
                    "it knows when.", note),
        share_of(f"decided, {label}", int(decided.sum()), len(p), name, None,
                 "More is not better: whether the decisions are right is the next figure.", note),
        share_of(f"wrong among the decided, {label}", int(wrong.sum()), int(decided.sum()), name, "lower",
                 "It counts a missed and an invented finding alike, at the manifest's own prevalence.", note),
    ]  # fmt: skip


def area(truth: NDArray[np.bool_], p: Floats) -> float:
    """The area under the ROC curve; NaN where one class is missing, so that such a draw is left out."""
    return float("nan") if truth.all() or not truth.any() else auroc(truth, p)


def aurc(sure: Floats, correct: NDArray[np.bool_]) -> float:
    """The area under risk against coverage (Geifman and El-Yaniv, 2017): the mean error over all shares answered."""
    order = np.argsort(-sure, kind="stable")
    wrong = np.cumsum(~correct[order])
    return float((wrong / np.arange(1, len(order) + 1)).mean())


def _risk_curve(p: Floats, truth: NDArray[np.bool_]) -> tuple[Point, ...]:
    order = np.argsort(-np.maximum(p, 1 - p), kind="stable")
    wrong = np.cumsum(((p >= 0.5) != truth)[order])
    n = len(order)
    places = np.unique(np.linspace(max(n // 20, 1), n, 40).round().astype(int))
    return tuple(Point(round(k / n, 4), round(float(wrong[k - 1] / k), 4)) for k in places)


def _bins(p: Floats, truth: NDArray[np.bool_], weight: Floats, count: int = 8) -> tuple[Point, ...]:
    parts = np.array_split(np.argsort(p, kind="stable"), min(count, len(p)))
    found = [(float(np.average(p[part], weights=weight[part])), float(np.average(truth[part], weights=weight[part])))
             for part in parts]  # fmt: skip
    return tuple(Point(round(x, 4), round(y, 4)) for x, y in found)


def _fresh_certificates(
    bench: Bench, subject: Subject, label: str, p: Floats, truth: NDArray[np.bool_], who: Sequence[str]
) -> list[Measured]:
    """Certify on half of the patients, look at the error among what the other half lets answer; many times."""
    draw = bench.generator("certificate", subject.card.name, label)
    people = np.array(sorted(set(who)))
    scores, correct = np.maximum(p, 1 - p), (p >= 0.5) == truth
    given = wrong = answered = 0
    rounds = 5 if bench.quick else SPLITS
    for _ in range(rounds):
        first = np.isin(np.array(who), draw.permutation(people)[: len(people) // 2])
        made = certify(Outcomes(scores[first], correct[first]), ALPHA, DELTA)
        if made.threshold is not None:
            kept = ~first & (scores >= made.threshold)
            given, answered = given + 1, answered + int(kept.sum())
            wrong += int((kept & ~correct).sum())
    value = round(wrong / answered, 4) if answered else None
    note = f"{given} of {rounds} halves could be certified for an error of {ALPHA:g}"
    return [
        Measured(f"error on fresh rows under a certificate, {label}", value, len(p), note=note, better="lower",
                 subject=subject.card.name, unshown="The fresh rows are of the same sets: a shift can break any "
                 "certificate. No interval is given, since the halves overlap.")
    ]  # fmt: skip


def domain_figures(bench: Bench) -> list[Measured]:
    """How often the kind of an image is named rightly, accepted, and refused where it must be."""
    name = bench.identifier.card.name
    named = accepted = wrong = n = 0
    taught = 0
    for label, chosen in bench.per_domain(max(bench.sizes.images // 8, 2), name).items():
        taught += chosen.taught
        for one in bench.decisions(chosen.rows):
            n += 1
            accepted += one.accepted
            right = one.label is not None and (one.label == label or label.startswith(one.label + "/"))
            named += right
            wrong += one.accepted and not right
    note = f"{taught} of these images taught the model: too good" if taught else ""
    photographs = drawn(bench.manifest.of_domain(None), bench.sizes.images, bench.seed)
    fresh = [row for row in photographs if name not in row.taught] or photographs
    refused = sum(not one.accepted for one in bench.decisions(fresh))
    known = sum(name in row.taught for row in fresh)
    return [
        share_of("kind named rightly", named, n, name, "higher", "A modality alone counts as right. " + ONE_SET, note),
        share_of("must answer: accepted", accepted, n, name, "higher", "Whether the kind is right.", note),
        share_of("accepted as another kind", wrong, n, name, "lower", "Whether a tool then ran on it.", note),
        share_of("must refuse: refused", refused, len(fresh), name, "higher",
                 "These are the manifest's kinds of other pictures alone; others may be accepted.",
                 f"{known} of these images taught the model: too good" if known else ""),
    ]  # fmt: skip


def _claims(bench: Bench, outcome: Outcome) -> None:
    found = planted_figures(list(rows_of("reporting"))[:: 9 if bench.quick else 1])
    unshown = "The sentences are made from templates; a language model makes others. Rows of one template are alike."
    for one in found:
        good = one["kind"] != "true sentences withheld"
        name = f"planted: {one['kind']}" + (", stopped" if good else "")
        outcome.figures.append(
            Measured(name, one["stopped"], one["n"], (one["interval"][0], one["interval"][1]),
                     note=f"{one['templates']} templates", subject="claim checks",
                     better="higher" if good else "lower", unshown=unshown)
        )  # fmt: skip
