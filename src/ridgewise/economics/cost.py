"""Money: what the machine costs to buy, and what a month of it costs, bought or rented.

Energy [kWh] = wall power × hours at work + idle power × hours waiting; a purchase is spread over
:data:`AMORTISATION_MONTHS`. Every price keeps its source and date in the catalogue.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.economics.energy import kilowatt_hours
from ridgewise.economics.power import Draw, host_kind, power_range
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.offers import GIB, Offer, hosts, memory_prices, price_age, purchase_price, rental_price
from ridgewise.units import Num

#: Months over which a purchase is spread: three years, the usual depreciation of servers.
AMORTISATION_MONTHS = 36
HOURS_PER_MONTH = 730.0
#: Devices that people rent by the month; desktop-class hardware is compared as bought wherever it can be.
SERVER_KINDS = ("gpu-datacenter", "tpu", "accelerator")
#: Years after which a price says little about today.
STALE_YEARS = 2
#: Electricity when the user gives none [USD/kWh]: the order of US and EU household tariffs.
TARIFF = 0.25


@dataclass(frozen=True, slots=True)
class Cost:
    """Money of one option [USD].

    buy_low, buy_high   purchase of everything; None: no sourced price
    rent_low, rent_high per hour for all devices; None: no sourced offer
    month               the cheaper of owning (amortised purchase and energy) and renting, per month, at the
                        middle of the range; for a training run: the whole run
    tenure              which of the two that is: "own" or "rent"
    energy_month        energy part of owning
    as_of, stale        date of the device's price; ``stale``: older than :data:`STALE_YEARS`
    hosts               middle price of the hosts inside the purchase; 0 for complete machines
    basis               keys of the facts used
    """

    buy_low: Annotated[float, "USD"] | None
    buy_high: Annotated[float, "USD"] | None
    rent_low: Annotated[float, "USD/h"] | None
    rent_high: Annotated[float, "USD/h"] | None
    month: Annotated[float, "USD"] | None
    energy_month: Annotated[float, "USD"] | None
    complete: bool
    tenure: str = "own"
    hosts: Annotated[float, "USD"] = 0.0
    as_of: str = ""
    stale: bool = False
    tier: str = "datasheet"
    basis: tuple[str, ...] = ()

    @property
    def buy(self) -> float | None:
        """Middle of the purchase range."""
        if self.buy_low is None or self.buy_high is None:
            return None
        return (self.buy_low + self.buy_high) / 2


@dataclass(frozen=True, slots=True)
class Purchase:
    """What ``count`` devices cost with the hosts they need [USD], and the facts behind it."""

    low: Annotated[float, "USD"]
    high: Annotated[float, "USD"]
    complete: bool
    tier: str
    basis: tuple[str, ...]
    hosts: Annotated[float, "USD"] = 0.0
    as_of: str = ""

    @property
    def middle(self) -> float:
        """Middle of the range."""
        return (self.low + self.high) / 2


def purchase(
    device: Device, count: int, memory: float | None = None, own: float | None = None, host: float | None = None
) -> Purchase | None:
    """The price of everything, from the user's ``own`` price per device (and per ``host``) or the catalogue."""
    offer = purchase_price(device, memory)
    complete = offer is not None and offer.complete
    count = sold(device, count)
    basis: tuple[str, ...]
    if own is not None:
        low = high = own * count
        tier, basis = "measured", ("your own price",)
    elif offer is not None:
        low, high = offer.low * count, offer.high * count
        tier, basis = "assumed" if offer.assumed else "datasheet", offer.basis
    else:
        return None
    shell = None if complete else next((h for h in hosts() if h.kind == host_kind(device, count)), None)
    around = 0.0
    if shell is not None and host is not None:
        around = host * math.ceil(count / shell.boards_max)
        low, high, basis = low + around, high + around, (*basis, "your own host price")
    elif shell is not None:
        boxes = math.ceil(count / shell.boards_max)
        around = boxes * (shell.low + shell.high) / 2
        low, high = low + boxes * shell.low, high + boxes * shell.high
        tier, basis = worst(tier, "assumed" if shell.figure_kind == "assumed" else "datasheet"), (*basis, shell.key)
    if device.kind == "cpu" and memory is not None:
        ram = next(p for p in memory_prices() if p.kind == "ddr5" and p.currency == "USD")
        low, high = low + ram.low * memory / GIB, high + ram.high * memory / GIB
        tier, basis = "assumed", (*basis, "memory.ddr5")
    return Purchase(low, high, complete, tier, basis, around, offer.as_of if offer and own is None else "")


