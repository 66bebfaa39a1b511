"""Money over time against the library numpy-financial, published cases and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.economics import finance
from ridgewise.economics.finance import (
    annuity,
    capital_month,
    declining,
    monthly_rate,
    present_value,
    straight_line,
)

RATES = st.floats(0.0, 1.0)
MONTHS = st.integers(1, 240)
#: Rates at which numpy-financial keeps its digits: below them its 1 − (1 + i)^−n cancels.
ORACLE_RATES = st.just(0.0) | st.floats(1e-4, 1.0)


def yearly(monthly: float) -> float:
    """The effective yearly rate of a monthly one."""
    return float((1 + monthly) ** 12 - 1)


def test_a_loan_of_a_textbook() -> None:
    # $200,000 over 15 years at 7.5 % nominal, paid monthly: $1,854.02 (the example of numpy-financial's pmt).
    assert 200_000 * annuity(yearly(0.075 / 12), 180) == pytest.approx(1854.0247, abs=1e-4)


def test_an_investment_of_a_textbook() -> None:
    # −40,000 today, then 5,000, 8,000, 12,000 and 30,000 at the ends of four years at 8 %: 3,065.22 (its npv).
    flows = np.zeros(49)
    flows[[0, 12, 24, 36, 48]] = (-40_000, 5_000, 8_000, 12_000, 30_000)
    assert present_value(flows, 0.08) == pytest.approx(3065.22267, abs=1e-4)


@given(ORACLE_RATES, MONTHS, st.floats(1.0, 1e6))
def test_annuities_are_those_of_numpy_financial(rate: float, months: int, price: float) -> None:
    npf = pytest.importorskip("numpy_financial", reason="numpy-financial is not installed (extra 'test')")
    per_month = float(monthly_rate(rate))
    assert price * annuity(rate, months) == pytest.approx(-float(npf.pmt(per_month, months, price)), rel=1e-7)


@given(RATES, st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_present_values_are_those_of_numpy_financial(rate: float, flows: list[float]) -> None:
    npf = pytest.importorskip("numpy_financial", reason="numpy-financial is not installed (extra 'test')")
    expected = float(npf.npv(float(monthly_rate(rate)), flows))
    assert present_value(np.array(flows), rate) == pytest.approx(expected, rel=1e-7, abs=1e-4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_at_no_rate_the_present_value_is_the_sum(flows: list[float]) -> None:
    assert present_value(np.array(flows), 0.0) == pytest.approx(float(np.sum(flows)), rel=1e-9, abs=1e-6)


@given(RATES, MONTHS)
def test_payments_of_an_annuity_are_worth_the_loan(rate: float, months: int) -> None:
    payments = np.full(months + 1, float(annuity(rate, months)))
    payments[0] = 0.0
    assert present_value(payments, rate) == pytest.approx(1.0, rel=1e-9)


@given(st.floats(1.0, 1e6), st.floats(0.0, 1.0), RATES, MONTHS)
def test_capital_is_the_annuity_of_what_is_not_got_back(price: float, share: float, rate: float, months: int) -> None:
    flows = np.zeros(months + 1)
    flows[0], flows[-1] = price, flows[-1] - share * price
    expected = (price - share * price / (1 + monthly_rate(rate)) ** months) * annuity(rate, months)
    assert capital_month(price, share * price, rate, months) == pytest.approx(float(expected), rel=1e-9)
    if months > 1:
        assert present_value(flows, rate) * annuity(rate, months) == pytest.approx(float(expected), rel=1e-6, abs=1e-6)


def test_book_values() -> None:
    # $10,000 down to $1,000 over five years: $150 less each month, so $6,400 after two years; then it stays.
    assert straight_line(10_000, 1_000, 60, 24) == pytest.approx(10_000 - 24 * 150)
    assert straight_line(10_000, 1_000, 60, np.array([60, 90])) == pytest.approx([1_000, 1_000])
    # A card that loses 36.5 % a year: after two years 0.635² of its price.
    assert declining(1.0, 0.365, 24) == pytest.approx(0.635**2)


@given(st.lists(st.tuples(st.floats(1, 1e5), RATES, st.integers(1, 120)), min_size=1, max_size=8))
def test_a_column_is_its_rows(rows: list[tuple[float, float, int]]) -> None:
    price, rate, months = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    together = {
        "annuity": annuity(rate, months),
        "capital": capital_month(price, 0.2 * price, rate, months),
        "line": straight_line(price, 0.1 * price, months, 12.0),
        "declining": declining(price, rate, months),
    }
    for i, (p, r, m) in enumerate(rows):
        alone = {
            "annuity": annuity(r, m),
            "capital": capital_month(p, 0.2 * p, r, m),
            "line": straight_line(p, 0.1 * p, m, 12.0),
            "declining": declining(p, r, m),
        }
        for name, value in alone.items():
            assert together[name][i] == pytest.approx(float(value), rel=1e-9), name


def test_discounts_of_several_rates_stand_in_rows() -> None:
    found = finance.discounts(np.array([0.0, 0.21]), 24)
    assert found.shape == (2, 25)
    assert found[0] == pytest.approx(np.ones(25))
    assert found[1, 24] == pytest.approx(1 / 1.21**2)
