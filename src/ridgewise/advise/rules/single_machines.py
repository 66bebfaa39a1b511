"""Machines that are let one by one taken for a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.learning import rent_together
from ridgewise.advise.rules.rule import Rule
from ridgewise.hardware.offers import rental_price
from ridgewise.training.step import supply
from ridgewise.units import digits, money, whole


def check(case: Case) -> Iterator[Finding]:
    """It trains on several devices that are let in machines of one only, and nobody named its own price."""
    option = case.option
    if not case.trains or option is None or not option.feasible or option.device.id in case.question.prices:
        return
    offer, rates = rental_price(option.device), supply(option.device)
    if offer is None or rates is None or rent_together(option.device, option.count) is not None:
        return
    where = f" ({offer.provider} {offer.product})" if offer.provider and offer.product else ""
    yield Finding(
        "warning",
        f"{option.device.name} is let in machines of one only{where}, at {money(offer.middle)}/h: what "
        f"{whole(option.count)} together cost, with {digits(8 * float(rates.network) / 1e9)} Gbit/s between them, is "
        "not known",
        Measure("devices in one rented machine", float(offer.devices), float(option.count), "1"),
        "the run costs more than its rent says, or cannot be had",
        Cure("ask for a quote for the whole cluster with its network, or take hardware that is let by the cluster"),
    )


RULE = Rule(
    "single-machines", "warning", "training", "Single machines taken for a cluster",
    "Can so many be rented together, with a network?", check,
)  # fmt: skip
