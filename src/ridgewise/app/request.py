"""From flags or a plan file to a question: parse, check, say what is wrong. The only place that does."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from ridgewise.advise.limits import check_context, check_decoder
from ridgewise.advise.question import Question
from ridgewise.app.anchors import own_blocks
from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError, nearest
from ridgewise.facts import normal
from ridgewise.hardware import Device
from ridgewise.units import parse
from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser, Workload

Goal = Literal["infer", "train", "finetune", "lora", "qlora"]


def _words(example: str) -> WithJsonSchema:
    """The published form of a quantity: a number, or words with a unit."""
    return WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "examples": [example]}]})


def _in(unit: str) -> BeforeValidator:
    """Accept numbers or words ("2T", "50 ms", "4k") for a quantity held in ``unit``."""

    def convert(value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value, unit)
        except RequestError as error:
            raise ValueError(error.what) from None

    return BeforeValidator(convert)


Tokens = Annotated[float, _in("tokens"), Field(ge=1, le=1e18), _words("2T")]
Lengths = Annotated[float, _in("tokens"), Field(ge=1, le=1e8), _words("8k")]
Seconds = Annotated[float, _in("s"), Field(gt=0, le=3.2e9), _words("500ms")]
Money = Annotated[float, _in("USD"), Field(ge=1, le=1e12), _words("4k")]
Power = Annotated[float, _in("W"), Field(gt=0, le=1e12), _words("1.5 kW")]
People = Annotated[float, _in("1"), Field(ge=1, le=1e9), _words("200")]
Share = Annotated[float, _in("ratio"), Field(gt=0, le=1), _words("25 %")]


#: Where a value came from when not from a file alone.
FLAGS = "flags"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WorkloadTable(_Table):
    """``[workload]``: what is to be done."""

    goal: Goal = Field("infer", description="infer, train, finetune, lora or qlora")
    users: People | None = Field(None, description="people with access; 1 is a single user")
    prompt: Lengths | None = Field(None, description="prompt tokens of a typical request")
    output: Lengths | None = Field(None, description="output tokens of a typical request")
    context: Lengths | None = Field(None, description="longest context memory must hold [tokens]")
    concurrency: People | None = Field(None, description="requests in flight; derived from users when absent")
    active: Share | None = Field(None, description="share of users in a conversation at the busiest time")
    think: Seconds | None = Field(None, description="time between an answer and the next question [s]")
    slo_ttft: Seconds | None = Field(None, description="limit on time to first token [s]")
    slo_tpot: Seconds | None = Field(None, description="limit on time per output token [s]")
    hours: Annotated[float, _in("1"), Field(gt=0, le=24), _words("24")] | None = Field(
        None, description="hours a day the machine is on"
    )
    busy: Share | None = Field(None, description="share of those hours it works")
    tokens: Tokens | None = Field(None, description="training tokens (for fine-tuning: data times epochs)")
    length: Lengths | None = Field(None, description="training sequence length [tokens]")
    batch: Tokens | None = Field(
        None, description="tokens per optimiser step (train) or sequences per step (fine-tuning)"
    )
    rank: Annotated[float, _in("1"), Field(ge=1, le=4096), _words("16")] | None = Field(
        None, description="adapter rank"
    )
    deadline: Seconds | None = Field(None, description="time within which training must end [s]")


class CandidatesTable(_Table):
    """``[candidates]``: what may be used for it."""

    hardware: list[str] = Field(default_factory=list, description="device names; empty: the whole catalogue")
    quant: str | None = Field(None, description="weight format")
    engine: str | None = Field(None, description="inference engine")
    kv_bits: Annotated[float, _in("1"), Field(ge=2, le=32), _words("8")] | None = Field(
        None, description="bits per cached value"
    )


def _workload_defaults() -> WorkloadTable:
    return WorkloadTable.model_validate({})


def _candidate_defaults() -> CandidatesTable:
    return CandidatesTable.model_validate({})


class PlanFile(_Table):
    """A planning question as a file: ``ridgewise plan --file plan.toml``."""

    model: str | None = Field(
        None, min_length=1, description="catalogue name, or path: config.json, folder, GGUF, safetensors"
    )
    priority: Literal["speed", "cost", "energy", "balanced"] = "balanced"
    budget: Money | None = Field(None, description="most to spend on buying [USD]")
    max_power: Power | None = Field(None, description="most the machine may draw at the wall [W]")
    workload: WorkloadTable = Field(default_factory=_workload_defaults)
    candidates: CandidatesTable = Field(default_factory=_candidate_defaults)
    prices: dict[str, Annotated[float, _in("USD"), Field(ge=0, le=1e12), _words("1500")]] = Field(
        default_factory=dict, description="your own price per device [USD], by device name; 0: you own it"
    )
    host_price: Annotated[float, _in("USD"), Field(ge=0, le=1e9), _words("1500")] | None = Field(
        None, description="price of the computer around boards [USD]; 0 when you own one"
    )
    country: str | None = Field(None, min_length=1, description="country of the electricity: DE, France, US/Texas")
    horizon: str | None = Field(
        None, min_length=1, description="time over which ways to pay are compared: 3y, 18months"
    )
    tariff: Annotated[float, _in("USD"), Field(ge=0, le=100), _words("0.25")] | None = Field(
        None, description="electricity price [USD/kWh]"
    )


def _explain(error: ValidationError, where: str, known: list[str]) -> RequestError:
    """The first problem of a pydantic report as one line with place and nearest valid choice."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return RequestError(f"unknown key {place!r}", where, nearest(str(first["loc"][-1]), known))
    if where == FLAGS:
        loc = first["loc"]
        where = _flag(str(loc[-1] if loc[0] in ("workload", "candidates") else loc[0]))
    else:
        where = f"{where}: {place}"
    if first["type"] == "literal_error":
        choices = tuple(c.strip(" '") for c in first["ctx"]["expected"].replace(" or ", ", ").split(","))
        return RequestError(f"{first['input']!r} is not one of them", where, choices)
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (given: {given})" if isinstance(given, int | float | str) and str(given) not in message else ""
    return RequestError(f"{message[0].lower()}{message[1:]}{shown}", where)


