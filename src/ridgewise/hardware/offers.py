"""Prices: what a device costs to buy or to rent, dated, with its source. Nothing is converted."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, cast

from ridgewise.errors import RequestError
from ridgewise.facts.catalog import catalog_path
from ridgewise.facts.figure import Kind
from ridgewise.hardware.device import Device

GIB = 2.0**30
#: Years by which second-hand rows must be newer than the newest price of a new one to replace it:
#: the launch price of a card that shops no longer sell says little.
STALE_YEARS = 3
#: By the hour, interruptible, committed to for one or three years, paid up front for days to months.
RENTAL_TERMS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "capacity-block")
#: The file of a user's own catalogue that holds the offers last fetched, in the form of ``cloud.csv``.
FETCHED = "offers.csv"


@dataclass(frozen=True, slots=True)
class Offer:
    """A price, or the range over several.

    low, high   per device, or per device and hour for "rent" [currency]
    terms       "street", "msrp" or "quote" for a purchase; "on-demand", "spot", "reserved-1y", "reserved-3y" or
                "capacity-block" for rent
    memory      memory of the configuration [B]; None: the price does not depend on it
    complete    a whole computer, not a board that needs a host
    trust       "A" vendor, retailer or measured, "B" press or reviewer, "C" aggregator or estimate
    devices     in one rented machine, or in the largest over several offers
    """

    device: str
    kind: Literal["purchase", "rent"]
    low: float
    high: float
    currency: str
    as_of: str
    sources: tuple[str, ...]
    terms: str
    trust: str = ""
    condition: Literal["new", "used"] = "new"
    memory: Annotated[float, "B"] | None = None
    complete: bool = False
    region: str = ""
    provider: str = ""
    product: str = ""
    note: str = ""
    devices: int = 1

    @property
    def middle(self) -> float:
        """Middle of the range."""
        return (self.low + self.high) / 2

    @property
    def basis(self) -> tuple[str, ...]:
        """Keys of the facts used: ``nvidia-h100-sxm.purchase``."""
        return (f"{self.device}.{self.kind}",)

    @property
    def assumed(self) -> bool:
        """No source stands behind the price."""
        return self.sources == ("assumed",)


@dataclass(frozen=True, slots=True)
class Host:
    """What boards need around them: a computer without its accelerators.

    boards_max   boards one host holds
    low, high    price [currency]
    idle_power   draw at the wall without boards [W]
    figure_kind  how far to trust it: spec, derived or assumed
    """

    kind: str
    boards_max: int
    low: Annotated[float, "USD"]
    high: Annotated[float, "USD"]
    currency: str
    idle_power: Annotated[float, "W"]
    as_of: str
    figure_kind: Kind
    sources: tuple[str, ...]
    note: str = ""

    @property
    def key(self) -> str:
        """Key of the fact: ``host.server``."""
        return f"host.{self.kind}"


@dataclass(frozen=True, slots=True)
class MemoryPrice:
    """Price of one GiB of system memory [currency/GiB]."""

    kind: str
    low: float
    high: float
    currency: str
    as_of: str
    figure_kind: Kind
    sources: tuple[str, ...]
    note: str = ""


def purchase_offers(device_id: str) -> tuple[Offer, ...]:
    """Every purchase price of a device, in all currencies."""
    return _purchases().get(device_id, ())


def rental_offers(device_id: str, own: Path | None = None) -> tuple[Offer, ...]:
    """Every rental price of a device per device and hour, of all terms; ``own`` is the folder of the user's prices,
    whose fetched offers are added."""
    fetched = _fetched(own / FETCHED) if own is not None and (own / FETCHED).is_file() else {}
    return (*_rentals().get(device_id, ()), *fetched.get(device_id, ()))


def purchase_price(device: Device, memory: float | None = None) -> Offer | None:
    """The price to reckon with; None when nobody asks one in dollars.

    ``memory`` [B] is the wanted configuration (default: the labelled one).
    See :func:`choose_purchase` for the rule.
    """
    return choose_purchase(purchase_offers(device.id), memory if memory is not None else device.memory)


def choose_purchase(offers: Iterable[Offer], memory: float | None = None) -> Offer | None:
    """One price out of many, by a fixed rule.

    1. Dollars only: nothing is converted.
    2. The wanted configuration; without one the next larger, else rows that name no configuration.
    3. New before used, unless the used rows are :data:`STALE_YEARS` newer or more.
    4. Street price before list price before quotation; a sourced row before an assumed one.
    5. Of what is left, the range over the rows of the newest year that are best trusted: what an aggregator rounded
       does not widen what a shop asks.
    6. A larger configuration that costs less by these rules: nobody pays more for less memory.
    """
    rows = [offer for offer in offers if offer.currency == "USD"]
    found = _chosen(_configured(rows, memory))
    if memory is None or found is None or found.memory is None:
        return found
    sizes = {offer.memory for offer in rows if offer.memory is not None and offer.memory >= found.memory}
    larger = (_chosen([offer for offer in rows if offer.memory == size]) for size in sorted(sizes))
    return min((offer for offer in larger if offer is not None), key=lambda offer: offer.low + offer.high)


def _chosen(rows: list[Offer]) -> Offer | None:
    """Rules 3 to 5 over the rows of one configuration."""
    new = [offer for offer in rows if offer.condition == "new"]
    used = [offer for offer in rows if offer.condition == "used"]
    stale = bool(new and used) and _newest(used) - _newest(new) >= STALE_YEARS
    rows = used if stale or not new else new
    for terms in ("street", "msrp", "quote"):
        found = [offer for offer in rows if offer.terms == terms]
        if found:
            found = [offer for offer in found if not offer.assumed] or found
            recent = [offer for offer in found if _year(offer) == _newest(found)]
            best = min(_doubt(offer) for offer in recent)
            return _merged([offer for offer in recent if _doubt(offer) == best])
    return None


def rental_price(device: Device, terms: str = "on-demand", own: Path | None = None) -> Offer | None:
    """Price per device and hour under these terms: the range over providers and regions in the newest year."""
    rows = [offer for offer in rental_offers(device.id, own) if offer.terms == terms]
    return _merged(rows) if rows else None


def price_age(as_of: str) -> Annotated[float, "years"]:
    """How much older a date is than the newest purchase price of the catalogue: what "today" means to a price."""
    return _newest_date() - _date(as_of)


@cache
def _newest_date() -> float:
    return max(_date(offer.as_of) for offers in _purchases().values() for offer in offers)


def _date(as_of: str) -> float:
    """``2024-11-21``, ``2024-11`` or ``2024`` in years, to the month; the middle of a year that is all that is told."""
    year, month = as_of[:4], as_of[5:7]
    return int(year) + (int(month) if month.isdigit() else 6) / 12


@cache
def hosts() -> tuple[Host, ...]:
    """The computers that boards go into."""
    return tuple(
        Host(
            kind=row["kind"],
            boards_max=int(row["boards_max"]),
            low=float(row["price_low"]),
            high=float(row["price_high"]),
            currency=row["currency"],
            idle_power=float(row["idle_power_w"]),
            as_of=row["as_of"],
            figure_kind=cast(Kind, row["basis"]),
            sources=_keys(row),
            note=row["note"],
        )
        for row in price_rows("hosts.csv")
    )


@cache
def memory_prices() -> tuple[MemoryPrice, ...]:
    """Prices of system memory."""
    return tuple(
        MemoryPrice(
            kind=row["kind"],
            low=float(row["price_low"]),
            high=float(row["price_high"]),
            currency=row["currency"],
            as_of=row["as_of"],
            figure_kind=cast(Kind, row["basis"]),
            sources=_keys(row),
            note=row["note"],
        )
        for row in price_rows("memory.csv")
    )


def price_rows(name: str) -> list[dict[str, str]]:
    """The rows of one price table of the catalogue."""
    return _rows(catalog_path("prices", name))


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"cannot be read: {getattr(error, 'strerror', None) or error}", str(path)) from None


@cache
def _purchases() -> Mapping[str, tuple[Offer, ...]]:
    return _by_device(
        Offer(
            device=row["device"],
            kind="purchase",
            low=float(row["price_low"]),
            high=float(row["price_high"]),
            currency=row["currency"],
            as_of=row["as_of"],
            sources=_keys(row),
            terms=row["basis"],
            trust=row["trust"],
            condition="used" if row["condition"] == "used" else "new",
            memory=float(row["memory_gib"]) * GIB if row["memory_gib"] else None,
            complete=row["complete"] == "yes",
            region=row["region"],
            product=row["product"],
            note=row["note"],
        )
        for row in price_rows("purchase.csv")
    )


@cache
def _rentals() -> Mapping[str, tuple[Offer, ...]]:
    by_the_hour = (offer for row in price_rows("cloud.csv") for offer in _rent(row))
    return _by_device((*by_the_hour, *(_committed(row) for row in price_rows("commitments.csv"))))


def _fetched(path: Path) -> Mapping[str, tuple[Offer, ...]]:
    """Offers of a user's own file; RequestError names the line that cannot be read."""
    found: list[Offer] = []
    for line, row in enumerate(_rows(path), start=2):
        try:
            if not (row["as_of"] and float(row["on_demand_usd_h"] or row["spot_usd_h"]) > 0 and int(row["count"]) > 0):
                raise ValueError("a date, a price and a count above 0")
            found += _rent(row)
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError(f"line {line} is no offer: {error}", str(path)) from None
    return _by_device(found)


