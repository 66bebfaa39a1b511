"""Single-user speed: prefill, decode and whole requests on GPUs, processors, NPUs and hybrids of two."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.hardware import device
from ridgewise.hardware.device import Device
from ridgewise.models.architecture import Architecture
from ridgewise.models.ggml import TYPES
from ridgewise.models.precision import precision, sized
from ridgewise.serving.local import (
    GGML,
    Part,
    Run,
    answer_step,
    backend,
    beside,
    fetching,
    fetching_rates,
    keys,
    native_unit,
    pipelined,
    prompt_steps,
    rates,
    regime,
    streamed,
)
from ridgewise.validation import defaults
from ridgewise.validation.columns import Pass, Passes, side_by_side
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.models import architecture
from ridgewise.validation.pooling import Spec

GIB = 2.0**30
METRICS = ("prefill_tok_s", "decode_tok_s", "output_tok_s")
#: Most tokens a column may state: more is a slip of the pen.
MOST = 1e8
CACHE_BITS = {"": 16.0, "bf16": 16.0, "fp16": 16.0, "f16": 16.0, "f32": 32.0, "fp8": 8.0, "int8": 8.0, "int4": 4.5} | {
    kind.name.casefold(): kind.bits for kind in TYPES.values()
}
UNITS = {"igpu": "gpu", "gpu": "gpu", "cpu": "cpu", "npu": "npu", "hybrid": "gpu"}


@dataclass(frozen=True, slots=True)
class Columns:
    """What the formula reads: every engine step of every row, and what it belongs to.

    of        row of each step; ``times`` how often it happens
    tokens    tokens the row counts
    layers    layers of the model
    devices   devices a prompt's micro-batches pass in turn (1: all at once), and ``parts`` of them
    request   1 where the time holds a request's fixed cost
    prompt    1 where a step reads prompts
    apart     steps of experts in another memory, with their own rates; ``streamed`` where the card fetches them
    """

    steps: Passes
    of: np.ndarray
    times: np.ndarray
    prompt: np.ndarray
    tokens: np.ndarray
    devices: np.ndarray
    parts: np.ndarray
    layers: np.ndarray
    request: np.ndarray
    roof: np.ndarray
    apart: Passes | None = None
    apart_of: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    apart_times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    apart_streamed: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Asked:
    """A row as understood."""

    run: Run
    prompt: tuple[Part, ...]
    answer: Part | None
    tokens: float
    request: bool
    guessed: bool
    regime: str

    @property
    def largest(self) -> float:
        """Tokens of the largest pass."""
        return max(float(part.step.tokens) for part in (*self.prompt, *((self.answer,) if self.answer else ())))


def _count(row: Row, column: str, otherwise: float) -> float:
    """A count of a row; a blank, approximate ("~8") or senseless one gives its first number, or the default."""
    try:
        found = number(row, column)
    except RequestError:
        digits = re.search(r"\d+", row.get(column, ""))
        found = float(digits[0]) if digits else None
    return found if found is not None and 0 <= found <= MOST else otherwise


def released(row: Row) -> int | None:
    """Year and month of the engine's release, from the date of the row: its first year, January where no month is."""
    found = re.match(r"(20\d\d)(?:[-/](\d\d))?", row.get("date", ""))
    return int(found[1]) * 100 + int(found[2] or 1) if found else None


def threads(row: Row) -> int | None:
    """Threads as the notes of a row state them."""
    found = re.search(r"\bt(?:hreads)?=(\d{1,4})\b", row.get("notes", ""))
    return max(int(found[1]), 1) if found else None


def _device(row: Row, column: str) -> Device | None:
    name = row.get(column, "")
    if not name:
        return None
    try:
        return device(name, column)
    except RequestError:
        return None


def cache_bits(text: str) -> float:
    """Bits per cached value; keys and values of different types count their mean; an unknown type counts 16."""
    names = re.split(r"[,/]", re.sub(r"[kv][:=]", "", text.casefold()))
    return float(np.mean([CACHE_BITS.get(name.strip(), 16.0) for name in names]))


