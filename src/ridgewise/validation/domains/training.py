"""Training speed: large language models by the product's own step formula, classic models by anchors.

Rows whose work per sample can be derived from shape, batch and device form the block "training"; the others
(``calibration=relative``: packed sequences, image pipelines) the block "training-classic".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.hardware import device as find_device
from ridgewise.hardware.device import Device
from ridgewise.memory.training import Method, adapter_parameters
from ridgewise.models.architecture import Architecture
from ridgewise.models.parts import attention, merged, mlp, moe
from ridgewise.training import step as physics
from ridgewise.training.step import Demand, Layout, Supply
from ridgewise.validation import defaults
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.domains import classic
from ridgewise.validation.domains.classic import positive
from ridgewise.validation.models import architecture
from ridgewise.validation.pooling import Spec

METRICS = ("tokens_s_per_gpu", "iter_time_s", "samples_s", "tflops_per_gpu", "mfu", "hfu")


@dataclass(frozen=True, slots=True)
class Data:
    """Columns of the block "training".

    need, plan, rates   what the step formula takes
    sign, factor        value = factor · (seconds of a step) ^ sign
    ideal               seconds of a step of 6·N FLOPs per token at the datasheet's peak, the baseline
    """

    need: Demand
    plan: Layout
    rates: Supply
    sign: np.ndarray
    factor: np.ndarray
    ideal: np.ndarray


@dataclass(frozen=True, slots=True)
class Run:
    """One row, read."""

    device: Device
    need: Demand
    plan: Layout
    rates: Supply
    sign: float
    factor: float
    ideal: float
    keys: Mapping[str, str]
    regime: str
    assumed: bool


def the_device(row: Row) -> Device:
    """The device of a row, by id or by the label printed."""
    name = row.get("device_id") or row.get("device_label") or ""
    if not name:
        raise RequestError("the device is not named", "device_id")
    return find_device(name)


@lru_cache(maxsize=1024)
def _shaped(
    layers: int, hidden: int, heads: int, kv_heads: int, head_dim: int, ffn: int, vocab: int, experts: int,
    active: int, size: float,
) -> Architecture:  # fmt: skip
    """The decoder of these sizes: gated or not and tied or not, whichever comes closest to ``size`` parameters."""
    found = []
    for gated in (True, False):
        mixer = attention(hidden, heads, kv_heads, head_dim)
        feed = moe(hidden, experts, active, ffn, gated=gated) if experts else mlp(hidden, ffn, gated=gated)
        for head in (vocab * hidden, 0):
            found.append(
                Architecture(
                    "printed shape", "decoder", hidden, vocab, merged([(mixer, feed, 2 * hidden)] * layers),
                    vocab * hidden, head, not head,
                )
            )  # fmt: skip
    if size:
        return min(found, key=lambda arch: abs(arch.parameters_total - size))
    return found[0] if ffn < 3.5 * hidden else found[2]


def the_model(row: Row, configs: Path | None) -> tuple[Architecture, bool]:
    """The model of a row: its file, its printed shape, its name, its size alone (assumed)."""
    if row.get("config_file"):
        try:
            found, guessed = architecture(row, configs)
            if not guessed:
                return found, False
        except RequestError:
            pass
    layers, hidden = positive(row, "layers"), positive(row, "hidden")
    if layers and hidden:
        heads = positive(row, "heads") or max(hidden // 128, 1.0)
        head_dim = positive(row, "head_dim") or max(hidden // heads, 1.0)
        kv_heads = positive(row, "kv_heads") or heads
        experts, active = positive(row, "n_experts") or 0.0, positive(row, "experts_per_tok") or 0.0
        ffn = positive(row, "ffn") or 4 * hidden
        vocab = positive(row, "vocab") or defaults.TRAINING_VOCABULARY
        sizes = (layers, hidden, heads, kv_heads, head_dim, ffn, vocab, experts, min(active or 1.0, experts))
        if max(sizes) > 1e9:
            raise RequestError("the printed shape is no model", "layers, hidden")
        return _shaped(*(int(x) for x in sizes), 1e9 * (positive(row, "params_b") or 0.0)), False
    return architecture(row, configs)


def precision(row: Row) -> tuple[str, str, bool]:
    """The dtype whose peak counts, the group of precisions, and whether the weights are packed."""
    name = row.get("precision", "").casefold()
    base, _, computed = name.rpartition("+")
    name = computed or defaults.TRAINING_PRECISION
    if name.startswith(("nvfp4", "fp4", "mxfp4")):
        return "fp4", "nvfp4", bool(base)
    if "fp8" in name:
        return "fp8", "mxfp8" if name.startswith("mx") else "fp8", bool(base)
    if name in ("fp32", "tf32"):
        return name, name, bool(base)
    return "bf16", "16 bit", bool(base)


def method(row: Row) -> Method:
    """full, lora or qlora."""
    name = row.get("method", "").casefold()
    return "lora" if name == "lora" else "qlora" if name == "qlora" else "full"


def release(row: Row) -> str:
    """Year and month of a software release, where the version says them."""
    found = re.search(r"\b(2\d\.\d\d)\b", row.get("framework_version", ""))
    return found.group(1) if found else ""


def fast_domain(row: Row, device: Device) -> float:
    """Devices that share the fast links: the sheet's rack or slice, else the node as printed."""
    known = physics.fast_domain(device)
    node = positive(row, "devices_per_node")
    return float(known if known > physics.NODE or not node else node)


