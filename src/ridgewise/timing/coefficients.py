"""Coefficients with their evidence: a value, and what groups of measurements deviate from it by.

A coefficient of a block (one family of engines, one kind of run) has a value for the block and, for each
level it varies over (back end, device, format …), a factor per group, pulled towards 1 the less evidence the
group has (partial pooling: Gelman & Hill 2007, ch. 12). A group without evidence has the factor 1, and the
level's spread is then part of the doubt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from ridgewise.facts.catalog import catalog_path, read_toml


@dataclass(frozen=True, slots=True)
class Deviation:
    """What one group multiplies a coefficient by.

    doubt   standard deviation of the factor's logarithm after the fit
    rows    measurements of the group
    """

    factor: Annotated[float, "ratio"]
    doubt: Annotated[float, "ratio"] = 0.0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient of a block: ``value`` times the factors of the groups a case belongs to, within bounds.

    spreads   level → standard deviation of the logarithm of a group's factor, before any evidence
    """

    name: str
    value: float
    doubt: Annotated[float, "ratio"] = 0.0
    low: float = 0.0
    high: float = math.inf
    spreads: Mapping[str, float] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, Deviation]] = field(default_factory=dict)

    def at(self, keys: Mapping[str, str]) -> float:
        """The coefficient of a case with these group keys (level → key)."""
        value = self.value
        for level, groups in self.levels.items():
            found = groups.get(keys.get(level, ""))
            if found is not None:
                value *= found.factor
        return min(max(value, self.low), self.high)


#: Metrics that tell of reading prompts; all others tell of answers.
PROMPT_METRICS = ("prefill_tok_s", "ttft_ms")
PHASES = ("prompt", "answer")


def phase(metric: str) -> str:
    """The phase of a run that a metric tells of: "prompt" or "answer". Evidence of one is none of the other."""
    return "prompt" if metric in PROMPT_METRICS else "answer"


#: How much further each way an interval reaches where no engine or framework of the kind was measured.
UNLIKE = 1.4


@dataclass(frozen=True, slots=True)
class Band:
    """Ratios between which 80 % of measured over predicted fell when sources and devices were left out."""

    low: Annotated[Any, "ratio"]  # a number, or a column for deployments together
    high: Annotated[Any, "ratio"]
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """The coefficients of one family, fitted together.

    seen    level → groups among the measurements; "phase level" → those of one phase, where both were measured
    bands   "metric regime/support" → interval; an empty part stands for all
    rows    measurements fitted; ``devices`` and ``sources`` (source → rows) they came from
    data    hash of the measurements
    scale   metric → median of measured over datasheet roofline (the baseline "constant efficiency")
    errors  "withheld metric regime" → rows, median error, mean of the groups' medians, share inside the interval,
            its width, and the median errors of the two baselines
    """

    name: str
    coefficients: Mapping[str, Coefficient]
    seen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    bands: Mapping[str, Band] = field(default_factory=dict)
    rows: int = 0
    sources: Mapping[str, int] = field(default_factory=dict)
    data: str = ""
    scale: Mapping[str, float] = field(default_factory=dict)
    errors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""

    def at(self, keys: Mapping[str, str]) -> dict[str, float]:
        """Every coefficient of a case with these group keys."""
        return {name: coefficient.at(keys) for name, coefficient in self.coefficients.items()}

    def groups(self, level: str, metric: str) -> frozenset[str]:
        """Groups of a level among the measurements of a metric's phase."""
        return self.seen.get(f"{phase(metric)} {level}", self.seen.get(level, frozenset()))

    def support(self, keys: Mapping[str, str], metric: str = "tpot_ms") -> str:
        """How well the measurements support a case of a metric: the user's "own" device under this stack, the same
        "cell" (device, stack, model), the "device" under the same stack, the "stack" elsewhere, or "none"."""
        pair = f"{keys['device']}|{keys['stack']}"
        for level, group in (("own", pair), ("cell", keys["cell"]), ("device", pair), ("stack", keys["stack"])):
            if group in self.groups(level, metric):
                return level
        return "none"

    def band(self, metric: str, regime: str, support: str) -> Band:
        """The interval of a metric in a regime with this support; without one, that of the next wider group.

        A case that nothing among the measurements resembles gets a wider one. A user's own measurements narrow the
        interval of a device that was measured before, and never widen it.
        """
        if support == "own":
            before = self.band(metric, regime, "device")
            for key in (f"{metric} {regime}/own", f"{metric}/own", "/own"):
                if key in self.bands:
                    found = self.bands[key]
                    low, high = max(found.low, before.low), min(found.high, before.high)
                    return Band(low, high, found.rows) if low < high else found
            return before
        for key in (f"{metric} {regime}/{support}", f"{metric} {regime}/", f"{metric}/", "/"):
            if key in self.bands:
                found = self.bands[key]
                wider = UNLIKE if support == "none" and not key.endswith("none") else 1.0
                return Band(found.low / wider, found.high * wider, found.rows)
        return Band(0.5, 2.0)


def read_block(name: str, sheet: Mapping[str, Any]) -> Block:
    """A block from its table in a calibration file."""
    coefficients = {}
    for key, entry in sheet.get("coefficients", {}).items():
        levels = {
            level: {group: Deviation(*numbers) for group, numbers in groups.items()}
            for level, groups in entry.get("levels", {}).items()
        }
        coefficients[key] = Coefficient(
            key,
            float(entry["value"]),
            float(entry.get("doubt", 0.0)),
            float(entry.get("low", 0.0)),
            float(entry.get("high", math.inf)),
            dict(entry.get("spreads", {})),
            levels,
        )
    return Block(
        name,
        coefficients,
        {level: frozenset(groups) for level, groups in sheet.get("seen", {}).items()},
        {key: Band(*numbers) for key, numbers in sheet.get("bands", {}).items()},
        int(sheet.get("rows", 0)),
        dict(sheet.get("sources", {})),
        str(sheet.get("data", "")),
        dict(sheet.get("scale", {})),
        {key: tuple(numbers) for key, numbers in sheet.get("errors", {}).items()},
        str(sheet.get("note", "")),
    )


class Blocks(Mapping[str, Block]):
    """The blocks of a folder by name, one file each, read when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._files = {file.stem: file for file in sorted(folder.glob("*.toml"))}
        self._read: dict[str, Block] = {}

    def __getitem__(self, name: str) -> Block:
        if name not in self._read:
            self._read[name] = read_block(name, read_toml(self._files[name]))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


@cache
def load_blocks(path: Path | None = None) -> Mapping[str, Block]:
    """The shipped blocks by name, or those of another folder."""
    return Blocks(path or catalog_path("calibration", "blocks"))
