"""Using a model by day and training it now and then: one system for both, or two, with the sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ridgewise.advise.case import best
from ridgewise.advise.field import Field
from ridgewise.advise.option import Option
from ridgewise.advise.question import Question
from ridgewise.advise.rank import once, ranked
from ridgewise.economics.cost import HOURS_PER_MONTH
from ridgewise.errors import RequestError, nearest
from ridgewise.hardware import Device
from ridgewise.units import digits, duration, money, parse, share
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

#: Runs a month of what people say.
PERIODS = {
    "nightly": HOURS_PER_MONTH / 24, "daily": HOURS_PER_MONTH / 24, "weekly": HOURS_PER_MONTH / 168, "monthly": 1.0,
    "quarterly": 1 / 3, "yearly": 1 / 12,
}  # fmt: skip
GOALS = {"full": "full", "finetune": "full", "lora": "lora", "qlora": "qlora", "train": ""}
#: Machines for using the model that are tried for training too, the best ranked first.
TRIED = 12
#: One system is simpler: two must be cheaper by more than this share.
SIMPLER = 0.1


@dataclass(frozen=True, slots=True)
class Also:
    """Training beside use: the work of a run, and how many there are a month."""

    work: FineTuning | Pretraining
    runs: float
    words: str


@dataclass(frozen=True, slots=True)
class System:
    """Machines that do both [USD per month]: ``serving`` alone where ``training`` is the same machine."""

    serving: Option
    training: Option
    month: float
    same: bool


@dataclass(frozen=True, slots=True)
class Mixed:
    """One system, two, and which is better; None where none does it."""

    also: Also
    one: System | None
    two: System | None
    reasons: tuple[str, ...]

    @property
    def better(self) -> System | None:
        """The cheaper; one system unless two save more than :data:`SIMPLER`."""
        if self.one is None or self.two is None:
            return self.one or self.two
        return self.two if self.two.month < (1.0 - SIMPLER) * self.one.month else self.one


def also(text: str, where: str = "--also") -> Also:
    """``qlora monthly``, ``lora 50M weekly``, ``train 10B yearly``: what is trained, on how many tokens, how often."""
    words = text.split()
    if len(words) not in (2, 3):
        raise RequestError(f"{text!r} is not GOAL [TOKENS] PERIOD", where, ("qlora monthly", "lora 50M weekly"))
    goal, period = words[0].casefold(), words[-1].casefold()
    if goal in ("grpo", "dpo", "rl"):
        raise RequestError(f"what {goal} takes, both its phases, is another question", where, ("train --goal grpo",))
    if goal not in GOALS:
        raise RequestError(f"no goal {goal!r}", where, nearest(goal, GOALS) or tuple(GOALS))
    if period not in PERIODS:
        raise RequestError(f"no period {period!r}", where, nearest(period, PERIODS) or tuple(PERIODS))
    tokens = parse(words[1], "tokens", where) if len(words) == 3 else None
    if goal == "train":
        if tokens is None:
            raise RequestError("training needs its tokens", where, (f"train 10B {period}",))
        return Also(Pretraining(tokens), PERIODS[period], text)
    tuning = FineTuning(GOALS[goal])  # type: ignore[arg-type]
    return Also(replace(tuning, tokens=tokens) if tokens else tuning, PERIODS[period], text)


def mixed(question: Question, options: Sequence[Option], extra: Also, catalogue: Sequence[Device]) -> Mixed:
    """The best machine that does both, and the best pair, of ``options`` ranked for use."""
    work = question.workload
    if not isinstance(work, SingleUser | Service):
        raise RequestError("--also adds training to using a model", "--also", ("--goal infer",))
    able = [option for option in once(options) if option.feasible and option.cost.month is not None]
    training = replace(
        question, workload=replace(extra.work, deadline=_period(extra)), engine=None, format=None, budget=None
    )
    runs = [
        option for option in ranked(training, Field().options(training, question.hardware or tuple(catalogue)))
        if option.feasible and option.cost.month is not None
    ]  # fmt: skip
    alone = [_alone(option, runs[0], extra) for option in able[:1] if runs]
    both = [found for option in able[:TRIED] if (found := _both(question, training, option, extra)) is not None]
    one = min(both, key=lambda system: system.month, default=None)
    two = alone[0] if alone else None
    return Mixed(extra, one, two, tuple(_reasons(question, extra, one, two)))


def _period(extra: Also) -> float:
    """Seconds from one run to the next: its deadline."""
    return HOURS_PER_MONTH * 3600 / extra.runs


def _alone(serving: Option, training: Option, extra: Also) -> System:
    """Each by the machine that suits it: the run at its rent, or at its share of a purchase."""
    assert serving.cost.month is not None and training.cost.month is not None
    return System(serving, training, serving.cost.month + extra.runs * training.cost.month, False)


def idle_hours(question: Question) -> float:
    """Hours a month in which nobody uses the model."""
    work = question.workload
    assert isinstance(work, SingleUser | Service)
    return (24.0 - work.hours_per_day) / 24.0 * HOURS_PER_MONTH


def _both(question: Question, training: Question, option: Option, extra: Also) -> System | None:
    """The same machine for both, where its runs end in the hours nobody uses it."""
    run = best(training, option.device, option.count)
    if run is None or run.run is None or not run.run.fits or not run.feasible:
        return None
    hours = extra.runs * run.run.high / 3600
    if hours > idle_hours(question) or option.cost.month is None:
        return None
    if option.cost.tenure == "rent" and option.cost.rent_low is not None and option.cost.rent_high is not None:
        more = hours * (option.cost.rent_low + option.cost.rent_high) / 2
    else:
        more = hours * run.draw.wall / 1000 * question.electricity if run.draw else 0.0
    return System(option, run, option.cost.month + more, True)


def _reasons(question: Question, extra: Also, one: System | None, two: System | None) -> Iterator[str]:
    free = idle_hours(question)
    if one is not None and one.training.run is not None:
        hours = extra.runs * one.training.run.seconds / 3600
        yield (
            f"one system: {one.serving.name} does both for {money(one.month)} a month; a run takes "
            f"{duration(one.training.run.seconds)}, {digits(hours, 2)} of the {digits(free)} hours a month in which "
            f"nobody uses it ({share(hours / free)})"
        )
    elif free <= 0:
        yield "one system: none, it is in use at all hours (--hours says otherwise)"
    else:
        yield f"one system: none of the best {TRIED} trains it in the {digits(free)} hours a month nobody uses it"
    if two is not None and two.training.run is not None:
        how = "rented" if two.training.cost.tenure == "rent" else "at its share of the purchase"
        yield (
            f"two systems: {two.serving.name} to use it, {two.training.name} {how} for {digits(extra.runs, 2)} runs a "
            f"month of {duration(two.training.run.seconds)}: {money(two.month)} a month"
        )
    else:
        yield "two systems: nothing trains it within its period"