def understood(row: Row, configs: Path | None = None) -> Asked:
    """A row with its blanks filled. RequestError says why it cannot be predicted."""
    metric = row.get("metric", "")
    if metric not in METRICS:
        raise RequestError(f"no rule for {metric!r}", "metric")
    arch, guessed = architecture(row, configs)
    main = _device(row, "device_id") or _device(row, "device_label")
    if main is None:
        raise RequestError(f"device {row.get('device_id') or row.get('device_label', '')!r} has no sheet", "device_id")
    run, more = _run(row, arch, main)
    guessed = guessed or more
    batch = max(_count(row, "batch", 1.0), 1.0)
    depth = _count(row, "context_depth", 0.0)
    static = defaults.STATIC_CONTEXT.get(run.engine)
    shaped = re.search(r"context_length=(\d{1,7})\b", row.get("notes", ""))
    if static and shaped:
        static = float(shaped[1])
    answer: Part | None = None
    parts: tuple[Part, ...] = ()
    if metric == "prefill_tok_s":
        prompt = max(_count(row, "prompt_tokens", defaults.LOCAL_PROMPT), 1.0)
        parts = prompt_steps(run, prompt, static or depth, batch)
        tokens = prompt * batch
    else:
        output = max(_count(row, "gen_tokens", defaults.LOCAL_ANSWER), 1.0)
        if metric == "output_tok_s":
            prompt = max(_count(row, "prompt_tokens", defaults.LOCAL_CHAT_PROMPT), 1.0)
            parts = prompt_steps(run, prompt, depth, batch)
            depth += prompt
        answer = answer_step(static or depth, 0.0 if static else output, batch)
        answer = replace(answer, times=output)
        tokens = output * batch
    bench = run.engine in GGML and row.get("derived", "") != "1"
    request = metric == "output_tok_s" or (metric == "prefill_tok_s" and not bench)
    return Asked(run, parts, answer, tokens, request, guessed, regime(run, batch))


def _run(row: Row, arch: Architecture, main: Device) -> tuple[Run, bool]:
    engine = row.get("engine", "").casefold().replace(" ", "-") or defaults.LOCAL_ENGINE
    second, host = _device(row, "secondary_device_id"), None
    unit = UNITS.get(row.get("compute_unit", "").casefold(), native_unit(main))
    parallelism, split = row.get("parallelism", "").casefold(), "none"
    if row.get("compute_unit", "") == "hybrid" or parallelism == "cpu-offload":
        unit, split = "gpu", "experts"
        gpus = [d for d in (second, main) if d is not None and native_unit(d) == "gpu"]
        cpus = [d for d in (main, second) if d is not None and native_unit(d) == "cpu"]
        if not gpus or not arch.moe:
            unit, split = ("cpu", "none") if cpus else ("gpu", "none")
            main = cpus[0] if cpus else main
        else:
            main, host = gpus[0], cpus[0] if cpus else device("amd-ryzen-9950x")
    count = int(max(_count(row, "n_devices", 1.0), 1.0)) if split == "none" else 1
    if count > 1:
        ggml = engine in GGML or engine.startswith("exllama") or engine == "autoawq"
        split = parallelism if parallelism in ("layer", "tensor") else "layer" if ggml else "tensor"
    named = row.get("backend", "").casefold()
    driver = backend(engine, main, unit) if unit == "cpu" or named in ("", "cuda+cpu", "gpu+cpu") else named
    text = row.get("precision", "") or defaults.LOCAL_PRECISION
    fmt, guessed = precision("gguf-mxfp4" if engine in GGML and text.casefold() == "mxfp4" else text)
    guessed = guessed or not row.get("precision", "")
    size = number(row, "weight_gib") if row.get("weight_gib") else None
    if size:
        fmt = sized(arch, fmt, size * GIB)
    released_in = released(row)
    flash = {"0": False, "1": True}.get(row.get("flash_attention", ""))
    if flash is None:
        flash = engine not in GGML or released_in is None or released_in >= defaults.FLASH_SINCE
    ubatch = _count(row, "ubatch", 0.0) or defaults.MICRO_BATCHES.get(engine, 8192.0)
    held = row.get("kv_dtype", "") or defaults.CACHE_TYPES.get(engine, "")
    run = Run(
        arch, fmt, main, engine, driver, unit, count, split, flash, cache_bits(held),
        ubatch, threads(row), released_in, host,
    )  # fmt: skip
    return run, guessed


