"""Predicted against measured, drawn as SVG: logarithmic both ways, the diagonal where they agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from ridgewise.report.charts.canvas import COLOURS

Point = tuple[float, float]  # measured, predicted

SIZE, MARGIN, MOST = 420, 56, 600


def scatter(title: str, unit: str, series: Mapping[str, Sequence[Point]], most: int = MOST) -> str:
    """One square plot. Of more than ``most`` points of a series every n-th is drawn, the same ones each time."""
    values = [value for points in series.values() for point in points for value in point if value > 0]
    if not values:
        return ""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    inner = SIZE - 2 * MARGIN

    def place(measured: float, predicted: float) -> tuple[float, float]:
        x, y = ((math.log10(value) - low) / (high - low) for value in (measured, predicted))
        return MARGIN + inner * x, SIZE - MARGIN - inner * y

    height = SIZE + 18 * len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {height}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="12" fill="#555">',
        f'<text x="{SIZE / 2}" y="22" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        x, y = place(10.0**power, 10.0**power)
        name = _power(power)
        parts.append(f'<path d="M{x:.1f} {MARGIN}V{SIZE - MARGIN}M{MARGIN} {y:.1f}H{SIZE - MARGIN}" stroke="#8884"/>')
        parts.append(f'<text x="{x:.1f}" y="{SIZE - MARGIN + 16}" text-anchor="middle">{name}</text>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
    for factor, dash in ((1.0, ""), (2.0, ' stroke-dasharray="4 4"'), (0.5, ' stroke-dasharray="4 4"')):
        ends = [
            (10.0**low, factor * 10.0**low),
            (10.0**high / max(factor, 1.0), factor * 10.0**high / max(factor, 1.0)),
        ]
        if factor < 1:
            ends = [(10.0**low / factor, 10.0**low), (10.0**high, factor * 10.0**high)]
        (x1, y1), (x2, y2) = (place(*end) for end in ends)
        parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#888"{dash}/>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        kept = [point for point in points if min(point) > 0]
        step = max(math.ceil(len(kept) / most), 1)
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in (place(*point) for point in kept[::step]))
        parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="4" stroke-linecap="round" opacity="0.45"/>')
        y = SIZE + 18 * number + 4
        parts.append(f'<circle cx="{MARGIN}" cy="{y - 4}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{MARGIN + 10}" y="{y}">{escape(name)} ({len(points)})</text>')
    middle = SIZE / 2
    parts.append(f'<text x="{middle}" y="{SIZE - 14}" text-anchor="middle">measured [{escape(unit)}]</text>')
    parts.append(f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">predicted</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _power(power: int) -> str:
    return f"{10.0**power:g}" if -3 <= power <= 4 else f"1e{power}"
