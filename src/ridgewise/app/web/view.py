"""What templates see: forms filled from addresses, addresses made from changes, and answers made ready to be read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from ridgewise import __version__
from ridgewise.app.home import own
from ridgewise.app.web.why import KINDS, TIERS
from ridgewise.hardware.sheets import load_devices
from ridgewise.report.charts.canvas import around
from ridgewise.report.charts.field import CLASSES, interval
from ridgewise.report.charts.money import WORDS
from ridgewise.report.text import TIER_MARK
from ridgewise.units import count, digits, duration, money, power, rate, share, size, whole

Query = Mapping[str, Any]
#: Goals in words, as the form asks for them.
GOALS = (("infer", "use it"), ("qlora", "adapt it: QLoRA"), ("lora", "adapt it: LoRA"),
         ("finetune", "adapt it: all weights"), ("train", "train it"))  # fmt: skip
PRIORITIES = (("balanced", "a balance"), ("speed", "speed"), ("cost", "cost"), ("energy", "energy"))
#: An option with a value as answers name it: "(--context 4096)", "with --priority speed".
NAMED = re.compile(r"--([a-z][a-z-]+)(?: (\"[^\"]+\"|'[^']+'|[^\s(),;:]+))?")


def address(path: str, query: Query, **changes: Any) -> str:
    """A readable address: a page and its options, with some of them changed; None drops one."""
    pairs: list[tuple[str, str]] = []
    for name, value in {**query, **changes}.items():
        if value in (None, "", []):
            continue
        pairs += [(name, str(one)) for one in value] if isinstance(value, list | tuple) else [(name, str(value))]
    return f"{path}?{urlencode(pairs, quote_via=quote, safe='/:,=+@')}" if pairs else path


def fixes(text: str, query: Query, known: Iterable[str], path: str) -> Markup:
    """A sentence in which every option with a value is a link that sets it, and one without leads to its field."""
    names = set(known)

    def linked(match: re.Match[str]) -> str:
        name, value = match[1].replace("-", "_"), (match[2] or "").strip("\"'")
        if name not in names:
            return str(escape(match[0]))
        if value and not value.startswith("N"):
            there = address(path, query, **{name: value})
            return f'<a class="fix" href="{escape(there)}">{escape(match[0])}</a>'
        return f'<a class="field" href="#f-{name}">{escape(match[0])}</a>'

    parts, last = [], 0
    for match in NAMED.finditer(text):
        parts += [str(escape(text[last : match.start()])), linked(match)]
        last = match.end()
    return Markup("".join([*parts, str(escape(text[last:]))]))


def scale(estimates: Iterable[Any]) -> tuple[float, float]:
    """The common scale on which the intervals of a column are drawn."""
    return around([v for e in estimates if e is not None for v in (e.low, e.high)], log=True)


def bar(estimate: Any, ends: tuple[float, float]) -> Markup:
    """A value in its interval as a small picture."""
    return Markup(interval(estimate, *ends)) if estimate is not None and estimate.low > 0 else Markup("")


def span(estimate: Any, write: Any) -> str:
    """'35–51': the 80 % interval."""
    low, high = write(estimate.low), write(estimate.high)
    if low == high:
        return str(low)
    number, _, unit = low.rpartition(" ")
    return f"{number}–{high}" if number and high.endswith(f" {unit}") else f"{low}–{high}"


@dataclass(frozen=True, slots=True)
class Move:
    """A number that a change has moved."""

    name: str
    before: str
    after: str


def moved(before: Any, after: Any) -> list[Move]:
    """What a change to a plan did: the first choice and its numbers."""
    found = []
    one, other = (d.options[0] if d.options else None for d in (before, after))
    if (before.pick or "nothing") != (after.pick or "nothing"):
        found.append(Move("first choice", before.pick or "nothing does", after.pick or "nothing does"))
    if one is None or other is None:
        return found
    if one.format != other.format:
        found.append(Move("weights", one.format, other.format))
    for name in ("decode_tokens_per_s", "ttft_s", "run_s", "memory_bytes", "power_w", "purchase_usd"):
        was, now, write = getattr(one, name), getattr(other, name), KINDS[name].write
        if was and now and write(was.value) != write(now.value):
            found.append(Move(KINDS[name].name, write(was.value), write(now.value)))
    month = (one.cost_usd_per_month, other.cost_usd_per_month)
    if all(month) and money(month[0]) != money(month[1]):
        found.append(Move("a month", money(month[0]), money(month[1])))
    return found


def look(option: Any, document: Any, query: Query) -> str:
    """The address of a closer look at one option of a plan."""
    if document.phase == "training":
        kept = {k: query[k] for k in ("model", "goal", "tokens", "length", "rank", "deadline") if k in query}
        return address("/train", kept, hardware=option.device, count=option.count)
    return address("/look", deployment(option, document, query))


def deployment(option: Any, document: Any, query: Query) -> dict[str, Any]:
    """The deployment and the load of one option of a plan, as a closer look asks for it."""
    asked = document.workload
    concurrency = max(1, round(option.concurrency_requests or 1))
    layout = option.layout
    memory = option.configuration_memory_bytes
    found = {
        "model": query.get("model"), "hardware": option.device, "engine": option.engine, "quant": option.format,
        "tp": layout.tp if layout.tp > 1 else None, "pp": layout.pp if layout.pp > 1 else None,
        "replicas": layout.replicas if layout.replicas > 1 else None,
        "concurrency": concurrency if concurrency > 1 else None,
        "prompt": f"{asked['prompt_tokens']:.0f}", "output": f"{asked['output_tokens']:.0f}",
        "context": f"{asked['context_tokens']:.0f}", "kv_bits": query.get("kv_bits"),
        "memory": f"{memory / 2**30:.0f}GiB" if memory else None,
    }  # fmt: skip
    return {name: value if isinstance(value, str) else str(value) for name, value in found.items() if value is not None}


def named(device: str) -> str:
    """A device as people call it; one that the catalogue does not know as it was asked for."""
    known = load_devices(own("hardware")).get(device)
    return known.name if known is not None else device


def environment() -> Environment:
    """The templates with everything they may call."""
    made = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True,
                       lstrip_blocks=True)  # fmt: skip
    made.globals.update(
        address=address, fixes=fixes, named=named, ways=WORDS, scale=scale, bar=bar, span=span, look=look, tiers=TIERS,
        kinds=KINDS, mark=TIER_MARK, classes=CLASSES, goals=GOALS, priorities=PRIORITIES, version=__version__,
    )  # fmt: skip
    made.filters.update(
        count=count, digits=digits, duration=duration, money=money, power=power, rate=rate, share=share, size=size,
        whole=whole, svg=Markup, rejectkey=lambda query, key: {k: v for k, v in query.items() if k != key},
    )  # fmt: skip
    return made
