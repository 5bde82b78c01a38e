"""Runs the parts of a report one after another; each is kept when it is done, and taken from there the next time."""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from evaluation.errors import EvaluationError, ReportError
from evaluation.trust.agent import agent
from evaluation.trust.attack import attack
from evaluation.trust.bench import Bench
from evaluation.trust.explanation import explanation
from evaluation.trust.fairness import fairness
from evaluation.trust.outcome import Outcome
from evaluation.trust.page import page
from evaluation.trust.privacy import privacy
from evaluation.trust.prompting import segmentation
from evaluation.trust.record import Report, as_text, read_json, write_text
from evaluation.trust.reliability import reliability
from evaluation.trust.robustness import robustness
from evaluation.trust.summary import summary

CODE = "2"
"""Raised by hand when a part measures something else than before, so that kept results are not reused."""


TOLD_ONLY = {"title", "figures", "limits", "training"}
"""What a card tells its readers alone: no figure depends on it."""


@dataclass(frozen=True)
class Part:
    """One part of a report."""

    title: str
    measure: Callable[[Bench], Outcome]


PARTS: Mapping[str, Part] = {
    "privacy": Part("Privacy (T1)", privacy),
    "robustness": Part("Robustness (T2): spoilt pictures and other sources", robustness),
    "attack": Part("Robustness (T2): attacks", attack),
    "segmentation": Part("Robustness (T2): segmentation", segmentation),
    "reliability": Part("Reliability (T3)", reliability),
    "explanation": Part("Explanations (T4)", explanation),
    "fairness": Part("Fairness (T5)", fairness),
    "agent": Part("The whole assistant (T3, T4)", agent),
}
"""The parts by name, in the order in which they are measured."""

LONGEST = "robustness"
"""The part that takes longest: it is begun first where several are measured at once."""

Told = Callable[[str, str], None]
"""Is told the part, and what of it goes on."""

Result = tuple[Outcome, float]
"""What a part came to, and the seconds it took."""


def run(
    bench: Bench,
    out: Path,
    parts: Sequence[str] = tuple(PARTS),
    told: Told = lambda _part, _step: None,
    jobs: int = 1,
) -> Report:
    """Measure, and write ``report.json``, ``report.html`` and ``report.md`` into the folder ``out``.

    A part that was measured before with the same manifest, models, sizes and seed is taken from ``out/parts``.
    With ``jobs`` above 1, so many parts are measured at once, each in a process of its own with one thread.
    Raises ``ReportError`` when nothing can be written there. A part that cannot be measured is told as not done.
    """
    unknown = [name for name in parts if name not in PARTS]
    if unknown:
        raise ReportError(f"no part is called {unknown[0]}; the parts are: {', '.join(PARTS)}")
    kept = out / "parts"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportError(f"the folder of the report cannot be made ({type(error).__name__})") from None
    wanted = [name for name in PARTS if name in parts]
    keys = {name: _key(bench, name) for name in wanted}
    found = {name: _kept(kept / f"{name}.json", keys[name]) for name in wanted}
    fresh = [name for name in wanted if found[name] is None]
    for name in wanted:
        if name not in fresh:
            told(name, "done")
    for name, (outcome, seconds) in _measured_all(bench, fresh, told, jobs):
        file = kept / f"{name}.json"
        write_text(file, as_text({"key": keys[name], "seconds": seconds, **outcome.as_json()}))
        found[name] = Outcome.of_json(read_json(file)), seconds
        told(name, "done")
    titles = {name: file.card.title for name, file in bench.cards.items()}
    report = Report({**_about(bench), "subjects": titles})
    for name in wanted:
        report.titles[name], (report.parts[name], report.seconds[name]) = PARTS[name].title, found[name] or _nothing()
    write_text(out / "report.json", as_text(report.as_json()))
    write_text(out / "report.html", page(report))
    write_text(out / "report.md", summary(report))
    return report


def _nothing() -> Result:
    return Outcome(not_done=["Everything."]), 0.0


def _measured_all(bench: Bench, names: Sequence[str], told: Told, jobs: int) -> Iterator[tuple[str, Result]]:
    """The parts as they are done."""
    if jobs < 2 or len(names) < 2:
        for name in names:
            bench.step = _teller(told, name)
            told(name, "begins")
            yield name, _timed(name, bench)
        return
    # Nothing of a process that runs threads and networks already is copied into those that measure.
    alone = replace(bench, step=_silent, _images={}, _decisions={})
    with ProcessPoolExecutor(jobs, get_context("spawn"), _one_thread) as pool:
        running = {pool.submit(_timed, name, alone): name for name in sorted(names, key=lambda name: name != LONGEST)}
        for name in names:
            told(name, "begins")
        for one in as_completed(running):
            yield running[one], one.result()


def _silent(_: str) -> None:
    """Steps are not told from another process."""


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
    # A run that is killed takes its processes with it, which would otherwise measure to the end of their part.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _timed(name: str, bench: Bench) -> Result:
    begun = time.perf_counter()
    outcome = _measured(PARTS[name], bench)
    return outcome, round(time.perf_counter() - begun, 1)


def _teller(told: Told, name: str) -> Callable[[str], None]:
    return lambda step: told(name, step)


def _measured(part: Part, bench: Bench) -> Outcome:
    try:
        return part.measure(bench)
    except EvaluationError:
        raise
    except ImportError as error:
        return Outcome(not_done=[f"Everything: a package is missing ({error.name})."])


def _kept(file: Path, key: str) -> Result | None:
    """What is kept of a part, if it was made with the same inputs."""
    try:
        told = read_json(file)
        return (Outcome.of_json(told), float(told["seconds"])) if told["key"] == key else None
    except (ReportError, KeyError, TypeError, ValueError):
        return None


def _about(bench: Bench) -> dict[str, Any]:
    manifest = bench.manifest
    try:
        installed = version("overread")
    except PackageNotFoundError:
        installed = "not installed"
    domains = [row.domain or "none" for row in manifest.rows]
    return {
        "overread": installed,
        "seed": bench.seed,
        "quick": bench.quick,
        "sizes": {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(bench.sizes).items()},
        "manifest": {
            "sha256": manifest.sha256,
            "rows": len(manifest.rows),
            "patients": len({row.patient for row in manifest.rows}),
            "groups": list(manifest.group_columns),
            "domains": {name: domains.count(name) for name in sorted(set(domains))},
        },
        "models": [file.card.ref.model_dump() for file in bench.cards.values()],
    }


def _key(bench: Bench, part: str) -> str:
    """A digest of everything a part's figures depend on: code, manifest, images, cards, sizes, seed."""
    images = [(row.number, row.path.stat().st_size, row.path.stat().st_mtime_ns) for row in bench.manifest.rows]
    cards = [file.card.model_dump(mode="json", exclude=TOLD_ONLY) for file in bench.cards.values()]
    told = json.dumps([CODE, part, _about(bench), images, cards], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()
