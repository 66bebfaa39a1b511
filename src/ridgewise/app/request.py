"""From flags or a plan file to a question: parse, check, say what is wrong. The only place that does."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
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
#: A number and the code of a currency without a space between; signs of currencies.
_CURRENCY = re.compile(r"([\dkKM.])([A-Z]{3})$")
SIGNS = {"€": "EUR", "£": "GBP", "¥": "JPY"}


def _dollars(value: Any) -> Any:
    """Dollars, or a sum in another currency ("2000 EUR") at the catalogue's rate."""
    from ridgewise.app.costing import amount

    if value is None:
        return None
    try:
        if not isinstance(value, str):
            return parse(value, "USD")
        words = _CURRENCY.sub(r"\1 \2", value.strip())
        for sign, currency in SIGNS.items():
            if sign in words:
                words = f"{words.replace(sign, '').strip()} {currency}"
        return amount(words, "")[0]
    except RequestError as error:
        raise ValueError(error.what) from None


def _cached_bits(value: Any) -> Any:
    """Bits of a cached value: as many, parts of one aside, as some engine has a type for."""
    from ridgewise.engines import load_engines
    from ridgewise.memory.engines import policy

    try:
        bits = parse(value, "1")
    except RequestError as error:
        raise ValueError(error.what) from None
    offered = {width for engine in load_engines().values() for width in policy(engine.memory).caches.values()}
    usual = sorted({width for width in offered if width >= LEAST_BITS}, reverse=True)
    if not any(bits in (width, math.floor(width)) for width in usual):
        raise ValueError(f"no cache type of {bits:g} bits: {', '.join(f'{width:g}' for width in usual)}")
    return bits


