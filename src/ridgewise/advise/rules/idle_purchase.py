"""Bought, and used so little that paying by the hour is cheaper."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.economics.cost import HOURS_PER_MONTH, SERVER_KINDS
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
    own = cost.buy / AMORTISATION_MONTHS + cost.energy_month
    used = work.hours_per_day / 24
    rent = cost.rent_high * HOURS_PER_MONTH * used
    if rent >= own:
        return
    even = own / (cost.rent_high * HOURS_PER_MONTH)
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
