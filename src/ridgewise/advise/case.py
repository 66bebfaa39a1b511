"""One idea to be judged: so many of one device for a workload, how well they do it, and what else would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from ridgewise.advise.field import Field
from ridgewise.advise.option import Option, named
from ridgewise.advise.question import Question
from ridgewise.advise.rank import ranked
from ridgewise.hardware import Device
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

Rivals = Callable[[], tuple[Option, ...]]


@dataclass(frozen=True)
class Case:
    """Hardware somebody has in mind, or that was recommended to him.

    count     devices; 0: as many as do the job best
    option    the best that can be made of them; None: nothing can be computed, see ``advise.verdict``
    rivals    everything else that was considered, best first; looked for when a rule asks
    wanted    the user named it
    """

    question: Question
    device: Device
    count: int
    option: Option | None
    rivals_of: Rivals = field(default=tuple, repr=False, compare=False)
    wanted: bool = True

    @cached_property
    def rivals(self) -> tuple[Option, ...]:
        """Other options, best first."""
        return tuple(option for option in self.rivals_of() if option.device.id != self.device.id)

    @property
    def serves(self) -> bool:
        """Is a model used, and not built?"""
        return isinstance(self.question.workload, SingleUser | Service)

    @property
    def trains(self) -> bool:
        return isinstance(self.question.workload, Pretraining | FineTuning)

    @property
    def name(self) -> str:
        if self.option is not None:
            return self.option.name
        return named(self.device, self.count)

    @property
    def fits(self) -> bool:
        """Does memory hold it?"""
        return self.option is not None and self.option.left >= 0 and (self.option.run is None or self.option.run.fits)

    @property
    def short(self) -> bool:
        """Is there too little memory for it?"""
        return self.option is not None and not self.fits

    @cached_property
    def better(self) -> Option | None:
        """The best of the rivals that does the job."""
        return next((option for option in self.rivals if option.feasible), None)

    def on(self, count: int, **changes: object) -> Option | None:
        """The same question, with changes, on so many of the same device."""
        return best(replace(self.question, **changes), self.device, count)  # type: ignore[arg-type]

    def alone(self) -> Option | None:
        """The same hardware for one user without limits on latency; None for training."""
        work = self.question.workload
        if isinstance(work, Service):
            work = SingleUser(work.prompt, work.output, work.context)
        return self.on(self.count, workload=work) if isinstance(work, SingleUser) else None


def best(question: Question, device: Device, count: int = 0) -> Option | None:
    """The best that can be made of so many of a device (0: of as many as the question wants); None: nothing."""
    counts = {device.id: count} if count else {}
    asked = replace(question, hardware=(device,), counts=counts)
    return next(iter(ranked(asked, Field().options(asked, (device,)))), None)
