"""More than one circuit carries all day."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.cost import SERVER_KINDS
from ridgewise.economics.energy import CONTINUOUS, DESK, DESK_AMERICA, RACK, circuits, heat
from ridgewise.hardware.machine import Machine
from ridgewise.units import digits, power


def check(case: Case) -> Iterator[Finding]:
    """The draw of one computer at the wall against 80 % of a breaker: a desk's for cards and small machines, a rack's
    for servers."""
    option = case.option
    if option is None or option.draw is None:
        return
    nodes = Machine(option.device, option.count).nodes
    wall = option.draw.wall / nodes
    rack = case.device.kind in SERVER_KINDS and not case.device.slotted
    volts, amperes = RACK if rack else DESK
    carried, american = (CONTINUOUS * v * a for v, a in ((volts, amperes), DESK_AMERICA))
    if wall <= carried and (rack or wall <= american):
        return
    over = wall > carried
    limit = carried if over else american
    volts, amperes = (volts, amperes) if over else DESK_AMERICA
    needed = int(circuits(wall, volts, amperes))
    yield Finding(
        "warning" if over else "note",
        f"{option.name} draws {power(wall)} at the wall{' in each computer' if nodes > 1 else ''}, one circuit of "
        f"{digits(volts)} V and {digits(amperes)} A carries {power(limit)} all day; {digits(float(heat(wall)))} BTU/h "
        "of heat must leave the room",
        Measure("power at the wall", wall, limit, "W"),
        f"{needed} circuits and cooling for {power(wall)}",
        Cure(f"have {needed} circuits and the cooling laid before it comes, or limit the boards' power"),
    )


RULE = Rule(
    "circuit", "warning", "site", "More than a circuit carries", "Does one circuit, and the room, bear it all day?",
    check,
)  # fmt: skip
