"""Nothing is feasible: by how much, and the nearest changes that would make it so, each made before it is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ridgewise.advise import inference
from ridgewise.advise.field import Field
from ridgewise.advise.limits import most_users
from ridgewise.advise.offload import offload
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rank import ranked
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.models.formats import load_formats, native_format
from ridgewise.units import digits, duration, money, power, size, up, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Formats suggested when a model does not fit, finest first: each runs wherever its engine does.
SMALLER = ("q4_k_m", "w4a16", "iq4_xs", "q3_k_m")


def fixes(question: Question, options: Sequence[Option], catalogue: Sequence[Device], field: Field) -> Iterator[str]:
    """Nothing is feasible: by how much, and the nearest changes that would make it so."""
    if options:
        nearest = options[0]
        yield f"nearest: {nearest.name}: {'; '.join(nearest.shortfalls)}"
    yield from _offloads(question, options)
    found = list(_ways(_single(question, options, catalogue, field), field))
    yield from found or _pairs(question, options, catalogue, field)


#: A change of a question: what it is, the question changed, and the devices that can come to do it so.
Change = tuple[str, Question, tuple[Device, ...]]
#: Pairs of changes tried when no single one will do, and how many are named.
PAIRS, NAMED_PAIRS = 12, 3
#: Doublings by which a smaller cache, and smaller weights or contexts, can bring an option nearer over all limits.
CACHE_REACH, WEIGHT_REACH = 3.0, 7.0


def _ways(changes: Iterable[Change], field: Field) -> Iterator[str]:
    """Of some changes those that make it possible, with the machine that would do."""
    for what, changed, devices in changes:
        found = _found(changed, devices, field)
        if found and found[0].feasible:
            yield f"{what}: {found[0].name} would do"


def _found(question: Question, devices: Sequence[Device], field: Field) -> list[Option]:
    """The ranked options of a changed question; none where it cannot be computed."""
    try:
        return ranked(question, field.options(question, question.hardware or devices))
    except RequestError:
        return []


def _pairs(question: Question, options: Sequence[Option], catalogue: Sequence[Device], field: Field) -> Iterator[str]:
    """Two changes together, the first pairs that work: other hardware and limits before the rest."""
    first = ("on other", "with a TTFT", "with a TPOT", "for ")
    singles = sorted(
        _single(question, options, catalogue, field),
        key=lambda change: next(
            (place for place, start in enumerate(first) if change[0].startswith(start)), len(first)
        ),
    )
    tried = named = 0
    for what, changed, devices in singles:
        around = _found(changed, devices, field)
        for then, again, able in _single(changed, around, catalogue, field):
            if then.split(" ")[:3] == what.split(" ")[:3] or tried >= PAIRS or named >= NAMED_PAIRS:
                continue
            tried += 1
            for way in _ways([(f"{what} and {then}", again, able)], field):
                named += 1
                yield way


def _single(
    question: Question, options: Sequence[Option], catalogue: Sequence[Device], field: Field
) -> Iterator[Change]:
    """Every single change, gentlest first."""
    yield from _relaxations(question, options, catalogue)
    yield from _limits(question, catalogue, field)


def _limits(question: Question, catalogue: Sequence[Device], field: Field) -> Iterator[Change]:
    """Limits moved just as far as something needs: budget, power, latencies, users."""
    work = question.workload
    if question.budget is not None:
        free = replace(question, budget=None)
        needed, devices = _least(free, catalogue, field, _asked, lambda q, most: replace(q, budget=most))
        if needed is not None:
            amount = up(needed)
            what = f"with a budget of {money(amount)} (--budget {amount:.0f})"
            yield what, replace(question, budget=amount), devices
    if question.max_power is not None:
        free = replace(question, max_power=None)
        needed, devices = _least(free, catalogue, field, _wall, lambda q, most: replace(q, max_power=most))
        if needed is not None:
            watts = up(needed)
            what = f"with a power limit of {power(watts)} (--max-power {watts:.0f}W)"
            yield what, replace(question, max_power=watts), devices
    if not isinstance(work, SingleUser | Service):
        return
    for name, value, slow in (("slo_ttft", work.slo_ttft, slow_ttft), ("slo_tpot", work.slo_tpot, slow_tpot)):
        if value is None:
            continue
        able = [o for o in _found(with_slo(question, name, None), catalogue, field) if o.feasible]
        most = min(map(slow, able), default=math.inf)
        if math.isfinite(most):
            limit = up(1000 * most) / 1000
            flag = f"--{name.replace('_', '-')} {1000 * limit:g}ms"
            what = f"with a {name[4:].upper()} limit of {duration(limit)} ({flag})"
            yield what, with_slo(question, name, limit), devices_of(able)
    if isinstance(work, Service) and work.concurrency is None and question.hardware:
        users = _fewer_users(question, work, field)
        if users is not None:
            fewer = replace(question, workload=replace(work, users=users))
            yield f"for {whole(users)} users (--users {users:.0f})", fewer, ()


def with_slo(question: Question, name: str, limit: float | None) -> Question:
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    if name == "slo_ttft":
        return replace(question, workload=replace(work, slo_ttft=limit))
    return replace(question, workload=replace(work, slo_tpot=limit))


def devices_of(options: Iterable[Option]) -> tuple[Device, ...]:
    return tuple({option.device.id: option.device for option in options}.values())


def _least(
    question: Question,
    devices: Sequence[Device],
    field: Field,
    need: Callable[[Option], float],
    limited: Callable[[Question, float], Question],
) -> tuple[float | None, tuple[Device, ...]]:
    """The least of a limited quantity with which something does it, and the devices that can without the limit:
    taken from their options, and lowered as long as another layout needs less."""
    able = [option for option in _found(question, devices, field) if option.feasible]
    candidates, least = devices_of(able), None
    for _ in range(3):
        most = min(map(need, able), default=math.inf)
        if not math.isfinite(most):
            break
        least, question = most, limited(question, 0.98 * most)
        able = [option for option in _found(question, candidates, field) if option.feasible]
    return least, candidates


def _asked(option: Option) -> float:
    return math.inf if option.outlay is None else option.outlay


def _wall(option: Option) -> float:
    return option.draw.wall if option.draw else math.inf


def slow_ttft(option: Option) -> float:
    speed = option.speed
    return speed.slow_ttft if speed and speed.slow_ttft is not None else math.inf


def slow_tpot(option: Option) -> float:
    return option.speed.slow_tpot if option.speed else math.inf


def _fewer_users(question: Question, work: Service, field: Field) -> float | None:
    """The most users, in two digits, that the named hardware carries; None where it carries not even two."""

    def able(users: float) -> bool:
        found = _found(replace(question, workload=replace(work, users=users)), (), field)
        return bool(found) and found[0].feasible

    users = most_users(able, 1.0, work.users)
    return users if users >= 2 else None


def _offloads(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """The card that runs it fastest with a part of its layers in RAM."""
    work = question.workload
    cards = [o for o in options if o.engine == "llama.cpp" and o.left < 0 and o.device.kind.startswith("gpu")]
    if not isinstance(work, SingleUser):
        return
    singles = inference.again(question, [replace(o, count=1, tp=1, pp=1, replicas=1) for o in cards])
    short = [card for card in singles if all(text.startswith("memory") for text in card.shortfalls)]
    splits = [(split, card) for card in short if (split := offload(question, card)) is not None]
    if splits:
        split, card = max(splits, key=lambda pair: pair[0].tokens_per_second)
        rate, ram = split.tokens_per_second, size(float(split.placement.ram))
        span = f"{digits(rate * split.band.low, 2)}–{digits(rate * split.band.high, 2)}"
        yield (
            f"with {ram} of it in RAM (llama.cpp {split.flags}): {card.name} would answer at about "
            f"{digits(rate, 2)} tokens/s ({span})"
        )


def _relaxations(question: Question, options: Sequence[Option], catalogue: Sequence[Device]) -> Iterator[Change]:
    """Single changes other than limits, gentlest first."""
    work, every = question.workload, tuple(catalogue)
    if isinstance(work, SingleUser | Service):
        if question.kv_bits > 8:
            near = devices_of(option for option in options if option.distance <= CACHE_REACH)
            yield "with an 8-bit KV cache (--kv-bits 8)", replace(question, kv_bits=8.0), near
        near = devices_of(option for option in options if option.distance <= WEIGHT_REACH)
        if work.context > 2 * (work.prompt + work.output):
            shorter = work.prompt + work.output
            yield (
                f"with a context of {whole(shorter)} tokens (--context)",
                replace(question, workload=replace(work, context=shorter)),
                near,
            )
        fixed = question.format is not None or native_format(question.arch).id in ("mxfp4", "nvfp4")
        for name in SMALLER if fixed else ():  # otherwise every engine's own have been tried
            fmt = load_formats()[name]
            if question.format is None or fmt.default < question.format.default:
                yield f"quantised to {fmt.name} (--quant {fmt.id})", replace(question, format=fmt), near
    if isinstance(work, FineTuning) and work.method != "qlora":
        yield "with QLoRA (--goal qlora)", replace(question, workload=replace(work, method="qlora")), every
    if isinstance(work, Pretraining | FineTuning) and work.deadline is not None:
        yield "without the deadline (--deadline)", replace(question, workload=replace(work, deadline=None)), every
    if question.engine is not None:
        yield "with another engine (drop --engine)", replace(question, engine=None), every
    if question.hardware:
        yield "on other hardware", replace(question, hardware=()), every
