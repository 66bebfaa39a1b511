"""The roofline of a device with the phases of a model on it, in a terminal: the dividing line made visible.

Both axes are logarithmic: arithmetic intensity (FLOP per byte moved) across, FLOP/s reached upwards. Left of the ridge
point memory is the roof, right of it compute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ridgewise.advise.explaining import Mark
from ridgewise.units import digits, rate

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
