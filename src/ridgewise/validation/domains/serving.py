"""Latency and throughput of serving on accelerators, under every load of the schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ridgewise.engines import load_engines
from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.facts import NameIndex
from ridgewise.hardware import Device, Machine, device, load_devices
from ridgewise.memory import weight_bytes
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format, load_formats
from ridgewise.serving.keys import BLOCK, service_keys, service_regime
from ridgewise.serving.limits import cache_bits, capacity, limits, memory_policy, smallest_group
from ridgewise.serving.loads import (
    Felt,
    Manners,
    Packing,
    Steps,
    burst,
    closed_loop,
    combined,
    fed,
    offline,
    open_loop,
    packing,
    parts,
    static_batch,
)
from ridgewise.serving.rates import CEILING, matrix_peak, service_rates
from ridgewise.validation.columns import Pass, Passes, side_by_side
from ridgewise.validation.defaults import (
    SERVING_ANSWER,
    SERVING_CONCURRENCY,
    SERVING_ENGINE,
    SERVING_PRECISION,
    SERVING_PROMPT,
    SERVING_REQUESTS,
)
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.models import architecture
from ridgewise.validation.pooling import Spec
from ridgewise.work import Plan, Step
from ridgewise.work.forward import pointwise

LOADS = ("closed_loop", "static_batch", "burst", "offline", "open_loop")
#: Columns that tell one situation from another; rows that differ in metric and statistic alone share one.
INPUTS = (
    "source_key", "date", "device_id", "device_label", "n_devices", "tp", "pp", "dp", "ep", "attn_dp", "engine",
    "engine_version", "model_id", "config_file", "params_b", "active_params_b", "weight_dtype", "kv_dtype", "load",
    "concurrency", "batch", "num_requests", "request_rate", "max_num_seqs", "max_num_batched_tokens",
    "input_tokens", "output_tokens", "lengths", "slo_ttft_ms", "slo_tpot_ms", "power_limit_w",
)  # fmt: skip
#: Share of the requests below which a cap on those in flight makes a burst a closed loop.
HELD_BACK = 0.7
#: Year of the newest releases measured, and years beyond which older ones differ no further.
NOW, OLDEST = 2026, 3
#: Costs that engines work off year by year.
GROWN = ("layer_overhead", "expert_overhead", "step_overhead", "sequence_overhead")
#: How far towards the far tail a statistic lies; the mean and the median count as the middle.
TAIL = {"p99": 1.0, "p95": 0.7, "p90": 0.5, "max": 1.3}
#: Names of formats by what sources print.
FORMATS = {"float16": "fp16", "bfloat16": "bf16", "int4": "w4a16", "awq": "w4a16", "gptq": "w4a16", "fp4": "nvfp4",
           "w8a8": "int8", "w8a16": "int8", "": SERVING_PRECISION}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Situation:
    """One deployment under one load, as numbers. Counts are per replica."""

    arch: Architecture
    device: Device
    fmt: Format
    engine: str
    plan: Plan
    replicas: float
    devices: float
    load: str
    year: int | None
    inflight: float
    running: float
    most: float
    rate: float
    prompt: float
    answer: float
    cut: Packing
    uneven: float
    promised: bool
    whole_experts: bool
    assumed: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Situations as columns: steps to be timed, numbers of the load, and which situation each row is."""

    steps: Mapping[str, Passes]
    numbers: Mapping[str, np.ndarray]
    loads: Mapping[str, np.ndarray]
    place: np.ndarray
    first: np.ndarray
    metric: np.ndarray
    tail: np.ndarray
    median: np.ndarray


