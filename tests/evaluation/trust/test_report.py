"""The report as a whole: run and resumed, its page, compared, and held against rules."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation.errors import ReportError, RulesError
from evaluation.trust.bench import Bench
from evaluation.trust.compare import as_lines, differences, unlike, verdict
from evaluation.trust.outcome import Curve, Measured, Outcome, Point
from evaluation.trust.page import page
from evaluation.trust.plot import svg
from evaluation.trust.record import Report, as_text, read_report, write_text
from evaluation.trust.rules import broken, read_rules
from evaluation.trust.run import run

PARTS = ("segmentation", "explanation", "fairness")


def measured(
    value: float | None, interval: tuple[float, float] | None = None, better: str | None = "higher"
) -> Measured:
    return Measured("AUROC", value, 50, interval, subject="m", better=better)  # type: ignore[arg-type]


def report(*figures: Measured) -> Report:
    about = {"overread": "0", "seed": 0, "quick": False, "sizes": {"images": 1}, "models": [],
             "manifest": {"sha256": "0", "rows": 1, "patients": 1, "groups": [], "domains": {"none": 1}}}  # fmt: skip
    return Report(about, {"t": "T <b>"}, {"t": Outcome(list(figures), [], ["done"], ["not <done>"])}, {"t": 1.0})


ALONE = ("meta", "col", "line", "circle", "polyline")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetched += [
            v or "" for k, v in attributes if k in ("src", "href", "xlink:href") and not (v or "").startswith("#")
        ]
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ALONE:
            assert self.open.pop() == tag


def test_a_run_is_kept_and_taken_up_again(bench: Bench, tmp_path: Path) -> None:
    out = tmp_path / "report"
    quick = replace(bench, quick=True)
    begun: list[str] = []

    def told(part: str, step: str) -> None:
        begun.extend([part] if step == "begins" else [])

    first = run(quick, out, PARTS, told)
    assert begun == list(PARTS)
    assert read_report(out / "report.json").as_json() == first.as_json()
    run(quick, out, PARTS, told)
    assert begun == list(PARTS)
    run(replace(quick, seed=1, _images={}, _decisions={}), out, ("segmentation",), told)
    assert begun == [*PARTS, "segmentation"]
    (out / "parts" / "fairness.json").write_text("{broken")
    run(quick, out, ("fairness",), told)
    assert begun[-1] == "fairness"
    text = (out / "report.html").read_text("utf-8")
    assert "quick run" in text
    assert "A quick run" in (out / "report.md").read_text("utf-8")


def test_the_starter_models_report_keeps_its_rules() -> None:
    folder = Path(__file__).parents[3] / "docs" / "trust"
    asked = read_rules(folder / "rules.yaml")
    assert asked.rules
    told = read_report(folder / "report.json")
    assert broken(told, asked, folder) == []
    assert not told.about["quick"]


def test_an_unknown_part(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no part is called"):
        run(bench, tmp_path / "r", ("beauty",))


def test_the_page_stands_alone_and_shows_names_as_they_are() -> None:
    told = report(measured(0.9, (0.8, 0.95)), measured(None), Measured("<script>", 1234.5, 2, subject="m & n"))
    told.parts["t"].curves.append(Curve("a & b", "x", "y", {"<one>": (Point(0, 0), Point(1, 0.5))}))
    text = page(told)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.fetched == []
    assert "script" not in tags.seen
    assert "&lt;script&gt;" in text
    assert "not &lt;done&gt;" in text
    assert "0.800 to 0.950" in text
    assert {"svg", "nav", "figure"} <= set(tags.seen)


@pytest.mark.parametrize("points", [(), (Point(1, 0),), (Point(0, 0), Point(1, 0)), (Point(0, -2), Point(9, 1e-9))])
def test_any_curve_is_drawn(points: tuple[Point, ...]) -> None:
    drawn = svg(Curve("t", "x", "y", {"a": points}, None))
    assert "nan" not in drawn
    assert bool(drawn) == bool(points)


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (measured(0.9, (0.85, 0.95)), measured(0.7, (0.6, 0.8)), "worse"),
        (measured(0.7, (0.6, 0.8)), measured(0.9, (0.85, 0.95)), "better"),
        (measured(0.1, (0.05, 0.2), "lower"), measured(0.4, (0.3, 0.5), "lower"), "worse"),
        (measured(0.1, (0.05, 0.2), None), measured(0.4, (0.3, 0.5), None), "changed"),
        (measured(0.9, (0.8, 1.0)), measured(0.85, (0.75, 0.95)), "within"),
        (measured(0.9), measured(0.1), "within"), (measured(0.9), measured(0.9), "same"),
        (measured(0.9), measured(None), "gone"), (measured(0.9), None, "gone"), (None, measured(0.9), "new"),
        (measured(None), measured(None), "same"),
    ],
)  # fmt: skip
def test_what_a_change_comes_to(before: Measured | None, after: Measured | None, wanted: str) -> None:
    assert verdict(before, after) == wanted


def test_two_reports_side_by_side() -> None:
    first, second = report(measured(0.9, (0.85, 0.95))), report(measured(0.7, (0.6, 0.8)))
    second.about["seed"] = 1
    (line,) = as_lines(differences(first, second))
    assert line.split()[0] == "worse"
    assert line.endswith("t/m/AUROC")
    assert as_lines(differences(first, first)) == []
    assert "the seed" in unlike(first, second)[0]


def rules(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text, "utf-8")
    return path


def test_rules_that_are_kept_and_broken(tmp_path: Path) -> None:
    told = report(measured(0.9, (0.85, 0.95)))
    for text, count in (
        ("rules: [{figure: 't/m/AUROC', at_least: 0.8}]", 0),
        ("rules: [{figure: 't/*/AU*', at_least: 0.88, judged: lower}]", 1),
        ("rules: [{figure: 't/*/AU*', at_most: 0.92, judged: upper}]", 1),
        ("rules: [{figure: 'x/*', at_most: 0}]", 1),
        ("rules: [{figure: 'x/*', at_most: 0, missing: pass}]", 0),
    ):
        assert len(broken(told, read_rules(rules(tmp_path, text)), tmp_path)) == count, text


def test_a_clearly_worse_figure_breaks_the_baseline(tmp_path: Path) -> None:
    write_text(tmp_path / "base.json", as_text(report(measured(0.9, (0.85, 0.95))).as_json()))
    asked = read_rules(rules(tmp_path, "baseline: base.json"))
    (one,) = broken(report(measured(0.7, (0.6, 0.8))), asked, tmp_path)
    assert "worse than the baseline" in one.reason
    assert not broken(report(measured(0.88, (0.8, 0.93))), asked, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[1]", "rules: []", "rules: [{figure: x}]", "rules: [{figure: x, at_most: many}]", "rule: []", "{"]
)
def test_rules_that_are_none(tmp_path: Path, text: str) -> None:
    with pytest.raises(RulesError):
        read_rules(rules(tmp_path, text))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "overread trust report 1"}'])
def test_a_file_that_is_no_report(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ReportError):
        read_report(tmp_path / "r.json")
