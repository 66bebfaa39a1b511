"""Requests as columns: one row each, in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ridgewise.errors import RequestError

Column = NDArray[np.float64]
Whole = NDArray[np.int64]
#: Most requests of one simulation; longest prompt and answer.
MOST, LONGEST_PROMPT, LONGEST_ANSWER = 20_000_000, 10**8, 10**7


@dataclass(frozen=True, slots=True)
class Requests:
    """What a service is asked.

    arrival   seconds; of followers NaN until the request they follow has ended
    group     whose cache it may share, −1: nobody's; ``shared``: tokens of the prompt that the last request of the
              group, prompt and answer, holds already
    follower  the next request of the same user, −1: none; it comes ``think`` seconds after this one's answer
    model     which of the fleet's models it asks
    counted   whether statistics count it: warming up is not measured
    """

    arrival: Annotated[Column, "s"]
    prompt: Annotated[Whole, "tokens"]
    output: Annotated[Whole, "tokens"]
    group: Whole
    shared: Annotated[Whole, "tokens"]
    follower: Whole
    think: Annotated[Column, "s"]
    model: Whole
    counted: NDArray[np.bool_]
    about: str = ""

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def closed(self) -> bool:
        """Whether some requests wait for the answers of others."""
        return bool((self.follower >= 0).any())

    @property
    def mean_context(self) -> float:
        """Mean tokens of a request with its answer."""
        return float((self.prompt + self.output).mean())

    def typical(self, longest: float) -> float:
        """The same of those that are no longer than a model takes; of all where none is."""
        total = self.prompt + self.output
        able = total[total <= longest]
        return float(able.mean()) if len(able) else float(total.mean())

    @property
    def offered(self) -> float | None:
        """Requests per second that come, whatever becomes of them; None where they come at once, or as answers do."""
        span = 0.0 if self.closed else float(self.arrival[-1] - self.arrival[0])
        return (len(self) - 1) / span if span > 0 else None


def requests(
    arrival: ArrayLike, prompt: ArrayLike, output: ArrayLike, *, group: ArrayLike | None = None,
    shared: ArrayLike | None = None, follower: ArrayLike | None = None, think: ArrayLike | None = None,
    model: ArrayLike | None = None, counted: ArrayLike | None = None, about: str = "", where: str = "requests",
) -> Requests:  # fmt: skip
    """Columns checked and completed; RequestError names the first row that cannot be."""
    came = np.ascontiguousarray(arrival, dtype=np.float64)
    count = len(came)

    def whole(values: ArrayLike | None, default: int) -> Whole:
        if values is None:
            return np.full(count, default, dtype=np.int64)
        return np.ascontiguousarray(values, dtype=np.int64)

    found = Requests(
        came, whole(prompt, 0), whole(output, 0), whole(group, -1), whole(shared, 0), whole(follower, -1),
        np.zeros(count) if think is None else np.ascontiguousarray(think, dtype=np.float64), whole(model, 0),
        np.ones(count, dtype=bool) if counted is None else np.ascontiguousarray(counted, dtype=bool), about,
    )  # fmt: skip
    _check(found, where)
    return found


def _check(found: Requests, where: str) -> None:
    if not len(found):
        raise RequestError("holds no request", where)
    if len(found) > MOST:
        raise RequestError(f"{len(found):,} requests, at most {MOST:,} are simulated", where)
    lengths = {field.name: len(getattr(found, field.name)) for field in fields(found) if field.name != "about"}
    wrong = [name for name, length in lengths.items() if length != len(found)]
    if wrong:
        raise RequestError(f"{wrong[0]} has {lengths[wrong[0]]} values for {len(found)} requests", where)
    followers = np.zeros(len(found), dtype=bool)
    followers[found.follower[found.follower >= 0]] = True
    own = found.arrival[~followers]
    rows: list[tuple[Any, str]] = [
        (~np.isfinite(found.arrival) & ~followers, "its arrival is no finite time"),
        ((found.arrival < 0) & ~followers, "it arrives before time 0"),
        ((found.prompt < 1) | (found.prompt > LONGEST_PROMPT), "a prompt has at least one token"),
        ((found.output < 1) | (found.output > LONGEST_ANSWER), "an answer has at least one token"),
        ((found.think < 0) | ~np.isfinite(found.think), "nobody thinks for less than no time"),
    ]
    for bad, what in rows:
        if bad.any():
            raise RequestError(what, f"{where}, request {int(np.argmax(bad)) + 1}")
    if len(own) > 1 and (np.diff(own) < 0).any():
        place = int(np.argmax(np.diff(own) < 0)) + 2
        raise RequestError("comes before the one above it: sort by arrival", f"{where}, request {place}")


def scaled(found: Requests, factor: float) -> Requests:
    """The same requests at so many times the rate."""
    return replace(found, arrival=found.arrival / factor)


def first(found: Requests, count: int) -> Requests:
    """The first so many requests of an open load."""
    if count >= len(found):
        return found
    parts = {f.name: getattr(found, f.name)[:count] for f in fields(found) if f.name != "about"}
    return Requests(**parts, about=found.about)