def network(row: Row, usual: float, per_node: float) -> float:
    """Network per device [B/s] where the row prints it: "8x400G", "4x Omni-Path", "1600 Gbps"; else the usual one."""
    text = row.get("interconnect", "")
    cards = re.search(r"(\d+)\s*x\s*(\d+)\s*Gb?\b", text)
    if cards and int(cards.group(2)) >= 10:
        return int(cards.group(1)) * int(cards.group(2)) * 1e9 / 8 / per_node
    whole = re.search(r"(\d+)\s*Gbps", text)
    if whole:
        return int(whole.group(1)) * 1e9 / 8 / per_node
    if "omni-path" in text.casefold():
        return min(usual, 12.5e9)
    return usual


def layout(row: Row, arch: Architecture, device: Device, kind: str) -> tuple[Layout, float]:
    """The layout of a row and its global batch; what is blank as the table of defaults says."""
    n = positive(row, "n_devices") or 1.0
    length = positive(row, "seq_len") or defaults.TRAINING_LENGTH
    tp, pp, cp = (positive(row, name) for name in ("tp", "pp", "cp"))
    if device.id == "aws-trainium1" and tp:
        tp = max(tp / 2.0, 1.0)  # the rows count cores, two to a chip
    stage = defaults.stage(row.get("sharding", ""), physics.lineage(row.get("framework", "")), n)
    batch = positive(row, "global_batch_seqs")
    if tp is None and pp is None and stage < 3 and n > 1:
        tp, pp = defaults.model_parallel(arch.parameters_total, kind, n, device.memory or 80 * 2.0**30)
    tp, pp, cp = min(tp or 1.0, n), min(pp or 1.0, n), min(cp or 1.0, n)
    dp = max(n / (tp * pp * cp), 1.0)
    if pp > 1:
        stage = min(stage, 2.0)  # pipelines keep gathered weights for all micro-batches (Llama 3, arXiv 2407.21783)
    if batch and dp > batch:
        cp, dp = cp * dp / batch, batch
    micro = positive(row, "micro_batch") or defaults.micro_batch(arch.hidden, length)
    if batch:
        micro = min(micro, max(batch / dp, 1.0))
    else:
        batch = dp * micro * (defaults.FILLED * pp if pp > 1 else 1.0)
    ep = positive(row, "ep") or (min(n, 8.0) if arch.moe else 1.0)
    again = row.get("recompute", "").casefold()
    repeated = 1.0 if again.startswith("full") else defaults.SELECTIVE if again.startswith("selective") else 0.0
    if not again and row.get("flops_convention_id", "").startswith("hardware"):
        repeated = 1.0
    flash = row.get("flash_attention", "").casefold()
    year = (re.search(r"20\d\d", row.get("date", "")) or [""])[0]
    fused = 0.0 if flash.startswith("no") or (not flash and year and year < "2022") else 1.0
    chunks = (positive(row, "vpp") or 1.0) if pp > 1 else 1.0
    packed = 1.0 if precision(row)[2] or kind == "qlora" else 0.0
    even = 0.0 if pp > 1 and arch.layers % (pp * chunks) == 0 else 1.0
    eager = float(physics.lineage(row.get("framework", "")) == "eager")
    return Layout(
        n, fast_domain(row, device), tp, pp, chunks, cp, dp, ep, micro, max(batch / (dp * micro), 1.0), length, stage,
        3.0 if kind == "full" else 2.0, repeated, fused, packed, even, eager,
    ), batch  # fmt: skip