def is_stale(as_of: str) -> bool:
    """A price so much older than the newest of the catalogue that the device may no longer be sold."""
    return bool(as_of) and price_age(as_of) >= STALE_YEARS


def sold(device: Device, count: int) -> int:
    """Devices that must be bought to have ``count``: boards without a slot come by the node."""
    whole_nodes = device.kind == "gpu-datacenter" and not device.slotted
    unit = int(device.number("sold_in") or (Machine(device).per_node if whole_nodes else 1))
    return math.ceil(count / unit) * unit


def worst(*tiers: str) -> str:
    """The least supported of several tiers."""
    order = ("measured", "interpolated", "transferred", "datasheet", "assumed")
    return max(tiers, key=order.index)


def waiting_power(device: Device, count: int, draw: Draw) -> Num:
    """Watts at the wall of what is on and waits: boards with the model in their memory (idle ones where that was not
    measured), and their part of an idle host."""
    known = power_range(device)
    boards = (device.number("resident_power") or (known[0] if known else 0.0)) * count
    shell = next((h for h in hosts() if h.kind == host_kind(device, count)), None)
    around = shell.idle_power * math.ceil(count / shell.boards_max) if shell else 0.0
    share = min(count / shell.boards_max, 1.0) if shell and device.kind in SERVER_KINDS else 1.0
    found: Num = np.maximum(boards + around * share, 0.1 * draw.wall)
    return found


def energy_month(device: Device, count: int, draw: Draw, hours_per_day: Num, busy: Num, tariff: Num) -> Num:
    """USD per month: at the wall while working, at idle for the rest of the hours it is on."""
    hours = hours_per_day * HOURS_PER_MONTH / 24
    return kilowatt_hours(draw.wall, waiting_power(device, count, draw), busy, hours) * tariff


def month_owned(price: Num, energy: Num) -> Num:
    """A month of what is owned [USD]: its price [USD] over :data:`AMORTISATION_MONTHS`, and energy [USD]."""
    return price / AMORTISATION_MONTHS + energy


def month_rented(rate: Num, count: Num, hours_per_day: Num) -> Num:
    """A month of ``count`` rented devices [USD], each at a rate per hour [USD/h]."""
    return rate * count * HOURS_PER_MONTH * hours_per_day / 24


def cheaper(owned: Num, rented: Num, server: Annotated[Num, "1"]) -> Num:
    """The month that is paid [USD]: the cheaper of owning and renting; what is no server is owned wherever it can be.
    NaN stands for a way that is not known."""
    found: Num = np.where(np.asarray(server) | np.isnan(owned), np.fmin(owned, rented), owned)[()]
    return found


def monthly_cost(
    device: Device,
    count: int,
    draw: Draw | None,
    hours_per_day: float,
    busy: float,
    tariff: float = TARIFF,
    memory: float | None = None,
    own: float | None = None,
    host: float | None = None,
) -> Cost:
    """Purchase, rent and the month of one option: owning where a price is known, else renting."""
    bought = purchase(device, count, memory, own, host)
    rented = rental_price(device)
    energy = float(energy_month(device, count, draw, hours_per_day, busy, tariff)) if draw else None
    unknown = float("nan")
    price = bought.middle if bought is not None else unknown
    owned = month_owned(price, unknown if energy is None else energy)
    rent = month_rented(rented.middle, count, hours_per_day) if rented is not None else unknown
    month = float(cheaper(owned, rent, device.kind in SERVER_KINDS))
    tenure = "rent" if month == rent != owned else "own"
    return cost_of(bought, rented, count, None if math.isnan(month) else month, energy, tenure)


def cost_of(
    bought: Purchase | None,
    rented: Offer | None,
    count: int,
    month: float | None,
    energy: float | None,
    tenure: str,
) -> Cost:
    """The record of what was bought, rented and spent on energy."""
    return Cost(
        buy_low=bought.low if bought else None,
        buy_high=bought.high if bought else None,
        rent_low=rented.low * count if rented else None,
        rent_high=rented.high * count if rented else None,
        month=month,
        energy_month=energy,
        complete=bought is not None and bought.complete,
        tenure=tenure,
        hosts=bought.hosts if bought else 0.0,
        as_of=bought.as_of if bought else rented.as_of if rented else "",
        stale=bought is not None and tenure == "own" and is_stale(bought.as_of),
        tier=bought.tier if bought else "datasheet",
        basis=(*(bought.basis if bought else ()), *(rented.basis if rented else ())),
    )
