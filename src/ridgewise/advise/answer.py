"""The answer to a planning question: verdict, ranked options, reasons, findings, ways out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise import inference, learning
from ridgewise.advise.finding import Finding
from ridgewise.advise.offload import offload
from ridgewise.advise.option import Option
from ridgewise.advise.question import PRIORITIES, Question
from ridgewise.advise.rank import (
    HEADROOM,
    SMALL_CHANGE,
    WEIGHTS,
    Weights,
    quality_loss,
    ranked,
    shortlist,
    total_cost,
    unsupported,
)
from ridgewise.advise.rules import findings
from ridgewise.advise.verdict import Verdict, verdict
from ridgewise.economics.cost import AMORTISATION_MONTHS, TARIFF
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.models.formats import load_formats
from ridgewise.units import count, digits, duration, money, size, whole
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

    @property
    def pick(self) -> Option | None:
        """The recommendation; None when nothing is feasible."""
        return self.options[0] if self.options and self.options[0].feasible else None


def answer(question: Question, catalogue: Sequence[Device], top: int | None = None) -> Answer:
    """Evaluate, rank and explain every candidate; ``catalogue`` is used when the user named none. ``top``: show
    the first so many instead of the best of each kind."""
    available = tuple(device for device in catalogue if device.status == "available")
    devices = question.hardware or available
    options = tuple(ranked(question, evaluated(question, devices)))
    dropped = tuple(unable(question, options))
    pick = options[0] if options and options[0].feasible else None
    return Answer(
        question=question,
        verdict=verdict(question, pick),
        options=options,
        table=options[:top] if top else tuple(shortlist(list(options), question.named)),
        why=tuple(reasons(question, options)) if pick else (),
        changes=tuple(changes(question, options)) if pick else (),
        findings=tuple(findings(question, options)),
        fixes=() if pick else tuple(fixes(question, options, available)),
        dropped=dropped,
        assumptions=tuple(assumptions(question, pick)),
        weights=WEIGHTS[question.priority],
    )


def evaluated(question: Question, devices: Sequence[Device]) -> list[Option]:
    """The best layout of every device for this question."""
    if isinstance(question.workload, Pretraining | FineTuning):
        return list(learning.candidates(question, tuple(devices)))
    return list(inference.candidates(question, tuple(devices)))


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
    if not others:
        yield "nothing else among the candidates does the job"
        return
    second = others[0]
    yield from _against(question, pick, second)


def _against(question: Question, pick: Option, second: Option) -> Iterator[str]:
    mine, theirs = total_cost(pick), total_cost(second)
    if mine and theirs:
        span = "for the run" if pick.run else f"over {AMORTISATION_MONTHS // 12} years"
        word = "less" if mine <= theirs else "more"
        gap = abs(mine - theirs)
        yield f"{span} it costs {money(mine)}, {money(gap)} {word} than the runner-up, {second.name}"
    if pick.speed and second.speed:
        ratio = pick.speed.each / second.speed.each
        if max(ratio, 1 / ratio) < 1.05:
            yield "for each user it is as fast as the runner-up"
        else:
            word = "faster" if ratio >= 1 else "slower"
            yield f"for each user it is {digits(max(ratio, 1 / ratio), 2)} times {word} than the runner-up"
    yield from _unseen(question, pick, second)


def _unseen(question: Question, pick: Option, second: Option) -> Iterator[str]:
    """What the ranking holds against the runner-up besides its figures."""
    if unsupported(second) > unsupported(pick):
        weak = "of one device alone" if second.tier == pick.tier else f"of tier {second.tier}"
        yield f"its speed is better supported: tier {pick.tier}, the runner-up's evidence is {weak}"
    if pick.run is None:
        finer, coarser = question.weights(pick.format), question.weights(second.format)
        if quality_loss(question, coarser) > quality_loss(question, finer):
            yield f"it keeps the weights finer: {pick.format} against {second.format}"
        if second.left / second.usable < HEADROOM <= pick.left / pick.usable:
            yield f"it keeps {size(pick.left)} free per device; the runner-up keeps {size(max(second.left, 0.0))}"
    if second.cost.stale and not pick.cost.stale:
        yield f"its price is of today; the runner-up's of {second.cost.as_of[:4]}"


def changes(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """What would change the answer: other priorities, other prices, other loads."""
    pick = options[0]
    for priority in PRIORITIES:
        if priority == question.priority:
            continue
        other = ranked(replace(question, priority=priority), options)[0]
        if other.feasible and (other.device.id, other.count) != (pick.device.id, pick.count):
            yield f"with --priority {priority}: {other.name}"
    others = [option for option in options[1:] if option.feasible and option.device.id != pick.device.id]
    cost = total_cost(pick)
    if others and cost:
        gap = (pick.score - others[0].score) / WEIGHTS[question.priority].cost
        factor = ((1 + cost / SMALL_CHANGE) * 2**gap - 1) * SMALL_CHANGE / cost
        if factor < 1.05:
            yield f"{others[0].name} is practically level with it"
        elif factor < 3:
            yield f"if {pick.name} cost {digits(factor, 2)} times as much, {others[0].name} would be first"
    if question.budget is not None and (pick.cost.buy_high or 0.0) > question.budget:
        yield f"its price may reach {money(pick.cost.buy_high or 0.0)}, over the budget: get a quote first"
    yield from _own_desktop(question, options)
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
        again = inference.again(replace(question, workload=replace(work, users=work.users * middle)), pick)
        low, high = (middle, high) if again.feasible else (low, middle)
    if low > 1.05:
        yield f"it carries about {digits(work.users * low, 2)} users before a limit breaks"
    else:
        yield "it is close to its limit: the next step up is due with the next tens of users"


def fixes(question: Question, options: Sequence[Option], catalogue: Sequence[Device]) -> Iterator[str]:
    """Nothing is feasible: by how much, and the nearest changes that would make it so."""
    if options:
        nearest = options[0]
        yield f"nearest: {nearest.name}: {'; '.join(nearest.shortfalls)}"
    yield from _offloads(question, options)
    for what, changed in _relaxations(question):
        try:
            found = ranked(changed, evaluated(changed, changed.hardware or tuple(catalogue)))
        except RequestError:
            continue
        if found and found[0].feasible:
            yield f"{what}: {found[0].name} would do"


def _offloads(question: Question, options: Sequence[Option]) -> Iterator[str]:
    """The card that runs it fastest with a part of its layers in RAM."""
    work = question.workload
    cards = [o for o in options if o.engine == "llama.cpp" and o.left < 0 and o.device.kind.startswith("gpu")]
    if not isinstance(work, SingleUser):
        return
    singles = [inference.again(question, replace(o, count=1, tp=1, pp=1, replicas=1)) for o in cards]
    short = [card for card in singles if all(text.startswith("memory") for text in card.shortfalls)]
    splits = [(split, card) for card in short if (split := offload(question, card)) is not None]
    if splits:
        split, card = max(splits, key=lambda pair: pair[0].tokens_per_second)
        rate, ram = split.tokens_per_second, size(float(split.placement.ram))
        span = f"{digits(rate / split.spread, 2)}–{digits(rate * split.spread, 2)}"
        yield (
            f"with {ram} of it in RAM (llama.cpp {split.flags}): {card.name} would answer at about "
            f"{digits(rate, 2)} tokens/s ({span})"
        )


def _relaxations(question: Question) -> Iterator[tuple[str, Question]]:
    """Single changes, gentlest first."""
    work = question.workload
    if isinstance(work, SingleUser | Service):
        if question.kv_bits > 8:
            yield "with an 8-bit KV cache (--kv-bits 8)", replace(question, kv_bits=8.0)
        if work.context > 2 * (work.prompt + work.output):
            shorter = work.prompt + work.output
            yield (
                f"with a context of {whole(shorter)} tokens (--context)",
                replace(question, workload=replace(work, context=shorter)),
            )
        for name in SMALLER:
            fmt = load_formats()[name]
            if question.format is None or fmt.default < question.format.default:
                yield f"quantised to {fmt.name} (--quant {fmt.id})", replace(question, format=fmt)
    if isinstance(work, FineTuning) and work.method != "qlora":
        yield "with QLoRA (--goal qlora)", replace(question, workload=replace(work, method="qlora"))
    if isinstance(work, Pretraining | FineTuning) and work.deadline is not None:
        yield "without the deadline (--deadline)", replace(question, workload=replace(work, deadline=None))
    if question.budget is not None:
        yield "without the budget", replace(question, budget=None)
    if question.max_power is not None:
        yield "without the power limit", replace(question, max_power=None)
    if question.hardware:
        yield "on other hardware", replace(question, hardware=())


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
    if pick and pick.cost.hosts:
        host = money(pick.cost.hosts)
        yield f"the price holds {host} for the computer around the boards (--host-price, 0 if you own one)"
    tariff = question.tariff if question.tariff is not None else TARIFF
    yield f"electricity at {money(tariff)}/kWh (--tariff); purchases spread over {AMORTISATION_MONTHS} months"
    if isinstance(work, Service):
        yield "latencies under load are steady-state means with their interval, not percentiles; bursts wait longer"
    if isinstance(work, SingleUser):
        yield "one request at a time, nothing else running on the machine"
    if pick and pick.speed and pick.speed.ttft is None:
        yield f"TTFT unknown: the catalogue has no peak rate for {pick.device.name}"
    if pick and pick.speed and pick.speed.tier in ("datasheet", "assumed"):
        yield "no measurement supports the pick's speed: it rests on datasheet figures and class priors"
