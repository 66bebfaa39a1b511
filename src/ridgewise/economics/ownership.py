"""A service over months, bought, rented or asked of an API: flows of money, and what they come to.

Every function takes a :class:`Case`, whose numbers may be columns (a row per draw or per load), and adds the months as
the last axis: month 0 is today, the bills of month t are paid at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.economics import finance, load
from ridgewise.economics.energy import carbon_kg, kilowatt_hours
from ridgewise.economics.load import Series
from ridgewise.units import Count, Dollars, Num, Ratio, Tokens, Watts

#: Hours of a month.
HOURS = 730.0
#: The ways to have the service.
WAYS = ("buy", "rent", "api")


@dataclass(frozen=True, slots=True)
class Case:
    """What the bills depend on. A copy is one deployment of the plan; a unit is what is bought at once.

    months             horizon
    rate               yearly rate of financing or discounting
    tax                share added to purchases, rents and API bills
    load, growth, ramp load over what was asked, its yearly growth, months until it is reached
    peak, capacity     requests per second at the peak, and those one copy carries within its limits
    planned            copies that carry load 1 as planned; each works the share ``busy`` of its hours then
    requests           per month at load 1, each of ``prompt`` (the share ``cached`` of it known) and ``output`` tokens
    hours              per month in which a copy is on, the share ``busy`` of them at work
    elastic            rented only while it works (a run), instead of for all hours
    unit_price, unit_copies   purchase of one unit, hosts included, and the copies it holds
    resale             share of the purchase it is sold for at the end
    working, waiting   watts of one copy at the wall
    pue, tariff        energy of the facility over that of the computers; USD/kWh
    hosting            USD per month and kW drawn at work
    upkeep             maintenance and spares: share of the purchase per year
    running            staff, network, storage: USD per month
    rent               USD per copy and hour
    price_in, price_out, price_cached   of the API, USD per token
    grid               g CO₂e per kWh
    """

    months: Annotated[int, "months"]
    rate: Ratio
    tax: Ratio
    load: Ratio
    growth: Ratio
    ramp: Annotated[float, "months"]
    peak: Count
    capacity: Count
    planned: Count
    requests: Annotated[Num, "1/month"]
    prompt: Tokens
    output: Tokens
    cached: Ratio
    hours: Annotated[Num, "h"]
    busy: Ratio
    elastic: bool
    unit_price: Dollars
    unit_copies: Count
    resale: Ratio
    working: Watts
    waiting: Watts
    pue: Ratio
    tariff: Annotated[Num, "USD/kWh"]
    hosting: Annotated[Num, "USD/kW"]
    upkeep: Ratio
    running: Dollars
    rent: Annotated[Num, "USD/h"]
    price_in: Annotated[Num, "USD/token"]
    price_out: Annotated[Num, "USD/token"]
    price_cached: Annotated[Num, "USD/token"]
    grid: Annotated[Num, "g/kWh"]


def _wide(value: Num) -> Series:
    """A number or column with room for the months."""
    found: Series = np.asarray(value, dtype=float)[..., None]
    return found


def _padded(values: Num, before: int, after: int) -> Series:
    """A series with months of nothing before and after it."""
    series = np.asarray(values, dtype=float)
    return np.pad(series, [(0, 0)] * (series.ndim - 1) + [(before, after)])


def loads(case: Case) -> Annotated[Series, "ratio"]:
    """Load of every month."""
    return load.path(case.months, case.growth, case.ramp, case.load)


def copies(case: Case) -> Annotated[Series, "1"]:
    """Copies needed in every month."""
    return np.asarray(load.copies(loads(case), _wide(case.peak), _wide(case.capacity)))


def units(case: Case) -> Annotated[Series, "1"]:
    """Units owned in every month: what was bought stays."""
    owned: Series = np.maximum.accumulate(np.ceil(copies(case) / _wide(case.unit_copies) - 1e-9), axis=-1)
    return owned


def energy(case: Case) -> Annotated[Series, "kWh"]:
    """Energy at the meter of every month: all copies wait, and the work, wherever it is done, adds its part."""
    count = copies(case)
    share = np.minimum(_wide(case.busy) * loads(case) * _wide(case.planned) / count, 1.0)
    each = kilowatt_hours(_wide(case.working), _wide(case.waiting), share, _wide(case.hours), _wide(case.pue))
    return np.asarray(each * count)


def carbon(case: Case) -> Annotated[Series, "kg"]:
    """CO₂e of every month's electricity."""
    return np.asarray(carbon_kg(energy(case), _wide(case.grid)))


