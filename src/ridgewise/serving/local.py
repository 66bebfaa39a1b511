"""One user on one machine: which rates a run reaches for, which passes it makes, which coefficients it takes.

The same here for a plan, an explanation and a measured row. What a back end multiplies in is physics: llama.cpp's
quantised products run on INT8 units (MMQ, DP4A) with a scale per 32 values on the vector units, its 16-bit ones
accumulate in 16 bits, which GeForce cards do at twice the listed rate; Metal and Vulkan, and ROCm on RDNA 3
(``ggml_cuda_should_use_mmq``), unpack to 16 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any

import numpy as np

from ridgewise.engines import load_engines
from ridgewise.facts import Figure
from ridgewise.hardware.device import Device
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import Format
from ridgewise.serving.keys import model_class
from ridgewise.serving.rates import CEILING, THROTTLING, UNKNOWN_RIDGE, matrix_to_vector
from ridgewise.timing import Efficiency, Rates, step_seconds
from ridgewise.timing.reach import reachable
from ridgewise.timing.roofline import LINK_LATENCY, UNNAMED_LINK
from ridgewise.units import Num, Seconds, Tokens
from ridgewise.work import Plan, Step, Work, decode, forward, prefill

_NAMES = tuple(field.name for field in fields(Efficiency))
#: Precision whose peak a kind of product is held against.
PRECISIONS = {"integer": "int8", "unpacked": "fp16", "half": "fp16"}
#: Engines that share llama.cpp's kernels: GGUF files, quantised activations, micro-batches, a split by layers.
GGML = ("llama.cpp", "ik_llama.cpp", "ollama", "lm-studio", "koboldcpp", "llamafile")
#: CPU engines that use matrix extensions (AMX) where the processor has them.
MATRIX_CPU = ("autoawq", "openvino-genai", "vllm", "ipex-llm", "sglang", "pytorch", "transformers")
#: Vector operations one 32-value block of an integer product costs (conversion, two products, one sum), as INT8 FLOP
#: per FP32 FLOP: 64 / (2 · 4).
BLOCK_SCALE = 8.0
#: Instructions a multiprocessor issues per FP32 instruction its sheet counts: Turing and GA100 have FP32 lanes for half
#: of what their four schedulers issue (NVIDIA's white papers TU102 and GA100), conversions and integers take the rest.
ISSUED = {"Turing|gddr": 2.0, "Ampere|hbm": 2.0}
#: INT8 over FP32 rate of a processor's vector units: four products per 32-bit lane.
VECTOR_INT8 = 4.0
#: FP32 FLOP per cycle of a core whose vector units no sheet describes: two 256-bit multiply-adds.
CYCLE = 32.0
#: Bandwidth one core draws [B/s]: near the memory of a desktop, and over the mesh of a server, where beyond ``MESH``
#: every core counts. Two Zen 4 cores were measured at 65 GB/s, 16 of Sapphire Rapids at 132 GB/s.
CORE_BANDWIDTH, MESH_CORE_BANDWIDTH, MESH = 40e9, 12e9, 120e9
#: Bandwidth [B/s] taken where a sheet states none, by kind of device: 32 bits of LPDDR4, 32 of LPDDR5,
#: two channels of DDR5.
UNKNOWN_BANDWIDTH = {"npu": 12e9, "sbc": 25e9, "cpu": 80e9}
#: Tokens up to which llama.cpp keeps to integer products where it would unpack larger ones.
FEW_TOKENS = 64
#: Token mixers with scores.
ATTENTION = ("full", "sliding", "chunked", "mla")
#: Tokens from which llama.cpp computes on the card what lies in RAM.
STREAMED = 32
#: First month of llama.cpp builds with CUDA graphs, flash attention and integer products on matrix units.
KERNELS_2024 = 202406
#: Months before this one know neither micro-batches nor pipelines.
KERNELS_2023 = 202402


@dataclass(frozen=True, slots=True)
class Run:
    """One model under one engine on one machine, for one user.

    unit       part of the chip that computes: "gpu", "cpu" or "npu"
    count      devices
    split      "none", "layer" (in turn), "tensor" (together), "experts" (experts in the RAM of ``host``) or "ram"
               (layers there, the share ``lowered`` of all; experts of the others too where split is "experts")
    flash      attention without storing the scores
    ubatch     tokens of a prompt that pass the weights together
    threads    threads of a processor at work; None: one per core
    released   year and month (202406) of the engine's release; None: now
    host       processor whose RAM holds the experts or layers
    lowered    share of the layers in that RAM
    """

    arch: Architecture
    format: Format
    device: Device
    engine: str = "llama.cpp"
    backend: str = ""
    unit: str = "gpu"
    count: int = 1
    split: str = "none"
    flash: bool = True
    kv_bits: Annotated[float, "bits"] = 16.0
    ubatch: Annotated[float, "tokens"] = 512.0
    threads: int | None = None
    released: int | None = None
    host: Device | None = None
    lowered: Annotated[float, "ratio"] = 0.0

    @property
    def block(self) -> str:
        """The calibration block whose coefficients apply."""
        if self.split in ("experts", "ram"):
            return "local-hybrid"
        if self.unit in ("cpu", "npu"):
            return f"local-{self.unit}"
        return "local-gpu" if self.engine in GGML else "local-gpu-other"

    @property
    def plan(self) -> Plan:
        tp = float(self.count) if self.split == "tensor" else 1.0
        return Plan(self.format, tp=tp, kv_bits=self.kv_bits)

    @property
    def early(self) -> bool:
        """An engine from before the kernels of mid-2024."""
        return self.released is not None and self.released < KERNELS_2024


def figure(device: Device, unit: str, name: str) -> float | None:
    """A figure of the part of a device that computes."""
    parts = device.compute_units
    part: Mapping[str, Figure] = parts.get(unit) or (parts.get("igpu", {}) if unit == "gpu" else {})
    if name in part:
        return part[name].number
    own = native_unit(device)
    if unit != own and name.startswith("peak"):
        return None
    return device.number(name)


def native_unit(device: Device) -> str:
    """The part of a device its sheet describes."""
    if device.kind in ("cpu", "sbc"):
        return "cpu"
    return "npu" if device.kind == "npu" else "gpu"


def backend(engine: str, device: Device, unit: str) -> str:
    """How an engine drives a part of a device: the sheet's back end, or the maker's own stack."""
    if unit == "cpu":
        return "cpu"
    if unit == "npu":
        return {"Qualcomm": "qnn-htp", "Rockchip": "rknpu", "Apple": "ane"}.get(device.vendor, "npu")
    sheet = load_engines().get(engine)
    found = sheet.backend(device) if sheet else None
    if found is not None:
        return found.id
    return {"NVIDIA": "cuda", "AMD": "vulkan", "Intel": "vulkan", "Apple": "metal"}.get(device.vendor, "vulkan")


def bandwidth(device: Device, unit: str) -> tuple[float, bool]:
    """Bandwidth of the memory a part computes from [B/s], and whether it was guessed."""
    found = figure(device, unit, "bandwidth") or device.bandwidth
    return (found, False) if found else (UNKNOWN_BANDWIDTH.get(device.kind, 80e9), True)


def drawn(run: Run) -> float:
    """Bandwidth that the cores at work can draw, whatever the memory offers [B/s]."""
    cores = figure(run.device, run.unit, "cores") or np.inf
    busy = min(run.threads or cores, cores)
    most = max(busy * MESH_CORE_BANDWIDTH, MESH) if run.device.kind == "cpu" else np.inf
    return min(most, (run.threads or np.inf) * CORE_BANDWIDTH)


def rates(run: Run, tokens: float = 512.0) -> tuple[Rates, bool]:
    """What one device offers a pass of so many tokens, and whether a figure was guessed."""
    moved, guessed = bandwidth(run.device, run.unit)
    if run.unit == "cpu":
        moved = min(moved, drawn(run))
    peak, wide, vector = peaks(run, tokens)
    if peak is None:
        wide = moved * UNKNOWN_RIDGE / (10.0 if run.unit == "cpu" else 1.0)
        peak, guessed = wide, True
    wide = wide or peak
    link = run.device.number("link_bandwidth") or UNNAMED_LINK
    latency = LINK_LATENCY["fast" if link > 100e9 else "pcie"]
    reach = reached(run, peak) if run.block == "local-gpu" else 1.0
    return Rates(peak, moved, vector or wide / matrix_to_vector(run.device), link, latency, wide, reach), guessed


def reached(run: Run, peak: float) -> float:
    """Share of a graphics chip's peak that its maker's matrix units and the power of its board allow, as for services:
    boards of 300 W and of 450 W with one chip list one peak. Other engines than llama.cpp's kin were measured on too
    few cards to tell, and are predicted no better with it."""
    return float(CEILING * reachable(peak, run.device.number("board_power"), run.device.vendor, THROTTLING))


def quantised(fmt: Format) -> bool:
    """Whether most weights have less than 16 bits."""
    return fmt.bits("down") < 16 or fmt.bits("down", expert=True) < 16


def product(run: Run, tokens: float) -> str:
    """How weights are multiplied: "integer" (8 bits, a scale per block), "unpacked" to 16 bits first, or "half"
    as they are stored. llama.cpp chooses by device and number of tokens (``ggml_cuda_should_use_mmq``)."""
    if not quantised(run.format):
        return "half"
    arch, tensors = run.device.architecture, bool(figure(run.device, run.unit, "peak_fp16"))
    if run.unit == "cpu":
        return "integer"
    if run.engine.startswith("openvino"):
        return "integer" if figure(run.device, run.unit, "peak_int8") else "unpacked"
    if run.engine not in GGML:
        return "unpacked"
    plain = not figure(run.device, run.unit, "peak_int8")  # few tokens are multiplied as they are read all the same
    many = tokens > FEW_TOKENS
    if run.backend == "cuda":
        return "unpacked" if many and (plain or (run.early and tensors)) else "integer"
    if run.backend.startswith(("rocm", "hip")):
        return "unpacked" if many and (plain or "RDNA3" in arch) else "integer"
    return "unpacked"


def peaks(run: Run, tokens: float) -> tuple[float | None, float | None, float | None]:
    """Peaks [FLOP/s] of weight products, of attention, and of the vector units in a run; None: the sheet has none."""
    single, half, whole = (figure(run.device, run.unit, f"peak_{kind}") for kind in ("fp32", "fp16", "int8"))
    half = half or figure(run.device, run.unit, "peak_bf16")
    if run.unit == "cpu":
        return _cpu_peaks(run, single, half, whole)
    if run.unit == "npu":
        return (
            whole or half,
            half or (whole / 2 if whole else None),
            (whole or half or 0.0) / matrix_to_vector(run.device) or None,
        )
    base = half or single
    if base is None:
        return whole, whole, None
    single = single or base / matrix_to_vector(run.device)
    kind, ggml = product(run, tokens), run.engine in GGML
    if kind == "integer" and whole:
        return (block_peak(run.device, whole, half, single) if ggml else whole), base, single
    halved = half is not None and half > single and (run.device.kind == "gpu-consumer" or half < 2.5 * single)
    geforce = run.device.vendor == "NVIDIA" and halved
    if ggml and run.backend == "cuda" and geforce:
        return 2 * base, base, single
    return base, base, single


def block_peak(device: Device, whole: float, half: float | None, single: float) -> float:
    """Peak of integer products with a scale per block [FLOP/s] of a graphics chip.

    Matrix units of their own work while the vector units scale, so the slower of both decides. Dot products on the
    vector units themselves (DP4A of Pascal and RDNA, WMMA of RDNA) take turns with the scales.
    """
    scales = BLOCK_SCALE * single * ISSUED.get(chip(device), 1.0)
    units = device.vendor == "NVIDIA" or "CDNA" in device.architecture
    if units and half is not None and half > single:
        return min(whole, scales)
    return 1 / (1 / min(whole, VECTOR_INT8 * single) + 1 / scales)


def _cpu_peaks(
    run: Run, single: float | None, half: float | None, whole: float | None
) -> tuple[float | None, float | None, float | None]:
    cores, clock = figure(run.device, run.unit, "cores"), figure(run.device, run.unit, "boost_clock")
    if single is None and cores and clock:
        single = cores * clock * CYCLE
    if single is None and whole:
        single = whole / VECTOR_INT8
    if single is None:
        return None, None, None
    fast = (cores or 1) / (2 if run.device.kind == "unified" else 1)  # the efficient half of a chip's cores adds little
    busy = min((run.threads or fast) / fast, 1.0)
    if run.engine in MATRIX_CPU and half and half > 4 * single:
        return busy * half, busy * half, busy * VECTOR_INT8 * single
    wide = min(half, 2 * single) if half else single
    peak = min(whole or VECTOR_INT8 * single, VECTOR_INT8 * single) if quantised(run.format) else wide
    return busy * peak, busy * wide, busy * peak


def era(released: int | None) -> str:
    """Releases of llama.cpp's kind that behave alike; unknown and later ones count as now."""
    if released is None or released >= KERNELS_2024:
        return "now"
    return "2023" if released < KERNELS_2023 else "early"


