"""Answers as documents: the JSON that every face gives, units in the keys.

The dataclasses here are the published types: their JSON Schemas are generated from them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ridgewise.advise import Answer, Finding, Option
from ridgewise.advise.rank import once
from ridgewise.economics.cost import sold, worst
from ridgewise.hardware import Device
from ridgewise.serving.estimate import inverse
from ridgewise.serving.setup import TIERS as SUPPORTED
from ridgewise.timing.coefficients import Band
from ridgewise.units.shown import Shown

SCHEMA_VERSION = 1
Tier = Literal["measured", "interpolated", "transferred", "datasheet", "assumed"]
TIERS: tuple[Tier, ...] = ("measured", "interpolated", "transferred", "datasheet", "assumed")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 80 % interval, how well it is supported, and what it rests on."""

    value: float
    low: float
    high: float
    tier: Tier
    basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How the model is laid out: tensor-parallel × pipeline (or layer split) × replicas, and how
    training shares its states over them."""

    tp: int
    pp: int
    replicas: int
    sharding: str = ""


@dataclass(frozen=True, slots=True)
class OptionDocument:
    """One ranked option."""

    rank: int
    name: str
    device: str
    device_class: str
    count: int
    bought: int
    configuration_memory_bytes: float | None
    engine: str
    format: str
    kv_bits: float | None
    layout: Layout
    feasible: bool
    shortfalls: tuple[str, ...]
    memory_bytes: Estimate
    memory_parts_bytes: dict[str, float]
    memory_usable_bytes: float
    memory_least_bytes: float | None
    memory_left_bytes: float
    context_limit_tokens: float | None
    batch_limit_requests: float | None
    concurrency_requests: float | None
    ttft_s: Estimate | None
    tpot_s: Estimate | None
    decode_tokens_per_s: Estimate | None
    total_tokens_per_s: Estimate | None
    run_s: Estimate | None
    train_tokens_per_s: Estimate | None
    mfu: float | None
    board_power_w: float | None
    power_w: Estimate | None
    energy_j_per_token: Estimate | None
    purchase_usd: Estimate | None
    rent_usd_per_h: Estimate | None
    price_date: str
    price_stale: bool
    tenure: Literal["own", "rent"]
    cost_usd_per_month: float | None
    cost_usd_run: float | None
    bound: str
    prefill_bound: str | None
    arithmetic_intensity_flop_per_byte: float | None
    ridge_point_flop_per_byte: float | None
    tier: Tier
    score: float


@dataclass(frozen=True, slots=True)
class MeasureDocument:
    """The number that triggers a finding, and what it is held against."""

    what: str
    value: float
    limit: float
    unit: str


@dataclass(frozen=True, slots=True)
class FindingDocument:
    """A mistake caught: ``change`` are keys of a plan file with the values that cure it (null: drop the key)."""

    rule: str
    level: Literal["error", "warning", "note"]
    title: str
    subject: str
    text: str
    number: MeasureDocument | None
    cost: str
    remedy: str
    change: dict[str, str | None]
    saves_usd: float | None


@dataclass(frozen=True, slots=True)
class PlanDocument(Shown):
    """The answer to a planning question."""

    schema_version: int
    command: str
    ridgewise_version: str
    model: str
    parameters_total: int
    parameters_active: int
    goal: str
    workload: dict[str, float | str | None]
    budget_usd: float | None
    max_power_w: float | None
    priority: str
    weights: dict[str, float]
    phase: str
    decides: str
    verdict: str
    feasible: bool
    pick: str | None
    options: tuple[OptionDocument, ...]
    considered: int
    why: tuple[str, ...]
    changes: tuple[str, ...]
    findings: tuple[FindingDocument, ...]
    fixes: tuple[str, ...]
    dropped: tuple[str, ...]
    assumptions: tuple[str, ...]
    ranking: tuple[str, ...]


def plan_document(answer: Answer) -> PlanDocument:
    """An answer as the published document; the options are the shortlist shown to people."""
    from ridgewise import __version__

    question = answer.question
    work = question.workload
    machines = once(answer.options)
    rank = {id(option): place for place, option in enumerate(machines, 1)}
    return PlanDocument(
        schema_version=SCHEMA_VERSION,
        command="plan",
        ridgewise_version=__version__,
        model=question.arch.name,
        parameters_total=question.arch.parameters_total,
        parameters_active=question.arch.parameters_active,
        goal=work.goal,
        workload=_with_units(asdict(work)),
        budget_usd=question.budget,
        max_power_w=question.max_power,
        priority=question.priority,
        weights=asdict(answer.weights),
        phase=answer.verdict.phase,
        decides=answer.verdict.decides,
        verdict=answer.verdict.text,
        feasible=answer.pick is not None,
        pick=answer.pick.name if answer.pick else None,
        options=tuple(option_document(option, rank[id(option)], work) for option in answer.table),
        considered=len(machines),
        why=answer.why,
        changes=answer.changes,
        findings=tuple(finding_document(finding) for finding in answer.findings),
        fixes=answer.fixes,
        dropped=answer.dropped,
        assumptions=answer.assumptions,
        ranking=answer.ranking,
    )


#: Units of the workload's fields, as suffixes of their keys.
SUFFIXES = {
    "prompt": "tokens", "output": "tokens", "context": "tokens", "length": "tokens", "think": "s", "slo_ttft": "s",
    "slo_tpot": "s", "deadline": "s", "concurrency": "requests", "tokens": "total",
}  # fmt: skip


def _with_units(work: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_{SUFFIXES[name]}" if name in SUFFIXES else name: value for name, value in work.items()}


def finding_document(finding: Finding) -> FindingDocument:
    number = finding.number
    return FindingDocument(
        finding.rule, finding.level, finding.title, finding.subject, finding.text,
        MeasureDocument(number.what, number.value, number.limit, number.unit) if number else None,
        finding.cost, finding.remedy, dict(finding.cure.change) if finding.cure else {}, finding.saves,
    )  # fmt: skip


def _around(value: float | None, band: Band, tier: str, basis: tuple[str, ...]) -> Estimate | None:
    """An estimate with its 80 % interval."""
    if value is None or not math.isfinite(value):
        return None
    return Estimate(value, value * band.low, value * band.high, tier, basis)  # type: ignore[arg-type]


def _facts(device: Device, *names: str) -> tuple[str, ...]:
    """Keys of the figures of a device that are known."""
    return tuple(f"{device.id}.{name}" for name in names if name in device.figures)


def option_document(option: Option, rank: int, work: object) -> OptionDocument:
    """One option with intervals, tiers and the facts each number rests on."""
    device, speed, run, cost, draw = option.device, option.speed, option.run, option.cost, option.draw
    tier, decode_basis, prefill_basis = option.tier, _facts(device, "bandwidth"), _facts(device, "bandwidth")
    if speed is not None:
        coefficient = (f"calibration.{speed.key}",)
        decode_basis = _facts(device, "bandwidth", "link_bandwidth") + coefficient
        prefill_basis = _facts(device, f"peak_{speed.peak}", "bandwidth") + coefficient
    price_basis = cost.basis
    memory = option.memory_total
    slack = option.memory_doubt
    return OptionDocument(
        rank=rank,
        name=option.name,
        device=device.id,
        device_class=device.kind,
        count=option.count,
        bought=sold(device, option.count),
        configuration_memory_bytes=option.configuration,
        engine=option.engine,
        format=option.format,
        kv_bits=float(speed.setup.plan.kv_bits) if speed else None,
        layout=Layout(option.tp, option.pp, option.replicas, f"ZeRO-{run.stage}" if run else ""),
        feasible=option.feasible,
        shortfalls=option.shortfalls,
        memory_bytes=Estimate(memory, memory - slack, memory + slack, _memory_tier(option), _facts(device, "memory")),
        memory_parts_bytes=dict(option.memory),
        memory_usable_bytes=option.usable,
        memory_least_bytes=run.memory_least if run and run.memory_least < 0.8 * memory else None,
        memory_left_bytes=option.left,
        context_limit_tokens=option.context_limit,
        batch_limit_requests=option.batch_limit,
        concurrency_requests=speed.concurrency if speed else None,
        ttft_s=_around(speed.ttft, speed.ttft_band, speed.prompt_tier, prefill_basis) if speed else None,
        tpot_s=_around(speed.tpot, speed.tpot_band, tier, decode_basis) if speed else None,
        decode_tokens_per_s=_around(speed.each, inverse(speed.tpot_band), tier, decode_basis) if speed else None,
        total_tokens_per_s=_around(speed.total, speed.total_band, tier, decode_basis) if speed else None,
        run_s=Estimate(run.seconds, run.low, run.high, run.tier, (f"calibration.training.{run.key}",))  # type: ignore[arg-type]
        if run
        else None,
        train_tokens_per_s=_around(
            run.tokens_per_second,
            Band(run.seconds / run.high, run.seconds / run.low),
            run.tier,
            (f"calibration.training.{run.key}",),
        )
        if run
        else None,
        mfu=run.mfu if run else None,
        board_power_w=draw.board if draw else None,
        power_w=Estimate(draw.wall, draw.low, draw.high, SUPPORTED[draw.support], _power_basis(device))  # type: ignore[arg-type]
        if draw
        else None,
        energy_j_per_token=_energy(option),
        purchase_usd=Estimate(cost.buy, cost.buy_low, cost.buy_high, cost.tier, price_basis)  # type: ignore[arg-type]
        if cost.buy is not None and cost.buy_low is not None and cost.buy_high is not None
        else None,
        rent_usd_per_h=Estimate(
            (cost.rent_low + cost.rent_high) / 2, cost.rent_low, cost.rent_high, "datasheet", price_basis
        )
        if cost.rent_low is not None and cost.rent_high is not None
        else None,
        price_date=cost.as_of,
        price_stale=cost.stale,
        tenure="rent" if cost.tenure == "rent" else "own",
        cost_usd_per_month=cost.month if run is None else None,
        cost_usd_run=cost.month if run is not None else None,
        bound=speed.bound if speed else run.bound if run else "",
        prefill_bound=speed.prefill_bound if speed else None,
        arithmetic_intensity_flop_per_byte=speed.intensity if speed else None,
        ridge_point_flop_per_byte=device.ridge("fp16"),
        tier=tier,  # type: ignore[arg-type]
        score=option.score,
    )


def _memory_tier(option: Option) -> Tier:
    """Weights and caches are arithmetic; the engine's share was measured on few set-ups."""
    usable = option.device.figures.get("memory")
    return "assumed" if usable is not None and usable.kind == "assumed" else "transferred"


