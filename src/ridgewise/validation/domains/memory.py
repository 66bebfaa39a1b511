"""Memory of inference engines against their logs: arithmetic and each engine's own rules, nothing fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.evidence.tables import number
from ridgewise.hardware import device
from ridgewise.memory import cache_bytes, inference
from ridgewise.memory.engines import policy
from ridgewise.memory.engines.llamacpp import UBATCH, compute_buffer, first_buffer
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format, embedding_bytes, model_bytes, weight_format
from ridgewise.models.ggml import TYPES
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.models import architecture
from ridgewise.validation.pooling import Spec
from ridgewise.work import Plan

MIB, GIB = 2.0**20, 2.0**30
#: Bits per cached value by the type's name; blank is the engine's default.
CACHE_BITS = {"": 16.0, "bf16": 16.0, "fp16": 16.0, "fp8": 8.0, "q6_0": 6.5} | {
    kind.name.casefold(): kind.bits for kind in TYPES.values()
}
#: More bits per weight than any format stores: the size was printed in MiB.
MOST_BITS = 40.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Predictions of one kind of log, row by row."""

    name: str
    kinds: tuple[str, ...]
    bytes_of: Callable[[Row, Architecture], tuple[float, str]]
    unit: float
    textbook: Callable[[Row, Architecture], float]

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        """The prediction is made here: it has no coefficients."""
        held: list[tuple[int, Row, float, float, str, bool]] = []
        unsupported: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                arch, assumed = architecture(row, configs)
                found, regime = self.bytes_of(row, arch)
                simple = self.textbook(row, arch)
            except RequestError as error:
                unsupported[place] = str(error)
                continue
            held.append((place, row, found / self.unit, simple / self.unit, regime, assumed))
        if not held:
            return Prepared((), unsupported)
        places, kept, values, simple_values, regimes, guessed = zip(*held, strict=True)
        stack = tuple(row.get("engine", "") for row in kept)
        devices = tuple(row.get("device_id", "") or row.get("device_label", "") for row in kept)
        keys = {
            "device": devices,
            "stack": stack,
            "cell": tuple(f"{d}|{s}|{r.get('model_id', '')}" for d, s, r in zip(devices, stack, kept, strict=True)),
        }
        data = (np.log(np.array(values)), np.log(np.array(simple_values)))
        return Prepared(
            (Cases(self.name, kept, np.array(places), keys, regimes, data, np.array(guessed)),), unsupported
        )

    def specs(self, block: str) -> Sequence[Spec]:
        return ()

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        found: np.ndarray = cases.data[0]
        return found

    def roofline(self, cases: Cases) -> np.ndarray:
        """The textbook: parameters times bits, full-length caches, no buffers."""
        found: np.ndarray = cases.data[1]
        return found


def gguf_format(precision: str) -> Format:
    """A GGUF file type, or one tensor type throughout; RequestError names the nearest."""
    try:
        return weight_format(precision, "precision")
    except RequestError:
        plain = precision.upper().removesuffix("_R4").removesuffix("_R8").removeprefix("UD-")
        known = {kind.name: kind.bits for kind in TYPES.values()}
        stem = plain.removesuffix("_XL").removesuffix("_L").removesuffix("_M").removesuffix("_S")
        for name in (plain, stem):
            if name in known:
                bits = known[name]
                return Format(name, name, "gguf", bits, 32.0, bits, max(bits, 6.5625), "int8")
        raise


def _cache_plan(row: Row) -> Plan:
    """Bits per cached value; keys and values of different types count their mean."""
    text = row.get("kv_type", "") or row.get("kv_dtype", "")
    parts = text.casefold().replace("k=", "").replace("v=", "").replace("k:", "").replace("v:", "")
    kinds = [kind for kind in parts.replace(",", "/").split("/") if kind] or [""]
    wrong = [kind for kind in kinds if kind not in CACHE_BITS]
    if wrong:
        raise RequestError(f"unknown cache type {wrong[0]!r}", "kv_type")
    return Plan(weight_format("f16"), kv_bits=sum(CACHE_BITS[kind] for kind in kinds) / len(kinds))


