"""Curves as inline SVG, with no script and nothing fetched. Colours are the page's own variables."""

from collections.abc import Sequence
from html import escape

from evaluation.trust.outcome import Curve, Point

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40
HUES = 9
"""Colours there are, ``--c0`` to ``--c8``; after them lines are dashed."""


def svg(curve: Curve) -> str:
    """One curve, ``WIDTH`` by ``HEIGHT``, with a legend in HTML below it."""
    points = curve.points
    if not points:
        return ""
    x0, x1 = min(p.x for p in points), max(p.x for p in points)
    y0, y1 = curve.span or _span(points)
    if x1 <= x0:
        x0, x1 = x0 - 0.5, x1 + 0.5

    def at(p: Point) -> tuple[float, float]:
        across = LEFT + (p.x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)
        down = HEIGHT - BOTTOM - (p.y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)
        return round(across, 1), round(down, 1)

    drawn = [*_axes(curve, (x0, x1), (y0, y1), at)]
    for number, line in enumerate(curve.lines.values()):
        places = " ".join(f"{x},{y}" for x, y in map(at, line))
        drawn.append(f'<polyline class="line" style="{_stroke(number)}" points="{places}"/>')
        drawn += [f'<circle style="fill:var(--c{number % HUES})" cx="{x}" cy="{y}" r="2.4"/>' for x, y in map(at, line)]
    legend = "".join(
        f'<li><svg width="26" height="10"><line class="line" style="{_stroke(number)}" x1="1" y1="5" '
        f'x2="25" y2="5"/></svg>{escape(name)}</li>'
        for number, name in enumerate(curve.lines)
    )
    title = escape(curve.title)
    picture = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(drawn)}</svg>'
    note = f"<p class='note'>{escape(curve.note)}</p>" if curve.note else ""
    return f'<figure><figcaption>{title}</figcaption>{picture}<ul class="legend">{legend}</ul>{note}</figure>'


def _stroke(number: int) -> str:
    dash = ("", ";stroke-dasharray:6 4", ";stroke-dasharray:2 3")[number // HUES % 3]
    return f"stroke:var(--c{number % HUES}){dash}"


def _span(points: Sequence[Point]) -> tuple[float, float]:
    """From 0, or below it, to just above the highest point."""
    high = max(p.y for p in points)
    return min(0.0, *(p.y for p in points)), high * 1.08 if high > 0 else 1.0


def _axes(curve: Curve, across: tuple[float, float], up: tuple[float, float], at: "object") -> list[str]:
    out = []
    for value in _ticks(*up):
        x, y = at(Point(across[0], value))  # type: ignore[operator]
        out.append(f'<line class="grid" x1="{x}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        out.append(f'<text class="tick" x="{x - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>')
    for value in _ticks(*across):
        x, y = at(Point(value, up[0]))  # type: ignore[operator]
        out.append(f'<text class="tick" x="{x}" y="{y + 15}" text-anchor="middle">{value:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text class="axis" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(curve.x)}</text>')
    high = (TOP + HEIGHT - BOTTOM) / 2
    out.append(
        f'<text class="axis" transform="translate(13 {high}) rotate(-90)" text-anchor="middle">{escape(curve.y)}</text>'
    )
    return out


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two."""
    from math import ceil, floor, log10

    rough = (high - low) / 5
    power = 10 ** floor(log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough * 0.999)
    first = ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, floor(high / step + 1e-9) + 1)]