def streamed(run: Run, tokens: float) -> bool:
    """Whether the card fetches experts that lie in RAM for a pass of so many tokens: llama.cpp from 32 tokens,
    ik_llama.cpp from 32 tokens per expert (its pull request 520), others never."""
    if run.engine not in GGML:
        return False
    if run.split == "ram":
        return tokens >= STREAMED
    feeds = [group.feed for group in run.arch.kinds if group.feed.experts]
    each = max((feed.experts / max(feed.active, 1) for feed in feeds), default=1.0)
    return tokens >= STREAMED * (each if run.engine.startswith("ik") else 1.0)


def fetching_rates(run: Run, given: Rates, tokens: float) -> Rates:
    """What the experts of a hybrid run meet: the card, which fetches their weights over its slot, or the processor."""
    assert run.host is not None
    if streamed(run, tokens):
        slot = run.device.number("host_bandwidth") or run.device.number("link_bandwidth") or UNNAMED_LINK
        return replace(given, bandwidth=slot)
    return rates(replace(run, device=run.host, unit="cpu", backend="cpu", split="none", host=None))[0]


def fetching(coefficients: Mapping[str, Any], card: Any) -> dict[str, Any]:
    """The coefficients of experts in RAM: those of the card where it fetches them (``card``), else the host's."""
    found = dict(coefficients)
    for name in ("compute", "half_rows", "few_rows"):
        found[name] = np.where(card, found[name], found[f"host_{name}"])
    found["weight_read"] = np.where(card, found["slot_read"], found["host_read"])
    overheads = dict.fromkeys(("layer_overhead", "expert_overhead", "step_overhead"), 0.0)  # counted with the rest
    return found | {"expert_read": 1.0, "expert_compute": 1.0} | overheads