def _file_bytes(row: Row, arch: Architecture) -> float:
    """Bytes of the weights: the file's own size where the row states it."""
    size = number(row, "weight_gib")
    if size is None:
        return model_bytes(arch, gguf_format(row.get("precision", "")))
    bits = size * GIB * 8 / arch.parameters_total
    return size * (MIB if bits > MOST_BITS else GIB)


def _expanded(arch: Architecture, context: float, bits: float, kind: str) -> float:
    """The cache of an MLA model that is kept per head, or as a latent with a transposed copy."""
    total = 0.0
    for group in arch.kinds:
        mixer = group.mixer
        per_head, twice = mixer.heads * (mixer.qk_dim + mixer.v_dim), 2 * mixer.latent + mixer.rope_dim
        values = per_head if kind == "no-mla" else twice
        total += group.count * values * context * bits / 8
    return total


def llama_cpp(row: Row, arch: Architecture) -> tuple[float, str]:
    """Bytes of one buffer of a load log.

    Builds of 2023 know no micro-batch: their logs count device memory only, and one compute buffer.
    """
    metric = row.get("metric", "")
    first = row.get("ubatch", "") == "" and row.get("batch", "") == "" and row.get("flash_attention", "") == ""
    context = number(row, "context") or 512.0
    devices = max(number(row, "n_gpus") or 1.0, 1.0)
    if metric == "model_buffer_mib":
        found = _file_bytes(row, arch)
        if first and not arch.tied:
            bits = 8 * found / arch.parameters_total
            found -= embedding_bytes(arch, Format("", "", "gguf", bits, 32.0, bits, bits, "int8"))
        return found, "weights"
    if metric == "kv_buffer_mib":
        plan = _cache_plan(row)
        implementation = row.get("attention_impl", "")
        if implementation in ("no-mla", "mla-transposed") and any(g.mixer.kind == "mla" for g in arch.kinds):
            return _expanded(arch, context, float(plan.kv_bits), implementation), "KV cache"
        return float(cache_bytes(arch, plan, 1.0, context, policy("llama.cpp"))), "KV cache"
    if metric == "compute_buffer_mib":
        if first:
            return float(first_buffer(arch, min(context, UBATCH))), "compute buffers"
        ubatch = number(row, "ubatch") or min(number(row, "batch") or UBATCH, UBATCH)
        flash = row.get("flash_attention", "1") != "0"
        return float(devices * compute_buffer(arch, context, ubatch, devices, flash)), "compute buffers"
    raise RequestError(f"no rule for {metric!r}", "metric")


def _llama_cpp_textbook(row: Row, arch: Architecture) -> float:
    metric = row.get("metric", "")
    context = number(row, "context") or 512.0
    if metric == "model_buffer_mib":
        return (
            arch.parameters_total * gguf_format(row.get("precision", "")).default / 8
            if not row.get("weight_gib")
            else _file_bytes(row, arch)
        )
    if metric == "kv_buffer_mib":
        heads = sum(g.count * g.mixer.heads * (g.mixer.qk_dim + g.mixer.v_dim) for g in arch.kinds)
        return max(heads * context * 2.0, 1.0)
    return UBATCH * arch.vocab * 4.0


def vllm(row: Row, arch: Architecture) -> tuple[float, str]:
    """What vLLM takes of a device beside the cache: weights, activation peak, other allocations, graphs [GiB]."""
    label = row.get("device_id", "")
    offered = device(label).number("memory_usable") or device(label).memory if label else None
    plan = Plan(weight_format(row.get("precision") or "bf16", "precision"), tp=number(row, "tensor_parallel") or 1.0)
    foot = inference(arch, plan, 0.0, 1.0, policy("vllm"), offered or 80 * GIB)
    return float(foot.total), "engine total"


def _vllm_textbook(row: Row, arch: Architecture) -> float:
    fmt = weight_format(row.get("precision") or "bf16", "precision")
    return arch.parameters_total * fmt.default / 8 / (number(row, "tensor_parallel") or 1.0)


LOCAL_MEMORY = Engine("local-memory", ("local-memory",), llama_cpp, MIB, _llama_cpp_textbook)
VLLM_MEMORY = Engine("vllm-memory", ("vllm-memory",), vllm, GIB, _vllm_textbook)
