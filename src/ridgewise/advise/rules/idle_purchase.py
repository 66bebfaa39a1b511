"""Bought, and used so little that paying by the hour is cheaper."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.economics.cost import SERVER_KINDS, month_owned, month_rented
from ridgewise.units import digits, money, share
from ridgewise.workloads import Service, SingleUser


def check(case: Case) -> Iterator[Finding]:
    """A month of owning against the dearest known rent for the hours in which it is on."""
    option, work = case.option, case.question.workload
    if option is None or not isinstance(work, SingleUser | Service) or not option.feasible:
        return
    cost = option.cost
    if case.device.kind not in SERVER_KINDS or cost.buy is None or cost.rent_high is None or cost.energy_month is None:
        return
    if case.device.id in case.question.prices:
        return
    own = float(month_owned(cost.buy, cost.energy_month))
    rent, always = (float(month_rented(cost.rent_high, 1.0, hours)) for hours in (work.hours_per_day, 24.0))
    if rent >= own:
        return
    used, even = work.hours_per_day / 24, own / always
    when = f"from {share(even)} of all hours on" if even < 1 else "at no load"
    yield Finding(
        "warning",
        f"it is on {share(used)} of all hours: bought it costs {money(own)} a month, rented for those hours alone "
        f"{money(rent)} at the dearest offer; owning pays {when}",
        Measure("share of all hours on", used, min(even, 1.0), "ratio"),
        f"{money((own - rent) * AMORTISATION_MONTHS)} over {digits(AMORTISATION_MONTHS / 12)} years",
        Cure("rent by the hour, share the machine, or ask `ridgewise cost` for a hosted API"),
        (own - rent) * AMORTISATION_MONTHS,
    )


RULE = Rule(
    "idle-purchase", "warning", "overkill", "Used too little to own", "Is it at work often enough to be owned?", check
)
