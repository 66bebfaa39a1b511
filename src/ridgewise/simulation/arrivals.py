"""When requests come: open arrivals at a rate, or users who wait for their answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ridgewise.errors import RequestError, nearest
from ridgewise.simulation.lengths import Lengths
from ridgewise.simulation.request import Requests, requests
from ridgewise.units import digits, duration, parse

Column = NDArray[np.float64]
#: Arrivals by name, with what their number means.
FORMS = {
    "poisson": "independent of each other",
    "bursty": "gamma-distributed gaps; the number is their standard deviation over their mean: bursty:2",
    "diurnal": "Poisson at a rate that swings over a day; the number is the peak over the mean: diurnal:1.8",
    "even": "one after the other at equal gaps",
    "at_once": "all at time 0",
}
#: What is assumed of a day and of bursts where nothing is said.
DAY, PEAK, BURSTINESS = 86400.0, 1.8, 2.0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A kind of open arrivals: its name in :data:`FORMS`, and its number."""

    form: str = "poisson"
    number: Annotated[float, "ratio"] = 1.0
    period: Annotated[float, "s"] = DAY

    def draw(self, rate: float, count: int, random: Generator) -> Column:
        """So many times [s], in order, at ``rate`` per second on average."""
        if self.form == "at_once":
            return np.zeros(count)
        if self.form == "even":
            return np.arange(count) / rate
        if self.form == "bursty":
            shape = 1.0 / self.number**2
            return np.cumsum(random.gamma(shape, 1.0 / (shape * rate), count))
        if self.form == "diurnal":
            return self._swinging(np.cumsum(random.exponential(1.0, count)), rate)
        return np.cumsum(random.exponential(1.0 / rate, count))

    def _swinging(self, events: Column, rate: float) -> Column:
        """Times at which the expected number of arrivals of a swinging rate reaches those of a steady one.

        rate(t) = r·(1 − a·cos(2πt/day)) with the day's low at time 0; its integral is inverted on a grid.
        """
        swing = min(self.number - 1.0, 1.0)
        days = math.ceil(events[-1] / rate / self.period) + 1
        t = np.linspace(0.0, days * self.period, 2000 * days + 1)
        expected = rate * (t - swing * self.period / (2 * math.pi) * np.sin(2 * math.pi * t / self.period))
        return np.asarray(np.interp(events, expected, t), dtype=float)

    def __str__(self) -> str:
        return {"bursty": f"bursty (gaps spread {digits(self.number)} times their mean)",
                "diurnal": f"over a day, {digits(self.number)} times the mean at the peak",
                "at_once": "all at once"}.get(self.form, self.form)  # fmt: skip


def arrivals(text: str, where: str = "--arrivals") -> Arrivals:
    """A kind of arrivals from words: "poisson", "bursty:2", "diurnal:1.8"; RequestError names the forms."""
    name, _, number = text.strip().casefold().replace("-", "_").partition(":")
    name = {"gamma": "bursty", "burst": "at_once"}.get(name, name)
    if name not in FORMS:
        raise RequestError(f"unknown arrivals {text!r}", where, nearest(name, FORMS) or tuple(FORMS))
    default = {"bursty": BURSTINESS, "diurnal": PEAK}.get(name, 1.0)
    value = parse(number, "1", where) if number else default
    if not (0.05 <= value <= 20.0 if name == "bursty" else 1.0 <= value <= 2.0 if name == "diurnal" else value == 1.0):
        raise RequestError(f"{text!r} is out of range", where, ("bursty:2", "diurnal:1.8"))
    return Arrivals(name, value)


