"""One formula for one answer and for a million: ``f(columns)[i] == f(row i)`` for every public formula.

The list below is complete by test: a public function or property of the core whose annotations carry a unit
must stand in ``CASES`` or, with its reason, in ``EXEMPT``.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ridgewise.engines import load_engines
from ridgewise.hardware import device
from ridgewise.memory import cache_bytes, inference, weight_bytes
from ridgewise.memory.engines import POLICIES
from ridgewise.memory.footprint import fullest, layer_cache, layer_weights
from ridgewise.memory.training import MemoryCoefficients, Sharding, adapter_parameters, bulk, divided, parts, states
from ridgewise.memory.training import training as training_memory
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup, loads, passes
from ridgewise.serving.apart import handed_over
from ridgewise.serving.estimate import (
    GRID,
    at_once,
    decode_seconds,
    fixed_seconds,
    floor_seconds,
    footprint,
    loaded,
    memory_batch,
    prompt_seconds,
    settled,
    step_terms,
    step_time,
    yielded,
)
from ridgewise.serving.limits import capacity, memory_policy
from ridgewise.serving.local import Part, pipelined
from ridgewise.serving.outcome import Load, outcome, ranged
from ridgewise.serving.speculation import accepted
from ridgewise.timing import Efficiency, Rates, step_seconds, terms, total_seconds
from ridgewise.timing.power import asked, board_watts, sustained
from ridgewise.timing.reach import reachable
from ridgewise.timing.roofline import allreduce_seconds, compute_rate, compute_share, overhead_seconds
from ridgewise.training import flops_per_token
from ridgewise.training import step as physics
from ridgewise.training.estimate import demand_of, memory_of, time_of
from ridgewise.training.estimate import step_seconds as training_seconds
from ridgewise.training.layouts import fullest as fullest_stage
from ridgewise.training.layouts import fullness, offloaded, scheduled
from ridgewise.training.planning import floor_seconds as training_floor
from ridgewise.training.planning import job
from ridgewise.units import Num, kinds
from ridgewise.work import Plan, Slice, Step, Work, decode, forward, prefill, training
from ridgewise.work.denoiser import denoise, picture_tokens
from ridgewise.work.forward import attended, cache_traffic, distinct_experts, kv_shards, pointwise
from ridgewise.workloads import Service, SingleUser

ROWS = 24
Row = Mapping[str, Any]
MODELS = ("Llama-3.1-8B", "gpt-oss-20b", "DeepSeek-V3", "google/gemma-3-27b-it", "state-spaces/mamba-2.8b-hf")
ROOMS = ("work", "timing", "memory", "training", "serving")

BF16 = weight_format("bf16")
EFFICIENCY = Efficiency()
#: Every number that may be a column, with a way to draw it.
DRAWN: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "new": lambda r: np.floor(10 ** r.uniform(0, 4.5, ROWS)),
    "cached": lambda r: np.floor(10 ** r.uniform(0, 5, ROWS)) - 1,
    "sequences": lambda r: np.floor(10 ** r.uniform(0, 3, ROWS)),
    "tp": lambda r: 2.0 ** r.integers(0, 4, ROWS),
    "pp": lambda r: 2.0 ** r.integers(0, 3, ROWS),
    "kv_bits": lambda r: r.choice([16.0, 8.0, 8.5, 4.5], ROWS),
    "usable": lambda r: r.uniform(1e9, 3e11, ROWS),
    "shards": lambda r: 2.0 ** r.integers(0, 8, ROWS),
    "micro": lambda r: 2.0 ** r.integers(0, 5, ROWS),
    "rank": lambda r: 2.0 ** r.integers(2, 8, ROWS),
    "batch": lambda r: np.floor(10 ** r.uniform(1, 4, ROWS)),
    "peak": lambda r: 10 ** r.uniform(12, 16, ROWS),
    "bandwidth": lambda r: 10 ** r.uniform(10, 13, ROWS),
    "vector": lambda r: r.choice([0.0, 1e12, 9e13], ROWS),
    "link": lambda r: 10 ** r.uniform(9, 12, ROWS),
    "latency": lambda r: r.uniform(0, 3e-5, ROWS),
    "rows": lambda r: 10 ** r.uniform(0, 5, ROWS),
    "message": lambda r: 10 ** r.uniform(2, 9, ROWS),
}


def mixed(row: Row) -> Step:
    return prefill(row["new"], row["sequences"], row["cached"]) + decode(row["cached"], row["sequences"])


def powered(arch: Architecture, row: Row) -> Num:
    """Watts of a board that decodes and reads prompts."""
    decoding = asked(forward(arch, mixed(row), plan(row)), rates(row))
    effort = sustained(decoding, decoding * 3.0, row["sequences"], row["cached"] + 2, 10.0 * row["tp"], row["pp"])
    costs = {"awake": 0.1 + 0.1 * row["tp"], "moving": 100.0 * row["pp"], "computing": 1.0}
    return board_watts(effort, rates(row), 70.0, 70.0 + row["rows"], costs)


def cut_of(row: Row) -> loads.Packing:
    return loads.packing(row["new"], row["cached"] + 2, row["sequences"], 2048.0)


def load_of(name: str, row: Row) -> Any:
    """A load of as many requests as there are sequences, half of them running."""
    n, i, o = row["sequences"], row["new"], row["cached"] + 2
    steps, manners = loads.Steps(0.01 + 1e-5 * n, 1e-5 * i, 8e-6 * i, 6e-6 * i, 0.01 + 1e-5 * i), loads.Manners()
    if name == "open_loop":
        return loads.open_loop(steps, manners, 0.1 * n, 0.5 * n + 1, n + 1, i, o, 10 * n)
    return getattr(loads, name)(steps, manners, n, (n + 1) / 2, i, o)


def plan(row: Row) -> Plan:
    return Plan(BF16, row["tp"], row["pp"], row["kv_bits"])


def rates(row: Row) -> Rates:
    return Rates(row["peak"], row["bandwidth"], row["vector"], row["link"], row["latency"])


def setup(arch: Architecture, row: Row) -> Setup:
    engine = load_engines()["vllm"]
    card = device("H100 SXM")
    backend = engine.backend(card)
    assert backend is not None
    # Degrees of parallelism choose the coefficients of a deployment: there they are names, not numbers.
    return Setup(arch, card, engine, backend, Plan(BF16, 2.0, 1.0, row["kv_bits"]), 80 * 2.0**30)


def alone(arch: Architecture, row: Row) -> Setup:
    """A single user's engine: its kernels change with the number of tokens."""
    engine, card = load_engines()["llama.cpp"], device("RTX 3090")
    backend = engine.backend(card)
    assert backend is not None
    return Setup(arch, card, engine, backend, Plan(weight_format("q4_k_m")), 24 * 2.0**30)


