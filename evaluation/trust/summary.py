"""The report in one page of Markdown: what leaks, what breaks, what is refused, where groups differ, what was not done.

It picks figures by name and leaves none of its own; everything is in ``report.json``.
"""

from collections.abc import Callable, Iterator

from evaluation.trust.outcome import Measured
from evaluation.trust.record import Report

Picked = Callable[[str, str], bool]
"""Whether a figure is shown, by its name and its note."""


def _named(*beginnings: str, ends: tuple[str, ...] = (), holds: str = "\0") -> Picked:
    return lambda name, _: name.startswith(beginnings) or name.endswith(ends) or holds in name


LEAKS = "planted values that came out"
SECTIONS: tuple[tuple[str, str, Picked], ...] = (
    ("Redaction and cases", "privacy",
     lambda name, _: not name.startswith((LEAKS, "control", "identity in text covered,"))),
    ("Spoilt pictures and other sources", "robustness",
     _named("severity from", ends=("worst corruption",), holds="source")),
    ("Attacks", "attack", _named("detector", holds=" 4 grey levels")),
    ("Segmentation", "segmentation", _named(ends=("clean", "severity 3", "points", "point", "0.1 of the side",
     "0.5 of the side", "for each", "round all", "another order"))),
    ("Calibration and discrimination", "reliability", _named("AUROC", "ECE", "must", "kind named", "accepted as")),
    ("Explanations", "explanation", _named("pointing game", "deletion: hottest")),
    ("Gaps between groups beyond chance", "fairness", lambda _, note: "a gap beyond chance" in note),
    ("The whole assistant", "agent", lambda name, _: bool(name)),
)  # fmt: skip
"""Title, part, and which of its figures are shown."""


def summary(report: Report) -> str:
    """The whole page."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    rows = report.about["manifest"]
    count = sum(1 for _ in report.figures())
    yield "# Trust report: summary\n"
    yield (
        f"Overread {report.about['overread']}, {rows['rows']:,} images of {rows['patients']:,} patients, seed "
        f"{report.about['seed']}. {count} figures are in report.json and report.html, each with what it does not show; "
        "here is a choice of them. Values with a 95 % interval; n is the number of rows or trials. Research use; not a "
        "medical device."
    )
    if report.about["quick"]:
        yield "\n**A quick run: it shows that every part works; its figures mean nothing.**"
    if "privacy" in report.parts:
        yield from _leaks(report)
    for title, part, picked in SECTIONS:
        if part in report.parts:
            yield from _section(title, [one for one in report.parts[part].figures if picked(one.name, one.note)])
    yield "\n## Not done\n"
    for name, outcome in report.parts.items():
        yield from (f"- {report.titles.get(name, name)}: {said}" for said in outcome.not_done)


def _leaks(report: Report) -> Iterator[str]:
    found = [one for one in report.parts["privacy"].figures if one.name.startswith(LEAKS)]
    out = [one for one in found if one.value]
    yield "\n## Planted identity\n"
    yield f"Looked for in {len(found)} places; it came out of {len(out) or 'none'}."
    yield from (f"- {one.name.removeprefix(LEAKS).lstrip(': ')}: {one.note}" for one in out)


def _section(title: str, figures: list[Measured]) -> Iterator[str]:
    yield f"\n## {title}\n"
    if not figures:
        yield "Nothing to tell."
        return
    yield "| of | figure | value | 95 % interval | n | note |"
    yield "|---|---|---|---|---|---|"
    for one in figures:
        value = "–" if one.value is None else f"{one.value:.3g}"
        interval = "" if one.interval is None else f"{one.interval[0]:.3f} to {one.interval[1]:.3f}"
        arrow = {"higher": " ↑", "lower": " ↓"}.get(one.better or "", "")
        cells = (one.subject, one.name + arrow, value, interval, str(one.n), one.note)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
