"""Laws that every device of the catalogue obeys, whatever the coefficients."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.advise.deploy import deploy
from ridgewise.errors import RequestError
from ridgewise.hardware import Device, device, load_devices
from ridgewise.memory import cache_bytes, weight_bytes
from ridgewise.memory.engines import POLICIES
from ridgewise.memory.footprint import fullest
from ridgewise.models.formats import Format, load_formats, stored, weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup, local, single
from ridgewise.serving.estimate import decode_seconds, footprint, loaded, step_terms, step_time
from ridgewise.work import Plan, decode, forward, prefill
from ridgewise.workloads import SingleUser

GIB = 2.0**30
NAMES = sorted(device.id for device in load_devices().values() if device.bandwidth)
MODELS = ("Llama-3.1-8B", "gpt-oss-20b", "Qwen3-30B-A3B", "google/gemma-3-27b-it", "DeepSeek-V2-Lite")
names, models = st.sampled_from(NAMES), st.sampled_from(MODELS)
tokens = st.floats(1, 30_000).map(np.floor)


@cache
def deployed(name: str, model: str) -> Setup | None:
    """The usual deployment; None where no engine runs there."""
    found = load_devices()[name]
    try:
        return deploy(load(model), found, None, None, 16.0, 1, 64 * GIB if found.kind == "cpu" else None, None)
    except RequestError:
        return None


def with_figure(setup: Setup, figure: str, factor: float) -> Setup:
    old = setup.device.figures[figure]
    changed: Device = replace(
        setup.device, figures={**setup.device.figures, figure: replace(old, value=old.number * factor)}
    )
    return replace(setup, device=changed)


def tried(name: str, model: str) -> Setup:
    from hypothesis import assume

    setup = deployed(name, model)
    assume(setup is not None)
    assert setup is not None
    return setup


def test_the_laws_are_tried_on_most_of_the_catalogue() -> None:
    able = [name for name in NAMES if deployed(name, "Llama-3.1-8B") is not None]
    assert len(able) > 150
    assert {load_devices()[name].kind for name in able} >= {"gpu-consumer", "gpu-datacenter", "unified", "cpu", "npu"}


@settings(deadline=None)
@given(names, models, tokens, st.floats(1, 8))
def test_more_bandwidth_never_slows_decoding(name: str, model: str, context: float, factor: float) -> None:
    setup = tried(name, model)
    assert decode_seconds(with_figure(setup, "bandwidth", factor), context) <= decode_seconds(setup, context)


@settings(deadline=None)
@given(names, models, st.floats(16, 8000).map(np.floor), st.floats(1, 8))
def test_more_peak_never_slows_a_prompt(name: str, model: str, prompt: float, factor: float) -> None:
    setup = tried(name, model)
    peak = setup.peak
    if peak is None:
        assert single(setup, SingleUser(prompt=prompt)).ttft is None
        return
    faster = setup  # all of them: what one precision is over another tells kinds of units apart
    for figure in [name for name in setup.device.figures if name.startswith("peak_")]:
        faster = with_figure(faster, figure, factor)
    assert step_time(faster, prefill(prompt)) <= step_time(setup, prefill(prompt)) * (1 + 1e-12)


@settings(deadline=None)
@given(names, models, tokens, tokens)
def test_more_context_never_speeds_decoding(name: str, model: str, a: float, b: float) -> None:
    setup = tried(name, model)
    short, long = sorted((a, b))
    assert decode_seconds(setup, short) <= decode_seconds(setup, long) * (1 + 1e-12)


@settings(deadline=None)
@given(names, models, tokens, st.integers(1, 256), st.integers(1, 256))
def test_a_larger_batch_never_yields_fewer_tokens_per_second(
    name: str, model: str, context: float, a: int, b: int
) -> None:
    setup = tried(name, model)
    small, large = sorted((float(a), float(b)))
    slower, faster = (n / float(decode_seconds(setup, context, n)) for n in (small, large))
    turned = not setup.many and any(small <= turn < large for turn in local.turns(setup.run))
    unpacked = turned and local.product(setup.run, small) != local.product(setup.run, large)
    # Other kernels are chosen by number, not by speed; where there are no integer products every expert is unpacked.
    assert faster >= slower * (0.5 if unpacked else 0.97 if turned else 1 - 1e-9)


@settings(deadline=None)
@given(names, models, st.floats(1, 2000).map(np.floor), st.floats(256, 2000).map(np.floor))
def test_a_service_yields_more_with_more_in_flight_and_everyone_waits_longer(
    name: str, model: str, prompt: float, output: float
) -> None:
    setup = tried(name, model)
    # llama.cpp has a kernel of its own for the experts of a single token: a second one may well yield less in all.
    alone = not setup.many and setup.arch.moe
    batch = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256])[alone:]
    tpot = np.asarray(loaded(setup, prompt, output, batch).tpot)
    reading = np.nan_to_num(float(step_time(setup, prefill(prompt))))
    yielded = batch * output / (reading + output * tpot)  # but for the wait in the queue
    assert np.all(np.diff(tpot) >= -1e-12)
    # On a device bound by compute another request adds nothing: the total is level, never less.
    # (Sampling costs a little for every sequence, and kernels change with the tokens: it may fall by four hundredths.)
    assert np.all(np.diff(yielded) >= -4e-2 * yielded[:-1])


@settings(deadline=None)
@given(names, models, tokens)
def test_no_deployment_beats_its_datasheet(name: str, model: str, context: float) -> None:
    """A decode step reads its bytes at no more than the bandwidth of the datasheet, and computes no faster than
    its peak."""
    setup = tried(name, model)
    work = forward(setup.arch, decode(context), setup.plan)
    moved, computed = (sum(float(getattr(p, what)) for p in work.values()) for what in ("bytes", "flops"))
    seconds = float(decode_seconds(setup, context))
    assert setup.device.bandwidth is not None
    assert seconds >= moved / setup.device.bandwidth
    if setup.peak is not None:
        assert seconds >= computed / setup.peak[0]


@settings(deadline=None)
@given(st.sampled_from(MODELS), tokens, st.integers(1, 64), st.sampled_from(sorted(POLICIES)))
def test_more_devices_never_cost_memory_per_device(model: str, context: float, n: int, engine: str) -> None:
    arch, fmt = load(model), weight_format("bf16")
    tp = np.array([1.0, 2, 4, 8, 16])
    for plan in (Plan(fmt, tp=tp), Plan(fmt, pp=tp)):
        weights, cache = fullest(arch, plan, float(n), context, POLICIES[engine], 80 * GIB)
        assert np.all(np.diff(weights + cache) <= 0)


def finer(a: Format, b: Format) -> bool:
    """Does ``a`` store every role in at least as many bits as ``b``?"""
    roles = {*a.roles, *b.roles} - {"expert"}
    return all(getattr(a, part) >= getattr(b, part) for part in ("default", "small", "embedding", "head")) and all(
        [a.bits(role) >= b.bits(role) for role in roles] + [a.bits("up", expert=True) >= b.bits("up", expert=True)]
    )


@pytest.mark.parametrize("model", MODELS)
def test_more_quantisation_never_needs_more_memory(model: str) -> None:
    arch = load(model)
    formats = [stored(arch, fmt) for fmt in load_formats().values()]  # as rows of this model's length take them
    pairs = [(a, b) for a in formats for b in formats if a.id != b.id and finer(a, b)]
    assert len(pairs) > 40
    for a, b in pairs:
        assert weight_bytes(arch, Plan(b)) <= weight_bytes(arch, Plan(a)), f"{b.id} against {a.id}"


@settings(deadline=None)
@given(st.sampled_from(MODELS), tokens, st.floats(2, 16), st.floats(2, 16))
def test_fewer_bits_per_cached_value_never_need_more_memory(model: str, context: float, a: float, b: float) -> None:
    arch, fmt = load(model), weight_format("bf16")
    few, many = sorted((a, b))
    small, large = (
        cache_bytes(arch, Plan(fmt, kv_bits=bits), 1.0, context, POLICIES["textbook"]) for bits in (few, many)
    )
    assert small <= large


@settings(deadline=None)
@given(names, models, st.floats(1, 64), tokens, tokens)
def test_longer_contexts_and_more_sequences_never_need_less_memory(
    name: str, model: str, n: float, a: float, b: float
) -> None:
    setup = tried(name, model)
    short, long = sorted((a, b))
    assert footprint(setup, n, short).total <= footprint(setup, n, long).total
    assert footprint(setup, n, long).total <= footprint(setup, 2 * n, long).total


def test_prefill_of_an_8b_model_is_bound_by_compute_and_decode_by_memory() -> None:
    """The roofline's oldest lesson: an RTX 4090 turns over at 165 TFLOP/s / 1,008 GB/s = 164 FLOP per byte; a prompt
    of 1,024 tokens does about 1,024 FLOP per 16-bit weight byte, one decoded token does one."""
    setup = deploy(load("Llama-3.1-8B"), device("RTX 4090"), None, weight_format("f16"), 16.0, 1, None, None)
    bounds = {step: {t.operator: t.bound for t in step_terms(setup, made)}
              for step, made in (("prefill", prefill(1024.0)), ("decode", decode(1024.0)))}  # fmt: skip
    assert bounds["prefill"]["feed-forward"] == "compute"
    assert bounds["decode"]["feed-forward"] == "memory"