def whole(work: Mapping[str, Work]) -> dict[str, Any]:
    """Work with its derived figures."""
    return {name: (part, part.bytes, part.intensity) for name, part in work.items()}


def slices(arch: Architecture, row: Row) -> Iterator[Any]:
    piece = Slice("prefill", row["sequences"], row["new"], row["cached"])
    for group in arch.kinds:
        yield attended(group.mixer, piece), cache_traffic(group.mixer, piece, plan(row))
        yield kv_shards(group.mixer, row["tp"])


def policies(arch: Architecture, row: Row) -> Iterator[Any]:
    for rules in POLICIES.values():
        yield [rules.held(group.mixer, row["cached"], row["usable"]) for group in arch.kinds]
        yield (
            rules.buffers(arch, plan(row), row["usable"]),
            rules.context(plan(row)),
            rules.usable(row["usable"], plan(row), 0.5 * row["usable"]),
        )


def counted(arch: Architecture, row: Row) -> Any:
    piece, step = Slice("training", row["sequences"], row["new"], row["cached"]), mixed(row)
    return [
        piece.tokens, piece.logits, piece.pairs(), piece.pairs(128), piece.pairs(128, chunked=True),
        piece.pairs(causal=False), piece.span(), piece.span(128), step.tokens, step.sequences, step.logits,
        training(row["new"], row["sequences"]).logits,
    ]  # fmt: skip


