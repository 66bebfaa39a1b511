"""The answer to a planning question: verdict, ranked options, reasons, findings, ways out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise import inference, learning
from ridgewise.advise.case import Case
from ridgewise.advise.field import Field
from ridgewise.advise.finding import Finding
from ridgewise.advise.offload import offload
from ridgewise.advise.option import Option
from ridgewise.advise.question import PRIORITIES, Question
from ridgewise.advise.rank import (
    FAST_ENOUGH,
    HEADROOM,
    Weights,
    once,
    quality_loss,
    ranked,
    rules,
    shortlist,
    slow_cost,
    small_change,
    thin,
    total_cost,
    weights_of,
)
from ridgewise.advise.rules import judged_together
from ridgewise.advise.verdict import Verdict, verdict
from ridgewise.economics.cost import AMORTISATION_MONTHS, HOURS_PER_MONTH, SERVER_KINDS, TARIFF, sold
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.hardware.offers import purchase_price
from ridgewise.models.formats import load_formats, native_format
from ridgewise.units import count, digits, duration, money, power, size, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Formats suggested when a model does not fit, finest first: each runs wherever its engine does.
SMALLER = ("q4_k_m", "w4a16", "iq4_xs", "q3_k_m")


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything a plan says.

    options    every device's best layout, ranked; ``table`` the shortlist shown
    why        why the first is first; ``changes`` what would change that
    fixes      what would make it possible when nothing is feasible
    dropped    named devices about which nothing can be computed, and why
    ranking    how the points of the order come about
    """

    question: Question
    verdict: Verdict
    options: tuple[Option, ...]
    table: tuple[Option, ...]
    why: tuple[str, ...]
    changes: tuple[str, ...]
    findings: tuple[Finding, ...]
    fixes: tuple[str, ...]
    dropped: tuple[str, ...]
    assumptions: tuple[str, ...]
    weights: Weights
    ranking: tuple[str, ...] = ()

    @property
    def pick(self) -> Option | None:
        """The recommendation; None when nothing is feasible."""
        return self.options[0] if self.options and self.options[0].feasible else None


def answer(
    question: Question, catalogue: Sequence[Device], top: int | None = None, ignored: Iterable[str] = ()
) -> Answer:
    """Evaluate, rank and explain every candidate; ``catalogue`` is used when the user named none. ``top``: show
    the first so many instead of the best of each kind; ``ignored``: rules that say nothing."""
    available = tuple(device for device in catalogue if device.status == "available")
    devices = question.hardware or available
    field = Field()
    options = tuple(ranked(question, field.options(question, devices)))
    dropped = tuple(unable(question, options))
    pick = options[0] if options and options[0].feasible else None
    table = tuple(once(options)[:top] if top else shortlist(list(options), question.named))
    return Answer(
        question=question,
        verdict=verdict(question, pick),
        options=options,
        table=table,
        why=tuple(reasons(question, options)) if pick else (),
        changes=tuple(changes(question, options, field)) if pick else (),
        findings=tuple(judged_together(cases(question, options), ignored)),
        fixes=() if pick else tuple(fixes(question, options, available, field)),
        dropped=dropped,
        assumptions=(*assumptions(question, pick), *sold_together(table)),
        weights=weights_of(question),
        ranking=tuple(rules(question)),
    )


def cases(question: Question, options: Sequence[Option]) -> list[Case]:
    """What is judged: the recommendation, then the others."""
    found = [
        Case(question, option.device, option.count, option, lambda: tuple(options), question.named)
        for option in once(options)
    ]
    known = {option.device.id for option in options}
    lost = [device for device in question.hardware if device.id not in known]
    return found + [
        Case(question, device, question.counts.get(device.id, 1), None, lambda: tuple(options)) for device in lost
    ]


