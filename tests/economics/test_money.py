"""Money by hand: energy, amortisation, rent, hosts, nodes, and the user's own prices."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.economics import AMORTISATION_MONTHS, Draw, monthly_cost, purchase
from ridgewise.economics.cost import energy_month, is_stale, sold, waiting_power, worst
from ridgewise.hardware import device, hosts, load_devices, purchase_price, rental_price

PRICED = sorted(d.id for d in load_devices().values() if purchase_price(d) is not None and d.kind != "cpu")


def host(kind: str) -> tuple[float, float]:
    found = next(h for h in hosts() if h.kind == kind)
    return found.low, found.high


def test_energy_of_a_month_by_hand() -> None:
    # 8 of 24 hours of a 730-hour month: 243.3 h. A tenth of them at 400 W, the rest at the draw of a board with a model
    # in its memory (39.5 W on an RTX 4090, 14.5 W without) and of the desktop around it (34.5 W): 74 W.
    card = device("RTX 4090")
    assert (card.number("resident_power"), card.number("idle_power")) == (39.5, 14.5)
    spent = energy_month(card, 1, Draw(300, 400, 350, 450), hours_per_day=8, busy=0.1, tariff=0.25)
    assert spent == pytest.approx((40 + 0.9 * 74) * 243.333 / 1000 * 0.25, rel=1e-5)


def test_a_board_that_was_never_measured_waits_at_a_share_of_its_limit() -> None:
    card = device("RX 9070 XT")
    assert card.number("idle_power") is None and card.number("board_power") == 304
    assert waiting_power(card, 1, Draw(250, 350, 300, 400)) == pytest.approx(0.12 * 304 + 34.5)


def test_a_machine_that_always_works_pays_its_wall_power() -> None:
    # 1 kW · 730 h · $0.30 = $219.
    spent = energy_month(device("RTX 4090"), 1, Draw(900, 1000, 900, 1100), 24, 1.0, 0.30)
    assert spent == pytest.approx(219.0)


def test_a_month_of_an_own_machine_is_its_share_of_the_purchase_and_its_energy() -> None:
    # An RTX 4090 for $1,500 in a desktop host, over 36 months, free electricity.
    low, high = host("desktop")
    cost = monthly_cost(device("RTX 4090"), 1, Draw(300, 400, 350, 450), 8, 0.1, tariff=0.0, own=1500.0)
    assert cost.tenure == "own" and cost.energy_month == 0
    assert cost.buy == pytest.approx(1500 + (low + high) / 2)
    assert cost.month == pytest.approx((1500 + (low + high) / 2) / AMORTISATION_MONTHS)
    assert AMORTISATION_MONTHS == 36


def test_a_server_board_is_rented_where_that_is_cheaper() -> None:
    # One H100 rented 8 hours a day: at the middle of its range times 243.3 hours. To own it one buys a node of 8.
    card = device("H100 SXM")
    offer = rental_price(card)
    assert offer is not None
    cost = monthly_cost(card, 1, Draw(455, 944, 776, 1098), 8, 0.1)
    assert cost.tenure == "rent"
    assert cost.month == pytest.approx((offer.low + offer.high) / 2 * 730 / 3)
    assert (cost.rent_low, cost.rent_high) == (offer.low, offer.high)


def test_boards_without_a_slot_are_sold_by_the_node() -> None:
    assert [sold(device("H100 SXM"), n) for n in (1, 8, 9)] == [8, 8, 16]
    assert [sold(device("H100 PCIe"), n) for n in (1, 3)] == [1, 3]
    assert sold(device("RTX 4090"), 2) == 2
    one, eight = (purchase(device("H100 SXM"), n) for n in (1, 8))
    assert one is not None and eight is not None and one.low == eight.low > 8 * 20_000


def test_boards_need_something_around_them_and_complete_machines_do_not() -> None:
    card, offer = device("RTX 4090"), purchase_price(device("RTX 4090"))
    found = purchase(card, 2)
    assert offer is not None and found is not None
    low, high = host("desktop")
    assert (found.low, found.high) == (2 * offer.low + low, 2 * offer.high + high)
    assert found.hosts == pytest.approx((low + high) / 2)
    mac = purchase(device("M3 Ultra"), 1, 512 * 2.0**30)
    assert mac is not None and mac.complete and mac.hosts == 0


def test_four_cards_want_a_workstation() -> None:
    low, high = host("workstation")
    found = purchase(device("RTX 4090"), 4)
    assert found is not None and found.hosts == pytest.approx((low + high) / 2)


def test_ram_of_a_server_is_paid_for() -> None:
    epyc = device("EPYC 9654")
    small, large = (purchase(epyc, 1, gib * 2.0**30) for gib in (256, 768))
    assert small is not None and large is not None
    assert large.low - small.low == pytest.approx(512 * 12, rel=0.5)  # DDR5 at 8 to 24 dollars per GiB
    assert "memory.ddr5" in large.basis and large.tier == "assumed"


def test_an_own_price_replaces_the_catalogues() -> None:
    card = device("RTX 4090")
    found = purchase(card, 2, own=1000.0)
    low, high = host("desktop")
    assert found is not None
    assert (found.low, found.high) == (2000 + low, 2000 + high)
    assert "your own price" in found.basis
    assert found.as_of == ""  # today's, as the user says: never stale


def test_what_nobody_sells_has_no_price() -> None:
    unpriced = next(d for d in load_devices().values() if purchase_price(d) is None and rental_price(d) is None)
    assert purchase(unpriced, 1) is None
    cost = monthly_cost(unpriced, 1, Draw(1, 1, 1, 1), 8, 0.1)
    assert cost.buy is None and cost.month is None and cost.basis == ()
    with_own = purchase(unpriced, 1, own=100.0)
    assert with_own is not None and with_own.low >= 100


@settings(deadline=None)
@given(st.sampled_from(PRICED), st.floats(1, 1e5), st.floats(1.0, 10.0), st.integers(1, 4))
def test_cost_scales_with_price(name: str, price: float, factor: float, count: int) -> None:
    """The devices' part of a purchase is proportional to their price; the hosts stay as they are."""
    card = load_devices()[name]
    one, more = (purchase(card, count, own=amount) for amount in (price, price * factor))
    assert one is not None and more is not None
    boards = sold(card, count)
    assert more.low - one.low == pytest.approx(boards * price * (factor - 1), rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(st.sampled_from(PRICED), st.floats(0, 24), st.floats(0, 1), st.floats(0, 1))
def test_a_dearer_tariff_never_makes_a_month_cheaper(name: str, hours: float, busy: float, tariff: float) -> None:
    card, draw = load_devices()[name], Draw(100, 150, 120, 180)
    cheap, dear = (monthly_cost(card, 1, draw, hours, busy, t).month for t in (tariff, tariff + 0.5))
    assert cheap is not None and dear is not None and cheap <= dear


@pytest.mark.parametrize("name", PRICED)
def test_ranges_are_ranges_and_every_price_names_its_facts(name: str) -> None:
    found = purchase(load_devices()[name], 1)
    assert found is not None
    assert 0 < found.low <= found.high
    assert found.basis


def test_an_old_price_is_called_stale() -> None:
    assert is_stale("2021-05") and not is_stale("2026-06") and not is_stale("")
    assert is_stale("2024-03") and not is_stale(
        "2024-11"
    )  # of the newest, in mid-2026, two years are counted in months


def test_a_small_mac_costs_what_its_shop_asks() -> None:
    for size, price in ((16, 599.0), (24, 799.0), (32, 1499.0)):
        offer = purchase_price(device("Apple M4"), size * 2.0**30)
        assert offer is not None and (offer.low, offer.high) == (price, price)


def test_the_worst_tier_wins() -> None:
    assert worst("measured", "datasheet", "transferred") == "datasheet"
    assert worst("interpolated", "assumed") == "assumed"
