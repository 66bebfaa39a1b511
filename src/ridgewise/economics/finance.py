"""Money over time: discounting, annuities, depreciation, resale.

Flows stand in the last axis: month 0 (today), 1, 2, …; outlays are positive. Rates are per year and effective, so that
``(1 + monthly)¹² = 1 + yearly``. The formulas are those of any textbook of finance (Brealey, Myers, Allen: *Principles
of Corporate Finance*, chapter 2).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ridgewise.economics.load import Series
from ridgewise.units import Dollars, Num, Ratio

Months = Annotated[Num, "months"]


def monthly_rate(yearly: Ratio) -> Ratio:
    """The monthly rate that compounds to a yearly one: (1 + y)^(1/12) − 1."""
    return np.expm1(np.log1p(yearly) / 12.0)


def discounts(yearly: Ratio, months: int) -> Series:
    """What a dollar of month 0 … ``months`` is worth today: (1 + i)^−t; a row per entry of ``yearly``."""
    rate = np.asarray(monthly_rate(np.asarray(yearly, dtype=float)[..., None]))
    worth: Series = (1.0 + rate) ** -np.arange(months + 1.0)
    return worth


def present_value(flows: Num, yearly: Ratio) -> Dollars:
    """NPV of monthly flows: Σ flow_t · (1 + i)^−t. At 0 % it is their sum."""
    values = np.asarray(flows, dtype=float)
    worth: Dollars = (values * discounts(yearly, values.shape[-1] - 1)).sum(axis=-1)
    return worth


def annuity(yearly: Ratio, months: Months) -> Ratio:
    """Level payment per month, at its end, that repays a dollar of today: i / (1 − (1 + i)^−n); 1/n at 0 %."""
    rate = np.asarray(monthly_rate(yearly), dtype=float)
    safe = np.where(rate == 0.0, 1.0, rate)
    level: Ratio = np.where(rate == 0.0, 1.0 / months, safe / -np.expm1(-months * np.log1p(safe)))[()]
    return level


def capital_month(price: Dollars, resale: Dollars, yearly: Ratio, months: Months) -> Dollars:
    """Capital cost per month: what is bought today and sold for ``resale`` after ``months``, as level payments."""
    sold = resale * (1.0 + monthly_rate(yearly)) ** -months
    return (price - sold) * annuity(yearly, months)


def straight_line(price: Dollars, residual: Dollars, life: Months, age: Months) -> Dollars:
    """Book value at an age: the price less equal amounts per month, down to the residual at the end of its life."""
    return price - (price - residual) * np.minimum(age / life, 1.0)


def declining(price: Dollars, yearly: Ratio, age: Months) -> Dollars:
    """Value at an age of what loses a share ``yearly`` of its value each year: price · (1 − y)^(age/12)."""
    return price * (1.0 - yearly) ** (age / 12.0)
