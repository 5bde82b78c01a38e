"""T2, attacks: pictures changed by a few grey levels along a classifier's gradient (PGD), and whether that is noticed.

Projected gradient descent after Madry et al., 2018, on the square that the networks see. The changed square, rounded
to whole grey levels, is then handed to the tool like any picture, so what is counted is what a user would get.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.measure import Floats
from evaluation.trust.bench import Bench, Pixels, Subject
from evaluation.trust.manifest import Row
from evaluation.trust.outcome import Curve, Measured, Outcome, Point, drawn_again, share_of
from evaluation.trust.reliability import area, known_rows, truth_of
from overread.records import Context
from tools.contract import ToolImage
from tools.findings import Findings
from tools.networks import square

LEVELS = (1, 2, 4, 8)
"""Most grey levels, of 255, by which a pixel is changed."""

STEPS = 10
DETECTED_AT = 4
"""Grey levels of the attack on which the detector is tried."""

SQUARE = "The picture is attacked at the size that the network sees, and handed over at that size."
WHITE = "Whoever attacks has the weights. An attack of more steps, or on what a picture is used for, may do better."
UNAWARE = "The attack does not know of the detector; one that does may hide from it."


@dataclass(frozen=True)
class Attacked:
    """One label's rows that the model has right, as squares uint8 ``(N, S, S, 3)``, and what to turn round."""

    subject: Subject
    column: int
    rows: tuple[Row, ...]
    clean: Pixels
    truth: "np.ndarray[tuple[int], np.dtype[np.bool_]]"

    @property
    def people(self) -> list[str]:
        """The patients."""
        return [row.patient for row in self.rows]


def attack(bench: Bench) -> Outcome:
    """PGD on every classifier whose gradient can be had, random noise beside it, transfer, and a detector."""
    levels = LEVELS[2:3] if bench.quick else LEVELS
    told = " and ".join(map(str, levels))
    outcome = Outcome(
        done=[
            f"Projected gradient descent (PGD), {STEPS} steps from a random start, by at most {told} of 255 grey "
            "levels, on the first label of each classifier, against the side of 0.5 that is right. Beside it random "
            "noise of the same size."
        ]
    )
    sets = []
    for subject in bench.subjects:
        if not isinstance(subject.tool, Findings):
            outcome.not_done.append(f"{subject.card.name}: its architecture lets no gradient through here.")
            continue
        one = _chosen(bench, subject)
        if one is None:
            outcome.not_done.append(f"{subject.card.name}: fewer than four rows whose first label is known and right.")
            continue
        sets.append(one)
    made = {}
    for one in sets:
        for level in levels:
            made[one.subject.card.name, level] = pgd(one, level, bench.generator("pgd", one.subject.card.name, level))
            bench.step(f"{one.subject.card.name}, attacked by {level}")
        _told(bench, one, {level: made[one.subject.card.name, level] for level in levels}, outcome)
    for one in sets:
        _transferred(one, [other for other in sets if other is not one],
                     {level: made[one.subject.card.name, level] for level in levels}, outcome)  # fmt: skip
    if not sets:
        outcome.not_done.append("Everything: no classifier could be attacked.")
    return outcome