def check(data: Mapping[str, Any], where: str) -> PlanFile:
    """A validated plan from plain data; RequestError names the field."""
    known = [*PlanFile.model_fields, *WorkloadTable.model_fields, *CandidatesTable.model_fields]
    try:
        return PlanFile.model_validate(dict(data))
    except ValidationError as error:
        raise _explain(error, where, known) from None


def read_plan_file(path: Path) -> dict[str, Any]:
    """The raw content of a TOML plan file, bounded to 1 MiB."""
    from ridgewise.facts.catalog import read_toml

    return read_toml(path, limit=1 << 20)


def from_flags(file: Path | None, flags: Mapping[str, Any]) -> PlanFile:
    """Flags over the plan file over the defaults."""
    data = read_plan_file(file) if file else {}
    merged: dict[str, Any] = {**data}
    for table in ("workload", "candidates", "prices"):
        value = data.get(table, {})
        if not isinstance(value, dict):
            raise RequestError(f"{table} must be a table", str(file))
        merged[table] = dict(value)
    for name, value in flags.items():
        if value is None or value == [] or value == ():
            continue
        if name in WorkloadTable.model_fields:
            merged["workload"][name] = value
        elif name in CandidatesTable.model_fields:
            merged["candidates"][name] = value
        else:
            merged[name] = value
    return check(merged, str(file) if file and not flags else FLAGS)


_INFERENCE_ONLY = (
    "users",
    "prompt",
    "output",
    "context",
    "concurrency",
    "active",
    "think",
    "slo_ttft",
    "slo_tpot",
    "hours",
    "busy",
)
_TRAINING_ONLY = ("tokens", "length", "batch", "deadline")


def _flag(name: str) -> str:
    """The flag of a plan-file key."""
    name = {"prices": "price"}.get(name, name)
    return "--" + name.replace("_", "-")


def workload(table: WorkloadTable) -> Workload:
    """One of the four workloads; conflicting flags are refused, not ignored."""
    training = table.goal != "infer"
    foreign = _INFERENCE_ONLY if training else (*_TRAINING_ONLY, "rank")
    given = [name for name in foreign if getattr(table, name) is not None]
    if given:
        kind = "training" if training else "inference"
        other = "--goal infer" if training else "--goal train"
        raise RequestError(f"{_flag(given[0])} means nothing for {kind} (--goal {table.goal})", FLAGS, (other,))
    if table.goal == "train" and table.rank is not None:
        raise RequestError("--rank needs adapters", FLAGS, ("--goal lora", "--goal qlora"))
    chosen = {n: getattr(table, n) for n in (*_INFERENCE_ONLY, *_TRAINING_ONLY, "rank")}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if table.goal == "train":
        if "tokens" not in chosen:
            raise RequestError("training needs --tokens, the tokens to train on", FLAGS, ("--tokens 2T",))
        return Pretraining(**chosen)
    if table.goal in ("finetune", "lora", "qlora"):
        method: Literal["full", "lora", "qlora"] = "full" if table.goal == "finetune" else table.goal
        return FineTuning(method=method, **chosen)
    if table.users is None and table.concurrency is not None and table.concurrency > 1:
        chosen["users"] = table.concurrency
    _consistent(table)
    users = chosen.pop("users", 1.0)
    renamed = {"active": "active_share", "hours": "hours_per_day"}
    chosen = {renamed.get(name, name): value for name, value in chosen.items()}
    need = chosen.get("prompt", 1024.0) + chosen.get("output", 512.0)
    if "context" in chosen and chosen["context"] < need:
        raise RequestError(
            f"--context {chosen['context']:.0f} is shorter than one request (prompt + output = {need:.0f})", FLAGS
        )
    chosen.setdefault("context", max(8192.0, need))
    if users == 1 and chosen.get("concurrency", 1.0) == 1:
        for name in ("concurrency", "active_share", "think"):
            chosen.pop(name, None)
        return SingleUser(**chosen)
    return Service(users=users, **chosen)


