"""What has been spent, month by month, by each way to pay: where the lines cross, another way becomes the cheaper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgewise.report.charts.canvas import AXIS, COLOURS, Scale, Sheet, line, nice, spread
from ridgewise.units import money, whole

if TYPE_CHECKING:
    from ridgewise.report.cost import CostDocument

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 340, 76, 128, 40, 52
SWING, ROW = 230, 26
#: The ways in words.
WORDS = {
    "buy": "buying", "rent": "renting", "api": "the API",
    "rent-lowest": "the lowest listed rent", "api-lowest": "the lowest listed API price",
}  # fmt: skip


def spent(found: CostDocument) -> str:
    """The lines of every way with the 80 % interval of the total at the end, and the months at which buying has paid
    for itself; the drop at the end is the resale. Empty where nothing has a price."""
    if not found.ways:
        return ""
    months = found.horizon_months
    ends = [way.cost_usd.high for way in found.ways]
    most = max(max(max(way.cumulated_usd) for way in found.ways), *ends, 1.0)
    least = min(0.0, *(min(way.cumulated_usd) for way in found.ways))
    step = nice(most / 5)
    x = Scale(0.0, float(months), LEFT, WIDTH - RIGHT)
    y = Scale(least, -(-most // step) * step, HEIGHT - BOTTOM, TOP)
    title = f"{found.model}: spent over {months} months"
    told = "; ".join(f"{WORDS[way.way]} {money(way.cost_usd.value)}" for way in found.ways)
    sheet = Sheet(title, WIDTH, HEIGHT, told)
    sheet.heading(LEFT, 18, title)
    sheet.upwards(y, LEFT, WIDTH - RIGHT, money)
    for month in range(0, months + 1, max(round(months / 6), 1)):
        sheet.text(x(month), HEIGHT - BOTTOM + 17, f"{month}", anchor="middle", size=11)
    sheet.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "month", anchor="middle", size=11.5)
    colours = {way.way: COLOURS[number % len(COLOURS)] for number, way in enumerate(found.ways)}
    for way in found.ways:
        colour, end = colours[way.way], x(months)
        points = [(x(month), y(amount)) for month, amount in enumerate(way.cumulated_usd)]
        sheet.path(line(points), name=f"way {way.way}", colour=colour, width=2)
        low, high = y(way.cost_usd.low), y(way.cost_usd.high)
        sheet.path(f"M{end + 5:.1f} {low:.1f}V{high:.1f}", name=f"way {way.way}", colour=colour, width=4, opacity=0.35)
    by_end = sorted(found.ways, key=lambda way: y(way.cumulated_usd[-1]))
    for way, place in zip(by_end, spread([y(way.cumulated_usd[-1]) for way in by_end], 30), strict=True):
        sheet.text(WIDTH - RIGHT + 14, place, WORDS[way.way], size=12, bold=True, colour=colours[way.way],
                   name=f"label {way.way}")  # fmt: skip
        sheet.text(WIDTH - RIGHT + 14, place + 14, f"{money(way.cost_usd_per_month)}/month", size=11)
    told_evens = [even for even in found.break_even if even.load_ratio == 1.0]
    for place, even in enumerate(told_evens):
        if even.month is not None:
            at = x(even.month)
            sheet.path(f"M{at:.1f} {TOP}V{HEIGHT - BOTTOM}", name="even", colour=AXIS, dash="4 4")
            label = f"buying beats {WORDS.get(even.against, even.against)}: month {whole(even.month)}"
            near = at > (WIDTH - RIGHT) * 0.6
            sheet.text(
                at + (-6 if near else 6), TOP + 12 + 15 * place, label, anchor="end" if near else "start", size=11
            )
    return sheet.svg()


def swings(found: CostDocument) -> str:
    """What the month would cost if one doubt at a time lay at its low or high end, the widest first."""
    if not found.sensitivity:
        return ""
    shown = sorted(found.sensitivity, key=lambda one: abs(one.low_usd_per_month - one.high_usd_per_month))[::-1][:8]
    ends = [value for one in shown for value in (one.low_usd_per_month, one.high_usd_per_month)]
    middle = next((way.cost_usd_per_month for way in found.ways if way.way == found.sensitivity_of), None)
    low, high = min([*ends, middle or ends[0]]), max([*ends, middle or ends[0]])
    room = 0.12 * max(high - low, 1.0)
    x = Scale(low - room, high + room, SWING, WIDTH - 60)
    height = 30 + ROW * len(shown) + 28
    way, less, other = found.sensitivity_of.partition(" less ")
    title = f"What moves the month: {WORDS.get(way, way)}{less}{WORDS.get(other, other)}"
    sheet = Sheet(title, WIDTH, height)
    sheet.heading(12, 18, title)
    sheet.across(x, 28, height - 26, money, 5)
    for place, one in enumerate(shown):
        y = 32 + ROW * place
        a, b = x(one.low_usd_per_month), x(one.high_usd_per_month)
        told = f"{one.doubt}: {money(one.low_usd_per_month)} to {money(one.high_usd_per_month)} a month"
        words = one.doubt if len(one.doubt) < 46 else one.doubt[:44] + "…"
        sheet.text(SWING - 10, y + 14, words, anchor="end", size=12)
        sheet.box(min(a, b), y + 2, max(abs(b - a), 2), ROW - 10, name="swing", colour=COLOURS[0], opacity=0.65,
                  about=told)  # fmt: skip
    if middle is not None:
        sheet.path(f"M{x(middle):.1f} 26V{height - 26}", name="roof", colour=AXIS, width=1.6)
    return sheet.svg()
