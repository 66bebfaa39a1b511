"""The roofline of a device with the phases of a model on it: the dividing line made visible.

Both axes are logarithmic: arithmetic intensity (FLOP per byte moved) across, FLOP/s reached upwards. Left of the ridge
point memory is the roof, right of it compute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from ridgewise.advise.deployment import Mark
from ridgewise.report.scatter import COLOURS
from ridgewise.units import digits, rate

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 400, 84, 20, 44, 52
#: Columns and rows of the plot in a terminal.
COLUMNS, ROWS = 64, 14


def _span(marks: Sequence[Mark], peak: float, bandwidth: float) -> tuple[int, int, int, int]:
    """Decades of both axes."""
    across = [mark.intensity_flop_per_byte for mark in marks] + [peak / bandwidth]
    upwards = [mark.reached_flop_per_s for mark in marks] + [peak]
    left, right = math.floor(math.log10(min(across)) - 0.2), math.ceil(math.log10(max(across)) + 0.2)
    return left, right, math.floor(math.log10(min(upwards))), math.ceil(math.log10(max(upwards)) + 0.1)


def text(marks: Sequence[Mark], peak: float, bandwidth: float) -> list[str]:
    """The plot as lines of a terminal; marks are the first letters of their phases."""
    left, right, low, high = _span(marks, peak, bandwidth)
    canvas = [[" "] * COLUMNS for _ in range(ROWS)]

    def column(intensity: float) -> int:
        return round((math.log10(intensity) - left) / (right - left) * (COLUMNS - 1))

    def row(reached: float) -> int:
        return ROWS - 1 - round((math.log10(reached) - low) / (high - low) * (ROWS - 1))

    for at in range(COLUMNS):
        intensity = 10 ** (left + at / (COLUMNS - 1) * (right - left))
        roof = min(peak, intensity * bandwidth)
        if math.log10(roof) >= low:
            canvas[row(roof)][at] = "─" if intensity * bandwidth > peak else "╱"
    canvas[row(peak)][column(peak / bandwidth)] = "◆"
    for mark in marks:
        canvas[row(mark.reached_flop_per_s)][column(mark.intensity_flop_per_byte)] = mark.phase[0].upper()
    lines = []
    for place, line in enumerate(canvas):
        name = rate(10.0**high, "FLOP/s") if place == 0 else rate(10.0**low, "FLOP/s") if place == ROWS - 1 else ""
        lines.append(f"{name:>12} │{''.join(line).rstrip()}")
    lines.append(f"{'':>12} └{'─' * COLUMNS}")
    ends = f"{10.0**left:g}"
    last = f"{10.0**right:g} FLOP/B"
    lines.append(f"{'':>14}{ends}{last:>{COLUMNS - len(ends)}}")
    names = ", ".join(f"{mark.phase[0].upper()} {mark.phase}" for mark in marks)
    lines.append(f"{'':>14}{names}, ◆ ridge point {digits(peak / bandwidth)} FLOP/B")
    return lines


def svg(title: str, marks: Sequence[Mark], peak: float, precision: str, bandwidth: float) -> str:
    """The plot as SVG: roofs, ridge point, marks with what they reach, and how far below the roof that is."""
    left, right, low, high = _span(marks, peak, bandwidth)

    def place(intensity: float, reached: float) -> tuple[float, float]:
        x = LEFT + (math.log10(intensity) - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - (math.log10(reached) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return x, y

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(title)}" font-family="sans-serif" font-size="12" fill="#555">',
        f'<text x="{WIDTH / 2}" y="20" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
    ]
    for power in range(left, right + 1):
        x, _ = place(10.0**power, 10.0**low)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#8884"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{10.0**power:g}</text>')
    for power in range(low, high + 1):
        _, y = place(10.0**left, 10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#8884"/>')
        name = rate(10.0**power, "FLOP/s")
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
    ridge = peak / bandwidth
    start = max(10.0**left, 10.0**low / bandwidth)
    ends = [place(start, start * bandwidth), place(ridge, peak), place(10.0**right, peak)]
    drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in ends)
    parts.append(f'<path d="M{drawn}" stroke="#888" stroke-width="2" fill="none"/>')
    x, y = ends[1]
    parts.append(f'<path d="M{x:.1f} {y:.1f}V{HEIGHT - BOTTOM}" stroke="#888" stroke-dasharray="4 4"/>')
    parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">ridge point {digits(ridge)} FLOP/B</text>')
    for number, mark in enumerate(marks):
        x, y = place(mark.intensity_flop_per_byte, mark.reached_flop_per_s)
        roof = min(peak, mark.intensity_flop_per_byte * bandwidth)
        _, top = place(mark.intensity_flop_per_byte, roof)
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<path d="M{x:.1f} {y:.1f}V{top:.1f}" stroke="{colour}" opacity="0.4"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>')
        label = f"{mark.phase}: {mark.reached_flop_per_s / roof:.0%} of the roof"
        side, shift, below = ("end", 8, 20 + 16 * number) if x > WIDTH / 2 else ("start", 10, 4)
        parts.append(f'<text x="{x + shift:.1f}" y="{y + below:.1f}" text-anchor="{side}">{escape(label)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    caption = f"arithmetic intensity [FLOP/B]; roofs: {rate(peak, 'FLOP/s')} in {precision}, {rate(bandwidth, 'B/s')}"
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(caption)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def stacked(plots: Sequence[str]) -> str:
    """Several plots under each other in one picture; nothing of nothing."""
    if len(plots) < 2:
        return "".join(plots)
    inner = [
        f'<svg y="{HEIGHT * place}" width="{WIDTH}" height="{HEIGHT}"{plot.removeprefix("<svg")}'
        for place, plot in enumerate(plots)
    ]
    box = f'viewBox="0 0 {WIDTH} {HEIGHT * len(plots)}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">', *inner, "</svg>"]) + "\n"
