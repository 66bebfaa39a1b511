"""How long prompts and answers are: a number, a distribution by name, or the lengths of a trace.

1024                        always so many
uniform:100-2000            evenly between
lognormal:1024,0.8          a mean, and standard deviation over mean: what conversations look like
exponential:300             a mean
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ridgewise.errors import RequestError
from ridgewise.units import digits, parse

Whole = NDArray[np.int64]


#: Standard deviation over mean of prompts and of answers where nothing is said: the conversations of Azure's public
#: trace of November 2023 (Splitwise, ISCA 2024).
PROMPT_SPREAD, OUTPUT_SPREAD = 0.95, 0.77


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of whole numbers of tokens, one at least.

    kind     "fixed", "uniform", "lognormal", "exponential" or "drawn"
    low, high   of "uniform"; ``mean`` and ``spread`` (standard deviation over mean) of the others
    values   what "drawn" draws from
    """

    kind: str
    mean: Annotated[float, "tokens"]
    spread: Annotated[float, "ratio"] = 0.0
    low: Annotated[float, "tokens"] = 1.0
    high: Annotated[float, "tokens"] = math.inf
    values: Whole | None = None

    def draw(self, count: int, random: Generator) -> Whole:
        """So many lengths [tokens]."""
        if self.kind == "fixed":
            found = np.full(count, self.mean)
        elif self.kind == "uniform":
            found = random.uniform(self.low, self.high + 1.0, count)
        elif self.kind == "exponential":
            found = random.exponential(self.mean, count)
        elif self.kind == "lognormal":
            sigma = math.sqrt(math.log1p(self.spread**2))
            found = random.lognormal(math.log(self.mean) - sigma**2 / 2, sigma, count)
        else:
            assert self.values is not None
            return np.asarray(random.choice(self.values, count), dtype=np.int64)
        return np.asarray(np.clip(np.floor(found), 1, min(self.high, 1e7)), dtype=np.int64)

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{digits(self.mean)} tokens"
        if self.kind == "uniform":
            return f"{digits(self.low)} to {digits(self.high)} tokens evenly"
        spread = f", standard deviation {digits(self.spread * self.mean)}" if self.spread else ""
        return f"{self.kind}, mean {digits(self.mean)} tokens{spread}"


KINDS = ("1024", "lognormal:1024,0.8", "uniform:100-2000", "exponential:300")


def lengths(text: str, where: str) -> Lengths:
    """A distribution from words; RequestError shows the forms."""
    name, colon, rest = text.strip().partition(":")
    if not colon:
        return Lengths("fixed", _tokens(name, where))
    try:
        if name == "uniform":
            low, _, high = rest.partition("-")
            first, last = _tokens(low, where), _tokens(high, where)
            if last < first:
                raise RequestError(f"{high} is less than {low}", where, (f"uniform:{high}-{low}",))
            return Lengths("uniform", (first + last) / 2, low=first, high=last)
        if name == "lognormal":
            mean, _, spread = rest.partition(",")
            wide = parse(spread or "1", "ratio", where)
            if not 0 < wide <= 20:
                raise RequestError(f"a spread of {spread} is out of range", where, (f"lognormal:{mean},1",))
            return Lengths("lognormal", _tokens(mean, where), wide)
        if name == "exponential":
            return Lengths("exponential", _tokens(rest, where), 1.0)
    except ValueError:
        pass
    raise RequestError(f"{text!r} is no length or distribution", where, KINDS)


def _tokens(text: str, where: str) -> float:
    value = parse(text, "tokens", where)
    if not 1 <= value <= 1e7:
        raise RequestError(f"{text} tokens is out of range", where, KINDS)
    return value


def fitted(values: Whole) -> Lengths:
    """The lognormal distribution with the mean and spread of observed lengths."""
    mean, spread = float(values.mean()), float(values.std())
    return Lengths("lognormal", mean, spread / mean) if spread > 0 else Lengths("fixed", mean)


def observed(values: Whole) -> Lengths:
    """Lengths drawn from observed ones as they are."""
    mean = float(values.mean())
    return Lengths("drawn", mean, float(values.std()) / mean, values=values)
