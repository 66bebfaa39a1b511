"""Break-even, flips, mixes, tornado and draws: by hand and by law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.economics.decisions import break_even, cheapest, cheapest_mix, cumulated
from ridgewise.economics.sensitivity import Doubt, draws, middle_80, tornado


def flows(today: float, monthly: float, months: int = 36) -> np.ndarray:
    return np.array([today, *[monthly] * months])


def test_break_even_by_hand() -> None:
    # $12,000 and $100 a month against $1,100 a month: after 12 months both have cost $13,200.
    buy, rent = cumulated(flows(12_000, 100), 0.0), cumulated(flows(0, 1100), 0.0)
    assert break_even(buy, rent) == 12
    assert break_even(buy, cumulated(flows(0, 400), 0.0)) == np.inf  # $300 a month saved need 40 months
    both = break_even(np.stack([buy, buy]), np.stack([rent, 0.3 * rent]))
    assert both[0] == 12 and both[1] == np.inf


def test_who_pays_interest_waits_longer() -> None:
    months = [break_even(cumulated(flows(12_000, 100), r), cumulated(flows(0, 1100), r)) for r in (0.0, 0.1, 0.3)]
    assert months == sorted(months) and months[-1] > months[0]


def test_a_second_purchase_puts_it_off() -> None:
    bought = flows(12_000, 100)
    bought[20] += 12_000
    rent = flows(0, 1100)
    assert break_even(cumulated(bought, 0.0), cumulated(rent, 0.0)) == 24  # ahead in month 12, behind again in month 20


@given(st.floats(1, 1e6), st.floats(0, 1e3), st.floats(0, 1e4))
def test_break_even_is_purchase_over_saving(price: float, own: float, saving: float) -> None:
    found = float(break_even(cumulated(flows(price, own), 0.0), cumulated(flows(0, own + saving), 0.0)))
    exact = price / saving if saving else np.inf
    if exact > 36.001:
        assert found == np.inf
    elif exact < 35.999:
        assert exact - 1e-6 <= found <= exact + 1 + 1e-6


def test_spans_by_hand() -> None:
    loads = np.geomspace(0.01, 100, 401)
    spans = cheapest(loads, {"buy": np.full(401, 100.0), "api": 50.0 * loads})
    assert [span.way for span in spans] == ["api", "buy"]
    assert spans[0].low == pytest.approx(0.01) and spans[1].high == pytest.approx(100)
    assert spans[0].high == spans[1].low == pytest.approx(2.0, rel=0.02)


def test_the_base_is_held_and_the_peaks_are_rented() -> None:
    # Of four copies one is needed always, the second 60 %, the third 30 %, the fourth 5 % of 730 hours. Held for $800 a
    # month or $2 an hour: the break-even is 400 hours, 55 % of the month, so two are held and 255.5 hours rented.
    mix = cheapest_mix((1.0, 0.6, 0.3, 0.05), 730.0, 800.0, 2.0)
    assert mix.held == 2 and mix.rented_hours == pytest.approx(255.5) and mix.cost == pytest.approx(1600 + 511)
    # Sold by the four, at $2,500: all of them cost more than that mix, but renting all costs $2,847.
    assert cheapest_mix((1.0, 0.6, 0.3, 0.05), 730.0, 2500.0, 2.0, block=4).held == 4


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0, 2000), st.floats(0.01, 5))
def test_no_other_mix_is_cheaper(shares: list[float], held: float, price: float) -> None:
    above = sorted(shares, reverse=True)
    best = cheapest_mix(above, 730.0, held, price)
    for k in range(len(above) + 1):
        assert best.cost <= k * held + sum(above[k:]) * 730 * price + 1e-6
    assert best.held == sum(share * 730 * price > held for share in above) or best.cost == pytest.approx(
        sum(share * 730 * price > held for share in above) * held
        + sum(s for s in above if s * 730 * price <= held) * 730 * price
    )


def test_the_widest_swing_stands_first() -> None:
    doubts = {"price": Doubt(1, 0.5, 1.5), "power": Doubt(1, 0.9, 1.1), "known": Doubt(1, 1, 1), "idle": Doubt(1, 0, 2)}
    found = tornado(lambda at: 100 * at.get("price", 1.0) + 10 * at.get("power", 1.0), doubts)
    assert [(s.name, s.low, s.high) for s in found] == [("price", 60, 160), ("power", 109, 111)]


def test_draws_are_seeded_and_independent() -> None:
    doubts = {"speed": Doubt(2.0, 1.0, 3.0, "interval"), "price": Doubt(10, 5, 20)}
    one, again, other = draws(doubts, 20_000, 1), draws(doubts, 20_000, 1), draws(doubts, 20_000, 2)
    assert np.array_equal(one["speed"], again["speed"]) and not np.array_equal(one["speed"], other["speed"])
    assert np.array_equal(draws({"price": doubts["price"]}, 20_000, 1)["price"], one["price"])
    median, low, high = middle_80(one["speed"])
    assert (median, low, high) == pytest.approx((2.0, 1.0, 3.0), rel=0.05)
    assert one["price"].min() >= 5 and one["price"].max() <= 20
    assert abs(float(np.corrcoef(one["speed"], one["price"])[0, 1])) < 0.03
