"""What can be asked over HTTP: the commands, their options read from the command line itself.

An option's help, bounds and default have one home, the command's own file; this turns them into a model that checks a
query string or a JSON body. Options that name files are left out, so nothing of the server can be reached by them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, create_model

from ridgewise.errors import RequestError, nearest

#: Longest text of an option, and most entries of one that repeats.
LONGEST, ENTRIES = 400, 64
#: Options of the terminal that mean nothing here.
TERMINAL = ("json", "markdown", "export", "form", "rules", "out", "have")
#: Options that the terminal calls otherwise, since it takes a file there as well.
RENAMED = {"idea": "model", "plan": "model"}
#: Options that hold the name of a model.
MODELS = ("model", "draft")
#: Most requests of a simulation.
REQUESTS = 20_000

Flags = dict[str, Any]


def _words(value: Any) -> Any:
    """Numbers of a JSON body as the command line would be given them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return repr(value)


Text = Annotated[
    str, BeforeValidator(_words), Field(max_length=LONGEST), WithJsonSchema({"type": ["string", "number"]})
]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST)]


def _entries(value: Any) -> Any:
    """One entry where several may stand."""
    return [value] if isinstance(value, str) else value


class Asked(BaseModel):
    """A question as it came in; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    def flags(self) -> Flags:
        """The options that were given, and the usual values of those with one."""
        usual = {name: about.default for name, about in type(self).model_fields.items()}
        unsaid: tuple[Any, ...] = (None, [], "")
        return {n: v for n, v in self if v not in unsaid and not (v is False and usual[n] is False)}


@dataclass(frozen=True, slots=True)
class Question:
    """A command that can be asked: what it is called, how it answers, and an example.

    quick   answered in milliseconds, so that it need not wait behind what takes longer
    """

    name: str
    answer: Callable[[Flags], tuple[Any, Mapping[str, Any]]]
    example: Flags
    documents: tuple[str, ...]
    quick: bool = False

    @property
    def asked(self) -> type[Asked]:
        """The model of its options."""
        return asked(self.name)

    @property
    def about(self) -> str:
        """What it answers, in the words of the command."""
        return (_command(self.name).__doc__ or "").strip()

    def document_types(self) -> list[Any]:
        """The published types of its answer."""
        return [getattr(import_module(home), kind) for home, _, kind in (d.rpartition(":") for d in self.documents)]


def _command(name: str) -> Callable[..., int]:
    found: Callable[..., int] = getattr(import_module(f"ridgewise.app.commands.{name}"), name)
    return found


@cache
def asked(name: str) -> type[Asked]:
    """The options of a command as a model."""
    command = _command(name)
    hints = get_type_hints(command, include_extras=True)
    defaults = command.__defaults__ or ()
    names = command.__code__.co_varnames[: command.__code__.co_argcount]
    usual = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    fields: dict[str, Any] = {}
    for option in names:
        called = RENAMED.get(option, option.rstrip("_"))
        made = _field(called, hints[option], usual.get(option, ...))
        if made is not None and called not in TERMINAL:
            fields[called] = made
    return create_model(f"{name.capitalize()}Question", __base__=Asked, **fields)


def _field(name: str, hint: Any, default: Any) -> tuple[Any, Any] | None:
    """Type and default of one option; None for one that names a file."""
    kind, told = (get_args(hint)[0], get_args(hint)[1]) if get_origin(hint) is Annotated else (hint, None)
    kinds = [part for part in get_args(kind) if part is not NoneType] if _optional(kind) else [kind]
    if any(part is Path or Path in get_args(part) for part in kinds):
        return None
    about = {"description": getattr(told, "help", None), "ge": getattr(told, "min", None),
             "le": getattr(told, "max", None)}  # fmt: skip
    given = {key: value for key, value in about.items() if value is not None}
    if name == "model":
        given["description"], default = "catalogue name or alias, or upload:ID", ...
    one = kinds[0]
    if get_origin(one) is list:
        many = Annotated[list[Name], BeforeValidator(_entries), Field(max_length=ENTRIES)]
        return many, Field(default_factory=list, description=given.get("description"))
    if one is str:
        one = Name if name in (*MODELS, "hardware") else Text
        given = {key: value for key, value in given.items() if key == "description"}
    return (one | None if default is None else one), Field(default, **given)


def _optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, type(int | None)) and NoneType in get_args(kind)


def checked(question: Question, given: Mapping[str, Any]) -> Asked:
    """The question behind plain data; RequestError names the option at fault and the nearest there is."""
    try:
        return question.asked.model_validate(dict(given))
    except ValidationError as error:
        raise refused(error.errors(), question) from None


def refused(errors: Any, question: Question | None) -> RequestError:
    """The first thing wrong with a request, in the words of the command line."""
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    if first["type"] == "json_invalid":
        return RequestError(f"no JSON: {first.get('ctx', {}).get('error', 'cannot be read')}", "body")
    places = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    place = places[0] if places else "request"
    known = tuple(question.asked.model_fields) if question else ()
    if first["type"] == "extra_forbidden":
        return RequestError(f"unknown option {place!r}", question.name if question else "", nearest(place, known))
    message = str(first["msg"]).removeprefix("Value error, ")
    return RequestError(message[:1].lower() + message[1:], place)


def _plan(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.planning import named, planned

    made = named(flags)
    found = planned(made, top=made.pop("top", None))
    further = {"cost": found.money, "insight": found.insight}
    return found.document, {name: one for name, one in further.items() if one is not None}


def _check(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.checking import checked
    from ridgewise.app.planning import named

    return checked(named(flags)), {}


def _export(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.exporting import exported

    if not flags.get("hardware"):
        raise RequestError("name the hardware", "hardware", ("RTX 4090",))
    rest = {key: value for key, value in flags.items() if key not in ("model", "hardware", "to")}
    return exported(flags["model"], flags["hardware"], flags["to"], rest), {}


def _cost(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.costing import costed
    from ridgewise.app.planning import named

    return costed(named(flags)), {}


def _one(home: str, name: str) -> Callable[[Flags], tuple[Any, Mapping[str, Any]]]:
    """A command about one deployment: model, hardware, and the rest."""

    def answer(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
        rest = {key: value for key, value in flags.items() if key not in ("model", "hardware")}
        return getattr(import_module(home), name)(flags["model"], flags["hardware"], rest), {}

    return answer


def _compare(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.comparing import compared

    rest = {key: value for key, value in flags.items() if key not in ("model", "hardware", "phases")}
    return compared(flags["model"], flags.get("hardware") or [], rest, phases=bool(flags.get("phases"))), {}


def _capacity(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.planning import named
    from ridgewise.app.simulating import sized

    made = named(flags)
    return sized(made.pop("model"), made), {}


def _simulate(flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    from ridgewise.app.inspecting import number
    from ridgewise.app.simulating import simulated

    if flags.get("requests"):
        number(str(flags["requests"]), "1", "--requests", 1, REQUESTS)
    rest = {key: value for key, value in flags.items() if key not in ("model", "hardware")}
    found, _ = simulated(flags["model"], flags["hardware"], rest)
    return found, {}


_R = "ridgewise.report"
_LLAMA: Flags = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
_CARD: Flags = {**_LLAMA, "hardware": "RTX 4090"}
#: Every question, by name.
QUESTIONS: Mapping[str, Question] = {
    one.name: one
    for one in (
        Question("plan", _plan, {**_LLAMA, "users": "20"}, (f"{_R}.document:PlanDocument",)),
        Question("check", _check, {**_LLAMA, "hardware": ["H100 SXM"], "users": "1"},
                 (f"{_R}.checking:CheckDocument",)),
        Question("fit", _one("ridgewise.app.inspecting", "fitted"), {**_CARD, "context": "32k"},
                 ("ridgewise.advise.fitting:FitAnswer",), True),
        Question("estimate", _one("ridgewise.app.estimating", "estimated"), {**_CARD, "concurrency": "8"},
                 (f"{_R}.estimate:EstimateDocument", f"{_R}.jobs:JobDocument"), True),
        Question("explain", _one("ridgewise.app.inspecting", "explained"), _CARD,
                 ("ridgewise.advise.explaining:Explanation",), True),
        Question("compare", _compare, {**_LLAMA, "hardware": ["RTX 4090", "H100 SXM"]},
                 (f"{_R}.comparison:ComparisonDocument",), True),
        Question("cost", _cost, {**_LLAMA, "users": "20", "country": "DE"},
                 (f"{_R}.cost:CostDocument", f"{_R}.cost:InfeasibleDocument")),
        Question("export", _export, {**_LLAMA, "hardware": "RTX 4090", "to": "llama.cpp"},
                 ("ridgewise.app.exporting:ExportDocument",), True),
        Question("train", _one("ridgewise.app.training", "trained"),
                 {"model": "Llama-3.1-8B", "hardware": "H100 SXM", "goal": "qlora", "tokens": "20M"},
                 (f"{_R}.training:TrainingDocument", f"{_R}.training:ClassicTrainingDocument")),
        Question("capacity", _capacity, {**_LLAMA, "users": "200", "hardware": ["H100 SXM"]},
                 (f"{_R}.capacity:CapacityDocument",)),
        Question("simulate", _simulate, {**_LLAMA, "hardware": "H100 SXM", "rate": "4", "requests": "200"},
                 (f"{_R}.simulation:SimulationDocument",)),
    )
}  # fmt: skip


def answer(name: str, flags: Flags) -> tuple[Any, Mapping[str, Any]]:
    """The answer to a checked question: its document, and further ones that stand inside it by name."""
    return QUESTIONS[name].answer(flags)


def key(name: str, flags: Flags) -> str:
    """The same question has the same key, however its options are ordered."""
    return f"{name} {json.dumps(flags, sort_keys=True, ensure_ascii=False)}"
