"""What a service does as its load grows: latencies with their intervals up to and past the knee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ridgewise.report.charts.canvas import AXIS, COLOURS, Scale, Sheet, around, line, ribbon
from ridgewise.units import digits, duration, parse

if TYPE_CHECKING:
    from ridgewise.report.capacity import CapacityDocument

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 560, 76, 24, 36, 150, 44


def knee(found: CapacityDocument) -> str:
    """Time to the first token above, time per further token below, over the load on the whole system; dashed what is
    promised, upright the most that is kept at the slow end of the interval. Empty without a curve."""
    points = [point for point in found.curve if point.ttft_s is not None and point.tpot_s is not None]
    if len(points) < 2:
        return ""
    limits = promised(found.limits)
    title = f"{found.systems[0].name}: latency as the load grows"
    height = TOP + 2 * PANEL + GAP + 46
    told = f"up to {digits(found.most_when_slow)} {found.curve_unit} every limit is kept at the slow end"
    sheet = Sheet(title, WIDTH, height, told)
    sheet.heading(LEFT, 18, title)
    loads = [point.load for point in points]
    x = Scale(0.0, max(loads) * 1.02, LEFT, WIDTH - RIGHT)
    for number, (name, heading) in enumerate((("ttft", "first token (TTFT)"), ("tpot", "each further token (TPOT)"))):
        top = TOP + number * (PANEL + GAP) + 12
        shown = [getattr(point, f"{name}_s") for point in points]
        limit = limits.get(name)
        ends = [value for e in shown for value in (e.low, e.high)] + ([limit] if limit else [])
        y = Scale(*around(ends, log=True), top + PANEL - 12, top, True)
        sheet.text(LEFT, top - 5, heading, size=12, bold=True)
        sheet.upwards(y, LEFT, WIDTH - RIGHT, duration, 4)
        for tick in x.ticks(6):
            sheet.path(f"M{x(tick):.1f} {top}V{top + PANEL - 12}", name="grid", colour="#8883")
            if number:
                sheet.text(x(tick), top + PANEL + 4, digits(tick), anchor="middle", size=11)
        colour = COLOURS[number]
        high = [(x(load), y(e.high)) for load, e in zip(loads, shown, strict=True)]
        low = [(x(load), y(e.low)) for load, e in zip(loads, shown, strict=True)]
        sheet.area(ribbon(high, low), colour=colour)
        middle = [(x(load), y(e.value)) for load, e in zip(loads, shown, strict=True)]
        sheet.path(line(middle), name="curve", colour=colour, width=2.2)
        for load, e, at in zip(loads, shown, middle, strict=True):
            sheet.dot(*at, 3, colour=colour, about=f"{digits(load)} {found.curve_unit}: {duration(e.value)}, "
                      f"{duration(e.low)} to {duration(e.high)}")  # fmt: skip
        if limit:
            sheet.path(
                f"M{LEFT} {y(limit):.1f}H{WIDTH - RIGHT}", name="limit", colour=COLOURS[1], dash="6 4", width=1.4
            )
            over = y(limit) - 5 if y(limit) > top + 18 else y(limit) + 13  # clear of the heading
            sheet.text(LEFT + 4, over, f"limit {duration(limit)}", size=11)
        most = x(found.most_when_slow)
        sheet.path(f"M{most:.1f} {top}V{top + PANEL - 12}", name="even", colour=AXIS, dash="4 4")
    sheet.text((LEFT + WIDTH - RIGHT) / 2, height - 8, f"load [{found.curve_unit}]", anchor="middle", size=11.5)
    return sheet.svg()


def promised(limits: Sequence[str]) -> dict[str, float]:
    """Limits as documents have them ("TTFT p95 ≤ 1 s"), by the name of the latency [s]."""
    return {name.lower(): parse(amount, "s") for name, _, _, amount in (text.split(" ", 3) for text in limits)}
