"""The field of candidates: what each hardware gives and costs, interval by interval, class beside class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ridgewise.report.charts.canvas import COLOURS, Scale, Sheet, around
from ridgewise.units import digits, duration, money, power

if TYPE_CHECKING:
    from ridgewise.report.document import Estimate, OptionDocument

WIDTH, LEFT, TOP, ROW, GAP = 760, 236, 44, 34, 26
#: Classes of hardware in words, in the order in which they get their colours.
CLASSES = {
    "gpu-consumer": "consumer GPU", "gpu-workstation": "workstation GPU", "gpu-datacenter": "data-centre GPU",
    "unified": "unified memory", "accelerator": "accelerator", "tpu": "TPU", "cpu": "processor", "npu": "NPU",
    "sbc": "board computer",
}  # fmt: skip
Column = tuple[str, "Callable[[OptionDocument], Estimate | None]", Callable[[float], str]]


def colour_of(kind: str) -> str:
    """The colour of a class of hardware."""
    return COLOURS[list(CLASSES).index(kind) % len(COLOURS)] if kind in CLASSES else COLOURS[-1]


USING: tuple[Column, ...] = (
    ("tokens/s for each user", lambda o: o.decode_tokens_per_s, lambda v: digits(v, 2)),
    ("price to buy", lambda o: o.purchase_usd, lambda v: money(v) if v < 1e4 else f"${digits(v / 1e3, 2)}k"),
    ("at the wall", lambda o: o.power_w, power),
)
BUILDING: tuple[Column, ...] = (
    ("the run takes", lambda o: o.run_s, duration),
    ("rent per hour", lambda o: o.rent_usd_per_h, lambda v: f"${digits(v, 2)}"),
    ("at the wall", lambda o: o.power_w, power),
)


def field(title: str, options: Sequence[OptionDocument], training: bool = False) -> str:
    """One row per option, one logarithmic column per figure: the dot is the value, the bar its 80 % interval (of a
    price, what is asked). Empty without options."""
    if not options:
        return ""
    columns = BUILDING if training else USING
    wide = (WIDTH - LEFT - GAP * len(columns)) / len(columns)
    height = TOP + ROW * len(options) + 30
    sheet = Sheet(title, WIDTH, height, "; ".join(option.name for option in options))
    for place, option in enumerate(options):
        y = TOP + ROW * place + 14
        words = option.name if len(option.name) < 32 else option.name[:30] + "…"
        sheet.text(LEFT - 16, y + 1, words, anchor="end", size=12.5, bold=place == 0)
        sheet.text(LEFT - 16, y + 14, CLASSES.get(option.device_class, option.device_class), anchor="end", size=10.5,
                   colour=colour_of(option.device_class), name="kind")  # fmt: skip
    for number, (heading, read, write) in enumerate(columns):
        start = LEFT + number * (wide + GAP)
        known = [e for option in options if (e := read(option)) is not None]
        ends = [value for e in known for value in (e.low, e.high, e.value)]
        low, high = around(ends, log=True, room=0.08)
        x = Scale(low, high, start, start + wide, True)
        sheet.text(start, 18, heading, size=12, bold=True)
        sheet.across(x, TOP - 14, height - 28, write, 3)
        for place, option in enumerate(options):
            e, y = read(option), TOP + ROW * place + 8
            if e is None:
                sheet.text(start + 4, y + 4, "unknown", size=11)
                continue
            colour = colour_of(option.device_class)
            told = f"{option.name}: {write(e.value)}, {write(e.low)} to {write(e.high)}, {e.tier}"
            sheet.box(x(e.low), y - 3, max(x(e.high) - x(e.low), 2), 6, name="interval", colour=colour, round_=3,
                      opacity=0.35, about=told)  # fmt: skip
            sheet.dot(x(e.value), y, 4.5, colour=colour, about=told)
    return sheet.svg()


def interval(estimate: Estimate, low: float, high: float, wide: float = 96) -> str:
    """A value in its interval on a logarithmic scale from ``low`` to ``high``: a bar for the cell of a table."""
    x = Scale(low, high, 4, wide - 4, True)
    sheet = Sheet(f"{digits(estimate.low)} to {digits(estimate.high)}", wide, 10)
    sheet.path(f"M2 5H{wide - 2:g}", name="grid", colour="#8884")
    sheet.box(x(estimate.low), 2.5, max(x(estimate.high) - x(estimate.low), 2), 5, name=f"interval {estimate.tier}",
              colour=COLOURS[0], round_=2.5, opacity=0.4)  # fmt: skip
    sheet.dot(x(estimate.value), 5, 3.5, name="mark", colour=COLOURS[0])
    return sheet.svg()
