"""Open arrivals are a queue, so they are simulated: the step times of the fit, and requests as their source describes.

What is fitted are formulas (:mod:`ridgewise.validation.domains.serving`): a fit evaluates thousands of them, and step
times show in every load. What is *said* of arrivals from outside comes from the simulator, since near the most that a
system carries the mean says little and a percentile nothing. How much slower one publication's runs are than others'
was fitted through the formulas, with the queue inside; a simulation has its own.

Two loads keep their formula. Of a rate that was searched for so that limits just hold, and of bursts, withheld
measurements are met no better by a simulation: there the step times and the settings that sources leave out decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ridgewise.engines import Backend, Engine, load_engines
from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.hardware import Device, Machine
from ridgewise.serving import Setup
from ridgewise.serving.keys import BLOCK
from ridgewise.serving.limits import capacity, limits, memory_policy
from ridgewise.simulation.arrivals import Arrivals, open_load
from ridgewise.simulation.fleet import Fleet, run
from ridgewise.simulation.lengths import Lengths
from ridgewise.simulation.metrics import columns
from ridgewise.simulation.policies import load_policies
from ridgewise.simulation.request import Requests
from ridgewise.simulation.system import System, system
from ridgewise.timing.coefficients import Block, Coefficient
from ridgewise.validation.domain import Cases
from ridgewise.validation.domains.serving import GROWN, NOW, OLDEST, Serving, Situation, Table, per_situation, read

#: Requests of one replica in all repetitions, and at most in one of them.
REQUESTS, MOST = 1200, 4000
#: Standard deviation over mean of prompts and answers of which only means are published: halfway between the
#: conversations of Azure's trace (0.95 and 0.77; Splitwise, ISCA 2024) and the one benchmark whose requests are
#: published one by one (LLMServingSim's, 0.61 and 0.15).
SPREADS = (0.75, 0.4)
#: What an engine that the catalogue does not hold is taken for.
LIKE = "vllm"
#: Statistics of the schema as shares of the requests.
QUANTILES = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Queued(Serving):
    """Services, with open arrivals simulated."""

    def predicted(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logarithms of what is said of every row."""
        found = self.predict(cases, coefficients)
        table: Table = cases.data
        free = table.loads.get("open_loop", np.zeros(0, dtype=int))
        free = free[table.numbers["promised"][free] == 0]
        if not len(free):
            return found
        found, at = found.copy(), per_situation(table, coefficients)
        for place in free:
            mine = np.flatnonzero(table.place == place)
            first = cases.rows[mine[0]]
            try:
                felt = answers(read(first), first, {name: float(column[place]) for name, column in at.items()})
            except RequestError:  # nothing the catalogue knows runs there, or not one request fits
                continue
            for i in mine:
                value = felt.get((cases.rows[i]["metric"], cases.rows[i].get("stat", "")), 0.0)
                found[i] = np.log(value) if value > 0 else found[i]
        return found


def answers(s: Situation, row: Row, coefficients: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """(metric, statistic) → value in the schema's units. The row's settings are the engine's, its measured value is
    not read."""
    one = replica(s, row, coefficients)
    count = int(np.clip(s.inflight, 1, MOST))
    gathered: dict[str, list[np.ndarray]] = {name: [] for name in ("ttft", "tpot", "e2e")}
    made = read_too = span = requests = 0.0
    for seed in range(max(round(REQUESTS / count), 1)):
        asked = load(s, count, seed)
        found = run(Fleet((one,)), asked)
        for name, values in columns(found).items():
            if name in gathered:
                gathered[name].append(values[np.isfinite(values)])
        made, read_too = made + float(asked.output.sum()), read_too + float(asked.prompt.sum())
        span, requests = span + found.end + one.overhead, requests + count
    felt: dict[tuple[str, str], float] = {
        ("output_tok_s", "mean"): made / span * s.replicas,
        ("total_tok_s", "mean"): (made + read_too) / span * s.replicas,
        ("req_s", "mean"): requests / span * s.replicas,
    }
    for name, parts in gathered.items():
        felt |= {(f"{name}_ms", stat): 1e3 * value for stat, value in _statistics(parts).items()}
    return felt | {("itl_ms", "mean"): felt.get(("tpot_ms", "mean"), 0.0)}


def _statistics(parts: Sequence[np.ndarray]) -> dict[str, float]:
    """Of each repetition, and their mean: a percentile of one run of the length that was measured."""
    able = [part for part in parts if len(part)]
    if not able:
        return {}
    means = float(np.mean([part.mean() for part in able]))
    quantiles = {stat: float(np.mean([np.quantile(part, q) for part in able])) for stat, q in QUANTILES.items()}
    return {"mean": means, "": means, **quantiles}


def load(s: Situation, count: int, seed: int) -> Requests:
    """So many requests at the rate of one replica, with the mean lengths of the source."""
    spreads = SPREADS if s.uneven else (0.0, 0.0)
    prompt, output = (
        Lengths("lognormal" if spread else "fixed", mean, spread)
        for mean, spread in zip((s.prompt, s.answer), spreads, strict=True)
    )
    asked = open_load(Arrivals(), s.rate, count, prompt, output, seed)
    return replace(asked, prompt=_meant(asked.prompt, s.prompt), output=_meant(asked.output, s.answer))


def _meant(drawn: np.ndarray, mean: float) -> np.ndarray:
    """Lengths scaled to the mean that the source states."""
    found: np.ndarray = np.maximum(np.round(drawn * (mean / drawn.mean())), 1).astype(np.int64)
    return found


def replica(s: Situation, row: Row, coefficients: Mapping[str, float]) -> System:
    """One replica of a situation with these coefficients."""
    older = float(np.exp(coefficients["ageing"] * np.clip(NOW - (s.year or NOW), 0, OLDEST)))
    known = {name: value * (older if name in GROWN else 1.0) for name, value in coefficients.items()}
    engine, backend = _running(s.engine, s.device)
    usable = Machine(s.device).usable or 0.0
    flat = Block(BLOCK, {name: Coefficient(name, value) for name, value in known.items()})
    setup = Setup(s.arch, s.device, engine, backend, s.plan, usable, blocks={BLOCK: flat})
    own = limits(s.engine, s.device, s.year)
    groups, context = float(s.plan.attn_dp), s.prompt + s.answer
    sequences, tokens = (
        number(row, column) or default
        for column, default in (("max_num_seqs", own.sequences), ("max_num_batched_tokens", own.tokens))
    )
    policies = load_policies()
    policy = next((one for one in policies.values() if s.engine in one.engines), policies[LIKE])
    policy = replace(policy, sequences=int(sequences * groups), tokens=int(tokens * groups))
    rules = memory_policy(s.engine, s.year, s.device.architecture)
    held = float(capacity(s.arch, s.plan, context, rules, usable, s.device.kind.startswith("gpu")))
    return system(setup, policy, context, held * context)


def _running(name: str, device: Device) -> tuple[Engine, Backend]:
    """The engine and how it drives the device; RequestError where neither it nor what it is taken for does."""
    engines = load_engines()
    for engine in dict.fromkeys((engines.get(name, engines[LIKE]), engines[LIKE])):
        backend = engine.backend(device, asked=True)
        if backend is not None and engine.serves(backend):
            return engine, backend
    raise RequestError(f"{name} does not serve on {device.name}", "engine")


SERVING = Queued()
