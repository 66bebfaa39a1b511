"""Numbers for people: three digits, one unit, GB and GiB apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.units import count, digits, duration, energy, money, power, quantity, rate, share, size, whole


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1,230"),
        (0.012345, "0.0123"),
        (999.6, "1,000"),
        (12.0, "12"),
        (-4.567, "-4.57"),
        (5e6, "5,000,000"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (80 * 2**30, "80 GiB"),
        (80e9, "74.5 GiB"),  # 80e9 / 2³⁰ = 74.506
        (0, "0 B"),
        (1023, "1,020 B"),
        (1024, "1 KiB"),
        (1.5 * 2**40, "1.5 TiB"),
        (2**30 - 1, "1 GiB"),
        (-3 * 2**20, "-3 MiB"),
    ],
)
def test_memory_is_binary(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "B/s", "3.35 TB/s"),
        (989e12, "FLOP/s", "989 TFLOP/s"),
        (448e9, "B/s", "448 GB/s"),
        (5.0, "B/s", "5 B/s"),
    ],
)
def test_rates_are_decimal(value: float, unit: str, text: str) -> None:
    assert rate(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8.03e9, "8.03B"),
        (2e12, "2T"),
        (128000, "128k"),
        (131072, "131k"),
        (20e6, "20M"),
        (8192, "8,192"),
        (1, "1"),
        (999_900_000, "1B"),
    ],
)
def test_counts(value: float, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (50e-6, "50 µs"),
        (0.0234, "23 ms"),
        (0.44, "440 ms"),
        (1.0, "1 s"),
        (1.44, "1.4 s"),
        (120, "2 min"),
        (5400, "1.5 h"),
        (3.2 * 3600, "3.2 h"),
        (24 * 86400, "24 days"),
        (123.4 * 86400, "123 days"),
        (5.1 * 31557600, "5.1 years"),
        (float("inf"), "never"),
        (float("nan"), "never"),
    ],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0, "$0.00"),
        (2.4, "$2.40"),
        (99.99, "$99.99"),
        (3999, "$3,999"),
        (0.0123, "$0.012"),
        (123_456, "$123,500"),
        (1_260_000, "$1.26M"),
        (-250, "-$250"),
    ],
)
def test_money(dollars: float, text: str) -> None:
    assert money(dollars) == text


def test_power_energy_and_shares() -> None:
    assert power(450) == "450 W"
    assert power(1970) == "1,970 W"
    assert power(10_200) == "10.2 kW"
    assert power(1.98e6) == "1.98 MW"
    assert energy(12.3) == "12.3 J"
    assert energy(7.2e6) == "2 kWh"  # 3.6 MJ to the kilowatt-hour
    assert share(0.64) == "64 %"
    assert share(1.0) == "100 %"
    assert whole(1024.0) == "1,024"


@pytest.mark.parametrize(
    "unit", ["B", "s", "USD", "W", "ratio", "1", "FLOP/s", "B/s", "Hz", "T/s", "FLOP", "J", "tokens/s"]
)
def test_every_unit_of_a_sheet_can_be_written(unit: str) -> None:
    shown = quantity(1234.0, unit)
    assert shown and any(mark.isdigit() for mark in shown)


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_no_number_is_too_odd_to_write(value: float) -> None:
    for write in (digits, size, count, duration, money, power, energy, share, whole):
        assert write(value)


@given(st.floats(min_value=1e-3, max_value=1e17), st.floats(min_value=1.02, max_value=1e3))
def test_a_larger_size_never_reads_the_same(value: float, factor: float) -> None:
    """Two per cent apart is two different answers: three digits always show it."""
    assert size(value) != size(value * factor)
