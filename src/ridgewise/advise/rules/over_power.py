"""More power than may be drawn."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import power


def check(case: Case) -> Iterator[Finding]:
    """Watts at the wall while working against the user's limit."""
    option, limit = case.option, case.question.max_power
    if option is None or option.draw is None or limit is None or option.draw.wall <= limit:
        return
    wall = option.draw.wall
    yield Finding(
        "error",
        f"{option.name} draws {power(wall)} at the wall while it works, the limit is {power(limit)}",
        Measure("power at the wall", wall, limit, "W"),
        "fuses, supplies or contracts that must change first",
        cures.first(cures.other_hardware(case), cures.does),
    )


RULE = Rule("over-power", "error", "site", "Over the power limit", "Does it draw less than may be drawn?", check)