def tokens(case: Case) -> Annotated[Series, "tokens"]:
    """Tokens read and written in every month."""
    return loads(case) * _wide(case.requests * (case.prompt + case.output))


def buy(case: Case) -> Annotated[Series, "USD"]:
    """Flows of owning: units when they are needed, every month's bills, the resale at the end."""
    owned = units(case)
    price = _wide(case.unit_price * (1.0 + np.asarray(case.tax)))
    bought = np.diff(owned, axis=-1, prepend=0.0) * price
    kilowatts = copies(case) * _wide(case.working) / 1000.0
    bills = (
        energy(case) * _wide(case.tariff)
        + kilowatts * _wide(case.hosting)
        + owned * _wide(case.unit_price * case.upkeep / 12.0)
        + _wide(case.running)
    )
    sold = owned[..., -1:] * _wide(case.unit_price * case.resale)
    # a unit is there when its month begins, bills are paid when it ends, the last month ends with the sale
    return _padded(bought, 0, 1) + _padded(bills, 1, 0) - _padded(sold, case.months, 0)


def rent(case: Case) -> Annotated[Series, "USD"]:
    """Flows of renting: every copy for all hours it is on, or for its work alone."""
    hours = _wide(case.hours) * copies(case)
    if case.elastic:
        hours = _wide(np.asarray(case.hours) * case.busy) * loads(case)
    bills = hours * _wide(case.rent * (1.0 + np.asarray(case.tax))) + _wide(case.running)
    return _padded(bills, 1, 0)


def api(case: Case) -> Annotated[Series, "USD"]:
    """Flows of asking an API: tokens read, known and written, at their prices; nothing where nothing is asked."""
    read = case.prompt * ((1.0 - np.asarray(case.cached)) * case.price_in + np.asarray(case.cached) * case.price_cached)
    each = (read + case.output * case.price_out) * (1.0 + np.asarray(case.tax))
    bills = loads(case) * _wide(case.requests * each)
    return _padded(bills, 1, 0)


FLOWS = {"buy": buy, "rent": rent, "api": api}


def total(case: Case, way: str) -> Dollars:
    """Present value of one way over the horizon."""
    return finance.present_value(FLOWS[way](case), case.rate)


def month(case: Case, way: str) -> Dollars:
    """The same as level payments per month."""
    return total(case, way) * finance.annuity(case.rate, case.months)


def per_token(case: Case, way: str) -> Annotated[Num, "USD/token"]:
    """Levelised cost of a token, read or written: present value of the money over that of the tokens; infinite where
    none are asked for."""
    held = tokens(case)
    worth = (held * finance.discounts(case.rate, case.months)[..., 1:]).sum(axis=-1)
    return np.where(worth > 0, total(case, way) / np.where(worth > 0, worth, 1.0), np.inf)[()]


def idle_month(case: Case) -> Dollars:
    """What the hours without work cost per month when it is owned: their share of the level payments, less the energy
    that only work takes."""
    working, count = np.asarray(case.working) - case.waiting, copies(case)[..., 0]
    used = np.minimum(np.asarray(case.busy) * loads(case)[..., 0] * case.planned, count)
    work = working * used * case.hours / 1000.0 * case.pue * case.tariff
    share = np.minimum(used * case.hours / (HOURS * count), 1.0)
    return (month(case, "buy") - work) * (1.0 - share)