#: Types of fewer bits are ExLlama's alone, which plans do not take unasked.
LEAST_BITS = 4.0
Money = Annotated[float, BeforeValidator(_dollars), Field(ge=1, le=1e12), _words("4k")]
Price = Annotated[float, BeforeValidator(_dollars), Field(ge=0, le=1e12), _words("1500")]
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
    availability: Share | None = Field(None, description="share of the time in which it must answer: 99.9 %")
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

    hardware: list[str] = Field(
        default_factory=list,
        description="device names, with a number (2x RTX 3090) or a memory (M4 Pro 48GB) if wanted; empty: all",
    )
    quant: str | None = Field(None, description="weight format")
    engine: str | None = Field(None, description="inference engine")
    kv_bits: Annotated[float, BeforeValidator(_cached_bits), _words("8")] | None = Field(
        None, description="bits per cached value"
    )
    peak: Annotated[float, _in("FLOP/s"), Field(ge=1e9, le=1e18), _words("989 TFLOP/s")] | None = Field(
        None, description="FLOP/s per device you reckon with, checked against the datasheet"
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
    prices: dict[str, Price] = Field(
        default_factory=dict, description="your own price per device [USD], by device name; 0: you own it"
    )
    host_price: Annotated[float, _in("USD"), Field(ge=0, le=1e9), _words("1500")] | None = Field(
        None, description="price of the computer around boards [USD]; 0 when you own one"
    )
    ignore: list[str] = Field(default_factory=list, description="ids of rules that say nothing (check --rules)")
    weights: dict[str, Annotated[float, _in("1"), Field(ge=0, le=100), _words("2")]] = Field(
        default_factory=dict, description="points per doubling: speed, cost, energy, headroom, stability"
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
        where = flag_of(str(loc[-1] if loc[0] in ("workload", "candidates") else loc[0]))
    else:
        where = f"{where}: {place}"
    if first["type"] == "literal_error":
        choices = tuple(c.strip(" '") for c in first["ctx"]["expected"].replace(" or ", ", ").split(","))
        return RequestError(f"{first['input']!r} is not one of them", where, choices)
    message = first["msg"].removeprefix("Value error, ").replace("Input should be a valid", "must be a")
    message = message.replace("Input should be", "must be")
    if first["type"] == "list_type":
        return RequestError(f"must be a list (given: {first['input']})", where, (f'["{first["input"]}"]',))
    given = first.get("input")
    shown = f" (given: {given})" if isinstance(given, int | float | str) and str(given) not in message else ""
    return RequestError(f"{message[0].lower()}{message[1:]}{shown}", where)


def check(data: Mapping[str, Any], where: str, given: Iterable[str] = ()) -> PlanFile:
    """A validated plan from plain data; RequestError names the field: of the file ``where``, or the flag where its
    name is among those ``given``."""
    known = [*PlanFile.model_fields, *WorkloadTable.model_fields, *CandidatesTable.model_fields]
    try:
        return PlanFile.model_validate(dict(data))
    except ValidationError as error:
        names = {str(part) for part in error.errors()[0]["loc"]}
        raise _explain(error, FLAGS if names & set(given) else where, known) from None


def read_plan_file(path: Path) -> dict[str, Any]:
    """The raw content of a TOML plan file, bounded to 1 MiB."""
    from ridgewise.facts.catalog import read_toml

    return read_toml(path, limit=1 << 20)


def from_flags(file: Path | None, flags: Mapping[str, Any]) -> PlanFile:
    """Flags over the plan file over the defaults."""
    data = read_plan_file(file) if file else {}
    merged: dict[str, Any] = {**data}
    for table in ("workload", "candidates", "prices", "weights"):
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
    return check(merged, str(file) if file else FLAGS, flags)


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
    "availability",
)
_TRAINING_ONLY = ("tokens", "length", "batch", "deadline")


def flag_of(name: str) -> str:
    """The flag of a plan-file key."""
    name = {"prices": "price", "weights": "weight"}.get(name, name)
    return "--" + name.replace("_", "-")


def foreign(goal: str) -> tuple[str, ...]:
    """Keys of the workload that mean nothing for a goal."""
    return (*_TRAINING_ONLY, "rank") if goal == "infer" else _INFERENCE_ONLY


def workload(table: WorkloadTable) -> Workload:
    """One of the four workloads; conflicting flags are refused, not ignored."""
    training = table.goal != "infer"
    given = [name for name in foreign(table.goal) if getattr(table, name) is not None]
    if given:
        kind = "training" if training else "inference"
        other = "--goal infer" if training else "--goal train"
        raise RequestError(f"{flag_of(given[0])} means nothing for {kind} (--goal {table.goal})", FLAGS, (other,))
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
    chosen.pop("availability", None)
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
            raise RequestError(f"{flag_of(name)} means nothing beside --concurrency", FLAGS, ("--users",))
    for name, most in (("slo_ttft", 120.0), ("slo_tpot", 10.0)):
        limit = getattr(table, name)
        if limit is not None and limit > most:
            flag = flag_of(name)
            raise RequestError(f"{limit:g} seconds is no limit anybody feels", flag, (f"{flag} {limit:g}ms",))


def question(plan: PlanFile, *, lenient: bool = False) -> Question:
    """The question with its names resolved: model, devices, format, engine, own prices. ``lenient``: contexts the model
    was not made for are a finding, not an error."""
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
            if not lenient:
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
    ideas = [named(name, "--hardware") for name in table.hardware]
    return Question(
        arch=arch,
        workload=work,
        priority=plan.priority,
        budget=plan.budget,
        max_power=plan.max_power,
        hardware=tuple(dict.fromkeys(idea.device for idea in ideas)),
        format=fmt,
        engine=runner.id if runner else None,
        kv_bits=table.kv_bits or 16.0,
        tariff=plan.tariff,
        host_price=plan.host_price,
        resolved=tuple(
            f"{idea.given!r} taken for {idea.device.name}"
            for idea in ideas
            if normal(idea.given) not in (idea.device.id, normal(idea.device.name))
        ),
        prices={_device(name).id: price for name, price in plan.prices.items()},
        blocks=own_blocks(),
        counts={idea.device.id: idea.count for idea in ideas if idea.count},
        memories={idea.device.id: idea.memory for idea in ideas if idea.memory},
        weighing=_weighing(plan.weights),
        availability=plan.workload.availability,
        quoted=table.peak,
    )


def _weighing(given: Mapping[str, float]) -> dict[str, float]:
    """The user's own weights; RequestError names the nearest where one is none."""
    from ridgewise.advise.rank import Weights

    known = tuple(Weights.__dataclass_fields__)
    for name in given:
        if name not in known:
            raise RequestError(f"no weight {name!r}", "--weight", nearest(name, known) or known)
    return dict(given)


@dataclass(frozen=True, slots=True)
class Named:
    """Hardware as it was named: ``given`` the device's part of it, how many (0: not said), with which memory [B]."""

    given: str
    device: Device
    count: int = 0
    memory: float | None = None


_TIMES = re.compile(r"^\s*(\d{1,5})\s*[x×*]\s*(?=\S)", re.I)
_WITH = re.compile(r"^(.*\S)[\s,]+(\d{1,5})\s*(?:GB|GiB)\s*$", re.I)


def named(text: str, where: str) -> Named:
    """A device as people write it: ``RTX 3090``, ``2x RTX 3090``, ``RTX 3060 12 GB``, ``M4 Pro 48GB``.

    A name of the catalogue is taken whole first. RequestError with the nearest names where none is meant.
    """
    try:
        return Named(text, _device(text, where))
    except RequestError as error:
        first = error
    times = _TIMES.match(text)
    plain = text[times.end() :] if times else text
    count = int(times[1]) if times else 0
    if times and not count:
        raise RequestError(f"{text!r}: 0 devices are none", where)
    with_memory = _WITH.match(plain)
    with suppress(RequestError):
        return Named(plain, _device(plain, where), count)
    if with_memory is None:
        if times is None:
            raise first
        return Named(plain, _device(plain, where), count)
    found = _device(with_memory[1], where)
    wanted = float(with_memory[2]) * 2.0**30
    sizes = found.memory_options or ((found.memory,) if found.memory else ())
    if not any(abs(wanted / size - 1) < 0.02 for size in sizes):
        able = tuple(f"{found.id} {size / 2**30:.0f}GB" for size in sizes)
        raise RequestError(f"{found.name} is not sold with {with_memory[2]} GB", where, able[:6])
    return Named(with_memory[1], found, count, wanted if found.memory_options else None)


def _device(name: str, where: str = "--hardware") -> Device:
    from ridgewise.hardware.sheets import device

    return device(name, where, own("hardware"))


def plan_text(plan: PlanFile) -> str:
    """A plan as TOML."""
    data = plan.model_dump(exclude_none=True, exclude_defaults=True)
    text = "# A Ridgewise plan: ridgewise plan --file FILE\n" + _toml(data)
    tomllib.loads(text)
    return text


def write_plan_file(plan: PlanFile, path: Path) -> None:
    """Save a plan as TOML: whole or not at all."""
    write_whole(path, plan_text(plan))


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