def convention(name: str, need: Demand, repeated: float = 1.0) -> float:
    """FLOPs per token as a convention counts them; those of the hardware include what was ``repeated``."""
    products, scores = need.linear + need.experts + need.head, 2.0 * need.attention
    counted = {
        "model-full-attention": 3 * (products + scores),
        "model-causal": 3 * (products + scores / 2),
        "model-no-attention": 3 * products,
        "model-6N": 3 * products,
        "hardware-full-attention": (3 + repeated) * (products + scores),
        "hardware-8N": (3 + repeated) * products,
        "model-lora-4N": 2 * products,
        "model-causal-lora-4N": 2 * (products + scores / 2),
    }
    if name in counted:
        return float(counted[name])
    return float(3 * (products + scores))


def read(row: Row, configs: Path | None) -> Run:
    """A row as the step formula wants it; RequestError says why it cannot be predicted."""
    metric = row.get("metric", "")
    if metric not in METRICS:
        raise RequestError(f"{metric} depends on more than speed", "metric")
    device = the_device(row)
    arch, guessed = the_model(row, configs)
    kind = method(row)
    dtype, group, _ = precision(row)
    rates = physics.supply(device, dtype)
    sheet = device.peak(dtype)
    if rates is None or sheet is None:
        raise RequestError(f"no peak or bandwidth of {device.id} is known", "device_id")
    plan, batch = layout(row, arch, device, kind)
    node = positive(row, "devices_per_node") or float(physics.NODE)
    rates = replace(rates, network=max(min(network(row, float(rates.network), node), 4 * float(rates.link)), 1e8))
    trained = None if kind == "full" else float(adapter_parameters(arch, 16.0))
    need = physics.demand(arch, plan.length, trained)
    tokens = batch * float(plan.length)
    n = float(plan.devices)
    per_token = convention(row.get("flops_convention_id", ""), need, float(plan.repeated))
    if metric == "hfu" and plan.repeated == 1.0 and row.get("flops_convention_id", "").startswith("model"):
        per_token *= 4 / 3
    factor = {
        "tokens_s_per_gpu": tokens / n,
        "iter_time_s": 1.0,
        "samples_s": batch,
        "tflops_per_gpu": per_token * tokens / n / 1e12,
        "mfu": 100 * per_token * tokens / n / sheet[0],
        "hfu": 100 * per_token * tokens / n / sheet[0],
    }[metric]
    framework = row.get("framework", "").casefold()
    found = physics.keys(device, framework, group, kind, moe=arch.moe, release=release(row))
    own = {
        "source": row.get("source_key", ""),
        "stack": framework,
        "cell": "|".join((device.id, framework, row.get("model_id", ""))),
    }
    regime = f"{'moe' if arch.moe else 'dense'} {row.get('method', '') or 'pretrain'}"
    ideal = (4.0 if kind != "full" else 6.0) * arch.parameters_active * tokens / n / sheet[0]
    return Run(
        device, need, plan, rates, 1.0 if metric == "iter_time_s" else -1.0, factor, ideal, {**found, **own},
        regime, guessed,
    )  # fmt: skip


