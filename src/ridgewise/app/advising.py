"""What a plan adds where it is asked for, and the question the other way round: ``plan --have``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import own
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.advise.answer import Answer
    from ridgewise.app.request import Named
    from ridgewise.report.insight import HaveDocument, InsightDocument
    from ridgewise.serving import Setup

#: Flags of a plan that ask for more than the answer.
FURTHER = ("pareto", "all", "why_not", "sensitivity", "also")
#: Models for a desk that no provider of the catalogue hosts.
DESK = ("meta-llama/Llama-3.2-3B-Instruct", "google/gemma-3-12b-it", "google/gemma-3-27b-it", "Qwen/Qwen3-4B")


def insight(found: Answer, flags: Mapping[str, Any]) -> InsightDocument | None:
    """What the further flags ask for; None where there are none."""
    from ridgewise.advise.contrast import why_not
    from ridgewise.advise.measuring import measurement
    from ridgewise.advise.mixed import also, mixed
    from ridgewise.advise.pareto import standings
    from ridgewise.advise.sensitivity import hinges
    from ridgewise.app.request import named
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.report import insight as report

    if not any(flags.get(name) for name in FURTHER):
        return None
    question, options, pick = found.question, found.options, found.pick
    asked = [named(name, "--why-not") for name in flags.get("why_not") or ()]
    deep = bool(flags.get("sensitivity")) and pick is not None
    available = tuple(d for d in load_devices(own("hardware")).values() if d.status == "available")
    return report.insight(
        standings(question, options) if flags.get("pareto") or flags.get("all") else (),
        [why_not(question, options, name.device, name.count) for name in asked],
        hinges(question, options) if deep else (),
        tuple(measurement(question, pick)) if deep and pick is not None else (),
        mixed(question, options, also(str(flags["also"])), available) if flags.get("also") else None,
        dropped=bool(flags.get("all")),
    )


def _here() -> Named:
    """The device of this machine that would run a model: its graphics devices before its processor."""
    from ridgewise.app.request import Named
    from ridgewise.hardware.sheets import device
    from ridgewise.here.match import detected

    found = [one for one in detected(own("hardware")) if one.device]
    if not found:
        raise RequestError("the catalogue knows nothing of this machine (doctor)", "--have", ("--have '2x RTX 3090'",))
    first = found[0]
    sheet = device(first.device, "--have", own("hardware"))
    sized = sheet.memory_options or sheet.kind == "cpu"
    return Named(first.label, sheet, first.count, first.memory if sized else None)


def have(text: str, flags: Mapping[str, Any]) -> HaveDocument:
    """What hardware that is there already serves well (``here``: this machine), and what one upgrade buys; flags are
    those of the load. Raises RequestError."""
    from ridgewise.advise.question import Question
    from ridgewise.advise.reverse import served, upgrades
    from ridgewise.app.anchors import own_blocks
    from ridgewise.app.request import check, named, workload
    from ridgewise.economics.prices import api_prices
    from ridgewise.hardware.sheets import load_devices
    from ridgewise.models.read import load
    from ridgewise.report.insight import have_document
    from ridgewise.workloads import SingleUser

    one = _here() if text.strip().casefold() == "here" else named(text, "--have")
    plan = check({"workload": {k: flags[k] for k in ("prompt", "output", "context") if flags.get(k)}}, "flags", flags)
    work = workload(plan.workload)
    assert isinstance(work, SingleUser), "without users it is one"
    known = dict.fromkeys((*(price.model for price in api_prices() if price.model), *DESK))
    archs = [load(flags["model"], own("models"))] if flags.get("model") else [load(name) for name in known]
    archs = [arch for arch in archs if arch.causal and not arch.encoder]
    machine = Question(
        archs[0], work, hardware=(one.device,), counts={one.device.id: one.count or 1}, blocks=own_blocks(),
        memories={one.device.id: one.memory} if one.memory else {},
    )  # fmt: skip
    rows = list(served(machine, archs))
    name = f"{one.count} × {one.device.name}" if one.count > 1 else one.device.name
    return have_document(name, rows, upgrades(machine, rows, tuple(load_devices(own("hardware")).values())))


def beside(
    setup: Setup, prompt: float, output: float, batch: float, names: Sequence[str], deep: bool
) -> InsightDocument:
    """Why not others, and what one deployment's figures hang on, beside its explanation."""
    from ridgewise.advise.case import best
    from ridgewise.advise.contrast import why_not
    from ridgewise.advise.measuring import measurement
    from ridgewise.advise.question import Question
    from ridgewise.advise.sensitivity import hinges
    from ridgewise.app.request import named
    from ridgewise.report import insight as report
    from ridgewise.workloads import Service, SingleUser

    load = SingleUser(prompt, output, prompt + output)
    many = Service(batch, prompt, output, prompt + output, concurrency=batch)
    asked = Question(
        setup.arch, many if batch > 1 else load, hardware=(setup.device,), counts={setup.device.id: setup.count},
        blocks=setup.blocks,
    )  # fmt: skip
    pick = best(replace(asked, format=setup.plan.format, engine=setup.engine.id), setup.device, setup.count)
    options = () if pick is None else (pick,)
    others = [named(name, "--why-not") for name in names]
    return report.insight(
        (), [why_not(asked, options, other.device, other.count) for other in others],
        hinges(asked, options) if deep else (), tuple(measurement(asked, pick)) if deep and pick else (), None,
        dropped=False,
    )  # fmt: skip
