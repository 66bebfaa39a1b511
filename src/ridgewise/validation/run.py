"""One recorded run, request by request: simulated from arrivals and lengths, compared with what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from ridgewise.serving.setup import Setup
from ridgewise.simulation.fleet import Fleet
from ridgewise.simulation.fleet import run as run_fleet
from ridgewise.simulation.metrics import STATISTICS, columns, statistics
from ridgewise.simulation.policies import policy_of
from ridgewise.simulation.request import Requests, requests
from ridgewise.simulation.system import system
from ridgewise.validation.models import architecture
from ridgewise.work import Plan

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")
#: Most requests of one run.
REQUESTS = 200_000
KV_BITS = {"fp8": 8.0, "fp8_e4m3": 8.0, "int8": 8.0}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run was asked, and the latencies it had."""

    meta: Mapping[str, Any]
    requests: Requests
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
    asked = []
    for line, row in enumerate(rows, 2):
        where = f"{place}, line {line}"
        arrival, prompt, output = (_needed(row, c, where) for c in ("arrival_s", "input_tokens", "output_tokens"))
        if arrival < 0 or not 1 <= prompt <= 1e8 or not 1 <= output <= 1e7:
            raise RequestError("arrivals are 0 or later, lengths at least one token", where)
        asked.append((arrival, int(prompt), int(output)))
    measured = {}
    for latency in LATENCIES:
        found = [number(row, latency, f"{place}, line {i}") for i, row in enumerate(rows, 2)]
        held = [x for x in found if x is not None]
        if held:
            measured[latency] = statistics(held)
    came, prompts, outputs = (np.array(column) for column in zip(*sorted(asked, key=lambda r: r[0]), strict=True))
    return Run(meta, requests(came, prompts, outputs, where=str(place)), measured)


def _needed(row: Mapping[str, str], column: str, where: str) -> float:
    value = number(row, column, where)
    if value is None:
        raise RequestError("is empty", f"{where}, {column}")
    return value


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


def simulate(run: Run, configs: Path | None = None) -> dict[str, dict[str, float]]:
    """Predicted latencies, from arrivals, lengths and the engine's settings alone. A setting the run does not state
    is the engine's own; the cache holds what memory leaves."""
    setup = deployment(run.meta, configs)
    policy = policy_of(setup.engine)
    policy = replace(
        policy, sequences=int(run.meta.get("max_num_seqs") or policy.sequences),
        tokens=int(run.meta.get("max_num_batched_tokens") or policy.tokens),
        block=int(run.meta.get("kv_block_size") or policy.block),
    )  # fmt: skip
    held = run.meta.get("kv_tokens")
    served = run_fleet(Fleet((system(setup, policy, run.requests.mean_context, float(held) if held else None),)),
                       run.requests)  # fmt: skip
    found = columns(served)
    return {latency: statistics(found[latency[:-2]][np.isfinite(found[latency[:-2]])]) or dict.fromkeys(STATISTICS, 0.0)
            for latency in LATENCIES}  # fmt: skip