def _chosen(bench: Bench, subject: Subject) -> Attacked | None:
    label = subject.labels[0]
    known = known_rows(subject, label, 2 * bench.sizes.attacked)
    if not known.rows:
        return None
    side = _tool(subject).square_side
    clean = np.stack([square(bench.image(row).display, side) for row in known.rows])
    truth = truth_of(known.rows, label)
    p = _said(subject, known.rows, clean)[:, 0]
    at = np.flatnonzero(~np.isnan(p) & ((p >= 0.5) == truth))
    # As many ill as well where that can be: else the commoner class alone would be looked at.
    half = max(bench.sizes.attacked // 2, 2)
    kept = np.sort(np.concatenate([at[truth[at]][:half], at[~truth[at]][:half]]))
    if len(kept) < 4:
        return None
    return Attacked(subject, 0, tuple(known.rows[k] for k in kept), clean[kept], truth[kept])


def _tool(subject: Subject) -> Findings:
    tool = subject.tool
    if not isinstance(tool, Findings):
        raise TypeError("only a classifier with exact maps is attacked")
    return tool


def _said(subject: Subject, rows: Sequence[Row], pixels: Pixels, context: Context | None = None) -> Floats:
    """What the tool itself says of squares in the place of the rows' pictures."""
    return subject.of(
        [
            ToolImage(one, row.domain or "", row.context if context is None else context)
            for row, one in zip(rows, pixels, strict=True)
        ]
    )


def pgd(given: Attacked, level: int, draw: np.random.Generator) -> Pixels:
    """The squares, each pixel changed by at most ``level`` grey levels so that the label's side of 0.5 turns round."""
    import torch

    tool = _tool(given.subject)
    grey = tool.card.input.get("channels", 1) == 1
    start = given.clean.astype(np.float32)
    noise = draw.uniform(-level, level, (*start.shape[:3], 1 if grey else 3)).astype(np.float32)
    clean = torch.from_numpy(start)
    change = torch.from_numpy(noise)
    away = torch.from_numpy(np.where(given.truth, 1.0, -1.0).astype(np.float32))
    step = 2.5 * level / STEPS
    for _ in range(STEPS):
        change.requires_grad_(True)
        x = (clean + change).clamp(0, 255) / 255
        seen = x.mean(dim=3, keepdim=True) if grey else x
        logits = tool.networks_maps(seen.permute(0, 3, 1, 2)).mean(dim=(2, 3))[:, given.column]
        (gradient,) = torch.autograd.grad((logits * away).sum(), change)
        change = (change.detach() - step * gradient.sign()).clamp(-level, level)
    out: Pixels = (clean + change.round()).clamp(0, 255).numpy().astype(np.uint8)
    return out


def _told(bench: Bench, given: Attacked, made: "dict[int, Pixels]", outcome: Outcome) -> None:
    name, label = given.subject.card.name, given.subject.labels[given.column]
    n = len(given.rows)
    line, beside = [Point(0, 0.0)], [Point(0, 0.0)]
    note = f"{int(given.truth.sum())} ill and {int((~given.truth).sum())} well, all of them right before"
    for level, pixels in made.items():
        p = _said(given.subject, given.rows, pixels)[:, given.column]
        turned = int(((p >= 0.5) != given.truth).sum())
        noisy = _noisy(given, level, bench.generator("noise", name, level))
        by_noise = int(((_said(given.subject, given.rows, noisy)[:, given.column] >= 0.5) != given.truth).sum())
        line.append(Point(level, round(turned / n, 4)))
        beside.append(Point(level, round(by_noise / n, 4)))
        word = "grey level" if level == 1 else "grey levels"
        outcome.figures += [
            share_of(f"turned round by PGD of {level} {word}, {label}", turned, n, name, "lower", f"{SQUARE} {WHITE}",
                     note),
            share_of(f"turned round by noise of {level} {word}, {label}", by_noise, n, name, "lower", SQUARE),
        ]  # fmt: skip
        if level == DETECTED_AT:
            taken = bench.identifier.identify(list(pixels))
            outcome.figures.append(
                share_of(f"attacked by {level} {word}: still accepted by the domain identifier",
                         sum(one.accepted for one in taken), n, name, None,
                         "The domain identifier was not attacked. It looks for the kind of image, not for attacks.")
            )  # fmt: skip
            _detected(bench, given, pixels, noisy, outcome)
    outcome.curves.append(
        Curve(f"{name}: {label} turned round", "grey levels", "share turned round",
              {"PGD": tuple(line), "random noise": tuple(beside)})
    )  # fmt: skip


def _noisy(given: Attacked, level: int, draw: np.random.Generator) -> Pixels:
    noise = draw.choice([-level, level], (*given.clean.shape[:3], 1))
    out: Pixels = np.clip(given.clean.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return out


def smoothed(pixels: Pixels) -> list[Pixels]:
    """The squares after a median of 3 by 3 pixels, and after JPEG of quality 75: what an attack seldom survives."""
    import io

    import cv2
    from PIL import Image

    def jpeg(one: Pixels) -> Pixels:
        memory = io.BytesIO()
        Image.fromarray(one).save(memory, "JPEG", quality=75)
        return np.asarray(Image.open(memory).convert("RGB"))

    median = np.stack([np.asarray(cv2.medianBlur(np.ascontiguousarray(one), 3), np.uint8) for one in pixels])
    return [median, np.stack([jpeg(one) for one in pixels])]


def _moved(given: Attacked, pixels: Pixels) -> Floats:
    """How far smoothing moves what is said, float64 ``(N,)``: the larger change of the log odds."""

    def odds(some: Pixels) -> Floats:
        p = _said(given.subject, given.rows, some)[:, given.column].clip(1e-6, 1 - 1e-6)
        return np.asarray(np.log(p / (1 - p)), dtype=np.float64)

    before = odds(pixels)
    out: Floats = np.max([np.abs(odds(some) - before) for some in smoothed(pixels)], axis=0)
    return out


def _detected(bench: Bench, given: Attacked, pixels: Pixels, noisy: Pixels, outcome: Outcome) -> None:
    """Smoothing as a detector (Xu et al., feature squeezing, 2018): attacked pictures against the clean ones."""
    name, n = given.subject.card.name, len(given.rows)
    score = np.concatenate([_moved(given, given.clean), _moved(given, pixels)])
    truth = np.arange(2 * n) >= n
    found = drawn_again("detector by smoothing: AUROC, attacked or not", lambda r: area(truth[r], score[r]),
                        given.people * 2, name, "higher", f"{UNAWARE} A noisy picture may look attacked.",
                        f"PGD of {DETECTED_AT} grey levels")  # fmt: skip
    low = found.interval[0] if found.interval else found.value or 0.0
    word = "it helps here" if (found.value or 0) >= 0.8 and low >= 0.7 else "it does not help here"
    limit = float(np.quantile(score[:n], 0.95))
    outcome.figures += [
        Measured(**{**vars(found), "note": f"{found.note}; {word}"}),
        share_of("detector by smoothing: attacked pictures noticed, 1 in 20 clean ones flagged",
                 int((score[n:] > limit).sum()), n, name, "higher",
                 f"The limit was set on the same clean pictures. {UNAWARE} The detector is not part of Overread."),
        share_of("detector by smoothing: pictures with random noise of that size taken for attacked",
                 int((_moved(given, noisy) > limit).sum()), n, name, "lower",
                 "A film from a noisy detector may be flagged as often."),
    ]  # fmt: skip
    bench.step(f"{name}, detector")


def _transferred(given: Attacked, others: Sequence[Attacked], made: "dict[int, Pixels]", outcome: Outcome) -> None:
    """Whether pictures made against one model turn round another of the same kind of image and label."""
    label = given.subject.labels[given.column]
    for other in others:
        target = other.subject
        if label not in target.labels or not set(target.card.domains) & set(given.subject.card.domains):
            continue
        column = target.labels.index(label)
        people = target.card.population
        fits = Context(age_band=people.age_bands[0] if people.age_bands else None, view="PA" if people.views else None)
        before = _said(target, given.rows, given.clean, fits)[:, column]
        for level, pixels in made.items():
            after = _said(target, given.rows, pixels, fits)[:, column]
            known = ~(np.isnan(before) | np.isnan(after))
            turned = int(((before[known] >= 0.5) != (after[known] >= 0.5)).sum())
            outcome.figures.append(
                share_of(f"pictures made against {given.subject.card.name}, by {level}: turned round, {label}", turned,
                         int(known.sum()), target.card.name, "lower",
                         "Of patients this model is not for, told to it as if it were: a test of the network alone.")
            )  # fmt: skip