def memory_class(device: Device) -> str:
    """What kind of memory a device computes from."""
    kind = device.memory_type.upper()
    if device.kind in ("unified", "cpu", "sbc", "npu"):
        return device.kind
    if kind.startswith("HBM") or (device.kind == "gpu-datacenter" and (device.bandwidth or 0) > 880e9):
        return "hbm"
    return "gddr"


def chip(device: Device) -> str:
    """Chips of one architecture with one kind of memory."""
    return f"{device.architecture or device.id}|{memory_class(device)}"


def number_class(fmt: Format) -> str:
    """The family of kernels a format needs."""
    name = fmt.id
    if name.startswith(("mxfp4", "gguf-mxfp4")):
        return "mxfp4"
    if fmt.default >= 15:
        return "16"
    if name == "w4":
        return "w4"
    if fmt.family != "gguf":
        return f"{'hf' if fmt.family == 'exl' else fmt.family}{round(fmt.default):d}"
    if name.startswith("iq"):
        return name[:3]
    kind = "k" if "_k" in name else "0"
    return f"q{name[1]}{kind}" if name[1:2].isdigit() else name


def keys(run: Run, tokens: float = 512.0) -> dict[str, str]:
    """Level → group of passes of so many tokens: what their calibrated coefficients are looked up by."""
    how = product(run, tokens)
    stack = f"{run.engine}|{run.backend}"
    family = "cuda" if run.backend == "cuda" else run.backend.partition("-")[0]
    silicon = chip(run.device)
    device = run.device.id if run.unit == native_unit(run.device) else f"{run.device.id}/{run.unit}"
    kind = number_class(run.format)
    attention = "flash" if run.flash else "plain"
    ggml = "ggml" if run.engine in GGML else run.engine
    return {
        "engine": run.engine,
        "stack": stack,
        "memory": memory_class(run.device),
        "chip": silicon,
        "driven": f"{stack}|{silicon}",
        "device": device,
        "format": f"{ggml}|{kind}",
        "kernel": f"{ggml}|{family}|{kind}",
        "product": f"{stack}|{how}",
        "silicon": f"{stack}|{silicon}|{how}",
        "class": model_class(run.arch),
        "flash": f"{stack}|{attention}",
        "release": f"{run.engine}|{era(run.released)}",
        "split": f"{run.split}" if run.count > 1 else "",
        "model": run.arch.name,
        "cell": f"{device}|{stack}|{run.arch.name}",
    }


