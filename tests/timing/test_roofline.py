"""The roofline: the longer of computing and moving, what no roof shows, and the floor nothing beats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.serving.local import known
from ridgewise.timing import Efficiency, Rates, load_blocks, step_seconds, terms
from ridgewise.timing.reach import MOST, reachable
from ridgewise.timing.roofline import allreduce_seconds, compute_rate, compute_share, overhead_seconds
from ridgewise.work import Work

PERFECT = Efficiency(
    weight_read=1, cache_read=1, compute=1, half_rows=0, attention=1, layer_overhead=0, expert_overhead=0,
    step_overhead=0, request_overhead=0, link_share=1,
)  # fmt: skip
amounts = st.floats(min_value=0, max_value=1e18)
works = st.builds(Work, amounts, amounts, amounts, amounts, st.floats(min_value=1, max_value=1e6))
rates = st.builds(
    lambda peak, bandwidth, share: Rates(peak, bandwidth, peak * share),
    st.floats(1e11, 1e16),
    st.floats(1e9, 1e14),
    st.floats(0, 1),
)


def shipped() -> Iterator[Efficiency]:
    """Coefficients as shipped: of each block, and with the factors of each of its groups."""
    for name, block in load_blocks().items():
        if name.startswith(("local-g", "local-c", "local-n", "serving")):
            levels = [c.levels for c in block.coefficients.values()]
            groups = {(level, group) for held in levels for level in held for group in held[level]}
            yield from (known(block.at({level: group})) for level, group in sorted(groups | {("", "")}))


fitted = st.sampled_from(list(shipped()))


def test_an_operator_takes_the_longer_of_computing_and_moving() -> None:
    # 10 TFLOP on 100 TFLOP/s is 0.1 s; 1 TB at 2 TB/s is 0.5 s.
    (term,) = terms({"feed-forward": Work(10e12, 1e12)}, Rates(100e12, 2e12), PERFECT)
    assert (term.compute_seconds, term.memory_seconds, term.seconds) == (0.1, 0.5, 0.5)
    assert term.bound == "memory"
    (term,) = terms({"feed-forward": Work(100e12, 1e12)}, Rates(100e12, 2e12), PERFECT)
    assert term.seconds == 1.0 and term.bound == "compute"


def test_shares_stretch_what_they_are_shares_of() -> None:
    # Half the bandwidth for weights, a quarter for the cache, all of it for activations:
    # 2/(2·0.5) + 1/(2·0.25) + 1/2 = 2 + 2 + 0.5 seconds.
    eff = replace(PERFECT, weight_read=0.5, cache_read=0.25, compute=0.8, attention=0.4)
    (term,) = terms({"feed-forward": Work(0.0, 2.0, 1.0, 1.0)}, Rates(1.0, 2.0), eff)
    assert term.memory_seconds == pytest.approx(4.5)
    # Scores run at the share of attention, products at the share of compute.
    both = terms({"attention (prefill)": Work(1.0), "head": Work(1.0)}, Rates(1.0, 1.0), eff)
    assert [term.compute_seconds for term in both] == [pytest.approx(2.5), pytest.approx(1.25)]


def test_few_rows_fill_a_matrix_unit_badly() -> None:
    eff = Efficiency(compute=0.8, half_rows=64)
    assert compute_share(64.0, eff) == pytest.approx(0.4)  # half of the share at half_rows, by definition
    assert compute_share(1e9, eff) == pytest.approx(0.8)
    # One row: 0.8 · 1/65 of 100 = 1.23; the vector units at 0.4 of 10 do better.
    assert compute_rate(1.0, Rates(100.0, 1.0, 10.0), eff) == pytest.approx(eff.few_rows * 10)
    assert compute_rate(1.0, Rates(100.0, 1.0, 0.0), eff) == pytest.approx(100 * 0.8 / 65)


def test_overhead_of_a_step_by_hand() -> None:
    # 32 layers at 60 µs, 4 of them with experts at 40 µs more, and half a millisecond for the step.
    eff = Efficiency(layer_overhead=60e-6, expert_overhead=40e-6, step_overhead=0.5e-3)
    assert overhead_seconds(32, 4, eff) == pytest.approx(32 * 60e-6 + 4 * 40e-6 + 0.5e-3)


def test_an_allreduce_moves_its_ring_share() -> None:
    # Eight devices, 1 GB at 100 GB/s: 2 · 7/8 · 0.01 s and the latency; one device has nobody to talk to.
    link = Rates(1.0, 1.0, 0.0, 100e9, 8e-6)
    assert float(allreduce_seconds(1e9, 8.0, link, PERFECT)) == pytest.approx(0.0175 + 8e-6)
    assert float(allreduce_seconds(1e9, 1.0, link, PERFECT)) == 0.0


def test_a_step_is_its_operators_its_overhead_and_two_allreduces_per_layer() -> None:
    link = Rates(1e12, 1e12, 0.0, 100e9, 1e-5)
    work = {"feed-forward": Work(1e9, 2e9), "head": Work(3e9, 1e9)}
    eff = replace(PERFECT, layer_overhead=1e-4, step_overhead=1e-3)
    # operators 2e-3 + 3e-3 (one by memory, one by compute), overhead 10·1e-4 + 1e-3, all-reduces 2·10·(1e-5 + 1e-3)
    message = 1e-3 / (2 * 0.5 / 100e9)  # two devices: the ring moves 2 · 1/2 of the message
    found = step_seconds(work, link, eff, layers=10, message=message, group=2.0)
    assert float(found) == pytest.approx(5e-3 + 2e-3 + 20 * (1e-5 + 1e-3))


@given(st.dictionaries(st.sampled_from(["projections", "feed-forward", "head", "attention (decode)", "experts"]), works,
                       min_size=1), rates, fitted)  # fmt: skip
@settings(deadline=None)
def test_nothing_beats_the_physical_floor(work: dict[str, Work], offered: Rates, eff: Efficiency) -> None:
    seconds = float(step_seconds(work, offered, eff, layers=1))
    assert seconds >= sum(part.flops for part in work.values()) / offered.peak * (1 - 1e-12)
    read = sum(part.weights + part.cache for part in work.values())  # activations may stay on the chip
    assert seconds >= read / offered.bandwidth * (1 - 1e-12)


@given(works, works, rates, fitted)
def test_more_work_never_takes_less_time(a: Work, b: Work, offered: Rates, eff: Efficiency) -> None:
    alone, more = ({"feed-forward": Work(w.flops, w.weights, w.cache, w.activations, 8.0)} for w in (a, a + b))
    assert step_seconds(alone, offered, eff, 1) <= step_seconds(more, offered, eff, 1)


@given(st.floats(1, 1e6), st.floats(1, 1e6), rates, fitted)
def test_more_rows_never_compute_slower(a: float, b: float, offered: Rates, eff: Efficiency) -> None:
    few, many = sorted((a, b))
    assert compute_rate(few, offered, eff) <= compute_rate(many, offered, eff) * (1 + 1e-12)


def test_an_unknown_peak_leaves_the_memory_roof() -> None:
    (term,) = terms({"head": Work(1e9, 2e9)}, Rates(math.nan, 1e9), PERFECT)
    assert np.isnan(term.compute_seconds) and term.memory_seconds == 2.0
    assert term.bound == "memory"


@given(st.floats(1e12, 1e16), st.floats(10, 2000), st.sampled_from(["NVIDIA", "AMD", "Intel", "Apple"]))
def test_more_power_reaches_more_of_the_peak(rate: float, watts: float, vendor: str) -> None:
    share = reachable(rate, watts, vendor, 0.2)
    assert 0 < share <= reachable(rate, 2 * watts, vendor, 0.2) <= MOST
    assert reachable(rate, watts, vendor, 0.2) * rate <= reachable(2 * rate, watts, vendor, 0.2) * 2 * rate


def test_the_reach_of_boards_by_hand() -> None:
    """700 W for 1,000 TFLOP/s is what is usual; a sixteenth of it per FLOP/s leaves 16 ** -0.25 = half of the share."""
    assert reachable(1000e12, 700.0, "NVIDIA", 0.25) == pytest.approx(0.78)
    assert reachable(16000e12, 700.0, "NVIDIA", 0.25) == pytest.approx(0.39)
    assert reachable(1000e12, None, "AMD", 0.25) == pytest.approx(0.56)


@given(works, rates, fitted, st.floats(0.01, 2.0))
def test_a_short_reach_slows_products_and_a_long_one_never_beats_the_peak(
    work: Work, offered: Rates, eff: Efficiency, reach: float
) -> None:
    full, short = (float(compute_rate(work.rows, replace(offered, reach=share), eff)) for share in (reach, reach / 2))
    assert short <= full <= float(offered.peak)
