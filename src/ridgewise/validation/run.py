"""One recorded run, request by request: simulated from arrivals and lengths, compared with what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ridgewise.engines import engine
from ridgewise.errors import RequestError
from ridgewise.evidence.tables import csv_rows, number
from ridgewise.hardware import device
from ridgewise.hardware.machine import Machine
from ridgewise.models.formats import weight_format
from ridgewise.models.read import read_json
from ridgewise.serving.estimate import footprint, step_time
from ridgewise.serving.setup import Setup
from ridgewise.serving.simulator import Limits, Request, Served, serve
from ridgewise.validation.models import architecture
from ridgewise.work import Plan, Step

#: Statistics of each latency, in the order they are shown.
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
LATENCIES = ("ttft_s", "tpot_s", "e2e_s")
#: Most requests of one run, and the token budget and sequences of a step where the run does not say.
REQUESTS, TOKENS, SEQUENCES = 200_000, 2048, 256
KV_BITS = {"fp8": 8.0, "fp8_e4m3": 8.0, "int8": 8.0}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was asked, and the latencies it had."""

    meta: Mapping[str, Any]
    requests: tuple[Request, ...]
    measured: Mapping[str, Mapping[str, float]]


def read_run(folder: Path) -> Run:
    """``meta.json`` and ``requests.csv`` of a folder; RequestError names what is missing or malformed."""
    if not folder.is_dir():
        raise RequestError("is no folder with meta.json and requests.csv", str(folder))
    meta = read_json(folder / "meta.json")
    place = folder / "requests.csv"
    rows = csv_rows(place, ("arrival_s", "input_tokens", "output_tokens"), REQUESTS)
    if not rows:
        raise RequestError("holds no request", str(place))
    requests = []
    for line, row in enumerate(rows, 2):
        where = f"{place}, line {line}"
        arrival, prompt, output = (_needed(row, c, where) for c in ("arrival_s", "input_tokens", "output_tokens"))
        if arrival < 0 or not 1 <= prompt <= 1e8 or not 1 <= output <= 1e7:
            raise RequestError("arrivals are 0 or later, lengths at least one token", where)
        requests.append(Request(arrival, int(prompt), int(output)))
    measured = {}
    for latency in LATENCIES:
        found = [number(row, latency, f"{place}, line {i}") for i, row in enumerate(rows, 2)]
        held = [x for x in found if x is not None]
        if held:
            measured[latency] = statistics(held)
    return Run(meta, tuple(requests), measured)


def _needed(row: Mapping[str, str], column: str, where: str) -> float:
    value = number(row, column, where)
    if value is None:
        raise RequestError("is empty", f"{where}, {column}")
    return value


def statistics(values: Sequence[float]) -> dict[str, float]:
    """Mean and percentiles [s]."""
    held = np.asarray(values, dtype=float)
    points = np.percentile(held, [50, 90, 95, 99])
    return dict(zip(STATISTICS, (float(held.mean()), *map(float, points)), strict=True))


def deployment(meta: Mapping[str, Any], configs: Path | None = None) -> Setup:
    """The set-up that a run's ``meta.json`` describes."""

    def text(name: str, default: str = "") -> str:
        value = meta.get(name)
        return default if value is None else str(value)

    arch, _ = architecture({name: text(name) for name in ("config_file", "model_id", "params_b")}, configs)
    machine = device(text("device_id"), "meta.json, device_id")
    chosen = engine(text("engine", "vllm"), "meta.json, engine")
    backend = chosen.backend(machine, asked=True)
    if backend is None:
        raise RequestError(f"{chosen.name} does not run on {machine.name}", "meta.json, engine")
    tp, pp = float(meta.get("tp") or 1), float(meta.get("pp") or 1)
    fmt = weight_format(text("weight_dtype", "bf16"), "meta.json, weight_dtype")
    plan = Plan(fmt, tp, pp, KV_BITS.get(text("kv_dtype"), 16.0))
    usable = Machine(machine, int(tp * pp)).usable
    if usable is None:
        raise RequestError(f"the memory of {machine.name} is not in the catalogue", "meta.json, device_id")
    return Setup(arch, machine, chosen, backend, plan, usable)


def limits(meta: Mapping[str, Any], setup: Setup) -> Limits:
    """The engine's limits: the run's own, else the defaults; the cache holds what memory leaves."""
    empty, one = footprint(setup, 0.0, 1024.0), footprint(setup, 1.0, 1024.0)
    per_token = float(one.total - empty.total) / 1024.0
    held = meta.get("kv_tokens") or (float(empty.left) / per_token if per_token > 0 else np.inf)
    return Limits(
        int(meta.get("max_num_seqs") or setup.engine.max_sequences or SEQUENCES),
        int(meta.get("max_num_batched_tokens") or TOKENS), max(float(held), 1.0),
    )  # fmt: skip


def simulate(run: Run, configs: Path | None = None) -> list[Served]:
    """Every request's predicted times, from arrivals and lengths alone."""
    setup = deployment(run.meta, configs)

    def seconds(step: Step) -> float:
        return float(step_time(setup, step))

    overhead = float(setup.coefficients().get("request_overhead", 0.0))
    return serve(run.requests, seconds, limits(run.meta, setup), overhead)


def predicted(served: Sequence[Served]) -> dict[str, dict[str, float]]:
    """Latencies of a simulated run."""
    return {
        "ttft_s": statistics([s.ttft for s in served]),
        "tpot_s": statistics([s.tpot for s in served if s.output > 1] or [0.0]),
        "e2e_s": statistics([s.e2e for s in served]),
    }