def _power_basis(device: Device) -> tuple[str, ...]:
    """What watts rest on."""
    return *_facts(device, "board_power", "idle_power"), "calibration.energy"


def _energy(option: Option) -> Estimate | None:
    value = option.joules_per_token
    if value is None or option.draw is None or option.speed is None:
        return None
    rate = option.speed.total_band
    low, high = option.draw.low / option.draw.wall / rate.high, option.draw.high / option.draw.wall / rate.low
    tier = worst(option.speed.tier, SUPPORTED[option.draw.support])
    return Estimate(value, value * low, value * high, tier, _power_basis(option.device))  # type: ignore[arg-type]


def as_json(document: object, **further: object) -> str:
    """One line of JSON; infinities and NaN never appear (they become null). ``further`` documents stand inside the
    first, under their names; None: not asked for."""
    import json

    inside = {name: asdict(other) for name, other in further.items() if other is not None}  # type: ignore[call-overload]
    return json.dumps(_plain(asdict(document) | inside), ensure_ascii=False, allow_nan=False)  # type: ignore[call-overload]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else value


def schema(document: type) -> dict[str, Any]:
    """The JSON Schema of a published document type."""
    from pydantic import TypeAdapter

    made: dict[str, Any] = TypeAdapter(document).json_schema()
    return made
