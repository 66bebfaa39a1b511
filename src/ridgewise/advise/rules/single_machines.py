"""Mistake 5: machines that are let one by one taken for a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.learning import rent_together
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.hardware.offers import rental_price
from ridgewise.training.step import supply
from ridgewise.units import digits, money, whole
from ridgewise.workloads import FineTuning, Pretraining


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """The pick trains on several devices that are let in machines of one only, and nobody named its own price."""
    if not isinstance(question.workload, Pretraining | FineTuning):
        return
    pick = next((option for option in options if option.feasible), None)
    if pick is None or pick.device.id in question.prices:
        return
    offer, rates = rental_price(pick.device), supply(pick.device)
    if offer is None or rates is None or rent_together(pick.device, pick.count) is not None:
        return
    where = f" ({offer.provider} {offer.product})" if offer.provider and offer.product else ""
    yield Finding(
        "single-machines",
        "warning",
        f"{pick.device.name} is let in machines of one only{where}, at {money((offer.low + offer.high) / 2)}/h: what "
        f"{whole(pick.count)} together cost, with {digits(8 * float(rates.network) / 1e9)} Gbit/s between them, is "
        "not known",
        "ask for a quote for the whole cluster with its network, or take hardware that is let by the cluster",
    )
