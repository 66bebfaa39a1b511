"""Fills the tables of the documentation that are computed: calibration, catalogue counts, comparisons.

``<!-- generated: NAME -->`` … ``<!-- end -->`` is replaced by the table of that name. Under
``<!-- compare: ARGUMENTS -->`` stands a table whose first two columns are written by hand (quantity, and the
range that the arithmetic on the page gives); the third, what Ridgewise answers, is filled in.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import console

GENERATED = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.S)
COMPARED = re.compile(r"<!-- compare: (.*?) -->\n\n?((?:\|.*\n)+)")
RANGE = re.compile(r"([\d,.]+)\s*(?:–|to)\s*([\d,.]+)\s*(.*)")
SCALE = {
    "GiB": 2.0**30, "s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "days": 86400.0, "USD": 1.0, "USD/h": 1.0,
    "million USD": 1e6, "tokens/s": 1.0, "requests": 1.0, "%": 0.01, "W": 1.0, "kW": 1e3, "devices": 1.0, "tokens": 1.0,
}  # fmt: skip
#: Quantity as the pages name it → key of an option in the answer.
QUANTITIES = {
    "memory per device": "memory_bytes",
    "TTFT": "ttft_s",
    "tokens/s for each user": "decode_tokens_per_s",
    "tokens/s in all": "total_tokens_per_s",
    "requests in flight": "concurrency_requests",
    "devices": "count",
    "longest context": "context_limit_tokens",
    "wall power": "power_w",
    "price to buy": "purchase_usd",
    "price to rent": "rent_usd_per_h",
    "the run": "run_s",
    "cost of the run": "cost_usd_run",
    "MFU": "mfu",
}


def table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    headers = list(headers)
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def filled(text: str) -> str:
    """A page with its computed tables filled in."""
    text = GENERATED.sub(lambda found: found[1] + "\n" + TABLES[found[2]]() + "\n" + found[3], text)
    return COMPARED.sub(lambda found: compared(found[0], found[1], found[2]), text)


def compared(whole: str, arguments: str, rows: str) -> str:
    """The comparison table with its third column filled in."""
    made = rows
    for line, answered in zip(rows.splitlines()[2:], comparison(arguments, rows), strict=True):
        first, second = (cell.strip() for cell in line.strip("|").split("|")[:2])
        made = made.replace(line, f"| {first} | {second} | {answered[2]} |")
    return whole.replace(rows, made)


def comparison(arguments: str, rows: str) -> list[tuple[str, bool, str]]:
    """For every row: the quantity, whether the answer lies within the range by hand, and the answer."""
    option = _option(arguments)
    found = []
    for line in rows.splitlines()[2:]:
        quantity, by_hand = (cell.strip() for cell in line.strip("|").split("|")[:2])
        held = RANGE.fullmatch(by_hand)
        assert held, f"no range in {line!r}"
        low, high = (float(held[i].replace(",", "")) for i in (1, 2))
        given = option[QUANTITIES[quantity]]
        estimate = given if isinstance(given, dict) else {"value": given, "low": given, "high": given}
        scale = SCALE[held[3]]
        write = _whole if quantity == "devices" else _plain
        value, *around = (write(estimate[key] / scale) for key in ("value", "low", "high"))
        spread = f" ({around[0]}–{around[1]})" if around[0] != around[1] else ""
        found.append((quantity, low <= estimate["value"] / scale <= high, f"{value}{spread} {held[3]}"))
    return found


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _plain(value: float) -> str:
    from ridgewise.units import digits

    return digits(value)


@cache
def _option(arguments: str) -> dict[str, Any]:
    answer = console.document(shlex.split(arguments))
    if "options" in answer:
        first: dict[str, Any] = answer["options"][0]
        return first
    system = answer["systems"][0]  # of capacity
    low, high = (system[f"purchase_{end}_usd"] for end in ("low", "high"))
    bought = {"value": (low + high) / 2, "low": low, "high": high} if low is not None else None
    named = {"count": system["devices"], "purchase_usd": bought, "total_tokens_per_s": system["output_tokens_per_s"]}
    return system | named


def blocks() -> str:
    """The blocks of coefficients: how much stands behind each, and the values its groups start from."""
    from ridgewise.timing.coefficients import load_blocks

    rows = []
    for name, block in load_blocks().items():
        devices = {pair.partition("|")[0] for pair in block.seen.get("device", ())}
        factors = sum(len(groups) for c in block.coefficients.values() for groups in c.levels.values())
        rows.append((f"`{name}`", block.rows, len(devices), len(block.sources), len(block.coefficients), factors))
    return table(("block", "measurements", "devices", "sources", "coefficients", "factors of groups"), rows)


def coefficients() -> str:
    """The value of every coefficient of the step formula in each block that has it, before the factors of groups."""
    from ridgewise.timing.coefficients import load_blocks
    from ridgewise.units import digits

    held = {n: b for n, b in load_blocks().items() if n.startswith("local-g") or n in ("local-cpu", "serving")}
    names = sorted({name for block in held.values() for name in block.coefficients if name in _efficiency()})
    rows = []
    for name in names:
        scale, unit = (1e6, " [µs]") if name.endswith("overhead") else (1.0, "")
        cells = [digits(scale * b.coefficients[name].value) if name in b.coefficients else "" for b in held.values()]
        rows.append((f"`{name}`{unit}", *cells))
    return table(("coefficient", *(f"`{name}`" for name in held)), rows)


def _efficiency() -> set[str]:
    from dataclasses import fields

    from ridgewise.timing import Efficiency

    return {field.name for field in fields(Efficiency) if field.name != "fill"}


def errors() -> str:
    """Errors of the shipped calibration on what was left out."""
    return _errors("blocks")


def errors_shipped() -> str:
    """The same of the fit of the shipped measurements alone."""
    return _errors("shipped")


def _errors(folder: str) -> str:
    from make_report import HEADERS, error_rows

    from ridgewise.facts.catalog import catalog_path
    from ridgewise.timing.coefficients import load_blocks

    return table(HEADERS, error_rows(load_blocks(catalog_path("calibration", folder)).values()))


#: What a reader looks for first → block, metric.
RECORD = (
    ("one user, tokens per second, GPUs (llama.cpp)", "local-gpu", "decode_tok_s"),
    ("one user, prompts, GPUs (llama.cpp)", "local-gpu", "prefill_tok_s"),
    ("one user, tokens per second, processors", "local-cpu", "decode_tok_s"),
    ("service, time per token", "serving", "tpot_ms"),
    ("service, tokens per second", "serving", "output_tok_s"),
    ("service, time to first token", "serving", "ttft_ms"),
    ("service, power", "energy", "watts"),
    ("training language models, tokens per second", "training", "tokens_s_per_gpu"),
    ("training, peak memory", "training-memory", "peak_mem_gib"),
    ("KV cache (llama.cpp logs)", "local-memory", "kv_buffer_mib"),
)


def record() -> str:
    """The errors that matter most, in one small table."""
    from ridgewise.timing.coefficients import load_blocks

    held, rows = load_blocks(), []
    for what, block, metric in RECORD:
        errors = held[block].errors
        found = [errors.get(f"{scheme} {metric} all") for scheme in ("source", "device")]
        cells = [f"{100 * numbers[1]:.0f} %" if numbers else "one source" for numbers in found]
        known = next(numbers for numbers in found if numbers)
        rows.append((what, f"{known[0]:,.0f}", *cells, f"{100 * known[5]:.0f} %"))
    return table(("", "measurements", "source left out", "device left out", "datasheet roofline"), rows)


def training() -> str:
    """The training coefficients by class."""
    from ridgewise.training.estimate import load_training_calibration

    return table(
        ("class", "share of the peak", "methods", "rows", "run ×÷", "evidence"),
        (
            (f"`{key}`", f"{e.compute:g}", ", ".join(e.methods), e.rows or "none", f"{e.spread:g}", e.note)
            for key, e in load_training_calibration().items()
        ),
    )


def power() -> str:
    """What the host adds at the wall, by what stands around the boards."""
    from ridgewise.facts.catalog import catalog_path, read_toml

    sheet = read_toml(catalog_path("calibration", "power.toml"))["host"]
    rows = (
        (f"`{name}`", f"{e['active']:g} W", f"{e.get('per_board_watt', 0):g}", e["kind"], e.get("note", ""))
        for name, e in sheet.items()
    )
    return table(("around the boards", "each", "per watt of board limit", "kind", "evidence"), rows)


def classes() -> str:
    """How many devices of each class, and how many figures of each kind they hold."""
    from ridgewise.hardware import DEVICE_KINDS, load_devices

    devices = load_devices().values()
    rows = []
    for kind in DEVICE_KINDS:
        held = [device for device in devices if device.kind == kind]
        kinds = Counter(figure.kind for device in held for figure in device.figures.values())
        rows.append((f"`{kind}`", len(held), *(kinds[k] for k in ("spec", "measured", "derived", "assumed"))))
    total = ["all", *(sum(row[i] for row in rows) for i in range(1, 6))]
    return table(("class", "devices", "spec", "measured", "derived", "assumed"), [*rows, total])


def prices() -> str:
    """How many prices, from when."""
    from ridgewise.hardware.offers import price_rows

    rows = []
    for name, what, date in (
        ("purchase.csv", "purchase", "as_of"), ("cloud.csv", "rent by the hour", "as_of"),
        ("hosts.csv", "computers around the boards", "as_of"), ("memory.csv", "system memory", "as_of"),
        ("commitments.csv", "rent for one and three years, or paid up front", "as_of"),
        ("api.csv", "tokens of hosted models", "as_of"), ("electricity.csv", "electricity", "as_of"),
        ("carbon.csv", "grid carbon", "as_of"), ("hosting.csv", "racks, PUE, life and resale", "as_of"),
        ("exchange.csv", "currencies", "as_of"),
    ):  # fmt: skip
        held = price_rows(name)
        dates = sorted(row[date] for row in held if row[date])
        assumed = sum("assumed" in (row.get("basis", ""), row["source"]) for row in held)
        rows.append((f"`{name}`", what, len(held), f"{dates[0][:4]}–{dates[-1][:4]}", assumed))
    return table(("file", "prices of", "rows", "years", "of them assumed"), rows)


def models() -> str:
    """How many configurations, by how they were obtained."""
    from ridgewise.models.read import catalogue_models

    kinds = Counter(entry.kind for entry in catalogue_models())
    said = {
        "checkpoint": "the publisher's `config.json`",
        "copied": "a copy of it in public code",
        "library-default": "defaults of a library that match the model",
        "reduced": "shape fields only",
    }
    return table(("kind", "models", "read from"), ((f"`{k}`", kinds[k], said[k]) for k in said if kinds[k]))


def ridges() -> str:
    """The ridge point of some devices, and where decoding and reading a prompt stand."""
    from ridgewise.hardware import device
    from ridgewise.units import digits, rate

    rows = []
    for name in RIDGE_DEVICES:
        found = device(name)
        peak = found.peak("fp16")
        assert peak and found.bandwidth
        rows.append((
            found.name, rate(peak[0], "FLOP/s"), rate(found.bandwidth, "B/s"), digits(peak[0] / found.bandwidth, 2)
        ))  # fmt: skip
    return table(("device", "16-bit peak", "bandwidth", "ridge point [FLOP/B]"), rows)


RIDGE_DEVICES = (
    "nvidia-h100-sxm", "nvidia-h200-sxm", "nvidia-rtx-4090", "nvidia-rtx-5060-ti-16gb", "amd-ryzen-ai-max-395",
    "apple-m4-max-40c", "nvidia-dgx-spark-gb10",
)  # fmt: skip


def batching() -> str:
    """One model on one device, decoded by 1 … 256 users together."""
    from ridgewise.units import digits, duration

    rows = []
    for batch in (1, 4, 16, 64, 256):
        answer = console.document(["explain", "Llama-3.1-8B", "H100 SXM", "--quant", "bf16", "--batch", str(batch)])
        phase = answer["phases"][1]
        bounds = Counter[str]()
        for row in phase["operators"]:
            bounds[row["bound"]] += row["operator_s"]
        bounds["overhead"] += phase["overhead_s"]
        seconds = phase["step_s"]
        rows.append((
            batch, digits(phase["intensity_flop_per_byte"], 2), duration(seconds), digits(1 / seconds, 2),
            digits(batch / seconds, 2), bounds.most_common(1)[0][0],
        ))  # fmt: skip
    return table(("batch", "FLOP/B", "step", "tokens/s each", "tokens/s in all", "most of the time goes to"), rows)


def engines() -> str:
    """The engines, what they drive, and how they use memory."""
    from ridgewise.engines import load_engines
    from ridgewise.memory.engines import policy

    splits = {
        "tensor": "tensor parallel: speed and capacity add",
        "layer": "by layers: capacity adds, speed does not",
        "none": "one device",
    }
    return table(
        ("engine", "what it is", "back ends", "several devices", "sequences", "memory"),
        (
            (e.name, e.about, ", ".join(dict.fromkeys(b.id for b in e.backends)), splits[e.split], _sequences(e),
             policy(e.memory).about)
            for e in load_engines().values()
        ),
    )  # fmt: skip


def _sequences(engine: Any) -> str:
    """Sequences at once by default, over all devices and releases."""
    counts = sorted({int(limit.sequences) for limit in engine.limits} or {engine.max_sequences})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def evidence() -> str:
    """Per engine and back end: the measurements its speeds rest on, or whose they are borrowed from."""
    from ridgewise.engines import load_engines

    rows = []
    for engine in load_engines().values():
        seen, none = [], []
        for backend in engine.backends:
            most, devices = _measured(engine, backend)
            lent = f" of {engine.borrows(backend)}" if engine.borrows(backend) else ""
            if most:
                seen.append(f"{backend.id}: {most:,} on {devices} device{'s' * (devices != 1)}{lent}")
            else:
                none.append(backend.id)
        rows.append((engine.name, "; ".join(dict.fromkeys(seen)), ", ".join(dict.fromkeys(none))))
    return table(("engine", "measurements in the fit", "none (tier *datasheet*)"), rows)


def _measured(engine: Any, backend: Any) -> tuple[int, int]:
    """Measurements of a back end in the blocks its coefficients come from, and the devices they were made on."""
    from ridgewise.serving.local import GGML
    from ridgewise.timing.coefficients import load_blocks

    called, most, devices = engine.called(backend), 0, set[str]()
    stack = f"{called}|{backend.stack or backend.id}"
    local = f"local-{backend.unit}" if backend.unit != "gpu" else "local-gpu" if called in GGML else "local-gpu-other"
    for name in ["serving"] if engine.serves(backend) else [local, "local-hybrid"]:
        block = load_blocks()[name]
        if stack not in block.seen.get("stack", ()):
            continue
        devices |= {pair.split("|")[0] for pair in block.seen["device"] if pair.endswith(f"|{stack}")}
        groups = {key: group.rows for c in block.coefficients.values() for level in c.levels.values()
                  for key, group in level.items()}  # fmt: skip
        most += groups.get(stack) or groups.get(called, 0)
    return most, len(devices)


QUESTIONS = (
    ("a chat model for myself", "meta-llama/Llama-3.1-8B-Instruct --users 1"),
    ("a 70B model for a department", "meta-llama/Llama-3.1-70B-Instruct --users 200 --slo-ttft 1s"),
    ("a 671B mixture of experts for a team", "DeepSeek-V3 --users 50"),
    ("the best I can run for $4,000", "openai/gpt-oss-120b --users 1 --budget 4000"),
    ("adapt a model to my data", "Llama-3.1-8B --goal qlora"),
    ("train a model from the start", "Llama-3.1-70B --goal train --tokens 2T"),
)


def answers() -> str:
    """One line for each of the example questions: what comes first, and its main figures."""
    rows = []
    for wish, arguments in QUESTIONS:
        option = _option("plan " + arguments)
        rows.append((wish, f"`plan {arguments}`", _pick(option), _figures(option)))
    rows.append(_paid("to know whether to buy, rent or ask an API", PAID))
    return table(("I want", "command", "first choice", "in figures (80 % interval)"), rows)


@dataclass(frozen=True)
class User:
    """Somebody who asks: the question, the first idea (a ``check``), and the mistakes in it by id."""

    who: str
    asks: str
    idea: str
    said: str
    caught: tuple[str, ...]


_LAW = "Llama-3.3-70B-Instruct --users 25 --prompt 8k --output 500 --context 32k"
_STARTUP = "Llama-3.1-8B-Instruct --prompt 1500 --output 300"
USERS = (
    User(
        "a student with 1,500 USD and a PC", "plan gpt-oss-20b --users 1 --context 16k --budget 1500 --host-price 0",
        'Llama-3.3-70B-Instruct --users 1 --context 16k --budget 1500 --host-price 0 --hardware "RTX 4090"',
        "70B on one RTX 4090", ("does-not-fit",),
    ),
    User(
        "a law office, 25 people, private documents", f"plan {_LAW} --budget 25000 --priority cost",
        f'{_LAW} --budget 25000 --hardware "M3 Ultra 512GB"', "a Mac Studio with 512 GiB",
        ("latency-limit", "concurrency"),
    ),
    User(
        "an IT department, 500 staff", "plan gpt-oss-120b --users 500 --slo-ttft 1s",
        'gpt-oss-120b --users 500 --slo-ttft 1s --hardware "Strix Halo"', "a mini PC that does 45 tokens/s",
        ("latency-limit", "concurrency", "engine-slots"),
    ),
    User(
        "a start-up, 2,000 requests a minute",
        f"capacity {_STARTUP} --rate 33.3 --slo-ttft p95=1s --slo-tpot p95=50ms",
        f'{_STARTUP} --concurrency 170 --slo-ttft 1s --slo-tpot 50ms --hardware "RTX 4090"', "one RTX 4090",
        ("kv-cache",),
    ),
    User(
        "a lab that fine-tunes every week", "plan Qwen3-32B --goal qlora --tokens 50M --deadline 24h",
        'Qwen3-32B --goal finetune --tokens 50M --deadline 24h --hardware "RTX 4090"',
        "all weights on an RTX 4090", ("impossible-training",),
    ),
    User(
        "a company that pretrains 8B on 1T tokens", "plan Llama-3.1-8B --goal train --tokens 1T --deadline 30days",
        'Llama-3.1-8B --goal train --tokens 1T --deadline 30days --hardware "8x H100 SXM" --peak 1979TFLOP/s',
        "one server, at the 1,979 TFLOP/s of the brochure", ("deadline-missed", "quoted-flops"),
    ),
)  # fmt: skip


def users() -> str:
    """One line for each of the six users: what they ask, what comes first, and what was wrong with their first idea."""
    rows = []
    for user in USERS:
        option = _option(user.asks)
        ids = ", ".join(f"`{name}`" for name in caught(user.idea) if name in user.caught)
        rows.append((user.who, f"`{user.asks}`", _pick(option), _figures(option), f"{user.said}: {ids}"))
    headers = ("who", "asks", "first choice", "in figures (80 % interval)", "first idea, and what `check` says")
    return table(headers, rows)


def caught(idea: str) -> dict[str, str]:
    """The level of every mistake that is found in an idea, by its id."""
    (found,) = console.document(["check", *shlex.split(idea)])["ideas"]
    return {finding["rule"]: finding["level"] for finding in found["findings"]}


#: The question of money that the README and the page of money show.
PAID = "cost Llama-3.1-70B-Instruct --users 200 --country DE --horizon 3y"


def _paid(wish: str, arguments: str) -> tuple[str, ...]:
    from ridgewise.units import money

    found = console.document(shlex.split(arguments))
    best = next(way for way in found["ways"] if way["way"] == found["cheapest"])
    others = [f"{money(way['cost_usd_per_month'])} for {way['way']}" for way in found["ways"] if way is not best]
    low, high = (money(best["cost_usd"][end] / found["horizon_months"]) for end in ("low", "high"))
    spent = f"{money(best['cost_usd_per_month'])} a month ({low}–{high}) against {' and '.join(others)}"
    return wish, f"`{arguments}`", f"{best['way']} {best['what']}", spent


def _pick(option: dict[str, Any]) -> str:
    memory = option.get("configuration_memory_bytes")
    named = f"{option['name']}, {memory / 2**30:.0f} GiB" if memory else option["name"]
    return f"{named} ({option['format']})"


def _figures(option: dict[str, Any]) -> str:
    from ridgewise.units import digits, duration, money

    if option.get("run_s"):
        run = option["run_s"]
        paid = f", {money(option['cost_usd_run'])} to {option['tenure']}" if option["cost_usd_run"] else ""
        return f"{duration(run['value'])} ({duration(run['low'])} to {duration(run['high'])}){paid}"
    wait, buy = option["ttft_s"], option["purchase_usd"]
    if "decode_tokens_per_s" not in option:
        pace, bought = option["tpot_s"], f"; {money(buy['low'])} to {money(buy['high'])}" if buy else ""
        held = f"{duration(wait['value'])} to the first token, {duration(pace['value'])} to each further one (p95)"
        return f"{held}, at the slow end {duration(wait['high'])} and {duration(pace['high'])}{bought}"
    rate = option["decode_tokens_per_s"]
    ends = list(dict.fromkeys(money(buy[end]) for end in ("low", "high"))) if buy else []
    paid = f"; {' to '.join(ends)}" if ends else ""
    low, value, high = (digits(rate[key], 2) for key in ("low", "value", "high"))
    return f"{value} tokens/s each ({low}–{high}) after {duration(wait['value'])}{paid}"


def rules() -> str:
    """Every mistake that is looked for, by topic."""
    from ridgewise.advise.rules import TOPICS, load_rules

    rows = [
        (f"`{rule.id}`", rule.level, rule.asks, f"{TOPICS[rule.topic]}") for rule in load_rules().values()
    ]  # fmt: skip
    return table(("rule", "at most", "the question it asks", "the mistake"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "rules": rules,
    "errors": errors,
    "errors-shipped": errors_shipped,
    "record": record,
    "blocks": blocks,
    "coefficients": coefficients,
    "training": training,
    "power": power,
    "classes": classes,
    "prices": prices,
    "models": models,
    "ridges": ridges,
    "batching": batching,
    "engines": engines,
    "evidence": evidence,
    "answers": answers,
    "users": users,
}