class Training:
    """Tokens or samples per second, step time, FLOP/s and MFU of training runs."""

    name = "training"
    kinds = ("training",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        runs: list[tuple[int, Run]] = []
        classics: list[tuple[int, classic.Run]] = []
        unsupported: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                if row.get("calibration") == "relative" or classic.anchored(row):
                    classics.append((place, classic.read(row, the_device(row), precision(row)[0])))
                else:
                    runs.append((place, read(row, configs)))
            except (RequestError, ArithmeticError, ValueError, KeyError) as error:
                unsupported[place] = str(error)
        cases = []
        if runs:
            cases.append(self._cases(rows, runs))
        if classics:
            cases.append(classic.cases(rows, classics))
        return Prepared(tuple(cases), unsupported)

    def _cases(self, rows: Sequence[Row], runs: Sequence[tuple[int, Run]]) -> Cases:
        found = [run for _, run in runs]
        data = Data(
            physics.columns([run.need for run in found]),
            physics.side_by_side([run.plan for run in found]),
            physics.offers([run.rates for run in found]),
            np.array([run.sign for run in found]),
            np.array([run.factor for run in found]),
            np.array([run.ideal for run in found]),
        )
        return Cases(
            "training",
            tuple(rows[place] for place, _ in runs),
            np.array([place for place, _ in runs]),
            {level: tuple(run.keys[level] for run in found) for level in found[0].keys},
            tuple(run.regime for run in found),
            data,
            np.array([run.assumed for run in found]),
        )

    def specs(self, block: str) -> Sequence[Spec]:
        return classic.SPECS if block == "training-classic" else SPECS

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        if cases.block == "training-classic":
            return classic.predict(cases, coefficients)
        data: Data = cases.data
        found = physics.step_time(data.need, data.plan, data.rates, physics.coefficients(coefficients))
        return np.asarray(np.log(data.factor) + data.sign * np.log(found.total))

    def roofline(self, cases: Cases) -> np.ndarray:
        """6·N FLOPs per token at the datasheet's peak."""
        if cases.block == "training-classic":
            return classic.roofline(cases)
        data: Data = cases.data
        return np.asarray(np.log(data.factor) + data.sign * np.log(data.ideal))


_PRIOR = physics.TrainingCoefficients()


def _spec(name: str, doubt: float, high: float = np.inf, **levels: float) -> Spec:
    named = {level.replace("_", " "): spread for level, spread in levels.items()}
    return Spec(name, float(getattr(_PRIOR, name)), doubt, named, 0.0, high)


SPECS = (
    _spec("compute", 0.15, 3.0, vendor=0.2, architecture=0.1, precision=0.15, chip_precision=0.1),
    _spec("half_width", 0.5),
    _spec("half_rows", 0.7),
    _spec("attention", 0.3, 1.0, architecture=0.2, lineage=0.2),
    _spec("scores", 0.5),
    _spec("eager", 0.3),
    _spec("traffic", 0.4, lineage=0.1),
    _spec("logits", 0.3),
    _spec("routing", 0.4),
    _spec("expert_compute", 0.4, 1.0, architecture=0.2),
    _spec("layer_floor", 0.3, lineage=0.2),
    _spec("expert_floor", 0.8, release=0.3),
    _spec("micro_floor", 0.4, framework=0.3),
    _spec("optimiser", 0.4),
    _spec("link_share", 0.2, 1.0),
    _spec("tensor_exposed", 0.3, 1.0, lineage=0.2),
    _spec("context_exposed", 0.5, 1.0),
    _spec("expert_exposed", 0.5, 1.0),
    _spec("data_exposed", 0.6, 1.0, lineage=0.3),
    _spec("imbalance", 0.3, 1.0),
    _spec("bubble", 0.2),
    _spec("scaling", 0.7),
    _spec("unpack", 0.7, method=0.1),
    _spec("pace", 0.0, device=0.03, framework=0.2, release=0.08, source=0.12),
)

TRAINING = Training()
