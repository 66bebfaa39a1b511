"""``ridgewise export``: from a plan, or the flags of a deployment, to a configuration that starts it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.inspecting import given, number
from ridgewise.errors import RequestError, nearest

if TYPE_CHECKING:
    from ridgewise.report.manifests import Served
    from ridgewise.report.training import TrainingDocument

Flags = Mapping[str, Any]
#: Bytes read of a plan at most.
LARGEST = 8 << 20
#: Answers that say which deployment they are of.
COMMANDS = ("plan", "fit", "train")


@dataclass(frozen=True, slots=True)
class ExportDocument:
    """A configuration: the target, its text, and the deployment it starts. ``reason``: why there is none."""

    schema_version: int
    command: str
    target: str
    feasible: bool
    reason: str
    model: str
    device: str
    devices: int
    text: str


def known() -> dict[str, str]:
    """Every target and what it is."""
    from ridgewise.report.exports import EXPORTS
    from ridgewise.report.manifests import targets

    return {name: module.ABOUT for name, module in targets().items()} | dict.fromkeys(EXPORTS, "settings of a training")


def run(plan: str, hardware: str | None, target: str, out: Path | None, flags: Flags, *, json: bool) -> int:
    """Print or write the configuration; 1 where the deployment does not fit."""
    from ridgewise.app.home import write_whole
    from ridgewise.report.document import as_json

    found = exported(plan, hardware, target, flags)
    if out is not None and found.feasible:
        write_whole(out, found.text)
    if json:
        print(as_json(found))
    elif not found.feasible:
        print(f"nothing to write: {found.reason}", file=sys.stderr)
    elif out is None:
        print(found.text, end="")
    return 0 if found.feasible else 1


def exported(plan: str, hardware: str | None, target: str, flags: Flags) -> ExportDocument:
    """The configuration of a plan (its JSON or TOML, ``-`` for standard input), or of a model on a device.

    ``flags`` are those of ``ridgewise estimate``, ``option`` the rank of the plan's option, ``weights`` where the
    weights are. Raises RequestError for what is unknown, or cannot be expressed by the target.
    """
    targets = known()
    if target not in targets:
        raise RequestError(f"no target {target!r}", "--to", nearest(target, targets) or tuple(targets))
    if hardware is not None:
        return _started(plan, hardware, target, flags)
    read = _read(plan)
    if "command" not in read:
        return _planned(Path(plan), target, flags)
    return _answered(read, target, flags)


def _read(plan: str) -> dict[str, Any]:
    """What a file holds: an answer as JSON, or a question as TOML."""
    import json

    from ridgewise.app.home import there
    from ridgewise.app.request import read_plan_file
    from ridgewise.facts.catalog import read_bytes

    if plan != "-" and not there(Path(plan)):
        raise RequestError(
            f"{plan!r} is no plan; a model needs its hardware beside it", "PLAN",
            (f"ridgewise export {plan} 'H100 SXM' --to vllm", "ridgewise export plan.json --to vllm"),
        )  # fmt: skip
    if plan.endswith(".toml"):
        return read_plan_file(Path(plan))
    content = sys.stdin.buffer.read(LARGEST + 1) if plan == "-" else read_bytes(Path(plan), LARGEST)
    lines = content.decode("utf-8", "replace").strip()
    try:
        read = json.loads(lines) if lines.startswith("{") else json.loads(lines.splitlines()[-1])
    except (ValueError, IndexError):
        raise RequestError("is neither a plan's JSON nor TOML", plan, ("ridgewise plan MODEL --json",)) from None
    if not isinstance(read, dict) or read.get("command") not in COMMANDS:
        said = read.get("command") if isinstance(read, dict) else None
        what = f"an answer of {said!r} names no deployment" if said else "is no answer of Ridgewise"
        raise RequestError(what, plan, tuple(f"ridgewise {name} … --json" for name in COMMANDS))
    return read


def _planned(path: Path, target: str, flags: Flags) -> ExportDocument:
    """A question as a file: plan it, then take its answer."""
    from dataclasses import asdict

    from ridgewise.app.planning import planned

    return _answered(asdict(planned({}, path, flags.get("option")).document), target, flags)


def _answered(answer: Mapping[str, Any], target: str, flags: Flags) -> ExportDocument:
    """The deployment that an answer names."""
    try:
        if answer["command"] == "train":
            return _trained(answer, target)
        if answer["command"] == "fit":
            own = {name: answer[name] for name in ("engine", "tp", "pp", "ep")}
            own |= {"quant": answer["format"], "kv_bits": f"{answer['kv_bits']:g}",
                    "context": str(answer["context_tokens"]), "concurrency": str(answer["sequences"])}  # fmt: skip
            return _started(answer["model"], answer["device"], target, {**own, **_said(flags)})
        return _option(answer, target, flags)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise RequestError(f"the answer is incomplete: {error}", "PLAN", ("ridgewise plan MODEL --json",)) from None


def _said(flags: Flags) -> dict[str, Any]:
    """Flags that were given."""
    return {name: value for name, value in flags.items() if value not in (None, False)}


def _option(answer: Mapping[str, Any], target: str, flags: Flags) -> ExportDocument:
    options = answer["options"]
    wanted = flags.get("option")
    chosen = [one for one in options if (one["rank"] == wanted if wanted else one["feasible"])]
    if not chosen and wanted:
        ranks = tuple(f"--option {one['rank']}" for one in options[:6])
        raise RequestError(f"the plan shows no option {wanted}", "--option", ranks)
    if not chosen:
        nearest_ = options[0]["shortfalls"] if options else ["no option"]
        return _refused(answer["model"], options[0]["device"] if options else "", target, "; ".join(nearest_))
    one, work = chosen[0], answer["workload"]
    size = one["configuration_memory_bytes"]
    if answer["goal"] != "infer":
        return _training(answer, one, target)
    flight, limit = (
        (one[name] or 0.0) / one["layout"]["replicas"] for name in ("concurrency_requests", "batch_limit_requests")
    )
    own = {
        "engine": one["engine"], "quant": one["format"], "kv_bits": f"{one['kv_bits']:g}",
        "tp": one["layout"]["tp"], "pp": one["layout"]["pp"], "replicas": one["layout"]["replicas"],
        "memory": f"{size:.0f}" if size else None, "context": str(work["context_tokens"]),
        "flight": max(flight, 1.0), "limit": limit,
        "prompt": str(work["prompt_tokens"]), "output": str(work["output_tokens"]),
    }  # fmt: skip
    return _started(answer["model"], one["device"], target, {**own, **_said(flags)})


def _training(answer: Mapping[str, Any], one: Mapping[str, Any], target: str) -> ExportDocument:
    """A training plan, laid out in full as ``ridgewise train`` does."""
    from ridgewise.app.training import trained

    work = answer["workload"]
    own = {"goal": answer["goal"], "count": f"{one['count']}", "tokens": f"{work['tokens_total']:.0f}",
           "length": f"{work['length_tokens']:.0f}", "batch": f"{work['batch']:.0f}"}  # fmt: skip
    if answer["goal"] in ("lora", "qlora"):
        own["rank"] = f"{work['rank']:.0f}"
    found = trained(answer["model"], one["device"], own)
    return _settings(found, target)


def _trained(answer: Mapping[str, Any], target: str) -> ExportDocument:
    """The answer of ``ridgewise train --json`` as the document it was."""
    from pydantic import TypeAdapter, ValidationError

    from ridgewise.report.training import TrainingDocument

    try:
        found = TypeAdapter(TrainingDocument).validate_python(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"the answer is incomplete: {place}: {first['msg']}", "PLAN") from None
    return _settings(found, target)


def _settings(found: Any, target: str) -> ExportDocument:
    """Settings of a training program."""
    from ridgewise.report.exports import EXPORTS
    from ridgewise.report.training import TrainingDocument

    if target not in EXPORTS or not isinstance(found, TrainingDocument):
        raise RequestError(f"{target} starts no training", "--to", tuple(EXPORTS))
    training: TrainingDocument = found
    if not training.layouts or not training.layouts[0].fits:
        return _refused(training.model, training.device, target, training.impossible)
    text = EXPORTS[target](training)
    return ExportDocument(1, "export", target, True, "", training.model, training.device, training.devices, text)


def _refused(model: str, device: str, target: str, reason: str) -> ExportDocument:
    return ExportDocument(1, "export", target, False, reason, model, device, 0, "")


def _started(model: str, hardware: str, target: str, flags: Flags) -> ExportDocument:
    """A deployment by its flags."""
    from ridgewise.report.exports import EXPORTS
    from ridgewise.report.manifests import manifest
    from ridgewise.units import size

    if target in EXPORTS:
        raise RequestError(f"{target} trains: give it a plan of a training", "--to",
                           (f"ridgewise train {model} --hardware '{hardware}' --json",))  # fmt: skip
    served = _served(model, hardware, flags)
    setup = served.setup
    if served.held > setup.usable:
        return _refused(setup.arch.name, setup.device.id, target,
                        f"memory: {size(served.held - setup.usable)} too little per device")  # fmt: skip
    text = manifest(target, served)
    return ExportDocument(1, "export", target, True, "", setup.arch.name, setup.device.id, setup.count, text)


def _served(model: str, hardware: str, flags: Flags) -> Served:
    """What a target needs of a deployment by its flags."""
    from ridgewise.advise.fitting import Split, placed
    from ridgewise.advise.limits import check_context
    from ridgewise.app.inspecting import CONTEXT, deployment
    from ridgewise.report.manifests import Served
    from ridgewise.report.manifests._served import cache_types

    setup = replace(deployment(model, hardware, flags), replicas=int(flags.get("replicas") or 1))
    request = number(given(flags, "prompt", "1024"), "tokens", "--prompt", 1, 1e8) + number(
        given(flags, "output", "512"), "tokens", "--output", 1, 1e8
    )
    usual = max(min(CONTEXT, float(setup.arch.max_context or CONTEXT)), request)
    context = number(flags["context"], "tokens", "--context", 1, 1e9) if flags.get("context") else usual
    check_context(setup.arch, context)
    if context < request and (flags.get("prompt") or flags.get("output")):
        raise RequestError(f"--context {context:.0f} is shorter than one request of {request:.0f}", "--context")
    flight = float(flags.get("flight") or number(given(flags, "concurrency", "1"), "1", "--concurrency", 1, 1e6)
                   / setup.replicas)  # fmt: skip
    ngl, experts = flags.get("ngl"), bool(flags.get("cpu_moe"))
    if (ngl is not None or experts) and not setup.engine.offloads:
        raise RequestError("parts in RAM are for llama.cpp", "--ngl" if ngl is not None else "--cpu-moe",
                           ("--engine llama.cpp",))  # fmt: skip
    types = cache_types(setup, str(flags.get("kv_bits") or 16))
    served = Served(setup, int(context), min(request, context), flight, flags.get("weights") or "",
                    types, ngl, experts, float(flags.get("limit") or 0))  # fmt: skip
    if ngl is None and not experts:
        return served
    card, _ = placed(setup, Split(ngl, experts), float(served.slots), context)
    return replace(served, card=float(card.total))
