"""What ``ridgewise simulate`` says: one deployment a case, one simulated service a row.

A ``seed`` that is listed or drawn repeats a service by chance; a ``slowness`` that is drawn carries the error of step
times through the queue (Monte Carlo): what a mean of step times cannot show, since waits grow faster than steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ridgewise.serving import Setup
from ridgewise.simulation.arrivals import Arrivals, arrivals, open_load
from ridgewise.simulation.fleet import Fleet, router_of, run
from ridgewise.simulation.lengths import OUTPUT_SPREAD, PROMPT_SPREAD, Lengths
from ridgewise.simulation.metrics import measured
from ridgewise.simulation.system import System, cache_tokens, system
from ridgewise.sweep.kinds import estimate

NAMES: Mapping[str, Any] = {**estimate.NAMES, "arrivals": "poisson"}
#: Numbers and their columns; lengths are lognormal about ``prompt`` and ``output`` with these spreads; 0: all alike.
NUMBERS: Mapping[str, tuple[str, float, float, float]] = {
    "rate": ("requests_per_s", 1.0, 1e-6, 1e6),
    "requests": ("requests", 2000.0, 1.0, 1e7),
    "prompt": ("prompt_tokens", estimate.USUAL["prompt"], 1.0, 1e7),
    "output": ("output_tokens", estimate.USUAL["output"], 1.0, 1e7),
    "prompt_spread": ("prompt_spread", PROMPT_SPREAD, 0.0, 20.0),
    "output_spread": ("output_spread", OUTPUT_SPREAD, 0.0, 20.0),
    "slowness": ("slowness", 1.0, 0.01, 100.0),
    "seed": ("seed", 0.0, 0.0, 2.0**52),
}
WORDS = (*estimate.WORDS, "arrivals")
LATENCIES = ("ttft", "tpot", "itl", "e2e")
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
COLUMNS = (
    *WORDS, "kv_bits", "tp", "pp", "replicas", "devices", *(column for column, *_ in NUMBERS.values()), "fits",
    *(f"{name}_{statistic}_s" for name in LATENCIES for statistic in STATISTICS),
    "answered_per_s", "answered_tokens_per_s", "unanswered_requests", "running_requests", "cache_peak_share",
    "busy_share",
)  # fmt: skip
#: Rows of a part: a service of thousands of requests takes a good part of a second.
PART = 16


@dataclass(frozen=True, slots=True)
class Case:
    """One replica, how many there are, how requests come; systems made ready so far, by tokens of a request."""

    setup: Setup
    replicas: int
    form: Arrivals
    systems: dict[float, System | None] = field(default_factory=dict)

    def system(self, context: float) -> System | None:
        """A replica for requests of so many tokens; None where not one fits."""
        if context not in self.systems:
            self.systems[context] = system(self.setup, context=context) if cache_tokens(self.setup, context) else None
        return self.systems[context]


def prepared(case: Mapping[str, Any], settings: Mapping[str, Any]) -> Case:
    """The deployment of one replica, and how requests come."""
    one = estimate.prepared({**case, "replicas": 1}, settings).setup
    return Case(one, int(case["replicas"]), arrivals(case["arrivals"], "arrivals"))


def computed(case: Case, numbers: Mapping[str, np.ndarray], needed: set[str]) -> dict[str, Any]:
    """The columns of a case: every row a run of its own."""
    shape = np.broadcast_shapes(*(column.shape for column in numbers.values()))
    flat = {name: np.broadcast_to(column, shape).ravel() for name, column in numbers.items()}
    every = (dict(zip(flat, values, strict=True)) for values in zip(*flat.values(), strict=True))
    rows = [_row(case, {name: float(value) for name, value in at.items()}) for at in every]
    setup, plan = case.setup, case.setup.plan
    columns: dict[str, Any] = {
        "model": setup.arch.name, "hardware": setup.device.id, "engine": setup.engine.id, "quant": plan.format.id,
        "tier": setup.tier, "arrivals": str(case.form), "kv_bits": float(plan.kv_bits), "tp": float(plan.tp),
        "pp": float(plan.pp), "replicas": float(case.replicas), "devices": float(setup.count * case.replicas),
    }  # fmt: skip
    names = COLUMNS[COLUMNS.index("fits") :]
    told = {name: np.array([row.get(name, np.nan) for row in rows]).reshape(shape) for name in names}
    return {**columns, **told, "fits": told["fits"].astype(bool)}


def _lengths(mean: float, spread: float) -> Lengths:
    return Lengths("lognormal", mean, spread) if spread else Lengths("fixed", mean)


def _row(case: Case, at: Mapping[str, float]) -> dict[str, float]:
    """One run; what is not known of one that does not fit is left out."""
    lengths = _lengths(at["prompt"], at["prompt_spread"]), _lengths(at["output"], at["output_spread"])
    one = case.system(at["prompt"] + at["output"])
    if one is None:
        return {"fits": 0.0}
    load = open_load(case.form, at["rate"], int(at["requests"]), *lengths, int(at["seed"]))
    fleet = Fleet((one.slower(at["slowness"]),) * case.replicas, router_of(case.replicas, closed=False))
    found = measured(run(fleet, load))
    seconds = {
        f"{name}_{statistic}_s": found.latencies[name].get(statistic, np.nan)
        for name in LATENCIES
        for statistic in STATISTICS
    }
    return {
        **seconds, "fits": 1.0, "answered_per_s": found.requests, "answered_tokens_per_s": found.output,
        "unanswered_requests": float(found.refused + found.unfinished), "running_requests": found.running,
        "cache_peak_share": found.cache_peak, "busy_share": found.busy,
    }  # fmt: skip
