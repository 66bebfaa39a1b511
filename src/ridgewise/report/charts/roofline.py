"""The roofline of a device with the phases of a model on it: the dividing line made visible.

Both axes are logarithmic: arithmetic intensity (FLOP per byte moved) across, FLOP/s reached upwards. Left of the ridge
point memory is the roof, right of it compute (Williams, Waterman, Patterson: *Roofline*, CACM 2009).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ridgewise.advise.explaining import Explanation, Mark
from ridgewise.report.charts.canvas import AXIS, COLOURS, Scale, Sheet, line, spread
from ridgewise.units import digits, rate, share

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 372, 92, 20, 40, 72


def roofline(title: str, marks: Sequence[Mark], peak: float, precision: str, bandwidth: float) -> str:
    """Roofs, ridge point, and the phases with what they reach and how far below the roof that is."""
    ridge = peak / bandwidth
    decades = [math.log10(value) for value in (*(mark.intensity_flop_per_byte for mark in marks), ridge)]
    heights = [math.log10(value) for value in (*(mark.reached_flop_per_s for mark in marks), peak)]
    x = Scale(10 ** math.floor(min(decades) - 0.2), 10 ** math.ceil(max(decades) + 0.2), LEFT, WIDTH - RIGHT, True)
    y = Scale(10 ** math.floor(min(heights)), 10 ** math.ceil(max(heights) + 0.1), HEIGHT - BOTTOM, TOP, True)
    told = "; ".join(f"{m.phase} at {digits(m.intensity_flop_per_byte)} FLOP/B" for m in marks)
    sheet = Sheet(title, WIDTH, HEIGHT, f"Ridge point at {digits(ridge)} FLOP/B; {told}")
    sheet.heading(LEFT, 18, title)
    sheet.across(x, TOP, HEIGHT - BOTTOM, lambda value: f"{value:g}", 9)
    sheet.upwards(y, LEFT, WIDTH - RIGHT, lambda value: rate(value, "FLOP/s"))
    start = max(x.low, y.low / bandwidth)
    memory = ribbon_left(x, y, start, ridge, bandwidth)
    sheet.area(memory, name="memory-side", colour=COLOURS[0], opacity=0.07)
    right = f"M{x(ridge):.1f} {y(peak):.1f}H{x(x.high):.1f}V{HEIGHT - BOTTOM}H{x(ridge):.1f}Z"
    sheet.area(right, name="compute-side", colour=COLOURS[1], opacity=0.07)
    roof = line([(x(start), y(start * bandwidth)), (x(ridge), y(peak)), (x(x.high), y(peak))])
    sheet.path(roof, name="roof", colour=AXIS, width=2.2)
    sheet.path(f"M{x(ridge):.1f} {y(peak):.1f}V{HEIGHT - BOTTOM}", name="ridge", colour=AXIS, dash="4 4")
    sheet.text(x(ridge), y(peak) - 9, f"ridge point {digits(ridge)} FLOP/B", anchor="middle", size=12, bold=True)
    sheet.text(x(ridge) - 10, HEIGHT - BOTTOM + 36, "← memory decides", anchor="end", size=11)
    if x(x.high) - x(ridge) > 110:
        sheet.text(x(ridge) + 10, HEIGHT - BOTTOM + 36, "compute decides →", size=11)
    shown = sorted(enumerate(marks), key=lambda pair: y(pair[1].reached_flop_per_s))
    below = spread([y(mark.reached_flop_per_s) + 4 for _, mark in shown], 16)
    for (number, mark), label_y in zip(shown, below, strict=True):
        px, py = x(mark.intensity_flop_per_byte), y(mark.reached_flop_per_s)
        top = min(peak, mark.intensity_flop_per_byte * bandwidth)
        colour = COLOURS[number % len(COLOURS)]
        label = f"{mark.phase}: {share(mark.reached_flop_per_s / top)} of the roof"
        sheet.path(f"M{px:.1f} {py:.1f}V{y(top):.1f}", name="gap", colour=colour, opacity=0.5, width=1.5)
        sheet.dot(px, py, 6, name=f"mark mark{number}", colour=colour, about=label)
        near = px + 14 + 5.9 * len(label) > WIDTH
        sheet.text(px + (-12 if near else 12), label_y, label, anchor="end" if near else "start", size=12)
    caption = f"arithmetic intensity [FLOP/B]; roofs: {rate(peak, 'FLOP/s')} in {precision}, {rate(bandwidth, 'B/s')}"
    sheet.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, caption, anchor="middle", size=11.5)
    return sheet.svg()


def explained(found: Explanation) -> str:
    """The roofline of an explanation; empty where the catalogue knows no peak."""
    peak, ridge = found.peak_flop_per_s, found.ridge_point_flop_per_byte
    if not peak or not ridge:
        return ""
    return roofline(f"{found.model} on {found.device}", found.roofline, peak, found.peak_precision, peak / ridge)


def ribbon_left(x: Scale, y: Scale, start: float, ridge: float, bandwidth: float) -> str:
    """The area under the slanted roof."""
    floor = y.start
    return (
        f"M{x(start):.1f} {y(start * bandwidth):.1f}L{x(ridge):.1f} {y(ridge * bandwidth):.1f}"
        f"V{floor:.1f}H{x(start):.1f}Z"
    )
