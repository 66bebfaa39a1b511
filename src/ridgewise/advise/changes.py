"""What would change an answer: other priorities, other prices, other loads, and how far the choice carries."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ridgewise.advise import inference
from ridgewise.advise.field import Field
from ridgewise.advise.option import Option
from ridgewise.advise.question import PRIORITIES, Question
from ridgewise.advise.rank import (
    ranked,
    slow_cost,
    small_change,
    total_cost,
    weights_of,
)
from ridgewise.advise.ways import devices_of, slow_tpot, slow_ttft, with_slo
from ridgewise.economics.cost import AMORTISATION_MONTHS, SERVER_KINDS
from ridgewise.units import count, digits, duration, money, up, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

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
        other = ranked(asked, field.options(asked, devices_of(near)))[0]  # the best layout depends on it as well
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
    if isinstance(question.workload, SingleUser | Service):
        yield from _softer(question, options, field)
    if isinstance(question.workload, Service):
        yield from _growth(question, options, field)
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


#: A limit is worth a word where the choice without it costs so much less, as a share.
MUCH = 0.3
#: Limits longer than this many times the one asked for are no longer the same wish.
GENTLE = 3.0


def _softer(question: Question, options: Sequence[Option], field: Field) -> Iterator[str]:
    """A limit on latency that costs much, and the nearest longer one that would not."""
    work, pick = question.workload, options[0]
    assert isinstance(work, SingleUser | Service)
    mine = total_cost(pick)
    for name, limit, slow in (("slo_ttft", work.slo_ttft, slow_ttft), ("slo_tpot", work.slo_tpot, slow_tpot)):
        if limit is None or mine is None:
            continue
        free = with_slo(question, name, None)
        able = [o for o in field.options(free, devices_of(options)) if o.feasible and limit < slow(o) <= GENTLE * limit]
        cheap = [o for o in able if (total_cost(o) or math.inf) <= (1.0 - MUCH) * mine]
        for option in sorted(cheap, key=slow)[:GENTLEST]:
            needed = up(1000 * slow(option)) / 1000
            asked = with_slo(question, name, needed)
            first = ranked(asked, field.options(asked, devices_of(options)))[0]
            cost = total_cost(first)
            if first.feasible and cost is not None and cost <= (1.0 - MUCH) * mine:
                flag = f"--{name.replace('_', '-')} {1000 * needed:g}ms"
                yield (
                    f"{name[4:].upper()} {duration(needed)} instead of {duration(limit)} ({flag}): {first.name}, "
                    f"{money(mine - cost)} less over {AMORTISATION_MONTHS // 12} years"
                )
                break


#: How many cheaper options are tried, the fastest first.
GENTLEST = 6


def _growth(question: Question, options: Sequence[Option], field: Field) -> Iterator[str]:
    """The number of users at which the pick breaks, found by doubling and halving, and the next step up."""
    work, pick = question.workload, options[0]
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
    more = replace(question, workload=replace(work, users=up(STEP * work.users * low)))
    near = [option for option in options if option.feasible][:RIVALS]
    then = ranked(more, field.options(more, devices_of(near)))[0]
    if then.feasible and then.cost.month is not None and isinstance(more.workload, Service):
        yield f"the next step, for {whole(more.workload.users)} users: {then.name}, {money(then.cost.month)} a month"


#: How far beyond its limit a next step is planned.
STEP = 1.5