def held_against(foot: Any) -> list[Any]:
    return [foot.parts, foot.total, foot.doubt, foot.left, foot.fits]


def roofed(arch: Architecture, row: Row) -> Any:
    found = terms(forward(arch, mixed(row), plan(row)), rates(row), EFFICIENCY)
    return [[t.compute_seconds, t.memory_seconds, t.seconds] for t in found], total_seconds(found)


def trained(arch: Architecture, row: Row) -> Any:
    rates = physics.supply(device("H100 SXM"))
    assert rates is not None
    grid = {name: row[name] for name in ("tp", "pp", "shards", "micro")}
    found = physics.TrainingCoefficients()
    return [
        training_seconds(arch, rates, 8, found, method, again, row["new"], row["batch"], grid)
        for method in ("full", "lora", "qlora")
        for again in ("none", "full")
    ]


def stepped(arch: Architecture, row: Row) -> Any:
    rates = physics.supply(device("H100 SXM"), "fp8")
    assert rates is not None
    one = 1.0 + 0.0 * row["tp"]
    return [
        physics.step_time(
            physics.demand(arch, row["new"]),
            physics.Layout(
                row["tp"] * row["pp"] * row["shards"], 8.0 * one, row["tp"], row["pp"], one, one, row["shards"], one,
                row["micro"], row["batch"], row["new"], stage, 3.0, 1.0, fused, packed, packed, fused,
            ),
            rates,
            physics.TrainingCoefficients(half_rows=row["rank"]),
        )
        for stage, fused, packed in ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (3.0, 1.0, 1.0))
    ]  # fmt: skip


def planned(arch: Architecture, row: Row) -> Any:
    """Time and memory of layouts that say all their degrees."""
    rates = physics.supply(device("H100 SXM"))
    assert rates is not None
    one = 1.0 + 0.0 * row["tp"]
    grid = {name: row[name] for name in ("tp", "pp", "shards", "micro")}
    grid |= {"stage": one, "repeated": 0.1 * one, "chunks": 2.0 * one, "cp": row["pp"], "ep": row["tp"], "fullest": one}
    grid |= {"schedule": row["pp"] % 3, "offload": row["tp"] % 4, "hot": 1.25 * one}
    need, found = demand_of(arch, row["new"], "lora", row["rank"]), physics.TrainingCoefficients()
    step = time_of(need, arch.layers, rates, 8, found, "lora", row["new"], row["batch"], grid)
    held = memory_of(bulk(arch, "lora", row["rank"]), row["new"], MemoryCoefficients(), grid)
    return need, step, step.compute, step.messages, step.parts, held


def learnt(arch: Architecture, row: Row) -> Any:
    return [
        held_against(
            training_memory(
                arch, method, row["new"], row["micro"], row["usable"], row["shards"], row["tp"], row["pp"], again,
                row["rank"],
            )
        )
        for method in ("full", "lora", "qlora")
        for again in ("none", "full")
    ]  # fmt: skip


def sharded(arch: Architecture, row: Row) -> Any:
    return [
        parts(
            bulk(arch, method, row["rank"]),
            Sharding(
                row["shards"], stage, row["tp"], row["pp"], 2.0, 1.0, 1.0, row["micro"], row["new"], again, fused, 0.0
            ),
            MemoryCoefficients(),
        )
        for method in ("full", "qlora")
        for stage, again, fused in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (2.0, 0.1, 1.0), (3.0, 1.0, 0.0))
    ]


def passed(arch: Architecture, row: Row) -> list[Any]:
    """Jobs of models that do not answer token by token."""
    few, many = row["micro"], row["sequences"]
    paint, hear, turn = (load(name) for name in ("FLUX.1", "openai/whisper-small", "google-t5/t5-small"))
    jobs = [
        passes.embed(setup(arch, row), row["new"], many),
        passes.draw(setup(paint, row), 512 * few, 1024.0, 1.0, few, row["rank"], True),
        passes.transcribe(setup(hear, row), row["new"] + 1, 3.0, few, row["tp"]),
        passes.translate(setup(turn, row), row["new"], row["cached"] + 1, many),
        passes.see(setup(arch, row), turn, row["new"], few, 1e7, row["cached"]),
    ]
    held = [(one.seconds, one.each, one.floor, one.flops, one.alive) for stages in jobs for one in stages]
    return held + [(job.seconds, job.floor, job.alive) for job in (passes.Job(stages, few) for stages in jobs)]