#: Bytes per value of what element-wise kernels read and write in one layer, in 32 bits: two norms, two residual
#: sums, conversions for the products (per hidden value); rotation (per query value); activation (per inner value).
HIDDEN_BYTES, QUERY_BYTES, INNER_BYTES = 24.0, 4.0, 8.0
#: Bytes per score without flash attention: written, read, its softmax written and read.
SCORE_BYTES = 8.0
#: Bytes per weight that is first unpacked to memory in 16 bits, then read.
UNPACKED_BYTES = 4.0


def beside(run: Run, step: Step, tokens: float | None = None) -> dict[str, Work]:
    """What an engine does beside the model's products: kernels of their own, so their time adds.

    Element-wise kernels carry activations through memory; attention without flash attention carries the scores of
    every head; products that want 16 bits have quantised weights unpacked to memory first. ``tokens`` decide how
    products run, where the step is a column of several numbers of them.
    """
    inner = queries = 0.0
    for group in run.arch.kinds:
        always = sum(n for role, n in group.feed.weights.items() if role.endswith("up"))
        inner += group.count * (always + group.feed.active * group.feed.expert.get("up", 0)) / run.arch.hidden
        queries += group.count * group.mixer.heads * max(group.mixer.qk_dim, group.mixer.v_dim)
    each = HIDDEN_BYTES * run.arch.layers * run.arch.hidden + QUERY_BYTES * queries + INNER_BYTES * inner
    found = {"pointwise": Work(activations=step.tokens * each / run.plan.tp)}
    if not run.flash:
        scores: Num = 0.0
        for group in run.arch.kinds:
            for piece in step.slices if group.mixer.kind in ATTENTION else ():
                seen = piece.span(group.mixer.window) / np.maximum(piece.sequences, 1)
                scores = scores + group.count * group.mixer.heads * piece.tokens * seen
        found["scores"] = Work(activations=SCORE_BYTES * scores / run.plan.tp)
    if run.unit == "npu":  # recurrences run token by token, their state through memory each time
        held = sum(g.count * g.mixer.state * g.mixer.state_bits / 8 for g in run.arch.kinds)
        found["scan"] = Work(activations=2 * held * (step.tokens - step.sequences))
    ggml = run.engine in GGML and run.unit == "gpu" and run.backend.startswith(("cuda", "rocm", "hip"))
    if ggml and product(run, float(step.tokens) if tokens is None else tokens) == "unpacked":
        weights = run.arch.parameters_total - run.arch.embedding
        found["unpacking"] = Work(activations=UNPACKED_BYTES * weights / run.plan.tp)
    return found


