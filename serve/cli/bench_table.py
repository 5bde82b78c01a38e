"""How figures are shown: a line on stderr as each part is done, then one table."""

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from evaluation.figure import Figure

COMMAND = "overread bench guardrails --only"
Part = tuple[str, "Sequence[Figure]"]


def told(parts: Iterable[Part], names: Sequence[str]) -> Iterator[Part]:
    """The parts as they come, with a line on stderr before and behind each."""
    coming = iter(parts)
    for number, name in enumerate(names, start=1):
        sys.stderr.write(f"[{number}/{len(names)}] {name} …")
        sys.stderr.flush()
        begun = time.perf_counter()
        part = next(coming)
        sys.stderr.write(f" {time.perf_counter() - begun:.0f} s\n")
        yield part


def as_json_text(found: "Mapping[str, Sequence[Figure]]") -> str:
    """One JSON array with an object a figure, each with its part and the command that gives it alone."""
    import json

    rows = [
        {"part": name, **figure.as_json(), "command": f"{COMMAND} {name}"}
        for name, figures in found.items()
        for figure in figures
    ]
    return json.dumps(rows, ensure_ascii=False) + "\n"


def show_table(
    out: TextIO, found: "Mapping[str, Sequence[Figure]]", quick: bool, first: str = "--only", caption: str | None = None
) -> None:
    """One table, a section a part, and how many aims were met."""
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=caption or f"A part alone: {COMMAND} NAME", caption_justify="left")
    table.add_column(first)
    table.add_column("figure", overflow="fold")
    for name in ("value", "95 % interval", "n", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("met")
    for name, figures in found.items():
        for number, figure in enumerate(figures):
            words = f"{figure.name} ({figure.note})" if figure.note else figure.name
            table.add_row(name if number == 0 else "", words, *_cells(figure, quick))
        table.add_section()
    console = Console(file=out, highlight=False, width=None if out.isatty() else 132)
    console.print(table)
    if quick:
        console.print("Quick: too few cases for figures; no aim is judged by them.")
        return
    judged = [figure for figures in found.values() for figure in figures if figure.met is not None]
    console.print(f"{sum(bool(figure.met) for figure in judged)} of {len(judged)} aims met.")


def _cells(figure: "Figure", quick: bool) -> tuple[str, str, str, str, str]:
    value = "-" if figure.value is None else f"{figure.value:,g}" if figure.value >= 1000 else f"{figure.value:g}"
    interval = "" if figure.interval is None else f"{figure.interval[0]:g} to {figure.interval[1]:g}"
    met = "" if figure.met is None or quick else "met" if figure.met else "missed"
    unit = f" {figure.unit}" if figure.unit else ""
    return f"{value}{unit}", interval, f"{figure.n:,}", str(figure.aim or ""), met
