"""Prices: dated, sourced, never converted, and chosen by a fixed rule."""

from __future__ import annotations

import pytest

from ridgewise.facts import load_sources
from ridgewise.hardware import (
    Offer,
    device,
    hosts,
    load_devices,
    purchase_offers,
    purchase_price,
    rental_offers,
    rental_price,
)
from ridgewise.hardware.machine import configurations
from ridgewise.hardware.offers import RENTAL_TERMS, choose_purchase, memory_prices, price_rows

GIB = 2.0**30


def row(low: float, high: float | None = None, terms: str = "street", as_of: str = "2026-01", **more: object) -> Offer:
    """A purchase offer made by hand."""
    fields: dict[str, object] = {"currency": "USD", "sources": ("x",), **more}
    return Offer("card", "purchase", low, high or low, as_of=as_of, terms=terms, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "memory", "low", "high"),
    [
        ([row(10), row(20, currency="EUR")], None, 10, 10),
        ([row(10, terms="msrp"), row(20)], None, 20, 20),
        ([row(10, terms="quote"), row(20, terms="msrp", as_of="2019")], None, 20, 20),
        ([row(10), row(12, 15, as_of="2026-06"), row(5, as_of="2025")], None, 10, 15),
        ([row(10, condition="used"), row(20)], None, 20, 20),
        ([row(10, condition="used", as_of="2026"), row(20, terms="msrp", as_of="2023")], None, 10, 10),
        ([row(10, condition="used", as_of="2026"), row(20, terms="msrp", as_of="2024")], None, 20, 20),
        ([row(10, memory=96 * GIB), row(20, memory=256 * GIB)], 256 * GIB, 20, 20),
        ([row(10, memory=96 * GIB), row(20, memory=256 * GIB)], 128 * GIB, 20, 20),
        ([row(10, memory=96 * GIB), row(20)], 128 * GIB, 20, 20),
        ([row(10, terms="msrp", sources=("assumed",)), row(20, terms="msrp", as_of="2025")], None, 20, 20),
        ([row(10, trust="A"), row(12, trust="C"), row(9)], None, 10, 10),
        ([row(10, trust="C"), row(12, trust="C")], None, 10, 12),
        ([row(10, trust="A", as_of="2024-11"), row(12, trust="C")], None, 12, 12),
    ],
)
def test_the_price_rule(rows: list[Offer], memory: float | None, low: float, high: float) -> None:
    chosen = choose_purchase(rows, memory)
    assert chosen is not None
    assert (chosen.low, chosen.high) == (low, high)
    assert choose_purchase(list(reversed(rows)), memory) is not None


def test_the_rule_does_not_depend_on_the_order_of_rows() -> None:
    rows = [row(10), row(12, 15, as_of="2026-06", sources=("y",)), row(5, as_of="2025")]
    one, other = choose_purchase(rows), choose_purchase(rows[::-1])
    assert one is not None and other is not None
    assert (one.low, one.high, one.as_of, set(one.sources)) == (
        other.low,
        other.high,
        other.as_of,
        set(other.sources),
    )


def test_nothing_is_converted_and_nothing_invented() -> None:
    assert choose_purchase([row(10, currency="CHF")]) is None
    assert choose_purchase([row(10, memory=96 * GIB)], 512 * GIB) is None
    assert choose_purchase([]) is None


def test_real_prices() -> None:
    h100 = purchase_price(device("H100"))
    assert h100 is not None and not h100.complete and h100.terms == "street"
    assert 20_000 < h100.low <= h100.high < 45_000
    spark = purchase_price(device("DGX Spark"))
    assert spark is not None and spark.complete and spark.memory == 128 * GIB
    old = purchase_price(device("RTX 3090"))
    assert old is not None and old.condition == "used" and old.high <= 1000
    small, large = (purchase_price(device("M3 Ultra"), gib * GIB) for gib in (96, 512))
    assert small is not None and large is not None and small.high < large.low
    rent = rental_price(device("H100"))
    assert rent is not None and rent.kind == "rent" and 1 < rent.low < rent.high < 12
    assert rental_price(device("M2 Ultra")) is None
    assert h100.basis == ("nvidia-h100-sxm.purchase",)


@pytest.mark.parametrize(
    "name",
    [
        "purchase.csv",
        "systems.csv",
        "hosts.csv",
        "memory.csv",
        "cloud.csv",
        "commitments.csv",
        "electricity.csv",
        "carbon.csv",
        "api.csv",
        "hosting.csv",
        "exchange.csv",
    ],
)
def test_every_price_has_a_date_and_a_listed_source(name: str) -> None:
    known, devices, rows = load_sources(), load_devices(), price_rows(name)
    assert rows
    for line in rows:
        assert line["as_of"][:2] == "20", line
        keys = [key for key in line["source"].split(";") if key]
        assert keys and all(key in known for key in keys), line
        assert not line.get("device") or line["device"] in devices, line
        for column in (
            "price_low", "price_per_kwh", "on_demand_usd_h", "spot_usd_h", "usd_h", "low_g_per_kwh", "input_usd_mtok",
            "output_usd_mtok", "cached_usd_mtok", "per_eur",
        ):  # fmt: skip
            assert not line.get(column) or float(line[column]) > 0, line
        if line.get("price_low"):
            assert line["currency"] and float(line["price_low"]) <= float(line["price_high"]), line
        if line.get("price_per_kwh"):
            assert line["trust"] in ("A", "B", "C") and line["sector"] and line["currency"], line
            assert line["trust"] != "C" or line["note"], line


def test_offers_and_hosts_are_well_formed() -> None:
    for identity in load_devices():
        for offer in (*purchase_offers(identity), *rental_offers(identity)):
            assert offer.device == identity and offer.low <= offer.high and offer.sources and offer.as_of
            assert offer.terms in ("street", "msrp", "quote", *RENTAL_TERMS)
        for offer in purchase_offers(identity):
            assert offer.complete == device(identity).complete, offer
    kinds = {host.kind: host for host in hosts()}
    assert set(kinds) == {"desktop", "workstation", "server", "cpu-server"}
    assert kinds["server"].boards_max == 8 and kinds["server"].key == "host.server"
    assert all(host.low <= host.high and host.idle_power > 0 and host.note for host in hosts())
    assert {price.kind for price in memory_prices()} == {"ddr5", "apple"}


def test_no_larger_box_is_cheaper_than_a_smaller_one() -> None:
    """Over the whole catalogue: nobody pays more for less memory, so the larger one's price is taken."""
    for sheet in load_devices().values():
        sizes = [size for size in configurations(sheet) if size is not None]
        found = [price for size in sizes if (price := purchase_price(sheet, size)) is not None]
        middles = [price.low + price.high for price in found]
        assert middles == sorted(middles), sheet.id


def test_a_price_of_strix_halo_belongs_to_one_memory_size() -> None:
    assert all(offer.memory is not None for offer in purchase_offers("amd-ryzen-ai-max-395"))