def open_load(
    form: Arrivals, rate: float, count: int, prompt: Lengths, output: Lengths, seed: int, warm: float = 0.0
) -> Requests:
    """Requests from outside at so many per second; of the first ``warm`` share statistics take no note."""
    random = np.random.default_rng(seed)
    came = form.draw(rate, count, random)
    counted = np.arange(count) >= warm * count
    return requests(
        came, prompt.draw(count, random), output.draw(count, random), counted=counted,
        about=f"{digits(rate)} requests/s, {form}",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class People:
    """How people become requests, every figure to be shown.

    users    people with access; ``active_share`` of them are in a conversation at the busiest time
    turns    questions of a conversation, of which a new one is begun when the last has ended
    think    mean seconds between an answer and the next question (exponential)
    growing  whether a question carries the conversation so far, which the cache may still hold
    """

    users: Annotated[float, "1"]
    active_share: Annotated[float, "ratio"] = 0.25
    turns: Annotated[int, "1"] = 1
    think: Annotated[float, "s"] = 30.0
    growing: bool = False

    @property
    def sessions(self) -> int:
        """Conversations at the busiest time."""
        return max(round(self.users * self.active_share), 1)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What people are taken to do."""
        told = [
            f"{digits(self.users)} people with access, {digits(100 * self.active_share)} % of them in a conversation "
            f"at the busiest time: {digits(self.sessions)} conversations (--users, --active)",
            f"{duration(self.think)} on average between an answer and the next question (--think)",
        ]
        if self.growing:
            told.append(
                f"a conversation has {self.turns} turns, each carrying what was said before; it is then begun anew "
                "(--turns)"
            )
        return tuple(told)


def closed_load(
    people: People, count: int, prompt: Lengths, output: Lengths, seed: int, system_prompt: int = 0
) -> Requests:
    """Users who ask, read, think and ask again, ``count`` requests in all (at least two each).

    Everyone is met somewhere in the middle: the first question falls anywhere in one thinking time, its answer is what
    is left of one, and neither is counted. So people whose questions are all alike, and who do not think, are not in
    step. With ``growing`` a prompt holds the conversation so far and new words of length ``prompt``, after a system
    prompt of so many tokens.
    """
    random = np.random.default_rng(seed)
    sessions = people.sessions
    each = max(math.ceil(count / sessions), 2)
    shape = (sessions, each)
    new = prompt.draw(sessions * each, random).reshape(shape)
    answer = output.draw(sessions * each, random).reshape(shape)
    turn = (np.arange(each)[None, :] + random.integers(0, max(people.turns, 1), (sessions, 1))) % max(people.turns, 1)
    said, shared = new.copy(), np.zeros(shape, dtype=np.int64)
    if people.growing:
        before = np.zeros(sessions, dtype=np.int64)
        for place in range(each):
            begins = (turn[:, place] == 0) | (place == 0)
            before = np.where(begins, system_prompt, before)
            shared[:, place] = np.where(begins, 0, before)
            said[:, place] = before + new[:, place]
            before = before + new[:, place] + answer[:, place]
    answer[:, 0] = np.ceil(answer[:, 0] * random.uniform(0.0, 1.0, sessions)).clip(1)
    index = np.arange(sessions * each, dtype=np.int64).reshape(shape)
    follower = np.full(shape, -1, dtype=np.int64)
    follower[:, :-1] = index[:, 1:]
    think = random.exponential(people.think, shape) if people.think > 0 else np.zeros(shape)
    came = np.full(shape, np.nan)
    came[:, 0] = random.uniform(0.0, max(people.think, 1e-9), sessions)
    group = np.broadcast_to(np.arange(sessions)[:, None], shape) if people.growing else np.full(shape, -1)
    order = np.argsort(came[:, 0], kind="stable")
    moved = np.empty(sessions, dtype=np.int64)
    moved[order] = np.arange(sessions)
    renamed = np.where(follower >= 0, moved[follower // each] * each + follower % each, -1)
    counted = np.broadcast_to(np.arange(each)[None, :] > 0, shape)
    return requests(
        came[order].ravel(), said[order].ravel(), answer[order].ravel(), group=group[order].ravel(),
        shared=shared[order].ravel(), follower=renamed[order].ravel(), think=think[order].ravel(),
        counted=counted[order].ravel(), about=f"{digits(people.users)} users, {digits(people.sessions)} conversations",
    )  # fmt: skip
