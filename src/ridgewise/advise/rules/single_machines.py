"""Mistake 5: the rent of machines that stand alone taken for that of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.hardware.offers import rental_price
from ridgewise.training.step import supply
from ridgewise.units import digits, whole
from ridgewise.workloads import FineTuning, Pretraining


def check(question: Question, options: Sequence[Option]) -> Iterator[Finding]:
    """The pick trains on several devices, charged a rent that is only asked for one in a machine of its own."""
    if not isinstance(question.workload, Pretraining | FineTuning):
        return
    pick = next((option for option in options if option.feasible), None)
    if pick is None or pick.count == 1 or pick.cost.tenure != "rent":
        return
    offer, rates = rental_price(pick.device), supply(pick.device)
    if offer is None or rates is None or offer.devices > 1 or pick.device.kind == "tpu":  # chips of one slice
        return
    where = f" ({offer.provider} {offer.product})" if offer.provider and offer.product else ""
    yield Finding(
        "single-machines",
        "warning",
        f"{pick.device.name} is known for rent in machines of one{where} only: that {whole(pick.count)} can be had "
        f"together, at this rent, with {digits(8 * float(rates.network) / 1e9)} Gbit/s between them, is assumed",
        "ask for a quote for the whole cluster with its network, or take hardware that is let by the cluster",
    )
