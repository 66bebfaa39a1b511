"""A training run on more and more devices: the days it takes and the rent it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ridgewise.report.charts.canvas import COLOURS, Scale, Sheet, around, line
from ridgewise.units import duration, money, whole

if TYPE_CHECKING:
    from ridgewise.report.training import TrainingDocument

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 320, 84, 84, 40, 54


def scaling(found: TrainingDocument) -> str:
    """Time and rent, both logarithmic over the number of devices, told at both ends; filled dots are those that nothing
    beats in both. Empty where one number was tried."""
    if len(found.curve) < 2:
        return ""
    title = f"{found.model} on {found.device_name}: more devices, fewer days"
    sheet = Sheet(title, WIDTH, HEIGHT, "; ".join(f"{p.devices}: {duration(p.run_s)}" for p in found.curve))
    sheet.heading(LEFT, 18, title)
    x = Scale(*around([point.devices for point in found.curve], log=True), LEFT, WIDTH - RIGHT, True)
    for point in found.curve:
        sheet.path(f"M{x(point.devices):.1f} {TOP}V{HEIGHT - BOTTOM}", name="grid", colour="#8883")
        sheet.text(x(point.devices), HEIGHT - BOTTOM + 16, whole(point.devices), anchor="middle", size=11)
    y = Scale(*around([point.run_s for point in found.curve], log=True), HEIGHT - BOTTOM, TOP, True)
    series = [("time of the run", [(p, y(p.run_s), duration(p.run_s)) for p in found.curve])]
    rents = [point.rent_usd for point in found.curve if point.rent_usd is not None]
    if len(rents) == len(found.curve):
        dollars = Scale(*around(rents, log=True), HEIGHT - BOTTOM, TOP, True)
        series.append(("rent", [(p, dollars(p.rent_usd or 0.0), money(p.rent_usd or 0.0)) for p in found.curve]))
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number]
        sheet.path(line([(x(p.devices), at) for p, at, _ in points]), name="curve", colour=colour, width=2.2)
        for point, at, told in points:
            sheet.dot(x(point.devices), at, 5 if point.pareto else 3, colour=colour,
                      about=f"{whole(point.devices)} devices: {told}")  # fmt: skip
        for (point, at, told), beside, anchor in ((points[0], -9, "end"), (points[-1], 9, "start")):
            sheet.text(x(point.devices) + beside, at + 4, told, anchor=anchor, size=11, bold=True)
        sheet.dot(LEFT + 150 * number + 6, HEIGHT - 12, 4, colour=colour)
        sheet.text(LEFT + 150 * number + 16, HEIGHT - 8, name, size=11.5)
    sheet.text(WIDTH - RIGHT, HEIGHT - 8, "devices", anchor="end", size=11.5)
    return sheet.svg()