def turns(run: Run) -> tuple[float, ...]:
    """Numbers of tokens above which a pass runs in another way: other kernels, experts fetched over the slot."""
    if run.host is None:
        return (FEW_TOKENS,)
    fetched = next((n for n in 2.0 ** np.arange(5, 14) if streamed(run, float(n))), np.inf)
    return tuple(sorted({float(FEW_TOKENS), float(fetched) - 1.0}))


def regime(run: Run, sequences: float = 1.0) -> str:
    """How reports and intervals group a run with so many sequences at once."""
    if sequences > 1 and run.unit == "gpu" and run.host is None:
        return "gpu batch"
    if run.count > 1:
        return "several gpus"
    place = "hybrid" if run.split in ("experts", "ram") else run.unit
    return f"{place} {'moe' if run.arch.moe else 'dense'}" if place in ("gpu", "cpu") else place


@dataclass(frozen=True, slots=True)
class Part:
    """``times`` equal engine steps."""

    step: Step
    times: Num = 1.0


def prompt_steps(run: Run, prompt: Tokens, depth: Tokens = 0.0, sequences: float = 1.0) -> tuple[Part, ...]:
    """The micro-batches that read ``sequences`` prompts of so many tokens on top of ``depth`` cached ones: full ones
    at their mean depth (pairs are linear in it), then the rest."""
    size = run.ubatch
    if sequences > 1 and np.all(prompt <= size):
        together = np.clip(np.floor(size / prompt), 1.0, sequences)
        return (Part(prefill(prompt, together, depth), sequences / together),)
    full = np.floor(prompt / size)
    rest = prompt - full * size
    found = (
        Part(prefill(size, 1.0, depth + np.maximum(full - 1, 0.0) * size / 2), sequences * full),
        Part(prefill(np.maximum(rest, 1.0), 1.0, depth + full * size), sequences * np.where(rest > 0, 1.0, 0.0)),
    )
    return tuple(part for part in found if np.any(part.times))