def unable(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """Named devices without an option, and why."""
    rooms = learning if isinstance(question.workload, Pretraining | FineTuning) else inference
    for device in question.hardware:
        if all(option.device.id != device.id for option in options):
            yield f"{device.name}: {rooms.unable(question, device)}"


def reasons(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """Why the first is first, in numbers."""
    pick = options[0]
    others = [option for option in options[1:] if option.feasible and option.device.id != pick.device.id]
    if pick.speed is not None:
        yield f"it holds the model with {size(pick.left)} per device to spare"
        fast = f"{digits(pick.speed.each, 2)} tokens/s for each user"
        wait = f" after {duration(pick.speed.ttft)}" if pick.speed.ttft is not None else ""
        yield f"it answers at {fast}{wait}, bound by {pick.speed.bound}"
    if pick.run is not None:
        yield (
            f"the run takes {duration(pick.run.seconds)} at {digits(100 * pick.run.mfu, 2)} % MFU "
            f"(model FLOPs, attention halved for causality), bound by {pick.run.bound}"
        )
    yield from _unmeasured(pick, others)
    if not others:
        yield "nothing else among the candidates does the job"
        return
    second = others[0]
    yield from _against(question, pick, second)
    yield from _on_paper(question, pick, others)


def _against(question: Question, pick: Option, second: Option) -> Iterator[str]:
    mine, theirs = total_cost(pick), total_cost(second)
    if mine is not None and theirs is not None:
        span = "for the run" if pick.run else f"over {AMORTISATION_MONTHS // 12} years"
        word = "less" if mine <= theirs else "more"
        gap = abs(mine - theirs)
        yield f"{span} it costs {money(mine)}, {money(gap)} {word} than the runner-up, {second.name}"
    if pick.speed and second.speed:
        ratio = pick.speed.each / second.speed.each
        if max(ratio, 1 / ratio) < 1.05:
            yield f"for each user it is as fast as the runner-up, {second.name}"
        else:
            word = "faster" if ratio >= 1 else "slower"
            yield (
                f"for each user it is {digits(max(ratio, 1 / ratio), 2)} times {word} than the runner-up, {second.name}"
            )
    if pick.run and second.run:
        yield f"the runner-up, {second.name}, takes {duration(second.run.seconds)}"
    if not _better_on_paper(second, pick):
        yield from _unseen(question, pick, second)
        if held := "; ".join(_slow_end(question, pick, second)):
            yield f"of the runner-up, {second.name}: {held}"


def _unmeasured(pick: Option, others: Sequence[Option]) -> Iterator[str]:
    """A first choice that nobody measured says so, and how it stands at the slow end against one that was."""
    if pick.tier not in ("datasheet", "assumed"):
        return
    known = next((option for option in others if option.tier not in ("datasheet", "assumed")), None)
    said = f"nobody measured its speed (tier {pick.tier})"
    yield f"{said}; it is first at the slow end of its interval{_ends(pick, known) if known else ''}"


def _ends(pick: Option, known: Option) -> str:
    """The slow ends of two options, in words."""
    shown = []
    for option in (pick, known):
        cost = slow_cost(option)
        asked = f" and {money(cost)}" if cost is not None else ""
        if option.run is not None:
            shown.append(f"{duration(option.run.high)}{asked}")
        elif option.speed is not None:
            shown.append(f"{digits(1 / option.speed.slow_tpot, 2)} tokens/s{asked}")
    return f", {shown[0]}, against {shown[1]} of {known.name}, the best of tier {known.tier}"


#: Figures within this ratio look the same.
SAME = 1.02
#: How many options that look better than the first are explained.
EXPLAINED = 3


def _figures(option: Option) -> tuple[float, ...]:
    """What the table shows of an option, each better when smaller: time, cost, power."""
    cost, draw = total_cost(option), option.draw.wall if option.draw else math.inf
    money_ = cost if cost is not None else math.inf
    if option.run is not None:
        return option.run.seconds, money_, draw
    assert option.speed is not None
    wait = option.speed.ttft if option.speed.ttft is not None else math.inf
    return option.speed.tpot, wait, money_, draw


def _better_on_paper(other: Option, pick: Option) -> bool:
    """Does another option look better on time and cost, and on nothing worse by much?"""
    mine, theirs = _figures(pick), _figures(other)
    timely = all(b <= a * SAME for a, b in zip(mine[:-1], theirs[:-1], strict=True))
    return timely and any(b * SAME < a for a, b in zip(mine[:-1], theirs[:-1], strict=True))


def _on_paper(question: Question, pick: Option, others: Sequence[Option]) -> Iterator[str]:
    """Options that look better than the first on every time and cost shown, and what the ranking holds against
    them."""
    better = [option for option in others if _better_on_paper(option, pick)]
    for other in better[:EXPLAINED]:
        cost = total_cost(other)
        asked = f", {money(cost)}" if cost is not None else ""
        if other.run is not None and pick.run is not None:
            shown = f"{duration(other.run.seconds)}{asked}"
        else:
            assert other.speed is not None
            shown = f"{digits(other.speed.each, 2)} tokens/s{asked}"
        held = "; ".join((*_slow_end(question, pick, other), *_unseen(question, pick, other)))
        yield f"{other.name} looks better on paper ({shown}): {held or 'the two are practically level'}"


def _slow_end(question: Question, pick: Option, other: Option) -> Iterator[str]:
    """What an option's interval holds against it: its slow end, where the ranking stands."""
    why = {"datasheet": "nobody measured its speed (tier datasheet)", "assumed": "its speed is assumed"}
    known = why.get(other.tier, f"tier {other.tier}")
    if other.run is not None and pick.run is not None:
        mine, theirs = slow_cost(pick), slow_cost(other)
        ends = [
            f"{duration(option.run.high)}{f' and {money(cost)}' if cost is not None else ''}"
            for option, cost in ((other, theirs), (pick, mine))
            if option.run is not None
        ]
        later = other.run.high > pick.run.high
        dearer = mine is not None and theirs is not None and theirs > mine
        if later or dearer:
            yield f"{known}; at the slow end of its interval {ends[0]}, against {ends[1]} for the first"
    elif other.speed is not None and pick.speed is not None:
        ends_ = [1 / option.speed.slow_tpot for option in (other, pick) if option.speed]
        if ends_[0] < ends_[1] and (ends_[0] < FAST_ENOUGH or question.priority == "speed"):
            yield f"{known}; at the slow end {digits(ends_[0], 2)} tokens/s, against {digits(ends_[1], 2)}"
    if thin(other) > thin(pick):
        word = "figures that enter are assumed" if other.tier == "assumed" else "one device of its class was measured"
        yield word
    watts = [option.draw.wall for option in (other, pick) if option.draw]
    if len(watts) == 2 and watts[0] > SAME * watts[1]:
        yield f"it draws {power(watts[0])} against {power(watts[1])} at the wall"


def _unseen(question: Question, pick: Option, second: Option) -> Iterator[str]:
    """What the ranking holds against another option besides its figures, said of the pick."""
    if pick.run is None:
        finer, coarser = question.weights(pick.format), question.weights(second.format)
        if quality_loss(question, coarser) > quality_loss(question, finer):
            yield f"it keeps the weights finer: {pick.format} against {second.format}"
        if second.left / second.usable < HEADROOM <= pick.left / pick.usable:
            yield f"it keeps {size(pick.left)} free per device; the other {size(max(second.left, 0.0))}"
    if second.cost.stale and not pick.cost.stale:
        yield f"its price is of today, the other's of {second.cost.as_of[:4]}"


#: How many options of another priority's order are laid out anew under it.
RIVALS = 8


def changes(question: Question, options: Sequence[Option], field: Field) -> Iterator[str]:
    """What would change the answer: other priorities, other prices, other loads."""
    pick = options[0]
    for priority in PRIORITIES:
        if priority == question.priority:
            continue
        asked = replace(question, priority=priority)
        near = [option for option in ranked(asked, options) if option.feasible][:RIVALS]
        other = ranked(asked, field.options(asked, _devices(near)))[
            0
        ]  # the best layout depends on the priority as well
        if other.feasible and (other.device.id, other.count) != (pick.device.id, pick.count):
            yield f"with --priority {priority}: {other.name}"
    others = [option for option in options[1:] if option.feasible and option.device.id != pick.device.id]
    cost = slow_cost(pick)
    if others and cost:
        gap, small = (pick.score - others[0].score) / max(weights_of(question).cost, 1e-9), small_change(question)
        factor = ((1 + cost / small) * 2**gap - 1) * small / cost
        if factor < 1.05:
            yield f"{others[0].name} is practically level with it"
        elif factor < 3:
            yield f"if {pick.name} cost {digits(factor, 2)} times as much, {others[0].name} would be first"
    if question.budget is not None and (pick.cost.buy_high or 0.0) > question.budget:
        yield f"its price may reach {money(pick.cost.buy_high or 0.0)}, over the budget: get a quote first"
    yield from _own_desktop(question, options)
    yield from _owned_run(question, options)
    work = question.workload
    if isinstance(work, Pretraining | FineTuning) and pick.run and work.deadline and pick.run.high > work.deadline:
        yield (
            f"at the upper end of its interval the run takes {duration(pick.run.high)}, past the deadline: "
            "twice the devices would hold it there too, at about the same rent"
        )
    if isinstance(question.workload, SingleUser | Service) and pick.context_limit:
        many = isinstance(work, Service) and pick.speed is not None and pick.speed.concurrency >= 1.5
        each = ", were all requests in flight that long" if many else ""
        yield f"it fits contexts up to {count(math.floor(pick.context_limit))} tokens in this format{each}"
    if isinstance(question.workload, Service):
        yield from _growth(question, pick)
    if isinstance(question.workload, SingleUser):
        yield "training or fine-tuning as well is another question: ask it with --goal"


def _own_desktop(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """The pick for someone who already owns a desktop with a free slot."""
    if not isinstance(question.workload, SingleUser) or question.prices:
        return
    spread = AMORTISATION_MONTHS

    def bare(option: Option) -> Option:
        cost, month = option.cost, option.cost.month
        desktop = option.device.kind in ("gpu-consumer", "gpu-workstation") and option.count == 1
        if not desktop or month is None or not cost.hosts:
            return option
        return replace(option, cost=replace(cost, month=month - cost.hosts / spread))

    other = ranked(question, [bare(option) for option in options])[0]
    if other.feasible and other.device.id != options[0].device.id and other.cost.buy_low is not None:
        low, high = other.cost.buy_low - other.cost.hosts, (other.cost.buy_high or 0.0) - other.cost.hosts
        card = money((low + high) / 2)
        yield f"if you already own a desktop with a free slot: {other.name}, about {card} for the card"


def _owned_run(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """The best run for someone who already owns a machine for a desk: its energy alone."""
    if not isinstance(question.workload, FineTuning):
        return
    owned = [
        replace(option, cost=replace(option.cost, month=option.cost.energy_month, tenure="own"))
        for option in options
        if option.feasible and option.device.kind not in SERVER_KINDS and option.cost.energy_month is not None
    ]
    if owned:
        best = ranked(question, owned)[0]
        assert best.run is not None and best.cost.month is not None
        yield (
            f"if you already own it (--price '{best.device.name}=0' --host-price 0): {best.name}, "
            f"{duration(best.run.seconds)} and {money(best.cost.month)} of energy"
        )


def _growth(question: Question, pick: Option) -> Iterator[str]:
    """The number of users at which the pick breaks, found by doubling and halving."""
    work = question.workload
    assert isinstance(work, Service) and pick.speed is not None
    if work.concurrency is not None:
        if pick.batch_limit:
            yield f"its memory holds {digits(pick.batch_limit)} requests in flight"
        return
    low, high = 1.0, 64.0
    for _ in range(7):
        middle = math.sqrt(low * high)
        (again,) = inference.again(replace(question, workload=replace(work, users=work.users * middle)), [pick])
        low, high = (middle, high) if again.feasible else (low, middle)
    if low > 1.05:
        yield f"it carries about {digits(work.users * low, 2)} users before a limit breaks"
    else:
        yield "it is close to its limit: the next step up is due with the next tens of users"


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
            amount = _up(needed)
            what = f"with a budget of {money(amount)} (--budget {amount:.0f})"
            yield what, replace(question, budget=amount), devices
    if question.max_power is not None:
        free = replace(question, max_power=None)
        needed, devices = _least(free, catalogue, field, _wall, lambda q, most: replace(q, max_power=most))
        if needed is not None:
            watts = _up(needed)
            what = f"with a power limit of {power(watts)} (--max-power {watts:.0f}W)"
            yield what, replace(question, max_power=watts), devices
    if not isinstance(work, SingleUser | Service):
        return
    for name, value, slow in (("slo_ttft", work.slo_ttft, _slow_ttft), ("slo_tpot", work.slo_tpot, _slow_tpot)):
        if value is None:
            continue
        able = [o for o in _found(_with_slo(question, name, None), catalogue, field) if o.feasible]
        most = min(map(slow, able), default=math.inf)
        if math.isfinite(most):
            limit = _up(1000 * most) / 1000
            flag = f"--{name.replace('_', '-')} {1000 * limit:g}ms"
            what = f"with a {name[4:].upper()} limit of {duration(limit)} ({flag})"
            yield what, _with_slo(question, name, limit), _devices(able)
    if isinstance(work, Service) and work.concurrency is None and question.hardware:
        users = _fewer_users(question, work, field)
        if users is not None:
            fewer = replace(question, workload=replace(work, users=users))
            yield f"for {whole(users)} users (--users {users:.0f})", fewer, ()


def _with_slo(question: Question, name: str, limit: float | None) -> Question:
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    if name == "slo_ttft":
        return replace(question, workload=replace(work, slo_ttft=limit))
    return replace(question, workload=replace(work, slo_tpot=limit))


def _devices(options: Iterable[Option]) -> tuple[Device, ...]:
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
    candidates, least = _devices(able), None
    for _ in range(3):
        most = min(map(need, able), default=math.inf)
        if not math.isfinite(most):
            break
        least, question = most, limited(question, 0.98 * most)
        able = [option for option in _found(question, candidates, field) if option.feasible]
    return least, candidates


def _asked(option: Option) -> float:
    """What a budget is held against: the price, or the rent of a run where that is less."""
    rent = option.cost.month if option.run and option.cost.tenure == "rent" else None
    return min((way for way in (option.cost.buy, rent) if way is not None), default=math.inf)


def _wall(option: Option) -> float:
    return option.draw.wall if option.draw else math.inf


def _slow_ttft(option: Option) -> float:
    speed = option.speed
    return speed.slow_ttft if speed and speed.slow_ttft is not None else math.inf


def _slow_tpot(option: Option) -> float:
    return option.speed.slow_tpot if option.speed else math.inf


def _up(value: float) -> float:
    """Rounded up to two digits."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")


def _fewer_users(question: Question, work: Service, field: Field) -> float | None:
    """The most users, in two digits, that the named hardware carries; None where it carries not even two."""
    low, high = 1.0, work.users
    while high / low > 1.1:
        middle = math.sqrt(low * high)
        found = _found(replace(question, workload=replace(work, users=middle)), (), field)
        low, high = (middle, high) if found and found[0].feasible else (low, middle)
    step = 10.0 ** max(math.floor(math.log10(low)) - 1, 0)
    users = math.floor(low / step) * step
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
            near = _devices(option for option in options if option.distance <= CACHE_REACH)
            yield "with an 8-bit KV cache (--kv-bits 8)", replace(question, kv_bits=8.0), near
        near = _devices(option for option in options if option.distance <= WEIGHT_REACH)
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


def assumptions(question: Question, pick: Option | None) -> Iterator[str]:
    """What was filled in, so that it can be overridden."""
    work = question.workload
    yield from question.arch.assumptions
    yield from question.resolved
    if isinstance(work, SingleUser | Service):
        yield (
            f"a request of {whole(work.prompt)} prompt and {whole(work.output)} output tokens "
            f"(--prompt, --output), contexts up to {whole(work.context)} (--context)"
        )
    if isinstance(work, Service) and work.concurrency is None:
        yield (
            f"{digits(100 * work.active_share)} % of the users in a conversation at the busiest time, "
            f"{duration(work.think)} between an answer and the next question (--active, --think)"
        )
    if isinstance(work, Service) and work.slo_tpot is None:
        yield f"no TPOT limit given: answers must keep up with reading, {digits(inference.READING_SPEED)} tokens/s"
    if isinstance(work, FineTuning):
        yield f"{count(work.tokens)} tokens of data times epochs (--tokens), adapters of rank {digits(work.rank)}"
    if isinstance(work, Pretraining | FineTuning) and work.deadline is not None:
        yield f"done within {duration(work.deadline)} (--deadline)"
    if isinstance(work, SingleUser | Service):
        yield (
            f"on for {digits(work.hours_per_day)} hours a day and at work {digits(100 * work.busy)} % of them "
            "(--hours, --busy)"
        )
    if pick and pick.cost.tier == "assumed":
        yield f"a part of the price of {pick.name} has no source yet: give your own (--price, --host-price)"
    if pick and pick.configuration and pick.device.id not in question.prices:
        priced = purchase_price(pick.device, pick.configuration)
        if priced is not None and priced.memory is not None and priced.memory > 1.001 * pick.configuration:
            yield (
                f"no lower price of {pick.device.name} with {size(pick.configuration)} is known: that of "
                f"{size(priced.memory)} is taken"
            )
    if pick and pick.cost.hosts:
        host = money(pick.cost.hosts)
        yield f"the price holds {host} for the computer around the boards (--host-price, 0 if you own one)"
    tariff = question.tariff if question.tariff is not None else TARIFF
    yield f"electricity at {money(tariff)}/kWh (--tariff); purchases spread over {AMORTISATION_MONTHS} months"
    if isinstance(work, Pretraining | FineTuning):
        least = learning.LEAST_OWNED if isinstance(work, Pretraining) else learning.LEAST_LENT
        months = digits(least / (3600 * HOURS_PER_MONTH))
        yield (
            f"a run is charged its rent; where nobody rents the machine out, its energy and at least {months} of the "
            f"{AMORTISATION_MONTHS} months of the purchase (--price 'NAME=0' if you own it)"
        )
    if isinstance(work, Service):
        yield "latencies under load are steady-state means with their interval, not percentiles; bursts wait longer"
    if isinstance(work, SingleUser):
        yield "one request at a time, nothing else running on the machine"
    if pick and pick.speed and pick.speed.ttft is None:
        yield f"TTFT unknown: the catalogue has no peak rate for {pick.device.name}"
    if pick and pick.tier in ("datasheet", "assumed"):
        yield "no measurement supports the pick's speed: it rests on datasheet figures and class priors"


def sold_together(table: Sequence[Option]) -> Iterator[str]:
    """Why more boards are paid for than used."""
    more = {option.name: sold(option.device, option.count) for option in table if _spare(option)}
    if more:
        names = ", ".join(f"{name} (the price of {bought})" for name, bought in more.items())
        yield f"boards without a slot are sold in whole servers, so a purchase pays for more than is used: {names}"


def _spare(option: Option) -> bool:
    """Are more boards bought than used?"""
    return option.cost.buy is not None and sold(option.device, option.count) > option.count
