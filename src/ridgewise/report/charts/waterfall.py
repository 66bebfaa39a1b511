"""Where the memory of a device goes: what it has, what each part takes away, what is left."""

from __future__ import annotations

from collections.abc import Mapping

from ridgewise.report.charts.canvas import AXIS, Scale, Sheet
from ridgewise.units import size

WIDTH, LEFT, RIGHT, TOP, ROW = 520, 112, 76, 12, 30
#: Colour of each part that memory policies name; further parts take the last.
PARTS = {
    "reserved": "#9aa0a6", "weights": "#0072B2", "KV cache": "#E69F00", "state": "#CC79A7", "buffers": "#009E73",
    "engine": "#7A7A7A", "activations": "#56B4E9", "gradients": "#D55E00", "optimiser": "#CC79A7",
}  # fmt: skip
OTHER, FREE, MISSING = "#8172B2", "#2e9e6b", "#d1342f"


def waterfall(title: str, usable: float, parts: Mapping[str, float], reserved: float = 0.0) -> str:
    """One row per part, each beginning where the one before ended; the last is what is left, or what is missing.

    ``usable`` and ``parts`` per device [B]; ``reserved``: what the device itself keeps, named before the parts.
    """
    steps = {**({"reserved": reserved} if reserved > 0 else {}), **{k: v for k, v in parts.items() if v > 0}}
    held = sum(steps.values())
    left = usable - held
    height = TOP + ROW * (len(steps) + 2) + 8
    sheet = Sheet(title, WIDTH, height, f"{size(held)} of {size(usable)} held")
    across = Scale(0.0, max(usable, held), LEFT, WIDTH - RIGHT)

    def row(place: int, name: str, start: float, amount: float, colour: str, told: str, opacity: float = 1.0) -> None:
        y = TOP + ROW * place
        x, end = across(start), across(start + amount)
        sheet.text(LEFT - 10, y + 15, name, anchor="end", size=12.5)
        sheet.box(x, y + 2, max(end - x, 1.5), ROW - 11, name=f"part {name.replace(' ', '-')}", colour=colour,
                  opacity=opacity, about=f"{name}: {told}")  # fmt: skip
        sheet.text(WIDTH - RIGHT + 8, y + 15, told, size=12.5)

    row(0, "usable memory", 0.0, usable, AXIS, size(usable), 0.35)
    at = 0.0
    for place, (name, amount) in enumerate(steps.items(), 1):
        row(place, name, at, amount, PARTS.get(name, OTHER), size(amount))
        at += amount
        x = across(at)
        sheet.path(f"M{x:.1f} {TOP + ROW * place + 2:.1f}v{ROW:.1f}", name="step", colour=AXIS, dash="2 3")
    last = len(steps) + 1
    if left >= 0:
        row(last, "left", at, left, FREE, size(left), 0.55)
    else:
        row(last, "missing", usable, -left, MISSING, size(-left), 0.85)
    x = across(usable)
    if left < 0:
        sheet.path(f"M{x:.1f} {TOP:.1f}V{height - 4:.1f}", name="limit", colour=MISSING, width=1.5, dash="4 3")
    return sheet.svg()