def read(row: Row, configs: Path | None = None) -> Situation:
    """The situation of a row; RequestError says what is missing."""
    arch, assumed = architecture(row, configs)
    machine, alike = _device(row)
    usable = Machine(machine).usable
    if not machine.bandwidth or not usable:
        raise RequestError(f"bandwidth or memory of {machine.id} is not known", "device_id")
    fmt, odd = _format(row.get("weight_dtype", ""))
    engine = _engine(row.get("engine", ""))
    load = _load_of(row)
    year = release_year(row)
    devices = max(_positive(row, "n_devices") or _positive(row, "tp") or 1.0, 1.0)
    tp, pp, attn_dp = _layout(row, arch, fmt, devices, usable)
    bits = {"fp8": 8.0, "int8": 8.0, "bf16": 16.0, "fp16": 16.0, "nvfp4": 4.5}.get(
        row.get("kv_dtype", "").split("_")[0]
    )
    plan = Plan(fmt, tp, pp, bits or cache_bits(engine, machine, fmt, arch), attn_dp)
    replicas = max(devices / (tp * pp), 1.0)
    prompt = max(_positive(row, "input_tokens") or SERVING_PROMPT, 1.0)
    answer = max(_positive(row, "output_tokens") or SERVING_ANSWER, 1.0)
    own = limits(engine, machine, year)
    sequences = (_positive(row, "max_num_seqs") or own.sequences) * attn_dp
    budget = (_positive(row, "max_num_batched_tokens") or own.tokens) * attn_dp
    discrete = machine.kind.startswith("gpu")
    reserved = 1.0 if load == "static_batch" else own.reserved
    held = float(
        capacity(
            arch, plan, prompt + reserved * answer, memory_policy(engine, year, machine.architecture), usable, discrete
        )
    )
    rate = (_positive(row, "request_rate") or np.inf) / replicas
    total = _inflight(row, load)
    inflight = max(total / replicas, 1.0)
    most = min(held, sequences)
    if load != "static_batch":
        most = min(most, float(fed(prompt, answer, budget)))
    if load == "static_batch":
        most = min(most, inflight) if engine.startswith(("vllm", "sglang", "tensorrt")) else inflight
    running = most if load == "offline" else min(inflight, most)
    promised = load == "open_loop" and bool(row.get("slo_ttft_ms") or row.get("slo_tpot_ms") or not np.isfinite(rate))
    if promised:
        running = most
    found = Situation(
        arch, machine, fmt, engine, plan, replicas, devices, load, year, inflight, running, most, rate, prompt, answer,
        packing(prompt, answer, running, budget), float(row.get("lengths", "") not in ("fixed", "")), promised,
        (_positive(row, "ep") or 1.0) > 1,
        assumed or odd or alike or matrix_peak(machine, fmt) is None or machine.figures["bandwidth"].kind == "assumed"
        or float(weight_bytes(arch, plan)) > usable,  # the row says what cannot be
    )  # fmt: skip
    return _balanced(found) if load == "open_loop" and not promised else found


def _load_of(row: Row) -> str:
    """The kind of load. A burst whose client holds back all but a part of the requests is a closed loop of that
    part: what has not been sent does not wait."""
    load = row.get("load", "") or "closed_loop"
    if load not in LOADS:
        raise RequestError(f"no rule for the load {load!r}", "load")
    allowed, total = _positive(row, "concurrency"), _positive(row, "num_requests")
    held_back = load == "burst" and allowed is not None and total is not None and allowed < HELD_BACK * total
    return "closed_loop" if held_back else load


def _positive(row: Row, column: str) -> float | None:
    """A number above zero; anything else in the cell counts as blank."""
    try:
        found = number(row, column)
    except RequestError:
        return None
    return found if found is not None and found > 0 else None


def _device(row: Row) -> tuple[Device, bool]:
    """The device a row names, and whether its label fits several of the catalogue, of which one is taken."""
    for column in ("device_id", "device_label"):
        name = row.get(column, "")
        if name:
            try:
                return device(name, column), False
            except RequestError:
                continue
    label = row.get("device_id") or row.get("device_label") or "?"
    alike = _alike(label)
    if alike is None:
        raise RequestError(f"unknown device {label!r}", "device_id")
    return device(alike), True


#: Words of a label that tell no device from another.
PLAIN = frozenset(("gpu", "gpus", "accelerator", "card"))


@lru_cache(maxsize=256)
def _alike(label: str) -> str | None:
    """The shortest id of the catalogue in which every telling word of a label is a word; None where none is."""
    words = set(re.findall(r"[a-z0-9]+", label.casefold())) - PLAIN
    found = [key for key in load_devices() if words <= set(key.split("-"))] if words else []
    return min(found, key=lambda key: (len(key), key), default=None)


