"""The report as one HTML page: nothing is fetched, no script runs, and it reads by day and by night."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from evaluation.trust.outcome import Measured, Outcome
from evaluation.trust.plot import svg
from evaluation.trust.record import Report

STYLE = """
:root{--bg:#fdfdfc;--fg:#1c1e21;--soft:#5d646c;--rule:#dcdfe2;--panel:#f3f4f5;--link:#0b5cad;
--c0:#0b6bcb;--c1:#c2410c;--c2:#15803d;--c3:#7c3aed;--c4:#b7791f;--c5:#be185d;--c6:#0e7490;--c7:#525b66;--c8:#65730b}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e6e8ea;--soft:#9aa3ac;--rule:#33383e;--panel:#1e2125;
--link:#7db8f5;--c0:#60a5fa;--c1:#fb923c;--c2:#4ade80;--c3:#c4a1ff;--c4:#facc15;--c5:#f472b6;--c6:#22d3ee;
--c7:#b3bcc6;--c8:#bfd04a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.55 system-ui,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 22px 80px}
h1{font-size:1.75rem;margin:0 0 .3rem}h2{font-size:1.3rem;margin:2.6rem 0 .6rem;padding-top:.6rem;
border-top:2px solid var(--rule)}h3{font-size:1.02rem;margin:1.6rem 0 .4rem}
p{margin:.4rem 0}a{color:var(--link)}.note,.soft{color:var(--soft);font-size:.88rem}
nav{background:var(--panel);border-radius:8px;padding:.7rem 1.1rem;margin:1.2rem 0}nav ol{margin:.2rem 0;columns:2}
nav li{break-inside:avoid}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.87rem;margin:.3rem 0 .8rem}
th,td{text-align:left;vertical-align:top;padding:.32rem .6rem .32rem 0;border-bottom:1px solid var(--rule)}
th{color:var(--soft);font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.figures{table-layout:fixed;min-width:760px}.figures col:nth-child(1){width:40%}.figures col:nth-child(2){width:9%}
.figures col:nth-child(3){width:15%}.figures col:nth-child(4){width:7%}
details{margin:.4rem 0}summary{cursor:pointer;color:var(--link)}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(440px,100%),1fr));gap:14px}
figure{margin:0;padding:.7rem .8rem;background:var(--panel);border-radius:8px}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:.2rem}
.plot{width:100%;height:auto}.line{fill:none;stroke-width:2}.grid{stroke:var(--rule)}
.tick{fill:var(--soft);font-size:11px}.axis{fill:var(--soft);font-size:12px}
.legend{list-style:none;margin:.2rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:.78rem;
color:var(--soft)}.legend svg{vertical-align:middle;margin-right:5px}
.warn{border-left:4px solid var(--c1);background:var(--panel);padding:.5rem .9rem;border-radius:0 6px 6px 0}
ul{margin:.3rem 0;padding-left:1.2rem}
@media(max-width:640px){nav ol{columns:1}}
@media print{details>*{display:block}}
"""
MANY = 14
"""Figures of one model in one part, above which the table is folded."""


def page(report: Report) -> str:
    """The whole page."""
    contents = "".join(
        f'<li><a href="#{escape(name)}">{escape(report.titles.get(name, name))}</a></li>' for name in report.parts
    )
    body = "".join(_part(report, name, outcome) for name, outcome in report.parts.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Overread: trust report</title><style>{STYLE}</style></head><body><main>"
        f"{_head(report.about)}<nav><strong>Contents</strong><ol>{contents}"
        '<li><a href="#models">Models and rows</a></li></ol></nav>'
        f"{body}{_models(report.about)}</main></body></html>\n"
    )


def _head(about: dict[str, Any]) -> str:
    rows = about["manifest"]
    quick = (
        '<p class="warn">A quick run: it shows that every part works. Its rows are too few for any of its figures to '
        "be relied on.</p>"
        if about["quick"]
        else ""
    )
    return (
        "<h1>Overread: trust report</h1>"
        f'<p class="soft">Overread {escape(str(about["overread"]))}, {rows["rows"]:,} rows of {rows["patients"]:,} '
        f"patients in the manifest, seed {about['seed']}. Research use; not a medical device.</p>{quick}"
        "<p>Every figure has the number of rows it was measured on, a 95&nbsp;% interval where one can be given "
        "(whole patients drawn again, or Wilson's for a share), and a line that says what it does <em>not</em> show. "
        "An arrow says which way is better: ↑ higher, ↓ lower, none where neither is better by itself. "
        "What was not done stands at the head of each part.</p>"
        f"{_words()}"
    )


WORDS = {
    "n": "the rows, or trials, that a figure was measured on",
    "row": "one image with what is known of it, a line of the manifest",
    "card": "what a model says of itself: where and for whom it may be used, its calibration, its limits",
    "domain": "the kind of image, such as a chest X-ray; models run only on the domains that their cards name",
    "decided": "a finding called present or absent; between its card's limits a model leaves it undecided",
    "AUROC": "how well scores rank ill above well: 1 always, 0.5 by chance",
    "ECE": "how far probabilities lie from what happens, on average; Brier score: the squared distance, row by row",
    "AURC": "the mean error when the surest answers are given first, over all shares answered",
    "Dice": "the overlap of two outlines: 1 the same, 0 apart; IoU: another measure of it, always lower",
    "deletion, insertion": "how the probability falls as what a heatmap calls hot is blurred, or rises on its return",
    "certificate": "a promise, made on some rows, that the error among the answers stays below a bound on others",
    "p (Holm)": "how often chance alone gives a gap as large, corrected for all gaps that were looked at",
}
"""What a reader who knows none of the program must know to read the tables."""


def _words() -> str:
    items = "".join(f"<li><strong>{escape(word)}:</strong> {escape(said)}.</li>" for word, said in WORDS.items())
    return f"<details><summary>The words used here</summary><ul class='soft'>{items}</ul></details>"


def _part(report: Report, name: str, outcome: Outcome) -> str:
    title = escape(report.titles.get(name, name))
    subjects = list(dict.fromkeys(figure.subject for figure in outcome.figures))
    tables = "".join(
        _table(_titled(report, subject), [one for one in outcome.figures if one.subject == subject])
        for subject in subjects
    )
    plots = "".join(svg(curve) for curve in outcome.curves)
    return (
        f'<section id="{escape(name)}"><h2>{title}</h2>'
        f"{_list('What was done', outcome.done)}{_list('What was not done', outcome.not_done)}"
        f"{tables}{f'<div class=plots>{plots}</div>' if plots else ''}"
        f'<p class="note">Took {report.seconds.get(name, 0):.0f} s.</p></section>'
    )


def _titled(report: Report, subject: str) -> str:
    title = report.about.get("subjects", {}).get(subject)
    return f"{subject}: {title[0].lower()}{title[1:]}" if title else subject


def _list(title: str, said: Sequence[str]) -> str:
    if not said:
        return ""
    return f"<p><strong>{title}</strong></p><ul>{''.join(f'<li>{escape(one)}</li>' for one in said)}</ul>"


def _table(subject: str, figures: Sequence[Measured]) -> str:
    rows = "".join(_row(figure) for figure in figures)
    table = (
        '<div class="scroll"><table class="figures"><colgroup><col><col><col><col><col></colgroup><thead><tr>'
        '<th>figure</th><th class="n">value</th><th class="n">95 % interval</th>'
        f'<th class="n">n</th><th>note</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )
    unshown = _unshown(figures)
    if len(figures) > MANY:
        table = f"<details open><summary>{len(figures)} figures</summary>{table}</details>"
    return f"<h3>{escape(subject)}</h3>{table}{unshown}"


def _row(figure: Measured) -> str:
    arrow = {"higher": " ↑", "lower": " ↓"}.get(figure.better or "", "")
    value = "–" if figure.value is None else f"{_number(figure.value)}{' ' + figure.unit if figure.unit else ''}"
    interval = "" if figure.interval is None else f"{_number(figure.interval[0])} to {_number(figure.interval[1])}"
    return (
        f'<tr><td title="{escape(figure.unshown)}">{escape(figure.name)}{arrow}</td><td class="n">{escape(value)}</td>'
        f'<td class="n">{interval}</td><td class="n">{figure.n:,}</td><td class="soft">{escape(figure.note)}</td></tr>'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}" if value != round(value) else f"{value:.0f}"


def _unshown(figures: Iterable[Measured]) -> str:
    """What the figures do not show: each sentence once, with the figures it is said of."""
    by: dict[str, list[str]] = {}
    for figure in figures:
        if figure.unshown:
            by.setdefault(figure.unshown, []).append(figure.name)
    items = "".join(f"<li><strong>{escape(_names(names))}:</strong> {escape(said)}</li>" for said, names in by.items())
    return f"<details><summary>What these figures do not show</summary><ul class='soft'>{items}</ul></details>"


def _names(names: Sequence[str]) -> str:
    return "; ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _models(about: dict[str, Any]) -> str:
    models = "".join(
        f"<tr><td>{escape(one['name'])}</td><td>{escape(one['version'])}</td><td><code>{escape(one['sha256'][:16])}…"
        "</code></td></tr>"
        for one in about["models"]
    )
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{n:,}</td></tr>' for name, n in about["manifest"]["domains"].items()
    )
    sizes = ", ".join(f"{name} {value}" for name, value in about["sizes"].items() if value is not None)
    return (
        '<section id="models"><h2>Models and rows</h2><table><thead><tr><th>model</th><th>version</th>'
        f"<th>SHA-256</th></tr></thead><tbody>{models}</tbody></table>"
        '<table><thead><tr><th>domain in the manifest</th><th class="n">rows</th></tr></thead>'
        f"<tbody>{rows}</tbody></table><p class='note'>Sizes of this run: {escape(sizes)}. Manifest "
        f"<code>{escape(about['manifest']['sha256'][:16])}…</code>.</p></section>"
    )