@dataclass(frozen=True, slots=True)
class Local:
    """The domain of single-user speed."""

    name: str = "local"
    kinds: tuple[str, ...] = ("local",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        held: dict[str, list[tuple[int, Row, Asked]]] = {}
        unsupported: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                asked = understood(row, configs)
            except RequestError as error:
                unsupported[place] = str(error)
                continue
            held.setdefault(asked.run.block, []).append((place, row, asked))
        return Prepared(tuple(_cases(block, held[block]) for block in sorted(held)), unsupported)

    def specs(self, block: str) -> Sequence[Spec]:
        return SPECS[block]

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        data: Columns = cases.data
        count = len(cases.rows)
        wide = {name: np.broadcast_to(column, (count,)) for name, column in coefficients.items()}
        each = data.times * data.steps.seconds({name: column[data.of] for name, column in wide.items()})
        if data.apart is not None:
            host = {name: column[data.apart_of] for name, column in wide.items()}
            host = {name: np.broadcast_to(column, data.apart_of.shape)
                    for name, column in fetching(host, data.apart_streamed > 0).items()}  # fmt: skip
            extra = data.apart_times * data.apart.seconds(host)
        prompt: np.ndarray = np.bincount(data.of, each * data.prompt, count)
        answer: np.ndarray = np.bincount(data.of, each * (1 - data.prompt), count)
        if "pipeline" in wide:
            prompt = np.asarray(pipelined(prompt, data.parts, data.devices, data.layers, wide["pipeline"]))
        total = prompt + answer + data.request * wide.get("request_overhead", np.zeros(count))
        if data.apart is not None:
            total = total + np.bincount(data.apart_of, extra, count)
        found: np.ndarray = np.log(data.tokens / total)
        return found

    def roofline(self, cases: Cases) -> np.ndarray:
        data: Columns = cases.data
        found: np.ndarray = data.roof
        return found


LOCAL = Local()

#: Coefficients under which nothing is lost: the datasheet.
IDEAL: Mapping[str, float] = {
    "weight_read": 1.0, "expert_read": 1.0, "cache_read": 1.0, "state_read": 1.0, "compute": 1.0,
    "expert_compute": 1.0, "half_rows": 0.0, "few_rows": 0.0, "expert_few_rows": 1.0, "attention": 1.0,
    "pointwise": np.inf, "layer_overhead": 0.0, "expert_overhead": 0.0, "step_overhead": 0.0,
    "sequence_overhead": 0.0, "request_overhead": 0.0, "link_share": 1.0, "link_wait": 1.0, "pipeline": 1.0,
    "host_read": 1.0, "host_compute": 1.0, "host_half_rows": 0.0, "host_few_rows": 0.0, "slot_read": 1.0,
}  # fmt: skip


def _cases(block: str, held: Sequence[tuple[int, Row, Asked]]) -> Cases:
    places, rows, asked = zip(*held, strict=True)
    passes: list[Pass] = []
    apart_passes: list[Pass] = []
    fetched: list[float] = []
    of: list[int] = []
    times: list[float] = []
    prompt: list[float] = []
    guesses: list[bool] = []
    for i, one in enumerate(asked):
        guesses.append(one.guessed or rates(one.run)[1])
        for part, reading in [*((p, True) for p in one.prompt), *((p, False) for p in (one.answer,) if p)]:
            given, _ = rates(one.run, float(part.step.tokens))
            passes.append(Pass(one.run.arch, part.step, one.run.plan, given, beside(one.run, part.step)))
            if block == "local-hybrid":
                tokens = float(part.step.tokens)
                theirs = fetching_rates(one.run, given, tokens)
                apart_passes.append(Pass(one.run.arch, part.step, one.run.plan, theirs))
                fetched.append(float(streamed(one.run, tokens)))
            of.append(i)
            times.append(float(part.times))
            prompt.append(float(reading))
    steps, index, often = side_by_side(passes), np.array(of), np.array(times)
    apart = None
    if apart_passes:
        every = side_by_side(apart_passes)
        work = {name: part for name, part in every.work.items() if name == "experts"}
        zero = np.zeros(len(of))
        apart = replace(every, work=work, layers=zero, expert_layers=zero, sequences=np.ones(len(of)))
        steps = replace(steps, work={name: part for name, part in steps.work.items() if name != "experts"})
    parts = np.bincount(index, often * np.array(prompt), len(asked))
    data = Columns(
        steps, index, often, np.array(prompt), np.array([one.tokens for one in asked]),
        np.array([float(one.run.count) if one.run.split == "layer" else 1.0 for one in asked]), np.maximum(parts, 1.0),
        np.array([float(one.run.arch.layers) for one in asked]),
        np.array([float(one.request) for one in asked]), np.zeros(len(asked)), apart,
        index if apart is not None else np.zeros(0, dtype=int), often if apart is not None else np.zeros(0),
        np.array(fetched),
    )  # fmt: skip
    columns = [
        keys(one.run, one.largest) | {"source": row.get("source_key", "")} for row, one in zip(rows, asked, strict=True)
    ]
    groups = {level: tuple(column[level] for column in columns) for level in columns[0]}
    cases = Cases(
        block, tuple(rows), np.array(places), groups, tuple(one.regime for one in asked), data, np.array(guesses)
    )
    ideal = {name: np.full(len(asked), value) for name, value in IDEAL.items()}
    return replace(cases, data=replace(data, roof=LOCAL.predict(cases, ideal)))


def _gpu() -> tuple[Spec, ...]:
    """llama.cpp and its kin on GPUs."""
    return (
        Spec("weight_read", 0.8, 0.3,
             {"stack": 0.12, "driven": 0.15, "device": 0.08, "kernel": 0.12, "source": 0.05}, high=1.0),
        Spec("expert_read", 0.85, 0.2, {"stack": 0.15, "chip": 0.1}, high=1.0),
        Spec("cache_read", 0.55, 0.4, {"flash": 0.3, "driven": 0.2}, high=1.0),
        Spec("state_read", 0.3, 0.5, {"stack": 0.4}, high=1.0),
        Spec("compute", 0.45, 0.5,
             {"product": 0.25, "chip": 0.4, "silicon": 0.3, "device": 0.15, "kernel": 0.2, "release": 0.12,
              "source": 0.1}, high=1.0),
        Spec("expert_compute", 0.6, 0.5, {"stack": 0.4, "chip": 0.2}, high=1.2),
        Spec("half_rows", 60.0, 0.7, {"product": 0.5, "silicon": 0.4}),
        Spec("fill", 1e14, 0.0),
        Spec("few_rows", 0.25, 0.5, {"product": 0.4, "silicon": 0.4, "kernel": 0.2}, high=2.0),
        Spec("expert_few_rows", 0.1, 0.7, {"stack": 1.0}, high=1.5),
        Spec("expert_half_rows", 16.0, 0.7, {"stack": 0.5}),
        Spec("attention", 0.2, 0.6, {"flash": 0.6, "driven": 0.3}, high=1.0),
        Spec("pointwise", 0.8, 0.5, {"stack": 0.3}, high=3.0),
        Spec("layer_overhead", 60e-6, 0.5, {"stack": 0.4, "release": 0.3, "chip": 0.2, "source": 0.1}),
        Spec("expert_overhead", 50e-6, 0.6, {"stack": 0.4, "chip": 0.4}),
        Spec("step_overhead", 0.3e-3, 0.5, {"split": 0.5}),
        Spec("sequence_overhead", 50e-6, 0.7),
        Spec("request_overhead", 20e-3, 0.7),
        Spec("pipeline", 0.7, 0.3, {"kernel": 0.2}, high=1.0),
        Spec("link_share", 0.75, 0.0),
    )  # fmt: skip


def _gpu_other() -> tuple[Spec, ...]:
    """Every other engine on GPUs."""
    return (
        Spec("weight_read", 0.8, 0.2, {"stack": 0.15, "chip": 0.1, "kernel": 0.15, "source": 0.05}, high=1.0),
        Spec("expert_read", 0.75, 0.3, {"stack": 0.2}, high=1.0),
        Spec("cache_read", 0.6, 0.3, {"stack": 0.3}, high=1.0),
        Spec("compute", 0.45, 0.4, {"stack": 0.3, "chip": 0.2, "kernel": 0.2, "source": 0.1}, high=1.0),
        Spec("expert_compute", 0.5, 0.5, {"stack": 0.4}, high=1.2),
        Spec("half_rows", 60.0, 0.7, {"stack": 0.4}),
        Spec("fill", 1e14, 0.0),
        Spec("few_rows", 0.3, 0.4, {"stack": 0.3}, high=2.0),
        Spec("expert_few_rows", 0.8, 0.4, high=1.5),
        Spec("attention", 0.3, 0.5, {"stack": 0.3}, high=1.0),
        Spec("pointwise", 1.5, 0.5, {"stack": 0.3}, high=6.0),
        Spec("layer_overhead", 60e-6, 0.4, {"stack": 0.4, "chip": 0.2, "source": 0.1}),
        Spec("expert_overhead", 30e-6, 0.5, {"stack": 0.4}),
        Spec("step_overhead", 0.3e-3, 0.5, {"engine": 0.4}),
        Spec("sequence_overhead", 50e-6, 0.7),
        Spec("request_overhead", 15e-3, 0.7, {"engine": 0.7}),
        Spec("pipeline", 0.3, 0.5, high=1.0),
        Spec("link_share", 0.75, 0.0),
        Spec("link_wait", 1.0, 0.5, {"engine": 0.4}),
    )  # fmt: skip


def _cpu() -> tuple[Spec, ...]:
    return (
        Spec("weight_read", 0.6, 0.3,
             {"engine": 0.15, "device": 0.15, "chip": 0.2, "format": 0.15, "source": 0.05}, high=1.0),
        Spec("expert_read", 0.8, 0.3, {"engine": 0.15}, high=1.0),
        Spec("cache_read", 0.4, 0.5, {"engine": 0.4, "flash": 0.5}, high=1.0),
        Spec("compute", 0.2, 0.5,
             {"engine": 0.7, "chip": 0.3, "device": 0.2, "format": 0.4, "source": 0.1}, high=1.0),
        Spec("expert_compute", 0.6, 0.4, {"engine": 0.4}, high=1.2),
        Spec("half_rows", 2.0, 0.7, {"engine": 0.4, "format": 0.4}),
        Spec("few_rows", 0.15, 0.5, {"engine": 0.4, "format": 0.5, "chip": 0.3}, high=1.0),
        Spec("attention", 0.2, 0.6, {"engine": 0.6, "flash": 0.5}, high=1.0),
        Spec("pointwise", 0.5, 0.5, high=3.0),
        Spec("layer_overhead", 50e-6, 0.6, {"engine": 0.3, "memory": 0.5}),
        Spec("expert_overhead", 50e-6, 0.6, {"engine": 0.3}),
        Spec("step_overhead", 0.3e-3, 0.5),
        Spec("request_overhead", 20e-3, 0.5),
    )  # fmt: skip


def _npu() -> tuple[Spec, ...]:
    return (
        Spec("weight_read", 0.75, 0.15, {"engine": 0.08, "device": 0.08}, high=1.0),
        Spec("expert_read", 0.8, 0.3, high=1.0),
        Spec("cache_read", 0.4, 0.5, {"engine": 0.3}, high=1.0),
        Spec("compute", 0.2, 0.6, {"engine": 0.4, "device": 0.3, "format": 0.3}, high=1.0),
        Spec("pointwise", 0.5, 0.5, high=3.0),
        Spec("expert_compute", 0.5, 0.4, high=1.2),
        Spec("half_rows", 16.0, 0.7),
        Spec("attention", 0.1, 0.6, {"engine": 0.4}, high=1.0),
        Spec("layer_overhead", 150e-6, 0.6, {"engine": 0.4, "device": 0.3}),
        Spec("expert_overhead", 100e-6, 0.6),
        Spec("step_overhead", 1e-3, 0.6, {"engine": 0.4}),
        Spec("request_overhead", 30e-3, 0.7, {"engine": 0.5}),
    )  # fmt: skip


def _hybrid() -> tuple[Spec, ...]:
    return (
        Spec("weight_read", 0.7, 0.2, high=1.0),
        Spec("cache_read", 0.5, 0.4, high=1.0),
        Spec("compute", 0.3, 0.5, high=1.0),
        Spec("half_rows", 100.0, 0.5),
        Spec("attention", 0.2, 0.5, high=1.0),
        Spec("layer_overhead", 100e-6, 0.5, {"engine": 0.3}),
        Spec("expert_overhead", 60e-6, 0.5, {"engine": 0.3}),
        Spec("step_overhead", 1e-3, 0.5),
        Spec("host_read", 0.5, 0.4, {"engine": 0.3, "source": 0.2}, high=1.0),
        Spec("host_compute", 0.3, 0.6, {"engine": 0.4, "source": 0.2}, high=1.0),
        Spec("host_half_rows", 4.0, 0.7),
        Spec("few_rows", 0.2, 0.5),
        Spec("host_few_rows", 0.15, 0.5, {"engine": 0.4}),
        Spec("slot_read", 0.5, 0.5, {"engine": 0.3}, high=1.0),
        Spec("request_overhead", 50e-3, 0.5),
    )  # fmt: skip


SPECS: Mapping[str, tuple[Spec, ...]] = {
    "local-gpu": _gpu(), "local-gpu-other": _gpu_other(), "local-cpu": _cpu(), "local-npu": _npu(),
    "local-hybrid": _hybrid(),
}  # fmt: skip