@lru_cache(maxsize=256)
def _format(name: str) -> tuple[Format, bool]:
    """The weight format of a printed precision, and whether it was guessed."""
    formats = load_formats()
    plain = name.casefold().strip()
    plain = FORMATS.get(plain, plain)
    if plain in formats:
        return formats[plain], False
    for word in re.split(r"[^a-z0-9]+", plain):
        word = FORMATS.get(word, word) if word else ""
        if word in formats:
            return formats[word], True
    return formats[SERVING_PRECISION], True


@lru_cache(maxsize=256)
def _engine(name: str) -> str:
    """The engine as the catalogue calls it; one that it does not know keeps its first word."""
    plain = name.casefold().strip() or SERVING_ENGINE
    engines = load_engines()
    if plain in engines:
        return plain
    try:
        index = NameIndex("engine", {key: (entry.name, *entry.aliases) for key, entry in engines.items()})
        return index.resolve(plain, "engine")
    except RequestError:
        return plain.split(" ")[0]


def release_year(row: Row) -> int | None:
    """Year of the engine's release, as near as the row's date tells."""
    found = re.match(r"(20[12]\d)", row.get("date", ""))
    return int(found.group(1)) if found else None


def _layout(row: Row, arch: Architecture, fmt: Format, devices: float, usable: float) -> tuple[float, float, float]:
    """Devices of a tensor-parallel group, pipeline stages, and attention groups inside the replica.

    Blank: all devices are one group, except where only the devices are said of a load that fills the machine
    (offline, open loop): then replicas of the smallest group that holds the weights. Experts spread over the
    devices of the group.
    """
    tp, pp, dp, ep = (_positive(row, column) for column in ("tp", "pp", "dp", "ep"))
    stages = min(pp or 1.0, devices)
    whole = max(devices / stages, 1.0)
    if row.get("attn_dp", "").casefold() in ("yes", "true", "1"):
        return whole, stages, min(dp or whole, whole)
    spread = _attends_apart(row, arch, whole)
    if spread and (tp or whole) >= whole and (dp or 1.0) <= 1:
        return whole, stages, whole
    if tp is None:
        if dp is None and pp is None and row.get("load", "") in ("offline", "open_loop"):
            return float(smallest_group(arch, fmt, int(devices), usable)), 1.0, 1.0
        return max(whole / (dp or 1.0), 1.0), stages, 1.0
    if tp < whole and (ep or 1.0) >= whole and (dp or 1.0) <= 1:
        return whole, stages, 1.0
    return min(tp, whole), stages, 1.0


def _attends_apart(row: Row, arch: Architecture, group: float) -> bool:
    """TensorRT-LLM's throughput recipes run mixtures of experts with attention data parallelism."""
    recipe = row.get("load", "") == "offline" and _engine(row.get("engine", "")) == "tensorrt-llm"
    return recipe and arch.moe and group > 1 and not row.get("attn_dp") and not row.get("ep")


def _inflight(row: Row, load: str) -> float:
    order = {
        "static_batch": ("batch", "concurrency", "max_num_seqs"),
        "burst": ("num_requests", "concurrency", "batch"),
        "offline": ("num_requests", "batch"),
        "open_loop": ("num_requests",),
    }.get(load, ("concurrency", "max_num_seqs", "batch"))
    for column in order:
        found = _positive(row, column)
        if found is not None:
            return found
    return SERVING_REQUESTS if load in ("burst", "offline", "open_loop") else SERVING_CONCURRENCY


def _balanced(s: Situation) -> Situation:
    """An open loop's running sequences by Little's law, with coefficients before any evidence."""
    grid = np.unique(np.geomspace(1.0, max(s.most, 1.0), 24))
    tried = [replace(s, running=float(b)) for b in grid]
    bare, joint = (side_by_side([_pass(t, name) for t in tried]).seconds({}) for name in ("decode", "joint"))
    able = grid / (s.answer * bare + grid * np.maximum(joint - bare, 0.0) * s.cut.chunks / s.cut.beside)
    return replace(s, running=float(np.interp(s.rate, np.maximum.accumulate(able), grid)))


def _pass(s: Situation, name: str) -> Pass:
    """One of the steps a load is made of."""
    step = step_of(s, name)
    beside = {"pointwise": pointwise(s.arch, step, s.plan)}
    return Pass(s.arch, step, s.plan, service_rates(s.device, s.fmt, float(s.plan.tp)), beside)


