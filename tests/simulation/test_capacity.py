"""The most load a replica carries, what bounds it, and what a search finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ridgewise.engines import engine
from ridgewise.hardware.sheets import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup
from ridgewise.simulation.arrivals import People, arrivals
from ridgewise.simulation.capacity import (
    Candidate,
    Shape,
    answer,
    bound,
    breaks_first,
    look,
    most_load,
    search,
)
from ridgewise.simulation.lengths import lengths
from ridgewise.simulation.metrics import Limit
from ridgewise.simulation.system import system
from ridgewise.work import Plan

LIMITS = (Limit("ttft", "p95", 1.0), Limit("tpot", "p95", 0.05))
PEOPLE = Shape(lengths("800", ""), lengths("200", ""), People(1.0, 1.0, think=20.0))
OPEN = Shape(lengths("800", ""), lengths("200", ""), None, arrivals("poisson"))


def candidate(chip: str = "nvidia-h100-sxm", fmt: str = "bf16", tp: int = 1) -> Candidate:
    runner, gpu = engine("vllm"), device(chip)
    backend = runner.backend(gpu)
    assert backend is not None and gpu.memory is not None
    plan = Plan(weight_format(fmt), tp=float(tp))
    setup = Setup(load("meta-llama/Llama-3.1-8B-Instruct"), gpu, runner, backend, plan, gpu.memory)
    made = system(setup, context=1000.0)
    return Candidate(setup, made)


@pytest.mark.parametrize("shape", [PEOPLE, OPEN], ids=["people", "rate"])
def test_just_under_the_most_load_is_kept_and_above_it_is_not(shape: Shape) -> None:
    one = candidate()
    most, found = most_load(one, shape, LIMITS, 30.0)
    assert found.good
    assert most == found.amount
    assert not look(one, shape, most * 1.25, LIMITS).good
    assert most <= bound(one, shape, LIMITS) * 1.02
    likely, expected = most_load(one, shape, LIMITS, 30.0, slow=False)
    assert expected.likely
    assert most < likely


def test_a_limit_is_kept_only_with_the_widest_interval_within_it() -> None:
    one = candidate()
    found = look(one, OPEN, 4.0, ())
    value, _, high = found.interval.latencies["ttft"]["p95"]
    assert found.interval.slow is not None
    assert high >= max(value * found.interval.bands["ttft"].high, found.interval.slow.latencies["ttft"]["p95"])
    for most, good in ((high * 1.001, True), (high * 0.999, False)):
        held = look(one, OPEN, 4.0, (Limit("ttft", "p95", most),))
        assert held.good is good
        assert held.likely


def test_looser_limits_carry_more() -> None:
    one = candidate()
    tight, loose = (most_load(one, OPEN, (Limit("tpot", "p95", t),), 10.0)[0] for t in (0.015, 0.04))
    assert 0 < tight < loose


def test_a_limit_below_an_empty_system_carries_nothing() -> None:
    one = candidate()
    impossible = (Limit("tpot", "mean", 1e-4),)
    assert bound(one, OPEN, impossible) == 0
    assert most_load(one, OPEN, impossible, 1.0)[0] == 0


def test_a_search_ends_early_when_enough_is_carried() -> None:
    carried, _ = most_load(candidate(), OPEN, LIMITS, 2.0, enough=3.0)
    assert carried == 3.0


def test_the_cheapest_that_keeps_limits_comes_first() -> None:
    kinds = [candidate(), candidate("nvidia-l40s"), candidate("nvidia-l40s", tp=2), candidate("nvidia-h100-sxm", tp=2)]
    price = {"nvidia-h100-sxm": 2000.0, "nvidia-l40s": 500.0}

    def month(one: Candidate, replicas: int, running: float, output: float) -> float:
        return price[one.setup.device.id] * one.devices * replicas

    found = search(kinds, OPEN, 20.0, LIMITS, month, lambda one: float("inf"))
    assert found.considered == 4
    months = [one.month for one in found.answers]
    assert months == sorted(months, key=float)
    for one in found.answers:
        assert one.replicas * one.most >= 20.0 - 1e-9
        assert one.whole.good
    few = search(kinds, OPEN, 20.0, LIMITS, month, lambda one: 1.0)
    assert all(one.devices <= 1 for one in few.answers)


@pytest.mark.parametrize("shape", [PEOPLE, OPEN], ids=["people", "rate"])
def test_the_cheapest_is_the_same_however_many_are_asked_for(shape: Shape) -> None:
    kinds = [candidate(chip, tp=tp) for chip in ("nvidia-h100-sxm", "nvidia-l40s", "nvidia-a100-sxm4-80gb")
             for tp in (1, 2)]  # fmt: skip
    price = {"nvidia-h100-sxm": 2000.0, "nvidia-l40s": 500.0, "nvidia-a100-sxm4-80gb": 900.0}

    def month(one: Candidate, replicas: int, running: float, output: float) -> float:
        return price[one.setup.device.id] * one.devices * replicas + output / 1e3

    many, few = (search(kinds, shape, 60.0, LIMITS, month, lambda one: float("inf"), top) for top in (5, 1))
    assert len(few.answers) == 1
    assert few.simulated < many.simulated
    assert few.answers[0].month == many.answers[0].month
    assert few.answers[0].candidate == many.answers[0].candidate
    for one in many.answers:  # what the search passes over by is no more than what it finds
        least = max(-(-60.0 // bound(one.candidate, shape, LIMITS)), 1.0)
        assert one.replicas >= least


def test_narrow_weights_are_tried_where_wider_ones_do_not_do() -> None:
    both = [candidate("nvidia-l40s", "w4a16"), candidate("nvidia-l40s")]
    found = search(both, OPEN, 2.0, LIMITS, lambda *_: 1.0, lambda one: float("inf"))
    assert [one.candidate.setup.plan.format.id for one in found.answers] == ["bf16"]
    alone = search(both[:1], OPEN, 2.0, LIMITS, lambda *_: 1.0, lambda one: float("inf"))
    assert [one.candidate.setup.plan.format.id for one in alone.answers] == ["w4a16"]


def test_what_breaks_first_is_what_is_short() -> None:
    one = candidate()
    tight = replace(one, system=replace(one.system, sequences=8))
    assert "places" in breaks_first(tight, OPEN, look(tight, OPEN, 30.0, LIMITS))
    full = replace(one, system=replace(one.system, blocks=400))
    assert "memory" in breaks_first(full, OPEN, look(full, OPEN, 30.0, LIMITS))
    reading = replace(OPEN, prompt=lengths("8000", ""), output=lengths("10", ""))
    assert "prompts" in breaks_first(one, reading, look(one, reading, 8.0, LIMITS))


def test_replicas_share_the_load() -> None:
    one = candidate()
    held, _ = most_load(one, PEOPLE, LIMITS, 40.0)
    found = answer(one, PEOPLE, 5 * held, LIMITS, held, lambda c, n, *_: 100.0 * n)
    assert found.replicas == 5
    assert found.month == 500.0
    assert found.at.amount == held


def test_a_fleet_that_misses_a_limit_gets_more_replicas() -> None:
    one = candidate()
    kept, broken = look(one, PEOPLE, 1.0, LIMITS), look(one, PEOPLE, 1.0, (Limit("ttft", "p95", 1e-6),))
    found = answer(one, PEOPLE, 60.0, LIMITS, 20.0, lambda *_: 1.0, lambda c, n: kept if n >= 5 else broken)
    assert found.replicas == 5
    assert found.most == 12.0
    assert found.whole.good
    never = search([one], PEOPLE, 4.0, LIMITS, lambda *_: 1.0, lambda c: 1e9, together=lambda c, n: broken)
    assert not never.answers
    assert never.missed[0].look.broken
