"""``overread audit run``, ``compare`` and ``gate``: the trust report."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

RUN_EXAMPLES = """
Examples:

  overread audit run --data manifest.csv --out report

  overread audit run --data manifest.csv --out report --quick

  overread audit run --data manifest.csv --out report --jobs 2

  overread audit run --data manifest.csv --out report --only fairness --only reliability --images 200

Called again, it goes on where it ended. What a manifest is, and what each part measures: docs/trust.md.
"""
COMPARE_EXAMPLES = """
Examples:

  overread audit compare before/report.json after/report.json
"""
GATE_EXAMPLES = """
Examples:

  overread audit gate report/report.json --rules rules.yaml
"""
Reported = Annotated[Path, typer.Argument(metavar="REPORT.json", exists=True, dir_okay=False, help="A trust report.")]


def run(
    data: Annotated[
        Path, typer.Option("--data", metavar="MANIFEST.csv", exists=True, dir_okay=False, help="Images, one a line.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", file_okay=False, help="For report.json, .html and .md.")
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="A few rows of each: shows that it works, no figures.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="PART", help="This part alone; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws rows, noise and intervals.")] = 0,
    images: Annotated[int | None, typer.Option(min=8, help="At most so many images of a model.")] = None,
    corrupted: Annotated[
        int | None, typer.Option(min=4, help="At most so many images that are spoilt, a domain and a model.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Parts that are measured at once, a process each.")] = 1,
) -> None:
    """Measure privacy, robustness, reliability, explanations and fairness of every model that has a card."""
    from dataclasses import replace

    from evaluation.trust.bench import Bench, Sizes
    from evaluation.trust.manifest import read_manifest
    from evaluation.trust.run import PARTS
    from evaluation.trust.run import run as measured
    from overread.cards import find_cards
    from overread.settings import settings
    from serve.cli.output import own_stdout
    from serve.errors import ArgumentsError

    unknown = [name for name in only or () if name not in PARTS]
    if unknown:
        raise ArgumentsError(f"no part is called {unknown[0]}; --only takes one of: {', '.join(PARTS)}")
    sizes = Sizes.quick() if quick else Sizes()
    sizes = replace(sizes, images=images or sizes.images, corrupted=corrupted or sizes.corrupted)
    with own_stdout() as told:
        chosen = settings()
        bench = Bench(read_manifest(data), find_cards(chosen), chosen, sizes, seed, quick)
        with _progress(len(only or PARTS)) as step:
            report = measured(bench, out, tuple(only or PARTS), step, jobs)
        count = sum(1 for _ in report.figures())
        skipped = sum(len(outcome.not_done) for outcome in report.parts.values())
        told.write(f"{count} figures, {skipped} things not done and said so: report.html, report.json, report.md\n")


@contextmanager
def _progress(parts: int) -> Iterator[Callable[[str, str], None]]:
    """A bar over the parts on stderr, with what goes on beside it; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        shown = progress.add_task("beginning", total=parts)

        def told(part: str, step: str) -> None:
            progress.update(shown, description=f"{part}: {step}", advance=int(step == "done"))

        yield told


def compare(
    before: Reported,
    after: Reported,
    everything: Annotated[bool, typer.Option("--all", help="Also the figures that did not clearly change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """Which figures of a second report changed beyond both intervals; exit code 0 whatever they are."""
    import json

    from evaluation.trust.compare import as_lines, differences, unlike
    from evaluation.trust.record import read_report
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        first, second = read_report(before), read_report(after)
        found = differences(first, second)
        if as_json:
            shown = [one for one in found if everything or one.verdict not in ("same", "within")]
            rows = [
                {"id": one.id, "verdict": one.verdict, "change": one.change,
                 "before": one.before.as_json() if one.before else None,
                 "after": one.after.as_json() if one.after else None}
                for one in shown
            ]  # fmt: skip
            out.write(json.dumps(rows, ensure_ascii=False) + "\n")
            return
        for line in (*(f"note    {one}" for one in unlike(first, second)), *as_lines(found, everything)):
            out.write(line + "\n")
        counts = {name: sum(one.verdict == name for one in found) for name in ("worse", "better", "within", "same")}
        out.write(f"{len(found)} figures: {', '.join(f'{n} {name}' for name, n in counts.items())}\n")


def gate(
    report: Reported,
    rules: Annotated[
        Path, typer.Option(metavar="RULES.yaml", exists=True, dir_okay=False, help="What it must keep to.")
    ],
) -> None:
    """Exit code 1 when a report breaks a rule, or is clearly worse than its baseline."""
    from evaluation.trust.record import read_report
    from evaluation.trust.rules import broken, read_rules
    from serve.cli.output import own_stdout

    with own_stdout() as out:
        asked = read_rules(rules)
        found = broken(read_report(report), asked, rules.parent)
        for one in found:
            out.write(f"BROKEN  {one.id}: {one.reason}\n")
        kept = "a baseline and " if asked.baseline else ""
        out.write(f"{kept}{len(asked.rules)} rules, {len(found)} broken by figures\n")
    raise typer.Exit(int(bool(found)))