def step_of(s: Situation, name: str) -> Step:
    """One of the steps of :func:`ridgewise.serving.loads.parts`."""
    return parts(s.prompt, s.answer, s.running, s.cut, s.plan.pp)[name]


#: Coefficients of time: name, prior, doubt, levels, low, high.
STEPS: tuple[Spec, ...] = (
    Spec("weight_read", 0.75, 0.15, {"chip": 0.08, "kernel": 0.15, "stack": 0.15}, 0.02, 0.95),
    Spec("expert_read", 0.9, 0.2, {"kernel": 0.2, "silicon": 0.15, "experts": 0.2, "model": 0.12}, 0.02, 1.6),
    Spec("cache_read", 0.8, 0.05, {"stack": 0.05, "chip": 0.05}, 0.02, 0.95),  # kernels alone: 0.82 to 0.89
    Spec("compute", 0.85 / CEILING, 0.2, {"chip": 0.1, "kernel": 0.15, "stack": 0.2, "release": 0.1}, 0.01, 1.0),
    Spec(
        "expert_compute",
        0.6,
        0.3,
        {"kernel": 0.2, "silicon": 0.15, "release": 0.15, "experts": 0.2, "model": 0.12},
        0.01,
        1.0,
    ),
    Spec("pointwise", 0.6, 0.3, {"engine": 0.2, "chip": 0.1}, 0.05, 1.0),
    Spec("half_rows", 60.0, 0.4, {"dtype": 0.2}),
    Spec("expert_half_rows", 60.0, 0.5, {"dtype": 0.3}),
    Spec("attention", 0.4, 0.25, {"engine": 0.2, "class": 0.3}, 0.01, 0.95),
    Spec("layer_overhead", 55e-6, 0.3, {"stack": 0.3, "release": 0.2, "class": 0.15, "chip": 0.1}),
    Spec("expert_overhead", 50e-6, 0.4, {"engine": 0.3, "release": 0.2, "dtype": 0.2, "class": 0.2}),
    Spec("step_overhead", 0.5e-3, 0.4, {"stack": 0.4}),
    Spec("sequence_overhead", 20e-6, 0.5, {"stack": 0.5, "release": 0.3}),
    Spec("ageing", 0.2, 0.3),
    Spec("link_share", 0.5, 0.25, {"link": 0.3, "stack": 0.2}, 0.01, 0.95),
    Spec("link_wait", 0.8, 0.25, {"link": 0.2}),
    Spec("bubble", 0.04, 0.4, {"stack": 0.2}),
    Spec("slowness", 1.0, 0.0, {"source": 0.15}),
)
MANNERS: tuple[Spec, ...] = (
    Spec("request_overhead", 30e-3, 0.4, {"stack": 0.3, "load": 0.3, "source": 0.4}),
    Spec("together", 0.1, 0.2, {"engine": 0.3, "source": 0.4}, 0.0, 1.0),
    Spec("queue", 0.15, 0.3, {"engine": 0.3}, 0.0, 3.0),
    Spec("steps", 1.0, 0.4, {"engine": 0.8, "layout": 1.5}),
    Spec("interference", 0.9, 0.15, {"engine": 0.15, "load": 0.1}, 0.1, 3.0),
    Spec("ride", 0.5, 0.4, {"engine": 0.5}, 0.01, 1.0),
    Spec("drain", 0.5, 0.4, {"engine": 0.2}, 0.0, 4.0),
    Spec("promise", 0.9, 0.1, {"stack": 0.1}, 0.1, 1.0),
    Spec("tail", 1.5, 0.3, {}, 1.0, 20.0),
)


