"""Smallest changes that cure an idea: each is made and computed before it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Literal

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure
from ridgewise.advise.limits import most_users
from ridgewise.advise.option import Option
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.models.formats import load_formats
from ridgewise.units import digits, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Weight formats tried when a model does not fit, finest first: each runs wherever its engine does.
SMALLER = ("fp8", "q8_0", "q4_k_m", "w4a16", "iq4_xs")
#: How often a number of devices is doubled at most.
DOUBLED = 4

#: A change: in words, as keys of a plan, and what it makes of the idea.
Try = tuple[str, dict[str, str | None], Callable[[], Option | None]]


def hardware(device: Device, count: int) -> str:
    """How a plan names so many devices: ``2x nvidia-rtx-3090``."""
    return f"{count}x {device.id}" if count > 1 else device.id


def first(tries: Iterator[Try], works: Callable[[Option], bool]) -> Cure | None:
    """The first change that works."""
    for words, change, made in tries:
        option = made()
        if option is not None and works(option):
            return Cure(words, change)
    return None


def holds(option: Option) -> bool:
    """Does memory hold it, with what the estimate may be off to spare?"""
    short = any(text.startswith("memory") for text in option.shortfalls)
    return option.left >= option.memory_doubt and not short and (option.run is None or option.run.fits)


def does(option: Option) -> bool:
    return option.feasible


def fewer_bytes(case: Case) -> Iterator[Try]:
    """A narrower cache, a shorter context, coarser weights."""
    question, work = case.question, case.question.workload
    if not isinstance(work, SingleUser | Service):
        return
    if question.kv_bits > 8:
        yield "keep the cache in 8 bits (--kv-bits 8)", {"kv_bits": "8"}, partial(case.on, case.count, kv_bits=8.0)
    need = work.prompt + work.output
    if work.context > need:
        shorter = replace(work, context=need)
        yield (
            f"hold contexts of {whole(need)} tokens (--context {need:.0f})", {"context": f"{need:.0f}"},
            partial(case.on, case.count, workload=shorter),
        )  # fmt: skip
    finest = question.format.default if question.format else 16.0
    for name in SMALLER:
        fmt = load_formats()[name]
        if fmt.default < finest:
            yield (
                f"take {fmt.name} weights (--quant {name})", {"quant": name},
                partial(case.on, case.count, format=fmt),
            )  # fmt: skip


def more_devices(case: Case) -> Iterator[Try]:
    """Twice as many, and again, as long as one machine holds them."""
    device, count = case.device, 1
    while count <= case.count:
        count *= 2
    most = Machine(device).per_node if case.serves else count << DOUBLED
    while count <= most and not device.complete:
        name = hardware(device, count)
        yield (
            f"take {digits(count)} of them (--hardware '{name}')", {"hardware": name},
            partial(case.on, count),
        )  # fmt: skip
        count *= 2


def other_hardware(case: Case) -> Iterator[Try]:
    """The best other candidate."""
    if (other := case.better) is not None:
        name = hardware(other.device, other.count)
        yield f"take {other.name} (--hardware '{name}')", {"hardware": name, **freed(case)}, lambda: other


def freed(case: Case) -> dict[str, str | None]:
    """Format and engine that were named for this hardware and need not be right for another."""
    question = case.question
    named: dict[str, object] = {"quant": question.format, "engine": question.engine}
    return {key: None for key, value in named.items() if value is not None}


def smaller_method(case: Case) -> Iterator[Try]:
    """Adapters instead of every weight."""
    work = case.question.workload
    if isinstance(work, FineTuning) and work.method != "qlora":
        methods: tuple[Literal["lora", "qlora"], ...] = ("lora", "qlora") if work.method == "full" else ("qlora",)
        for method in methods:
            changed = replace(work, method=method)
            yield (
                f"train adapters alone (--goal {method})", {"goal": method},
                partial(case.on, case.count, workload=changed),
            )  # fmt: skip


def longer(case: Case, needed: float) -> Iterator[Try]:
    """A deadline that the slow end of the interval keeps."""
    work = case.question.workload
    assert isinstance(work, Pretraining | FineTuning)
    hours = -(-needed // 3600)
    changed = replace(work, deadline=hours * 3600)
    yield (
        f"allow {digits(hours)} hours (--deadline {hours:.0f}h)", {"deadline": f"{hours:.0f}h"},
        partial(case.on, case.count, workload=changed),
    )  # fmt: skip


def memory(case: Case) -> Cure | None:
    """The smallest change after which memory holds it."""
    return first(chain(fewer_bytes(case), smaller_method(case), more_devices(case), other_hardware(case)), holds)


def fewer_users(case: Case) -> Iterator[Try]:
    """As many users as it carries, in two digits."""
    work = case.question.workload
    if not isinstance(work, Service) or work.concurrency is not None:
        return

    def able(users: float) -> bool:
        option = case.on(case.count, workload=replace(work, users=users))
        return option is not None and option.feasible

    users = most_users(able, 1.0, work.users)
    if users >= 2:
        fewer = replace(work, users=users)
        yield (
            f"let {whole(users)} people use it (--users {users:.0f})", {"users": f"{users:.0f}"},
            partial(case.on, case.count, workload=fewer),
        )  # fmt: skip


def load(case: Case) -> Cure | None:
    """The smallest change after which it carries the load within the limits."""
    return first(chain(more_devices(case), other_hardware(case), fewer_users(case)), does)