def answer_step(depth: float, output: float, sequences: float = 1.0) -> Part:
    """Decoding ``output`` tokens after ``depth`` cached ones, at the mean context."""
    return Part(decode(depth + output / 2, sequences), max(output, 1.0))


#: Layers per device up to which a device's launch queue (1,024 kernels in CUDA) holds the next micro-batches too.
QUEUED_LAYERS = 8.0


def pipelined(seconds: Seconds, parts: Num, devices: Num, layers: Num, share: Num) -> Seconds:
    """Seconds of ``parts`` micro-batches through devices in turn, against one after the other: at best the
    pipeline's ``(m + g − 1)/(m·g)`` of it. Of that gain a ``share`` (exponent) is reached, and less the more
    layers a device holds, because the host waits once its launch queue is full."""
    gain = parts * devices / (parts + devices - 1)
    return seconds / gain ** (share * np.minimum(1.0, QUEUED_LAYERS * devices / layers))


def pass_seconds(run: Run, step: Step, found: Mapping[str, float], tokens: float | None = None) -> Seconds:
    """Seconds of one engine step with these coefficients: what plans, explanations and validation all use.
    ``tokens`` decide how products run, where the step is a column of several numbers of them."""
    size, arch, plan = float(step.tokens) if tokens is None else tokens, run.arch, run.plan
    given, _ = rates(run, size)
    work, apart = placed(run, {**forward(arch, step, plan), **beside(run, step, size)})
    layers = sum(group.count for group in arch.kinds if group.feed.experts)
    eff = known(found)
    seconds = step_seconds(
        work, given, eff, arch.layers, layers, step.tokens * arch.hidden * 2.0, plan.tp, step.sequences
    )
    if apart:
        theirs = known(fetching(found, streamed(run, size)))
        seconds = seconds + step_seconds(apart, fetching_rates(run, given, size), theirs, 0.0)
    return seconds


def placed(run: Run, work: Mapping[str, Work]) -> tuple[dict[str, Work], dict[str, Work]]:
    """Work of the card, and of what lies in RAM: the experts, or its share of every operator of the layers."""
    if run.host is None:
        return dict(work), {}
    share = {name: run.lowered for name in work if name not in ("embedding", "head", "unpacking", "pointwise")}
    if run.split == "experts" and "experts" in work:
        share["experts"] = 1.0
    card = {name: part * (1.0 - share.get(name, 0.0)) for name, part in work.items()}
    return card, {name: work[name] * part for name, part in share.items() if part}


def known(found: Mapping[str, Any]) -> Efficiency:
    """Those of some coefficients that the step formula reads."""
    return Efficiency(**{name: found[name] for name in _NAMES if name in found})