@dataclass(frozen=True, slots=True)
class Serving:
    """The domain."""

    name: str = BLOCK
    kinds: tuple[str, ...] = ("serving",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        """Situations are read once, however many metrics were measured in them."""
        return prepared(self.name, rows, configs, METRICS)

    def specs(self, block: str) -> Sequence[Spec]:
        return (*STEPS, *MANNERS)

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        table: Table = cases.data
        return _answers(table, felt(table, per_situation(table, coefficients)), coefficients["tail"])

    def roofline(self, cases: Cases) -> np.ndarray:
        """Full datasheet rates, no overhead, no queueing but for places."""
        table: Table = cases.data
        at = roof(len(table.numbers["devices"]))
        return _answers(table, felt(table, at), np.ones(len(cases.rows)))


#: Coefficients that vanish where nothing but the datasheet counts; the others are then 1.
ABSENT = (
    "half_rows", "expert_half_rows", "layer_overhead", "expert_overhead", "step_overhead",
    "sequence_overhead", "link_wait", "request_overhead", "together", "queue", "steps", "ride", "drain",
    "bubble", "ageing",
)  # fmt: skip


def roof(count: int) -> dict[str, np.ndarray]:
    """Coefficients of the datasheet alone, for so many situations; products reach the peak and no more."""
    values = dict.fromkeys(ABSENT, 0.0) | {"compute": 10.0}
    return {spec.name: np.full(count, values.get(spec.name, 1.0)) for spec in (*STEPS, *MANNERS)}


METRICS = ("ttft_ms", "tpot_ms", "itl_ms", "e2e_ms", "output_tok_s", "total_tok_s", "req_s")
_NUMBERS = (
    "inflight", "running", "most", "rate", "prompt", "answer", "uneven", "replicas", "devices",
)  # fmt: skip


def prepared(
    block: str,
    rows: Sequence[Row],
    configs: Path | None,
    metrics: Sequence[str],
    further: Callable[[Situation, Row], Any] | None = None,
    inputs: Sequence[str] = (),
) -> Prepared:
    """Rows with their situations as columns.

    ``further`` adds what else a domain needs of a situation, from the columns ``inputs`` besides; the data of the
    cases are then the table and the list of it.
    """
    added: list[Any] = []
    known: dict[tuple[str, ...], int | str] = {}
    situations: list[Situation] = []
    keys: list[dict[str, str]] = []
    first: list[int] = []
    held: list[tuple[int, int]] = []
    unsupported: dict[int, str] = {}
    for place, row in enumerate(rows):
        if row.get("metric", "") not in metrics:
            unsupported[place] = f"no rule for {row.get('metric', '')!r}"
            continue
        key = tuple(row.get(column, "") for column in (*INPUTS, *inputs))
        if key not in known:
            try:
                found = read(row, configs)
                extra = further(found, row) if further else None
            except RequestError as error:
                known[key] = str(error)
            else:
                added.append(extra)
                known[key] = len(situations)
                situations.append(found)
                first.append(len(held))
                keys.append(_keys(found, row))
        at = known[key]
        if isinstance(at, str):
            unsupported[place] = at
        else:
            held.append((place, at))
    if not held:
        return Prepared((), unsupported)
    places, at_rows = (np.array(column) for column in zip(*held, strict=True))
    kept = tuple(rows[place] for place in places)
    columns = {level: tuple(keys[at][level] for at in at_rows) for level in keys[0]}
    regimes = [service_regime(s.device, s.arch, s.load) for s in situations]
    table = _table(situations, at_rows, np.array(first), kept)
    cases = Cases(
        block, kept, places, columns, tuple(regimes[at] for at in at_rows),
        (table, added) if further else table, np.array([situations[at].assumed for at in at_rows]),
    )  # fmt: skip
    return Prepared((cases,), unsupported)


def _keys(s: Situation, row: Row) -> dict[str, str]:
    return {
        **service_keys(s.engine, s.device, s.arch, s.fmt, s.plan, s.year, s.whole_experts),
        "load": s.load,
        "source": row.get("source_key", ""),
    }


def _table(situations: Sequence[Situation], place: np.ndarray, first: np.ndarray, rows: Sequence[Row]) -> Table:
    def column(values: Iterable[float]) -> np.ndarray:
        return np.array([float(v) for v in values])

    numbers = {name: column(getattr(s, name) for s in situations) for name in _NUMBERS}
    for name in ("chunk", "chunks", "beside", "packed"):
        numbers[name] = column(getattr(s.cut, name) for s in situations)
    numbers["pp"] = column(float(s.plan.pp) for s in situations)
    numbers["age"] = column(np.clip(NOW - (s.year or NOW), 0, OLDEST) for s in situations)
    numbers["promised"] = column(s.promised for s in situations)
    loads = np.array([s.load for s in situations])
    stats = [row.get("stat", "") for row in rows]
    return Table(
        {name: side_by_side([_pass(s, name) for s in situations]) for name in ("decode", "alone", "joint", "packed")},
        numbers,
        {load: np.flatnonzero(loads == load) for load in LOADS if (loads == load).any()},
        place,
        first,
        np.array([row.get("metric", "") for row in rows]),
        column(TAIL.get(stat, 0.0) for stat in stats),
        np.array([stat in ("median", "p50") for stat in stats]),
    )


def per_situation(table: Table, coefficients: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Coefficients with a value per situation instead of one per row."""
    return {name: np.broadcast_to(column, table.place.shape)[table.first] for name, column in coefficients.items()}


def felt(table: Table, at: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What every situation's users feel, from coefficients with a value per situation."""
    n = table.numbers
    older = np.exp(at["ageing"] * n["age"])
    at = {**at, **{name: at[name] * older for name in GROWN}}
    t = {
        name: passes.seconds(at) * at["slowness"] * (1.0 + at["bubble"] * (n["pp"] - 1.0))
        for name, passes in table.steps.items()
    }
    cut = Packing(n["chunk"], n["chunks"], n["beside"], n["packed"])
    steps = combined(t, cut, n["pp"], at["interference"])
    manners = Manners(at["request_overhead"], at["together"], at["queue"], at["steps"], at["drain"], at["ride"])
    names = [field.name for field in fields(Felt)]
    found = {name: np.zeros(len(t["decode"])) for name in names}
    for load, index in table.loads.items():
        s = Steps(*(getattr(steps, field.name)[index] for field in fields(Steps)))
        m = Manners(*(getattr(manners, field.name)[index] for field in fields(Manners)))
        part = _load(load, s, m, {name: column[index] for name, column in n.items()}, at["promise"][index])
        for name in names:
            found[name][index] = getattr(part, name)
    found["replicas"] = n["replicas"]
    found["answer"] = n["answer"]
    found["decode"] = t["decode"]
    found["share"] = np.minimum(n["running"] / n["answer"] * n["chunks"] / n["beside"], 1.0)
    return found


def _load(load: str, s: Steps, m: Manners, n: Mapping[str, np.ndarray], promise: np.ndarray) -> Felt:
    i, o = n["prompt"], n["answer"]
    if load == "static_batch":
        return static_batch(s, m, n["inflight"], n["running"], i, o)
    if load == "burst":
        return burst(s, m, n["inflight"], n["running"], i, o, n["uneven"])
    if load == "offline":
        return offline(s, m, n["inflight"], n["running"], i, o)
    if load == "open_loop":
        full = offline(s, m, n["inflight"], n["running"], i, o)
        part = open_loop(s, m, np.where(np.isfinite(n["rate"]), n["rate"], 1.0), n["running"], n["most"], i, o,
                         n["inflight"])  # fmt: skip
        kept = n["promised"] > 0
        return Felt(
            part.ttft, np.where(kept, full.tpot, part.tpot), np.where(kept, full.e2e, part.e2e),
            np.where(kept, promise * full.output, part.output), np.where(kept, promise * full.total, part.total),
        )  # fmt: skip
    return closed_loop(s, m, n["inflight"], n["running"], i, o)


def _answers(table: Table, found: Mapping[str, np.ndarray], tail: np.ndarray) -> np.ndarray:
    """Logarithms in each row's own metric, statistic and unit."""
    at = {name: column[table.place] for name, column in found.items()}
    often = np.clip((at["share"] - 0.3) / 0.4, 0.0, 1.0)
    gap = np.where(table.median, at["decode"] + (at["tpot"] - at["decode"]) * often, at["tpot"])
    values = {
        "ttft_ms": 1e3 * at["ttft"],
        "tpot_ms": 1e3 * at["tpot"],
        "itl_ms": 1e3 * gap,
        "e2e_ms": 1e3 * at["e2e"],
        "output_tok_s": at["output"] * at["replicas"],
        "total_tok_s": at["total"] * at["replicas"],
        "req_s": at["output"] / at["answer"] * at["replicas"],
    }
    chosen = np.select([table.metric == name for name in values], list(values.values()), np.nan)
    return np.asarray(np.log(np.maximum(chosen, 1e-9)) + table.tail * np.log(tail), dtype=float)


SERVING = Serving()
