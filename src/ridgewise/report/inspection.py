"""``fit`` and ``explain`` for people."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ridgewise.advise.explaining import Explanation, Phase
from ridgewise.advise.fitting import FitAnswer
from ridgewise.facts import load_sources
from ridgewise.report.roofline import text as roofline
from ridgewise.units import count, digits, duration, quantity, rate, size, whole

#: What raises the engine's own limit on sequences.
SEQUENCES_FLAG = {
    "vllm": "--max-num-seqs", "sglang": "--max-running-requests", "tensorrt-llm": "--max_batch_size",
    "llama.cpp": "--parallel",
}  # fmt: skip


#: Factors nearer to 1 than this [log] are not worth a line.
SMALL = 0.03


def _table(*columns: str) -> Table:
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for place, title in enumerate(columns):
        drawn.add_column(title, justify="left" if place == 0 else "right", overflow="fold")
    return drawn


def show(found: FitAnswer | Explanation) -> None:
    """Print either document."""
    console = Console(highlight=False)
    if isinstance(found, FitAnswer):
        _show_fit(found, console)
    else:
        _show_explanation(found, console)


def _list(console: Console, title: str, lines: tuple[str, ...]) -> None:
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Text(f"  · {line}"))


def _show_fit(found: FitAnswer, console: Console) -> None:
    times = f"{found.devices} × " if found.devices > 1 else ""
    console.print(Text(f"{found.model} on {times}{found.device}", style="bold"))
    console.print(
        Text(
            f"{found.engine}, {found.format} weights, {digits(found.sequences)} × {count(found.context_tokens)} tokens:"
            f" {found.policy}"
        )
    )
    table = _table("per device", "size", "")
    basis, _, why = found.memory_basis.partition(": ")
    table.add_row(f"usable memory ({basis})" if basis else "usable memory", size(found.memory_total_bytes), "")
    steps = {"reserved": found.reserved_bytes, **found.parts_bytes}
    widest = max(found.memory_total_bytes, *steps.values())
    for part, amount in steps.items():
        guessed = " (assumed)" if part in found.assumed_parts else ""
        table.add_row(f"− {part}{guessed}", size(amount), Text("█" * round(30 * amount / widest), justify="left"))
    end = "= left" if found.fits else "= MISSING"
    table.add_row(end, size(abs(found.left_bytes)), "", style="bold")
    if found.ram_bytes:
        table.add_row("in RAM besides", size(found.ram_bytes), "")
    console.print()
    console.print(table)
    console.print()
    for line in _room(found):
        console.print(Text(line))
    _list(console, "Does not fit. Each of these alone would do", found.fixes)
    _list(console, "Assumed", ((f"Usable memory: {why}.",) if why else ()) + found.assumptions)


def _room(found: FitAnswer) -> Iterator[str]:
    """How far context and concurrency could grow, and what the engine does by default."""
    total = found.total_bytes
    yield f"{size(total.value)} held, {size(total.low)} to {size(total.high)} as far as the parts are known"
    per_token = f"{digits(found.kv_bytes_per_token / 1024)} KiB of cache per further token and device"
    longer = f"{digits(found.sequences)} × {count(found.context_limit_tokens)} tokens"
    more = f"{digits(found.batch_limit_requests)} × {count(found.context_tokens)}"
    if found.context_limit_tokens and found.batch_limit_requests:
        yield f"memory for {longer}, or for {more}; {per_token}"
    elif found.context_limit_tokens or found.batch_limit_requests:
        yield f"memory for {longer if found.context_limit_tokens else more + ' tokens'}; {per_token}"
    else:
        yield f"weights and buffers leave no room for a context; {per_token}"
    if found.batch_limit_requests > found.engine_limit_requests or found.sequences > found.engine_limit_requests:
        flag = SEQUENCES_FLAG.get(found.engine, "")
        yield (
            f"{found.engine} runs {digits(found.engine_limit_requests)} sequences at once by default"
            f"{f' ({flag})' if flag else ''}: more wait unless that is raised"
        )


def _show_explanation(found: Explanation, console: Console) -> None:
    times = f"{found.devices} × " if found.devices > 1 else ""
    console.print(Text(f"{found.model} on {times}{found.device}", style="bold"))
    console.print(
        Text(
            f"{found.engine} ({found.backend}), {found.format} weights; prompt {whole(found.prompt_tokens)}, output "
            f"{whole(found.output_tokens)}, batch {whole(found.batch)}; tier {found.tier}"
        )
    )
    for phase in found.phases:
        _show_phase(phase, console)
    if found.ridge_point_flop_per_byte:
        console.print()
        console.print(Text(_ridge_line(found, found.ridge_point_flop_per_byte)))
        peak = found.peak_flop_per_s or 0.0
        for line in roofline(found.roofline, peak, peak / found.ridge_point_flop_per_byte):
            console.print(Text(line, no_wrap=True))
    _list(console, "Formulas", found.formulas)
    known = load_sources()
    lines = []
    for entered in found.inputs:
        cited = "; ".join(f"{known[key].title} ({known[key].url})" for key in entered.sources) or "no source yet"
        lines.append(
            f"{entered.key} = {quantity(entered.value, entered.unit)} [{entered.kind}] {entered.as_of} {cited}"
            + (f"; {entered.note}" if entered.note else "")
        )
    _list(console, "Inputs", tuple(lines))
    evidence = (
        f"block {found.coefficient_block}: {found.coefficient_rows} measurements, {found.coefficient_devices} devices, "
        f"{len(found.coefficient_sources)} sources (docs: How wrong it may be)"
    )
    _list(console, "Coefficients", (evidence, *_coefficients(found)))
    _list(console, "Assumed", found.assumptions)


def _ridge_line(found: Explanation, ridge: float) -> str:
    """Where each phase stands: the dividing line in one sentence."""
    sides = []
    for phase in found.phases:
        taken = {"compute": 0.0, "memory": 0.0}
        for row in phase.operators:
            taken[row.bound] += row.operator_s
        bound = max(taken, key=lambda roof: taken[roof])
        side = "above" if phase.intensity_flop_per_byte > ridge else "below"
        why = " since engines reach a part of that peak" if side == "below" and bound == "compute" else ""
        sides.append(f"{phase.phase} at {digits(phase.intensity_flop_per_byte)} is {side} it, {bound} decides{why}")
    peak = rate(found.peak_flop_per_s or 0, "FLOP/s")
    return (
        f"ridge point {digits(ridge)} FLOP/B ({peak} in {found.peak_precision} over the bandwidth): {'; '.join(sides)}"
    )


def _coefficients(found: Explanation) -> Iterator[str]:
    """Each coefficient, in both phases where they differ, with the groups that moved it most."""
    first, rest = (phase.coefficients for phase in found.phases)
    for name in first:
        values = [_coefficient(name, values[name]) for values in (first, rest)]
        value = values[0] if values[0] == values[1] else f"{values[0]} in prefill, {values[1]} in decode"
        plain = name.removesuffix("_s")
        moved = [f for f in found.factors if f.coefficient == plain and abs(math.log(f.factor)) > SMALL]
        groups = [
            f"{f.level} {f.group} × {digits(f.factor)} ({f.measurements})"
            for f in sorted(moved, key=lambda f: -abs(math.log(f.factor)))[:3]
        ]
        yield f"{name} = {value}" + (f"; {', '.join(groups)}" if groups else "")


def _coefficient(name: str, value: float) -> str:
    return duration(value) if name.endswith("overhead_s") else digits(value)


def _show_phase(phase: Phase, console: Console) -> None:
    table = _table(phase.phase, "GFLOP", "weights", "cache", "FLOP/B", "compute", "memory", "bound")
    for row in phase.operators:
        table.add_row(
            row.operator,
            digits(row.work_flop / 1e9),
            size(row.weight_bytes),
            size(row.cache_bytes),
            digits(row.intensity_flop_per_byte),
            duration(row.compute_s) if row.compute_s is not None else "unknown",
            duration(row.memory_s),
            row.bound,
        )
    table.add_row("overhead, all-reduces", "", "", "", "", "", duration(phase.overhead_s), "")
    if phase.step_s is None or phase.low_s is None or phase.high_s is None:
        total = "unknown: the catalogue has no peak rate for this device"
    else:
        total = f"{duration(phase.step_s)} ({duration(phase.low_s)}–{duration(phase.high_s)}, 80 %, {phase.tier})"
    console.print()
    console.print(table)
    console.print(Text(f"{phase.phase} step: {total}", style="bold"))