def painted(arch: Architecture, row: Row) -> list[Any]:
    """Pictures of models with joint, crossed and no attention to the text."""
    found = []
    for name in ("FLUX.1", "SDXL", "Wan-AI/Wan2.1-T2V-14B"):
        canvas = load(name).canvas
        assert canvas is not None
        tokens = picture_tokens(canvas, 64 * row["rank"], 64 * row["tp"], 1 + 4 * row["pp"])
        found.append((tokens, whole(denoise(load(name), tokens, row["rank"], row["micro"], BF16))))
    return found


#: Formula by name → what to evaluate on a row or on columns.
CASES: dict[str, Callable[[Architecture, Row], Any]] = {
    "work.step.Slice.tokens": counted,
    "work.step.Slice.logits": counted,
    "work.step.Slice.pairs": counted,
    "work.step.Slice.span": counted,
    "work.step.Step.tokens": counted,
    "work.step.Step.sequences": counted,
    "work.step.Step.logits": counted,
    "work.step.prefill": counted,
    "work.step.decode": counted,
    "work.step.training": counted,
    "work.forward.forward": lambda arch, row: whole(forward(arch, mixed(row), plan(row))),
    "work.forward.Work.bytes": lambda arch, row: whole(forward(arch, mixed(row), plan(row))),
    "work.forward.Work.intensity": lambda arch, row: whole(forward(arch, mixed(row), plan(row))),
    "work.forward.distinct_experts": lambda arch, row: distinct_experts(128, 4, row["new"]),
    "work.forward.attended": lambda arch, row: list(slices(arch, row)),
    "work.forward.cache_traffic": lambda arch, row: list(slices(arch, row)),
    "work.forward.kv_shards": lambda arch, row: list(slices(arch, row)),
    "work.denoiser.denoise": painted,
    "work.denoiser.picture_tokens": painted,
    **dict.fromkeys(
        ("serving.passes.embed", "serving.passes.draw", "serving.passes.transcribe", "serving.passes.translate",
         "serving.passes.see",
         "serving.passes.Stage.each", "serving.passes.Stage.seconds", "serving.passes.Stage.flops",
         "serving.passes.Job.seconds", "serving.passes.Job.floor", "serving.passes.Job.flops",
         "serving.passes.Job.rate", "serving.passes.Job.alive", "serving.passes.widest"),
        passed,
    ),
    **dict.fromkeys(("timing.power.board_draw", "timing.power.board_watts", "timing.power.sustained"), powered),
    "timing.roofline.Term.seconds": roofed,
    "timing.roofline.terms": roofed,
    "timing.roofline.total_seconds": roofed,
    "timing.roofline.compute_share": lambda arch, row: compute_share(row["rows"], EFFICIENCY),
    "timing.roofline.compute_rate": lambda arch, row: compute_rate(row["rows"], rates(row), EFFICIENCY),
    "timing.roofline.overhead_seconds": lambda arch, row: overhead_seconds(row["new"], row["rank"], EFFICIENCY),
    "serving.local.pipelined": lambda arch, row: pipelined(1.0, row["new"], row["pp"], 32.0, 0.7),
    "timing.roofline.allreduce_seconds": lambda arch, row: allreduce_seconds(
        row["message"], row["tp"], rates(row), EFFICIENCY
    ),
    "timing.roofline.step_seconds": lambda arch, row: step_seconds(
        forward(arch, mixed(row), plan(row)), rates(row), EFFICIENCY, arch.layers, 3.0, row["message"], row["tp"]
    ),
    "memory.footprint.weight_bytes": lambda arch, row: weight_bytes(arch, plan(row)),
    "memory.footprint.cache_bytes": lambda arch, row: [
        cache_bytes(arch, plan(row), row["sequences"], row["cached"], rules) for rules in POLICIES.values()
    ],
    "memory.footprint.fullest": lambda arch, row: [
        fullest(arch, plan(row), row["sequences"], row["cached"] + 1, rules, row["usable"], True)
        for rules in POLICIES.values()
    ],
    "memory.footprint.layer_cache": lambda arch, row: [
        layer_cache(arch, group, plan(row), row["cached"] + 1, POLICIES["vllm"], row["usable"]) for group in arch.kinds
    ],
    "memory.footprint.layer_weights": lambda arch, row: [
        layer_weights(arch, group, replace(plan(row), format=weight_format("mxfp4")), POLICIES["vllm"])
        for group in arch.kinds
    ],
    "memory.footprint.inference": lambda arch, row: [
        held_against(inference(arch, plan(row), row["sequences"], row["cached"], rules, row["usable"]))
        for rules in POLICIES.values()
    ],
    "memory.training.adapter_parameters": lambda arch, row: adapter_parameters(arch, row["rank"]),
    "memory.training.states": lambda arch, row: [states(arch, m, row["rank"]) for m in ("full", "lora", "qlora")],
    "memory.training.training": learnt,
    "memory.training.bulk": lambda arch, row: bulk(arch, "lora", row["rank"]),
    "memory.training.parts": sharded,
    "memory.training.divided": lambda arch, row: divided(row["rows"], row["batch"], row["shards"], row["pp"]),
    "training.estimate.flops_per_token": lambda arch, row: [
        flops_per_token(arch, row["new"], m) for m in ("full", "lora", "qlora")
    ],
    "training.estimate.step_seconds": trained,
    "training.layouts.fullest": lambda arch, row: fullest_stage(arch, row["pp"]),
    "training.layouts.fullness": lambda arch, row: fullness(80, row["pp"]),
    "training.layouts.scheduled": lambda arch, row: [scheduled(row["pp"] % 3, n) for n in ("waits", "shown", "copies")],
    "training.layouts.offloaded": lambda arch, row: [offloaded(row["pp"] % 4, place) for place in (0, 1)],
    "training.planning.Job.owned": lambda arch, row: job(
        arch, device("H100 SXM"), "full", 2048.0, 64.0, 6e10
    ).owned(row),
    "training.planning.floor_seconds": lambda arch, row: training_floor(
        arch, device("H100 SXM"), 8, row["batch"], row["new"], "full"
    ),
    "training.step.demand": lambda arch, row: physics.demand(arch, row["new"]),
    "training.step.saturation": lambda arch, row: physics.saturation(row["new"], row["rank"]),
    "training.step.distinct": lambda arch, row: physics.distinct(row["tp"], row["rank"]),
    "training.step.step_time": stepped,
    "training.step.coefficients": lambda arch, row: physics.coefficients({"half_rows": row["rank"]}),
    "serving.estimate.step_time": lambda arch, row: step_time(setup(arch, row), mixed(row)),
    "serving.estimate.fixed_seconds": lambda arch, row: fixed_seconds(setup(arch, row), mixed(row)),
    "serving.estimate.decode_seconds": lambda arch, row: decode_seconds(
        setup(arch, row), row["cached"], row["sequences"]
    ),
    "serving.estimate.loaded": lambda arch, row: [
        np.reshape(getattr(felt, name), np.shape(row["sequences"]))
        for felt in [loaded(setup(arch, row), 700.0, 300.0, row["sequences"])]
        for name in ("ttft", "tpot", "e2e", "output")
    ],
    "serving.estimate.prompt_seconds": lambda arch, row: [
        prompt_seconds(kind(arch, row), row["new"], row["cached"]) for kind in (setup, alone)
    ],
    "serving.estimate.floor_seconds": lambda arch, row: [
        floor_seconds(kind(arch, row), (Part(mixed(row)),)) for kind in (setup, alone)
    ],
    "serving.estimate.memory_batch": lambda arch, row: memory_batch(setup(arch, row), row["cached"] + 1),
    "serving.estimate.yielded": lambda arch, row: [
        yielded(work, row["sequences"], 0.1 + 1e-5 * row["new"], 1e-3 * row["rank"])
        for work in (SingleUser(), Service(1.0))
    ],
    "serving.estimate.settled": lambda arch, row: [
        np.reshape(column, np.shape(row["sequences"]))
        for felt in [loaded(setup(arch, {**row, "kv_bits": 16.0}), 700.0, 300.0, GRID)]
        for column in settled(Service(5000.0), row["sequences"], felt.ttft, felt.tpot, felt.e2e)
    ],
    "serving.outcome.outcome": lambda arch, row: [
        outcome(kind(arch, row), Load(row["new"], 200.0, row["sequences"], 1 / row["rank"], together))
        for kind in (setup, alone) for together in (False, True)
    ],
    "serving.estimate.at_once": lambda arch, row: [
        at_once(kind(arch, row), row["new"], row["rank"], row["sequences"], row["batch"]) for kind in (setup, alone)
    ],
    "serving.outcome.ranged": lambda arch, row: ranged(row["latency"], 0.5, 2.0, row["latency"] * row["micro"] / 8),
    "serving.apart.handed_over": lambda arch, row: handed_over(setup(arch, row), row["new"]),
    "serving.speculation.accepted": lambda arch, row: accepted(1 / row["rank"], row["new"]),
    "serving.limits.capacity": lambda arch, row: capacity(arch, plan(row), row["cached"] + 1, memory_policy("vllm"),
                                                          row["usable"], True),
    "timing.roofline.Rates.scores": lambda arch, row: Rates(row["peak"], row["bandwidth"], wide=row["vector"]).scores,
    "serving.loads.packing": lambda arch, row: cut_of(row),
    "serving.loads.fed": lambda arch, row: loads.fed(row["new"], row["cached"] + 2, 2048.0),
    "serving.loads.parts": lambda arch, row: [
        [step.tokens, step.sequences]
        for step in loads.parts(
            row["new"], row["cached"] + 2, row["sequences"], cut_of(row), row["pp"]
        ).values()
    ],
    "serving.loads.combined": lambda arch, row: loads.combined(
        {"decode": 0.01 + 0 * row["new"], "alone": 1e-5 * row["new"], "joint": 0.01 + 1e-5 * row["new"],
         "packed": 2e-5 * row["new"]}, cut_of(row), row["pp"]
    ),
    "work.forward.pointwise": lambda arch, row: pointwise(arch, mixed(row), plan(row)),
    "work.plan.Plan.each": lambda arch, row: Plan(BF16, row["tp"], attn_dp=row["pp"]).each(row["sequences"]),
    "timing.reach.reachable": lambda arch, row: reachable(1e14 * row["tp"], 300.0, "AMD", 0.2),
    "work.plan.Plan.attn_tp": lambda arch, row: Plan(BF16, row["tp"], attn_dp=row["pp"]).attn_tp,
    "serving.estimate.footprint": lambda arch, row: held_against(
        footprint(setup(arch, row), row["sequences"], row["cached"])
    ),
    "serving.estimate.step_terms": lambda arch, row: [
        [t.compute_seconds, t.memory_seconds] for t in step_terms(setup(arch, row), mixed(row))
    ],
} | {
    f"memory.footprint.Footprint.{name}": lambda arch, row: learnt(arch, row)
    for name in ("total", "doubt", "left")
}  # fmt: skip