def _committed(row: Mapping[str, str]) -> Offer:
    """The price of one committed instance, per device and hour."""
    price = float(row["usd_h"]) / int(row["count"])
    return Offer(
        device=row["device"], kind="rent", low=price, high=price, currency="USD", as_of=row["as_of"],
        sources=_keys(row), terms=row["term"], trust=row["trust"], complete=True, region=row["region"],
        provider=row["provider"], product=row["instance"], note=row["note"], devices=int(row["count"]),
    )  # fmt: skip


def _rent(row: Mapping[str, str]) -> Iterable[Offer]:
    """The on-demand and the spot price of one instance, per device and hour."""
    for terms, column in (("on-demand", "on_demand_usd_h"), ("spot", "spot_usd_h")):
        if row[column]:
            price = float(row[column]) / int(row["count"])
            yield Offer(
                device=row["device"],
                kind="rent",
                low=price,
                high=price,
                currency="USD",
                as_of=row["as_of"],
                sources=_keys(row),
                terms=terms,
                complete=True,
                region=row["region"],
                provider=row["provider"],
                product=row["instance"],
                devices=int(row["count"]),
            )


def _keys(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(key for key in row["source"].split(";") if key)


def _by_device(offers: Iterable[Offer]) -> dict[str, tuple[Offer, ...]]:
    found: dict[str, list[Offer]] = {}
    for offer in offers:
        found.setdefault(offer.device, []).append(offer)
    return {device: tuple(rows) for device, rows in found.items()}


def _configured(rows: list[Offer], memory: float | None) -> list[Offer]:
    """The rows of the wanted configuration, of the next larger one, or of none in particular."""
    plain = [offer for offer in rows if offer.memory is None]
    if memory is None:
        return rows
    sizes = [offer.memory for offer in rows if offer.memory is not None and offer.memory >= 0.999 * memory]
    return [offer for offer in rows if offer.memory == min(sizes)] if sizes else plain


def _doubt(offer: Offer) -> str:
    """Less is better; a row that says nothing stands last."""
    return offer.trust or "D"


def _year(offer: Offer) -> int:
    return int(offer.as_of[:4])


def _newest(rows: Iterable[Offer]) -> int:
    return max(_year(offer) for offer in rows)


def _merged(rows: list[Offer]) -> Offer:
    """One offer with the range over the rows of the newest year."""
    rows = [offer for offer in rows if _year(offer) == _newest(rows)]
    latest = max(rows, key=lambda offer: offer.as_of)

    def common(values: set[str]) -> str:
        return values.pop() if len(values) == 1 else ""

    return Offer(
        device=latest.device,
        kind=latest.kind,
        low=min(offer.low for offer in rows),
        high=max(offer.high for offer in rows),
        currency=latest.currency,
        as_of=latest.as_of,
        sources=tuple(dict.fromkeys(key for offer in rows for key in offer.sources)),
        terms=latest.terms,
        trust=max(offer.trust for offer in rows),
        condition=latest.condition,
        memory=latest.memory,
        complete=all(offer.complete for offer in rows),
        region=common({offer.region for offer in rows}),
        provider=common({offer.provider for offer in rows}),
        product=common({offer.product for offer in rows}),
        note=common({offer.note for offer in rows}),
        devices=max(offer.devices for offer in rows),
    )
