"""Words to numbers at the border: every unit, every prefix, and what is no quantity at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.units import digits, parse, quantity

DECIMAL = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("80 GiB", "B", 80 * 2**30),
        ("80 GB", "B", 80e9),
        ("80GB", "B", 80e9),
        ("512 MiB", "B", 512 * 2**20),
        ("1.5 TiB", "B", 1.5 * 2**40),
        ("64 KiB", "B", 65536),
        ("17 B", "B", 17),
        ("17", "B", 17),
        ("3.35 TB/s", "B/s", 3.35e12),
        ("448 GB/s", "B/s", 448e9),
        ("1 GiB/s", "B/s", 2**30),
        ("989 TFLOP/s", "FLOP/s", 989e12),
        ("989 TFLOPS", "FLOP/s", 989e12),
        ("50 TOPS", "FLOP/s", 50e12),
        ("2 TOP/s", "FLOP/s", 2e12),
        ("500ms", "s", 0.5),
        ("50 µs", "s", 50e-6),
        ("50 us", "s", 50e-6),
        ("10 ns", "s", 1e-8),
        ("1s", "s", 1),
        ("2 min", "s", 120),
        ("12h", "s", 43200),
        ("30d", "s", 30 * 86400),
        ("1 week", "s", 7 * 86400),
        ("1 month", "s", 2629800),  # a twelfth of 365.25 days
        ("2 years", "s", 2 * 365.25 * 86400),
        ("600W", "W", 600),
        ("1.2 kW", "W", 1200),
        ("5 kJ", "J", 5000),
        ("1.98 GHz", "Hz", 1.98e9),
        ("4800 MT/s", "T/s", 4.8e9),
        ("4000", "USD", 4000),
        ("4k", "USD", 4000),
        ("1.5M", "USD", 1.5e6),
        ("4,000", "USD", 4000),
        ("2T", "tokens", 2e12),
        ("20M", "tokens", 20e6),
        ("8k", "tokens", 8000),
        ("128Ki", "tokens", 131072),
        ("1Mi", "tokens", 2.0**20),
        ("15B", "tokens", 15e9),
        ("1e9", "tokens", 1e9),
        ("2 Ttokens", "tokens", 2e12),
        ("1_000_000", "tokens", 1e6),
        ("25 %", "ratio", 0.25),
        ("0.25", "ratio", 0.25),
        ("7", "1", 7),
        ("-3", "1", -3),
        (".5", "1", 0.5),
        ("3.", "1", 3),
        (5, "W", 5.0),
        (2.5, "W", 2.5),
    ],
)
def test_every_unit_is_read(text: str | float, unit: str, value: float) -> None:
    assert parse(text, unit) == pytest.approx(value, rel=1e-12)


def test_a_gibibyte_is_not_a_gigabyte() -> None:
    # 2³⁰ / 10⁹ = 1.073741824: seven per cent, the difference between fitting and not.
    assert parse("1 GiB", "B") / parse("1 GB", "B") == pytest.approx(1.073741824, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "B"),
        ("$", "USD"),
        ("   ", "s"),
        ("many", "tokens"),
        ("80 GiB", "s"),
        ("80 parsecs", "B"),
        ("3 W", "B"),
        ("1s", "tokens"),
        ("nan", "W"),
        ("inf", "USD"),
        ("-infinity", "1"),
        ("1e999", "tokens"),
        ("--5", "1"),
        ("5 5", "1"),
        ("1,5", "s"),  # a decimal comma is not fifteen seconds
        ("1,50,000", "USD"),
        ("4,0000", "USD"),
        (10**400, "tokens"),
        ("٣ apples", "1"),
        ("0x10", "1"),
        (float("nan"), "W"),
        (float("inf"), "W"),
        (True, "1"),
        (None, "1"),
        ([1], "1"),
        ({"value": 1}, "B"),
    ],
)
def test_what_is_no_quantity_is_refused_with_its_place(text: object, unit: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text, unit, "--flag")  # type: ignore[arg-type]
    assert caught.value.where == "--flag"
    assert caught.value.what


def test_an_unknown_suffix_names_the_valid_ones() -> None:
    with pytest.raises(RequestError) as caught:
        parse("80 Gbit", "B")
    assert "Gbit" in caught.value.what
    assert "GB" in caught.value.nearest


@given(
    st.floats(min_value=1e-6, max_value=1e6), st.sampled_from(sorted(DECIMAL)), st.sampled_from(["B", "W", "FLOP/s"])
)
def test_prefixes_scale(value: float, prefix: str, unit: str) -> None:
    assert parse(f"{value!r} {prefix}{unit}", unit) == pytest.approx(value * DECIMAL[prefix], rel=1e-12)


@given(
    st.floats(min_value=1.0, max_value=9e15, allow_nan=False), st.sampled_from(["B", "B/s", "FLOP/s", "W", "Hz", "T/s"])
)
def test_what_is_printed_is_read_again(value: float, unit: str) -> None:
    """Formatting keeps three digits, so a round trip stays within half a unit of the third digit."""
    assert parse(quantity(value, unit), unit) == pytest.approx(value, rel=5.1e-3)


@given(st.floats(min_value=1e-9, max_value=1e12), st.integers(min_value=2, max_value=8))
def test_digits_keep_as_many_as_asked(value: float, significant: int) -> None:
    shown = float(digits(value, significant).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.51 * 10.0 ** (1 - significant))


@given(st.text(max_size=30), st.sampled_from(["B", "B/s", "FLOP/s", "s", "W", "USD", "tokens", "1", "ratio"]))
def test_any_text_is_a_finite_number_or_a_refusal(text: str, unit: str) -> None:
    try:
        assert math.isfinite(parse(text, unit))
    except RequestError as refused:
        assert "\n" not in refused.what or "\n" in text
