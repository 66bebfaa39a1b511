"""Peak device memory of training runs, by the product's own formula."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.memory.training import NAMES, Bulk, MemoryCoefficients, Method, Sharding, bulk, parts
from ridgewise.training.estimate import CHUNKED, NARROW
from ridgewise.training.layouts import fullest
from ridgewise.training.step import lineage
from ridgewise.validation import defaults
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.domains.training import layout, method, precision, the_device, the_model
from ridgewise.validation.pooling import Spec

GIB = 2.0**30
#: Room that samples of varying length take in the allocator over samples of one length: gaps of freed blocks.
VARYING = 1.5
#: What a meter sees of the allocator's slack and of what lies outside the allocator.
METERS: Mapping[str, tuple[float, float]] = {
    "allocated": (0.0, 0.0),
    "active": (0.3, 0.0),
    "reserved": (1.0, 0.0),
    "smi": (1.0, 1.0),
    "": (1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Data:
    """Columns: what the formula takes, what the device holds [B], which runs may page optimiser states out, and what
    of logits, activations, slack and context counts: loss in chunks, 8 bits, meters that see less."""

    need: Bulk
    plan: Sharding
    memory: np.ndarray
    pages: np.ndarray
    loss: np.ndarray
    kept: np.ndarray
    slack: np.ndarray
    context: np.ndarray
    textbook: np.ndarray


def meter(name: str) -> str:
    """What a figure counts: allocated, active, reserved, or the whole device; empty where nobody says."""
    text = name.casefold()
    for word in ("allocated", "reserved", "active", "smi"):
        if word in text:
            return word
    return ""


def packed_format(label: str) -> str:
    """The weight format of a quantised base by its printed precision."""
    base = label.casefold().rpartition("+")[0] or label.casefold()
    if "fp8" in base:
        return "fp8"
    if "int8" in base or "8bit" in base:
        return "int8"
    return "w4a16" if "gptq" in base or "awq" in base else "nf4"


def recipe(row: Row, kind: Method) -> str:
    """Which copies of weights, gradients and moments a program keeps."""
    framework = row.get("framework", "")
    if "8" in re.sub(r"[^0-9]", "", row.get("optimizer", "")) or "8-bit" in row.get("variant", ""):
        return "pure 8-bit"
    if any(word in framework.casefold() for word in defaults.PURE_16_BIT) or kind != "full":
        return "pure"
    return "deepspeed" if any(word in framework.casefold() for word in defaults.DEEPSPEED) else "mixed"


@dataclass(frozen=True, slots=True)
class Run:
    """One row, read."""

    need: Bulk
    plan: Sharding
    memory: float
    pages: bool
    chunked: bool
    narrow: bool
    varying: bool
    textbook: float
    keys: Mapping[str, str]
    regime: str
    assumed: bool


def read(row: Row, configs: Path | None) -> Run:
    """A row as the memory formula wants it; RequestError says why it cannot be predicted."""
    if row.get("metric", "") != "peak_mem_gib":
        raise RequestError(f"{row.get('metric')} is not a peak", "metric")
    device = the_device(row)
    arch, guessed = the_model(row, configs)
    kind: Method = method(row)
    if kind == "lora" and precision(row)[2]:
        kind = "qlora"
    plan, _ = layout(row, arch, device, kind)
    variant = row.get("variant", "").casefold()
    rank = re.search(r"rank (\d+)", variant)
    unfrozen = float(arch.embedding + arch.head) if "(emb)" in variant else 0.0
    form = packed_format(row.get("precision", ""))
    recompute = row.get("recompute", "")
    tuned = row.get("method", "") in ("full_ft", "lora", "qlora")
    family = lineage(row.get("framework", ""))
    repeated = float(plan.repeated)
    if not recompute and tuned and family != "megatron":
        repeated = 1.0
    need = bulk(
        arch, kind, float(rank.group(1)) if rank else 16.0, recipe(row, kind), form, unfrozen
    )  # fmt: skip
    if ("fuse" in variant or "in backward" in variant) and kind == "full":
        need = Bulk(*(getattr(need, f.name) if f.name != "gradient" else 0.0 for f in fields(Bulk)))
    shards = Sharding(
        plan.dp, plan.stage, plan.tp, plan.pp, plan.chunks, plan.cp, plan.ep, plan.micro, plan.length, repeated,
        plan.fused, defaults.sequence_parallel(row.get("framework", ""), row.get("date", "")),
        fullest(arch, float(plan.pp)),
    )  # fmt: skip
    framework = row.get("framework", "").casefold()
    chunked = "chunked" in variant or (framework in defaults.CHUNKED_LOSS and "baseline" not in variant)
    small = row.get("framework", "").casefold() == "torchtune" and float(plan.devices) == 1 and kind == "full"
    keys = {
        "meter": meter(row.get("mem_kind", "")),
        "framework": framework,
        "lineage": family,
        "method": kind,
        "format": form if kind == "qlora" else "",
        "framework method": f"{framework} {kind}",
        "source": row.get("source_key", ""),
        "device": device.id,
        "stack": framework,
        "cell": "|".join((device.id, framework, row.get("model_id", ""))),
    }
    held = float(plan.tp * plan.pp)
    each = 16.0 if kind == "full" else 2.0 if kind == "lora" else 0.6
    narrow = precision(row)[0] in ("fp8", "fp4")
    varying = keys["meter"] in ("reserved", "smi") and any(word in framework for word in defaults.UNPACKED)
    return Run(
        need, shards, device.memory or 80 * GIB, small, chunked, narrow, varying, each * arch.parameters_total / held,
        keys, f"{'moe' if arch.moe else 'dense'} {row.get('method', '') or 'pretrain'}", guessed,
    )  # fmt: skip


class TrainingMemory:
    """Peak device memory of training runs."""

    name = "training-memory"
    kinds = ("training-memory",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        runs: list[tuple[int, Run]] = []
        unsupported: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                runs.append((place, read(row, configs)))
            except (RequestError, ArithmeticError, ValueError, KeyError) as error:
                unsupported[place] = str(error)
        if not runs:
            return Prepared((), unsupported)
        found = [run for _, run in runs]

        def stacked(kind: type, items: Sequence[object]) -> tuple[np.ndarray, ...]:
            return tuple(np.array([float(getattr(item, f.name)) for item in items]) for f in fields(kind))

        data = Data(
            Bulk(*stacked(Bulk, [run.need for run in found])),
            Sharding(*stacked(Sharding, [run.plan for run in found])),
            np.array([run.memory for run in found]),
            np.array([run.pages for run in found]),
            np.where([run.chunked for run in found], CHUNKED, 1.0)
            * np.where([run.varying for run in found], VARYING, 1.0),
            np.where([run.narrow for run in found], NARROW, 1.0),
            np.array([METERS[run.keys["meter"]][0] for run in found]),
            np.array([METERS[run.keys["meter"]][1] for run in found]),
            np.array([run.textbook for run in found]),
        )
        cases = Cases(
            "training-memory",
            tuple(rows[place] for place, _ in runs),
            np.array([place for place, _ in runs]),
            {level: tuple(run.keys[level] for run in found) for level in found[0].keys},
            tuple(run.regime for run in found),
            data,
            np.array([run.assumed for run in found]),
        )
        return Prepared((cases,), unsupported)

    def specs(self, block: str) -> Sequence[Spec]:
        return SPECS

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        data: Data = cases.data
        found = {name: coefficients[name] for name in NAMES if name in coefficients}
        for name, share in zip(
            ("logits", "kept", "slack", "context"), (data.loss, data.kept, data.slack, data.context), strict=True
        ):
            if name in found:
                found[name] = share * found[name]
        held = parts(data.need, data.plan, MemoryCoefficients(**found))
        total = np.asarray(sum(held.values(), 0.0))
        paged = data.pages & (total > data.memory)
        total = np.where(paged, total - held["optimiser"] - held["gradients"], total)
        # A run that was measured did fit.
        return np.asarray(np.log(np.minimum(total, data.memory) / GIB))

    def roofline(self, cases: Cases) -> np.ndarray:
        """Sixteen bytes per parameter (two frozen, 0.6 packed), divided by the model-parallel degree."""
        data: Data = cases.data
        return np.asarray(np.log(data.textbook / GIB))


SPECS = (
    Spec("state", 1.0, 0.03, {"framework": 0.15}, 0.9),
    Spec("packed", 1.1, 0.08, {"framework": 0.2, "format": 0.15}, 0.8),
    Spec("kept", 30.0, 0.1, {"framework": 0.2}),
    Spec("boundary", 2.0, 0.1, {"framework": 0.2}),
    Spec("scores", 5.0, 0.15),
    Spec("logits", 16.0, 0.15, {"framework": 0.4}),
    Spec("slack", 0.12, 0.2, {"framework": 0.5}),
    Spec("context", 2.5 * GIB, 0.15, {"framework": 0.3}),
)

TRAINING_MEMORY = TrainingMemory()