def _consistent(table: WorkloadTable) -> None:
    """Loads that contradict each other, and latencies without a unit, are refused."""
    if table.concurrency is not None and table.users is not None and table.concurrency > table.users:
        raise RequestError(
            f"{table.concurrency:.0f} requests in flight from {table.users:.0f} users", "--concurrency", ("--users",)
        )
    for name in ("active", "think"):
        if table.concurrency is not None and getattr(table, name) is not None:
            raise RequestError(f"{_flag(name)} means nothing beside --concurrency", FLAGS, ("--users",))
    for name, most in (("slo_ttft", 120.0), ("slo_tpot", 10.0)):
        limit = getattr(table, name)
        if limit is not None and limit > most:
            text = f"{limit:g}"
            raise RequestError(f"{text} seconds is no limit anybody feels", _flag(name), (f"{_flag(name)} {text}ms",))


def question(plan: PlanFile) -> Question:
    """The question with its names resolved: model, devices, format, engine, own prices."""
    from ridgewise.engines import engine
    from ridgewise.models.formats import load_formats, weight_format
    from ridgewise.models.read import load_model

    if not plan.model:
        raise RequestError("no model given", "plan", ("ridgewise plan meta-llama/Llama-3.1-8B-Instruct",))
    table = plan.candidates
    model = load_model(plan.model, own("models"))
    arch = model.arch
    check_decoder(arch)
    work = workload(plan.workload)
    if isinstance(work, SingleUser | Service):
        check_context(arch, work.prompt + work.output, "--prompt", "prompt and output")
        if plan.workload.context is not None:
            check_context(arch, work.context)
        elif arch.max_context:
            work = replace(work, context=min(work.context, float(arch.max_context)))
    fmt = weight_format(table.quant) if table.quant else model.format
    runner = engine(table.engine) if table.engine else None
    if runner is not None and table.engine and "/" in table.engine:
        raise RequestError("a plan chooses the back end of each device", "--engine", (runner.id,))
    if fmt is not None and runner is not None and fmt.family not in runner.families:
        readable = tuple(f.id for f in load_formats().values() if f.family in runner.families)
        raise RequestError(f"{runner.name} does not read {fmt.name}", "--quant", readable[:6])
    named = [_device(name) for name in table.hardware]
    return Question(
        arch=arch,
        workload=work,
        priority=plan.priority,
        budget=plan.budget,
        max_power=plan.max_power,
        hardware=tuple(dict.fromkeys(named)),
        format=fmt,
        engine=runner.id if runner else None,
        kv_bits=table.kv_bits or 16.0,
        tariff=plan.tariff,
        host_price=plan.host_price,
        resolved=tuple(
            f"{name!r} taken for {found.name}"
            for name, found in zip(table.hardware, named, strict=True)
            if normal(name) not in (found.id, normal(found.name))
        ),
        prices={_device(name).id: price for name, price in plan.prices.items()},
        blocks=own_blocks(),
    )


def _device(name: str) -> Device:
    from ridgewise.hardware.sheets import device

    return device(name, "--hardware", own("hardware"))


def write_plan_file(plan: PlanFile, path: Path) -> None:
    """Save a plan as TOML: whole or not at all."""
    data = plan.model_dump(exclude_none=True, exclude_defaults=True)
    text = "# A Ridgewise plan: ridgewise plan --file FILE\n" + _toml(data)
    tomllib.loads(text)
    write_whole(path, text)


def _toml(data: Mapping[str, Any]) -> str:
    """Plain values first, tables after."""
    lines = [f"{_key(k)} = {_value(v)}" for k, v in data.items() if not isinstance(v, dict)]
    for name, table in data.items():
        if isinstance(table, dict) and table:
            lines += ["", f"[{_key(name)}]", *(f"{_key(k)} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    import json

    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def plan_schema() -> dict[str, Any]:
    """The published JSON Schema of a plan file."""
    return PlanFile.model_json_schema()
