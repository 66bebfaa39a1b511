"""A server's card without a server around it."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding
from ridgewise.advise.rules.rule import Rule
from ridgewise.economics.power import host_kind
from ridgewise.units import money

#: Hosts whose fans do not blow through their cards.
QUIET = ("desktop", "workstation")


def check(case: Case) -> Iterator[Finding]:
    """A bought card of a data centre in a slot of a computer for a desk."""
    option, device = case.option, case.device
    if option is None or option.cost.tenure != "own" or not option.cost.hosts:
        return
    if device.kind != "gpu-datacenter" or not device.slotted or case.question.host_price is not None:
        return
    kind = host_kind(device, option.count)
    if kind not in QUIET:
        return
    yield Finding(
        "warning",
        f"{device.name} is made for servers: it has no fan, and the price holds a {kind} of "
        f"{money(option.cost.hosts)}, which does not blow through it",
        cost="a card that slows down or switches off with heat",
        cure=Cure("get the quote of a server with its airflow, and plan with it (--host-price)"),
    )


RULE = Rule("passive-card", "warning", "site", "A card without a fan", "Does the computer around it cool it?", check)