for _name in ("estimate.demand_of", "estimate.memory_of", "estimate.time_of", "step.StepTime.compute",
              "step.StepTime.messages", "step.StepTime.parts"):  # fmt: skip
    CASES[f"training.{_name}"] = planned

for _name in ("closed_loop", "static_batch", "burst", "offline", "open_loop"):
    CASES[f"serving.loads.{_name}"] = lambda arch, row, name=_name: load_of(name, row)

#: Every engine's rules go through one case, whatever engines there are.
CASES["memory.engines"] = lambda arch, row: list(policies(arch, row))

#: Public names with units that answer one question at a time, and why.
EXEMPT = {
    "serving.estimate.prompt_parts": "passes to be timed, those that never occur left out; prompt_seconds sums them",
    "serving.local.prompt_steps": "passes to be timed, those that never occur left out; prompt_seconds sums them",
    "serving.apart.apart": "one load on two machines: its queue is solved along a curve of loads",
    "serving.speculation.Draft.gained": "what one draft yields; accepted is the formula",
    "serving.local.pass_seconds": "one pass of one run: which kernels and rates apply depends on its number of tokens",
    "memory.offload.place": "a split counts whole layers of one model on one card",
    "memory.offload.fitting": "a search for the largest split of one card",
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number inside an answer, by where it stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from leaves(item, f"{path}[{place}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield from leaves(getattr(value, one.name), f"{path}.{one.name}")
    else:
        yield path, value


def drawn(seed: int) -> dict[str, np.ndarray]:
    source = np.random.default_rng(seed)
    return {name: draw(source) for name, draw in DRAWN.items()}


@pytest.mark.parametrize("formula", sorted(set(CASES)))
def test_a_column_answers_like_its_rows(formula: str) -> None:
    evaluate = CASES[formula]
    for seed, name in enumerate(MODELS):
        arch, columns = load(name), drawn(seed)
        together = dict(leaves(evaluate(arch, columns)))
        assert together
        for place in range(ROWS):
            row = {key: float(column[place]) for key, column in columns.items()}
            alone = dict(leaves(evaluate(arch, row)))
            assert alone.keys() == together.keys()
            for path, value in alone.items():
                column = np.broadcast_to(together[path], (ROWS,))
                assert float(column[place]) == pytest.approx(float(value), rel=1e-12, abs=0, nan_ok=True), (name, path)
                assert not math.isnan(float(value)), (name, path)


def modules() -> Iterator[str]:
    """Every module of the rooms that hold formulas."""
    for room in ROOMS:
        package = importlib.import_module(f"ridgewise.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"ridgewise.{room}."):
            yield found.name.removeprefix("ridgewise.")


def formulas() -> Iterator[str]:
    """Public functions, methods and properties of the core whose annotations name a unit."""
    aliases = {name for name in vars(kinds) if name[0].isupper() and name not in ("Any", "Annotated", "TYPE_CHECKING")}
    aliases -= {"TypeAlias"}

    def unitful(function: Any) -> bool:
        words = " ".join(str(note) for note in function.__annotations__.values())
        return any(alias in words.replace("|", " ").replace("[", " ").replace("]", " ").replace(",", " ").split()
                   for alias in aliases)  # fmt: skip

    for name in modules():
        module = importlib.import_module(f"ridgewise.{name}")
        for key, found in vars(module).items():
            if key.startswith("_") or getattr(found, "__module__", "") != module.__name__:
                continue
            if inspect.isfunction(found) and found.__name__ == key and unitful(found):
                yield f"{name}.{key}"
            if inspect.isclass(found):
                for member, held in vars(found).items():
                    function = held.fget if isinstance(held, property) else held
                    if not member.startswith("_") and inspect.isfunction(function) and unitful(function):
                        yield f"{name}.{key}.{member}"


def test_no_formula_escapes_the_guard() -> None:
    found = set(formulas())
    assert len(found) > 30
    unguarded = {name for name in found - CASES.keys() - EXEMPT.keys() if not name.startswith("memory.engines.")}
    assert not unguarded, f"add a case (or a reason) for {sorted(unguarded)}"


def test_the_guard_sees_a_formula_that_breaks() -> None:
    """A branch on a column's mean is the classic way to break it; the comparison must notice."""

    def broken(arch: Architecture, row: Row) -> Any:
        return row["new"] * (2.0 if float(np.mean(row["new"])) > 100 else 1.0)

    CASES["broken"] = broken
    try:
        with pytest.raises(AssertionError):
            test_a_column_answers_like_its_rows("broken")
    finally:
        del CASES["broken"]
