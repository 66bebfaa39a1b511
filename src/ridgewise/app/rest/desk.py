"""Where questions are put: answers are kept, workers and waiting are bounded, and time runs out.

Answers are computed in processes of their own, so that one that takes too long can be ended and many are answered on
all cores.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from anyio import to_process

from ridgewise.app.anchors import STORE
from ridgewise.app.home import home
from ridgewise.app.rest import questions
from ridgewise.app.rest.questions import Flags
from ridgewise.errors import RidgewiseError


class BusyError(RidgewiseError):
    """More questions wait than can be answered soon."""


class TooLongError(RidgewiseError):
    """A question took longer than is allowed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its document, those inside it, and the seconds it took to compute."""

    document: Any
    further: Mapping[str, Any]
    seconds: float

    @property
    def json(self) -> bytes:
        """The document as every face gives it."""
        from ridgewise.report.document import as_json

        return as_json(self.document, **self.further).encode()


def _work(name: str, flags: Flags) -> Answer:
    """In the worker: one answer, timed."""
    began = time.perf_counter()
    document, further = questions.answer(name, flags)
    return Answer(document, further, time.perf_counter() - began)


def _warm() -> None:
    """In the worker: read the catalogue and answer once, so that the first question does not wait for it."""
    for name in ("plan", "cost"):
        questions.answer(name, questions.QUESTIONS[name].example)


@dataclass
class Desk:
    """Puts questions to at most ``workers`` processes, and quick ones to one more; ``waiting`` further ones may queue,
    each for ``seconds`` at most."""

    workers: int = 2
    waiting: int = 200
    seconds: float = 30.0
    kept: int = 512
    counts: dict[str, float] = field(default_factory=lambda: {"kept": 0, "computed": 0, "refused": 0, "late": 0})
    queue: int = 0
    _answers: OrderedDict[str, Answer] = field(default_factory=OrderedDict)
    _limiters: dict[bool, anyio.CapacityLimiter] = field(default_factory=dict)

    def _limit(self, quick: bool = False) -> anyio.CapacityLimiter:
        if quick not in self._limiters:
            self._limiters[quick] = anyio.CapacityLimiter(1 if quick else self.workers)
        return self._limiters[quick]

    async def warm(self) -> None:
        """Start the workers and let each read the catalogue."""
        async with anyio.create_task_group() as tasks:
            for place in range(self.workers + 1):
                limiter = self._limit(quick=place == self.workers)
                tasks.start_soon(partial(to_process.run_sync, _warm, cancellable=True, limiter=limiter))

    async def ask(self, name: str, flags: Flags) -> Answer:
        """The answer to a checked question, kept or computed; RequestError, BusyError or TooLongError."""
        key = f"{_stamp()} {questions.key(name, flags)}"
        if (known := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            self.counts["kept"] += 1
            return known
        if self.queue >= self.workers + self.waiting:
            self.counts["refused"] += 1
            raise BusyError("too many questions are waiting")
        self.queue += 1
        try:
            with anyio.fail_after(self.seconds):
                limiter = self._limit(questions.QUESTIONS[name].quick)
                found = await to_process.run_sync(_work, name, flags, cancellable=True, limiter=limiter)
        except TimeoutError:
            self.counts["late"] += 1
            raise TooLongError(f"no answer within {self.seconds:g} s") from None
        finally:
            self.queue -= 1
        self.counts["computed"] += 1
        self._answers[key] = found
        while len(self._answers) > self.kept:
            self._answers.popitem(last=False)
        return found


def _stamp() -> str:
    """Changes when the user's own measurements do."""
    try:
        found = (home() / STORE).stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}"
