"""The answer to a planning question: verdict, ranked options, reasons, findings, ways out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ridgewise.advise import inference, learning
from ridgewise.advise.case import Case
from ridgewise.advise.changes import changes
from ridgewise.advise.field import Field, no_candidate
from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rank import (
    Weights,
    once,
    ranked,
    rules,
    shortlist,
    weights_of,
)
from ridgewise.advise.reasons import reasons
from ridgewise.advise.rules import judged_together
from ridgewise.advise.verdict import Verdict, verdict
from ridgewise.advise.ways import fixes
from ridgewise.economics.cost import AMORTISATION_MONTHS, HOURS_PER_MONTH, sold
from ridgewise.hardware import Device
from ridgewise.hardware.offers import purchase_price
from ridgewise.units import count, digits, duration, money, size, whole
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser


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
    for device in question.hardware:
        if all(option.device.id != device.id for option in options):
            yield f"{device.name}: {no_candidate(question, device)}"


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
    tariff = money(question.electricity)
    yield f"electricity at {tariff}/kWh (--tariff); purchases spread over {AMORTISATION_MONTHS} months"
    if isinstance(work, Pretraining | FineTuning):
        least = learning.LEAST_OWNED if isinstance(work, Pretraining) else learning.LEAST_LENT
        months = digits(least / (3600 * HOURS_PER_MONTH))
        yield (
            f"a run is charged its rent; where nobody rents the machine out, its energy and at least {months} of the "
            f"{AMORTISATION_MONTHS} months of the purchase (--price 'NAME=0' if you own it)"
        )
    if isinstance(work, Service):
        yield (
            "latencies under load are steady-state means, and a limit holds the mean at the slow end of its interval; "
            "bursts wait longer: `ridgewise capacity` holds percentiles"
        )
    if isinstance(work, SingleUser):
        yield "one request at a time, nothing else running on the machine"
    if pick and pick.speed and pick.speed.ttft is None:
        yield f"TTFT unknown: the catalogue has no peak rate for {pick.device.name}"
    if pick and pick.unmeasured:
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
