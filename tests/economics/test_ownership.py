"""Buying, renting and asking an API over months: published bills, a case by hand, laws, columns."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.economics import ownership
from ridgewise.economics.decisions import break_even, cumulated
from ridgewise.economics.finance import annuity
from ridgewise.economics.ownership import WAYS, Case

#: A server for $24,000 over two years at no interest, always on, at work half of the time; 1 kW at work, 0.4 kW else.
CASE = Case(
    months=24, rate=0.0, tax=0.0, load=1.0, growth=0.0, ramp=0.0, peak=10.0, capacity=10.0, planned=1.0,
    requests=1e6, prompt=800.0, output=200.0, cached=0.0, hours=730.0, busy=0.5, elastic=False,
    unit_price=24_000.0, unit_copies=1.0, resale=0.25, working=1000.0, waiting=400.0, pue=1.5, tariff=0.2,
    hosting=100.0, upkeep=0.06, running=50.0, rent=3.0, price_in=1e-6, price_out=4e-6, price_cached=1e-7, grid=400.0,
)  # fmt: skip


def total(case: Case, way: str) -> float:
    return float(ownership.total(case, way))


def test_owning_by_hand() -> None:
    # Energy: 0.7 kW · 730 h · 1.5 = 766.5 kWh. A month: $153.30 energy, $100 space, $120 upkeep, $50 staff.
    assert ownership.energy(CASE) == pytest.approx(np.full(24, 766.5))
    flows = ownership.buy(CASE)
    assert flows[0] == 24_000 and flows[1] == pytest.approx(423.30) and flows[24] == pytest.approx(423.30 - 6000)
    assert total(CASE, "buy") == pytest.approx(24_000 + 24 * 423.30 - 6000)
    assert float(ownership.month(CASE, "buy")) == pytest.approx(total(CASE, "buy") / 24)
    assert ownership.carbon(CASE) == pytest.approx(np.full(24, 306.6))


def test_renting_and_asking_by_hand() -> None:
    assert total(CASE, "rent") == pytest.approx(24 * (3 * 730 + 50))
    # A million requests: 800 M tokens at $1 per million, 200 M at $4.
    assert total(CASE, "api") == pytest.approx(24 * 1600)
    assert total(replace(CASE, cached=0.5), "api") == pytest.approx(24 * (400 + 40 + 800))
    assert float(ownership.per_token(CASE, "api")) == pytest.approx(1.6e-6)


def test_the_bill_of_deepseek_v3() -> None:
    # arXiv 2412.19437, table 1: 2.788 M H800 hours at $2 are $5.576 M. One run in one month.
    hours = 2.788e6
    run = replace(CASE, months=1, elastic=True, hours=730.0, busy=hours / 730, rent=2.0, running=0.0, capacity=1e9)
    assert total(run, "rent") == pytest.approx(5.576e6)


def test_the_bill_of_gpt_3_on_one_card() -> None:
    # Lambda (2020): 355 years of one V100 at $1.50 an hour are about $4.6 M.
    year = replace(CASE, months=12, hours=8760 / 12, rent=1.5, running=0.0)
    assert 355 * total(year, "rent") == pytest.approx(4.6e6, rel=0.02)


def test_the_break_even_of_lenovo() -> None:
    # Lenovo Press LP2225: a server of eight H100 for $833,806 that costs $0.87 an hour to run, against p5.48xlarge at
    # $98.32 an hour: even after 8,556 hours, 11.9 months. So it is behind after 11 months of 730 hours, ahead after 12.
    own = replace(CASE, months=36, unit_price=833_806.0, resale=0.0, upkeep=0.0, hosting=0.0, tariff=0.0,
                  running=0.87 * 730)  # fmt: skip
    rented = replace(own, rent=98.32, running=0.0)
    spent, paid = (cumulated(flows, 0.0) for flows in (ownership.buy(own), ownership.rent(rented)))
    assert break_even(spent, paid) == math.ceil(8556 / 730) == 12
    hours = 833_806 / (rented.rent - 0.87)
    assert hours == pytest.approx(8556, abs=1)


def test_more_load_than_one_copy_carries_buys_another() -> None:
    twice = replace(CASE, load=1.01)
    assert ownership.copies(twice) == pytest.approx(np.full(24, 2))
    assert ownership.buy(twice)[0] == 48_000
    shared = replace(twice, unit_copies=8.0)  # a server that holds eight of them
    assert ownership.buy(shared)[0] == 24_000


def test_growth_buys_when_it_must() -> None:
    grown = replace(CASE, growth=0.5, load=0.9)
    owned = ownership.units(grown)
    first = int(np.argmax(owned == 2))
    assert owned[first - 1] == 1 and 0.9 * 1.5 ** (first / 12) > 1
    assert ownership.buy(grown)[first] - ownership.buy(grown)[first - 1] > 20_000  # at the end of the month before


NUMBERS = [field.name for field in fields(Case) if field.name not in ("months", "ramp", "elastic")]
LOADS = st.floats(0.0, 20.0)
PRICES = ("unit_price", "rent", "price_in", "price_out", "tariff", "hosting", "running")


@given(st.sampled_from(WAYS), st.floats(0.1, 10.0), LOADS)
def test_cost_scales_with_price(way: str, factor: float, load: float) -> None:
    case = replace(CASE, load=load)
    dearer = replace(case, **{name: getattr(case, name) * factor for name in (*PRICES, "price_cached")})
    assert total(dearer, way) == pytest.approx(factor * total(case, way), rel=1e-9, abs=1e-6)


@given(st.sampled_from(PRICES), st.floats(1.0, 10.0), st.sampled_from(WAYS), LOADS)
def test_no_dearer_price_makes_a_way_cheaper(name: str, factor: float, way: str, load: float) -> None:
    case = replace(CASE, load=load)
    assert total(replace(case, **{name: getattr(case, name) * factor}), way) >= total(case, way) - 1e-6


@given(st.floats(0.0, 0.5), st.floats(0.0, 0.9))
def test_a_service_without_load_costs_its_idle(rate: float, resale: float) -> None:
    none = replace(CASE, load=0.0, rate=rate, resale=resale)
    assert total(none, "api") == 0
    assert ownership.energy(none) == pytest.approx(np.full(24, 0.4 * 730 * 1.5))
    assert float(ownership.idle_month(none)) == pytest.approx(float(ownership.month(none, "buy")))
    assert float(ownership.per_token(none, "buy")) == np.inf


@given(st.floats(0.0, 0.5), st.sampled_from(WAYS))
def test_level_payments_are_worth_the_flows(rate: float, way: str) -> None:
    case = replace(CASE, rate=rate)
    assert float(ownership.month(case, way)) / float(annuity(rate, 24)) == pytest.approx(total(case, way))


@given(LOADS, LOADS, st.sampled_from(WAYS))
def test_more_load_never_costs_less(one: float, other: float, way: str) -> None:
    low, high = sorted((one, other))
    assert total(replace(CASE, load=low), way) <= total(replace(CASE, load=high), way) + 1e-6


def test_tax_falls_on_what_is_bought_rented_and_asked() -> None:
    taxed = replace(CASE, tax=0.19, running=0.0)
    bare = replace(CASE, running=0.0)
    assert total(taxed, "api") == pytest.approx(1.19 * total(bare, "api"))
    assert total(taxed, "rent") == pytest.approx(1.19 * total(bare, "rent"))
    assert total(taxed, "buy") - total(bare, "buy") == pytest.approx(0.19 * 24_000)


@settings(deadline=None)
@given(st.lists(st.floats(0.2, 3.0), min_size=2, max_size=6), st.sampled_from(NUMBERS), st.sampled_from(WAYS))
def test_a_column_is_its_rows(factors: list[float], name: str, way: str) -> None:
    base = replace(CASE, rate=0.05, growth=0.3, ramp=3.0, tax=0.1, cached=0.2, resale=0.2, busy=0.2)
    column = np.array([min(getattr(base, name) * f, 1.0) if name in ("cached", "busy") else getattr(base, name) * f
                       for f in factors])  # fmt: skip
    for formula in (
        lambda case: ownership.total(case, way), lambda case: ownership.per_token(case, way),
        ownership.idle_month, ownership.energy, ownership.carbon, ownership.tokens, ownership.units,
    ):  # fmt: skip
        together = np.asarray(formula(replace(base, **{name: column})))
        for i, value in enumerate(column):
            alone = np.asarray(formula(replace(base, **{name: float(value)})))
            found = together[i] if together.ndim > alone.ndim else together
            assert found == pytest.approx(alone, rel=1e-9), formula
