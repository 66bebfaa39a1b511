"""Writes docs/glossary.md: every quantity of the core types with its unit, read from the types themselves."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

PAGE = Path(__file__).resolve().parent / "glossary.md"
INTRODUCTION = """# Glossary

Written by `docs/make_glossary.py` from the types of the package: do not edit by hand. Units are SI and bytes
inside; "number" means a float or a column of them, which every formula takes alike.
"""
ENTRY = re.compile(r"^\s*(?P<names>[a-z_0-9]+(?:, +[a-z_0-9]+)*) {2,}(?P<text>\S.*)$")
SUFFIXES = {
    "_bytes": "bytes", "_s": "seconds", "_w": "watts", "_usd": "US dollars", "_tokens": "tokens",
    "_requests": "requests", "_tokens_per_s": "tokens per second", "_usd_per_h": "US dollars per hour",
    "_usd_per_month": "US dollars per month", "_flop_per_byte": "FLOP per byte", "_j_per_token": "joules per token",
    "_flop_per_s": "FLOP per second", "_bytes_per_s": "bytes per second",
}  # fmt: skip
TERMS = {
    "arithmetic intensity": "FLOPs done per byte moved [FLOP/B]; held against the ridge point it says what limits",
    "decode": "generating one token per sequence and step; every step reads the weights once",
    "KV cache": "keys and values of the tokens seen so far, kept so that they are not computed again",
    "MFU": "model FLOPs utilisation: FLOPs of the model (recomputation left out, attention halved for causality) per "
    "second over the peak of all devices",
    "prefill": "reading the prompt: all its tokens in one step, usually bound by compute",
    "ridge point": "peak rate over bandwidth [FLOP/B]: the intensity above which compute limits instead of memory",
    "SLO": "service-level objective: a limit on TTFT or TPOT that must be kept",
    "TPOT": "time per output token after the first [s]; its inverse is the tokens per second one user sees",
    "TTFT": "time to first token [s]: overhead, queueing and prefill",
}


def core() -> dict[str, tuple[type, ...]]:
    """The types explained, by heading."""
    from ridgewise.economics import Cost, Draw
    from ridgewise.engines.engine import Backend, Engine
    from ridgewise.facts import Figure, Source
    from ridgewise.hardware import Device, Machine, Offer
    from ridgewise.memory.footprint import Footprint
    from ridgewise.models.architecture import Architecture, Feed, LayerGroup, Mixer
    from ridgewise.serving import Setup, Speed
    from ridgewise.timing import Band, Coefficient, Efficiency, Rates, Term
    from ridgewise.training.estimate import TrainingEfficiency, TrainingEstimate
    from ridgewise.training.step import TrainingCoefficients
    from ridgewise.work import Plan, Slice, Step, Work
    from ridgewise.workloads import FineTuning, Pretraining, Service, SingleUser

    return {
        "Facts": (Figure, Source),
        "Models": (Architecture, LayerGroup, Mixer, Feed),
        "Hardware and prices": (Device, Machine, Offer),
        "Engines": (Engine, Backend),
        "Workloads": (SingleUser, Service, Pretraining, FineTuning),
        "Work: what a pass asks for": (Slice, Step, Plan, Work),
        "Timing: how long it takes": (Rates, Efficiency, Coefficient, Band, Term),
        "Memory": (Footprint,),
        "Serving": (Setup, Speed),
        "Training": (TrainingEfficiency, TrainingCoefficients, TrainingEstimate),
        "Power and money": (Draw, Cost),
    }


def documents() -> tuple[type, ...]:
    """The published answers."""
    from ridgewise.advise.explaining import Explanation, Input, OperatorRow, Phase
    from ridgewise.advise.fitting import FitAnswer, Total
    from ridgewise.report.document import Estimate, FindingDocument, Layout, OptionDocument, PlanDocument

    return (PlanDocument, OptionDocument, Estimate, Layout, FindingDocument, FitAnswer, Total, Explanation, Phase,
            OperatorRow, Input)  # fmt: skip


def described(made: type) -> dict[str, str]:
    """What the docstring says of each field: lines of ``name  text``, continued by deeper lines."""
    found: dict[str, str] = {}
    names: list[str] = []
    depth = 0
    for line in (made.__doc__ or "").splitlines()[1:]:
        entry = ENTRY.match(line)
        own = {field.name for field in fields(made)}
        if entry and set(re.split(r", +", entry["names"])) <= own:
            names, depth = re.split(r", +", entry["names"]), len(line) - len(line.lstrip())
            found |= dict.fromkeys(names, entry["text"])
        elif names and line.strip() and len(line) - len(line.lstrip()) > depth:
            for name in names:
                found[name] += " " + line.strip()
        else:
            names = []
    return found


def unit(hint: Any) -> str:
    """The unit a type carries, or the kind of value it is."""
    if typing.get_origin(hint) is Annotated:
        return f"[{typing.get_args(hint)[1]}]"
    inner = [arg for arg in typing.get_args(hint) if typing.get_origin(arg) is Annotated]
    if inner:
        return unit(inner[0])
    text = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    text = re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)
    return {"float": "number", "int": "whole number", "str": "text", "bool": "yes or no"}.get(text, text)


def rows(made: type) -> Iterator[tuple[str, str, str]]:
    """(field, unit, text) of one type."""
    hints, said = typing.get_type_hints(made, include_extras=True), described(made)
    for field in fields(made):
        if not field.name.startswith("_"):
            yield f"`{field.name}`", unit(hints[field.name]).replace("|", "or"), said.get(field.name, "")


def key_unit(name: str) -> str:
    """The unit a JSON key names in its suffix."""
    ending = max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default="")
    return SUFFIXES.get(ending, "")


def table(headers: tuple[str, ...], lines: typing.Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    escaped = (tuple(cell.replace("|", "\\|").replace("``", "`") for cell in line) for line in lines)
    return "".join("| " + " | ".join(line) + " |\n" for line in (headers, ("---",) * len(headers), *escaped))


def first_line(made: type) -> str:
    """The opening sentence of a docstring, without the markup of the code."""
    opening = (made.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(opening.replace("``", "`").split())


def page() -> str:
    """The whole page."""
    from ridgewise.hardware import FIGURES
    from ridgewise.units import kinds

    parts = [INTRODUCTION, "\n## Terms of the field\n\n"]
    parts.append(table(("term", "meaning"), TERMS.items()))
    parts.append("\n## Units\n\n")
    aliases = {n: v for n, v in vars(kinds).items() if typing.get_origin(v) is Annotated}
    parts.append(table(("type", "unit"), ((f"`{n}`", typing.get_args(v)[1]) for n, v in aliases.items())))
    for heading, types in core().items():
        parts.append(f"\n## {heading}\n")
        for made in types:
            parts.append(f"\n### {made.__name__}\n\n{first_line(made)}\n\n")
            parts.append(table(("field", "unit or type", "meaning"), rows(made)))
    parts.append("\n## Figures of a hardware sheet\n\n")
    parts.append(table(("figure", "unit", "meaning"), ((f"`{n}`", u, text) for n, (u, text) in FIGURES.items())))
    parts.append("\n## Keys of the JSON answers\n\nThe suffix of a key is its unit.\n\n")
    parts.append(table(("suffix", "unit"), ((f"`{suffix}`", name) for suffix, name in SUFFIXES.items())))
    for made in documents():
        parts.append(f"\n### {made.__name__}\n\n{first_line(made)}\n\n")
        hints = typing.get_type_hints(made)
        lines = ((f"`{f.name}`", unit(hints[f.name]).replace("|", "or"), key_unit(f.name)) for f in fields(made))
        parts.append(table(("key", "type", "unit"), lines))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
