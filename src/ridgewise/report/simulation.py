"""What ``simulate`` and ``capacity`` answer: as documents, and for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ridgewise.advise.simulated import Spent
from ridgewise.report.document import Estimate, Layout, Tier
from ridgewise.report.text import TIER_MARK, TIER_TEXT
from ridgewise.serving import Setup
from ridgewise.simulation import loop
from ridgewise.simulation.fleet import worth_compiling
from ridgewise.simulation.interval import Interval
from ridgewise.simulation.metrics import LATENCIES, STATISTICS, Limit
from ridgewise.simulation.policies import Policy, settings
from ridgewise.simulation.request import Requests
from ridgewise.simulation.timeline import refusal
from ridgewise.units import count, digits, duration, energy, power, share, size, whole
from ridgewise.units.shown import Shown

#: Columns of text where the output is no terminal.
WIDTH = 120
LATENCY_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e": "E2E", "wait": "wait"}
BLOCKS = " ▁▂▃▄▅▆▇█"
#: Share of the requests that come below which a system that answers no more falls behind.
BEHIND = 0.9
#: What is said under every table.
NOTES = (
    "times with their 80 % interval: the run is repeated with every step as short and as long as the ends of TPOT's "
    "calibrated interval say, so that queues are part of it; none is narrower than the calibrated one. " + TIER_TEXT,
)


@dataclass(frozen=True, slots=True)
class LimitDocument:
    """A promise, what it is held against, and whether it is kept: as expected, and at the slow end of the interval."""

    latency: str
    statistic: str
    limit_s: float
    value_s: Estimate | None
    kept: bool
    kept_when_slow: bool


@dataclass(frozen=True, slots=True)
class SeriesDocument:
    """Over time, in bins of equal width."""

    bin_s: float
    running_requests: tuple[float, ...]
    waiting_requests: tuple[float, ...]
    cache_share: tuple[float, ...]
    prompt_tokens_per_s: tuple[float, ...]
    output_tokens_per_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SimulationDocument(Shown):
    """One system under one load.

    ttft_s …     statistic → seconds with their interval; "wait" is from arrival to the first step
    partial      stopped by the user: what was answered until then
    refused      requests that could never fit; ``refused_reason``: the first of them
    """

    schema_version: int
    command: str
    model: str
    device: str
    name: str
    devices: int
    engine: str
    format: str
    layout: Layout
    router: str
    policy: Mapping[str, float | str | bool]
    sequences_limit: int
    step_limit_tokens: int
    cache_capacity_tokens: int
    load: str
    assumptions: tuple[str, ...]
    seed: int
    fits: bool
    missing_bytes: float
    partial: bool
    requests: int
    counted: int
    refused: int
    refused_reason: str
    unfinished: int
    prompt_tokens_mean: float
    output_tokens_mean: float
    ttft_s: Mapping[str, Estimate]
    tpot_s: Mapping[str, Estimate]
    itl_s: Mapping[str, Estimate]
    e2e_s: Mapping[str, Estimate]
    wait_s: Mapping[str, Estimate]
    limits: tuple[LimitDocument, ...]
    offered_requests_per_s: float | None
    requests_per_s: Estimate
    output_tokens_per_s: Estimate
    total_tokens_per_s: Estimate
    goodput_requests_per_s: float
    goodput_share: float
    itl_p99_over_p50: float
    p99_over_p50: Mapping[str, float]
    running_requests: float
    cache_share: float
    cache_peak_share: float
    busy_share: float
    put_back: int
    prefix_hit_share: float
    power_w: float | None
    energy_j_per_token: Estimate | None
    energy_j: float | None
    span_s: float
    simulated_s: float
    replica_s: float
    steps: int
    elapsed_s: float
    compiled: bool
    series: SeriesDocument
    tier: Tier
    notes: tuple[str, ...]


def estimate(three: tuple[float, float, float], setup: Setup, latency: str = "") -> Estimate:
    """A simulated figure with its interval."""
    tier = cast("Tier", setup.prompt_tier) if latency == "ttft" else tier_of(setup)
    return Estimate(*three, tier, (f"calibration.{setup.block.name}",))


def tier_of(setup: Setup) -> Tier:
    """How well measurements support a deployment."""
    return cast("Tier", setup.tier)


def document(
    done: Interval, limits: Sequence[Limit], setup: Setup, spent: Spent | None, told: Sequence[str], seed: int,
    elapsed: float,
) -> SimulationDocument:  # fmt: skip
    """A run and its repetitions; ``told``: what was assumed, ``elapsed``: how long it took."""
    run, found, level = done.run, done.found, done.found.level
    latencies = {
        name: {statistic: estimate(three, setup, name) for statistic, three in values.items()}
        for name, values in done.latencies.items()
    }
    shown: dict[str, Any] = {f"{name}_s": latencies.get(name, {}) for name in LATENCIES}
    shown |= {
        f"{name}_per_s": estimate(done.rates[rate], setup)
        for name, rate in (("requests", "requests"), ("output_tokens", "output"), ("total_tokens", "total"))
    }
    kept = tuple(
        LimitDocument(one.limit.latency, one.limit.statistic, one.limit.most,
                      None if one.range is None else estimate(one.range, setup), one.likely, one.surely)
        for one in done.kept(limits)
    )  # fmt: skip
    system = run.fleet.systems[0]
    refused = [i for i in range(len(run.asked)) if run.outcomes.status[i] == loop.TOO_LARGE][:1]
    replicas = len(run.fleet.systems) + len(run.fleet.answers)
    each = None if spent is None else (spent.per_token, spent.per_token * spent.low, spent.per_token * spent.high)
    return SimulationDocument(
        schema_version=1, command="simulate", model=setup.arch.name, device=setup.device.id, name=setup.device.name,
        devices=setup.count * replicas, engine=setup.engine.id, format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), replicas), router=run.fleet.router,
        policy=settings(system.policy), sequences_limit=system.sequences, step_limit_tokens=system.tokens,
        cache_capacity_tokens=system.capacity, load=run.asked.about, assumptions=tuple(told), seed=seed,
        fits=True, missing_bytes=0.0, partial=run.partial, requests=found.asked, counted=found.counted,
        refused=found.refused, refused_reason=refusal(run, refused[0]) if refused else "",
        unfinished=found.unfinished, prompt_tokens_mean=float(run.asked.prompt.mean()),
        output_tokens_mean=float(run.asked.output.mean()), offered_requests_per_s=run.asked.offered, **shown,
        limits=kept,
        goodput_requests_per_s=found.goodput, goodput_share=found.good, itl_p99_over_p50=found.jitter,
        p99_over_p50=found.spread, running_requests=found.running, cache_share=found.cache,
        cache_peak_share=found.cache_peak, busy_share=found.busy, put_back=found.put_back, prefix_hit_share=found.hit,
        power_w=spent.watts if spent else None, energy_j=spent.joules if spent else None,
        energy_j_per_token=None if each is None else Estimate(*each, tier_of(setup)),
        span_s=found.span, simulated_s=found.simulated, replica_s=found.up, steps=found.steps, elapsed_s=elapsed,
        compiled=worth_compiling(found.asked),
        series=SeriesDocument(level.width, *(tuple(map(float, column)) for column in (
            level.running, level.waiting, level.cache, level.read, level.made))),
        tier=tier_of(setup), notes=NOTES,
    )  # fmt: skip


def unfit(
    setup: Setup, policy: Policy, asked: Requests, told: Sequence[str], seed: int, missing: float
) -> SimulationDocument:  # fmt: skip
    """A system whose memory does not hold the model and one request: it lacks so many bytes per device."""
    typical = asked.typical(float(setup.arch.max_context or math.inf))
    note = (
        f"{size(missing)} per device are missing for {setup.arch.name} in {setup.plan.format.id} and one request of "
        f"{digits(typical)} tokens; try a larger --tp or a smaller --quant"
    )
    nothing: dict[str, Any] = {name: {} for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "wait_s", "p99_over_p50")}
    zero = dict.fromkeys((
        "goodput_requests_per_s", "goodput_share", "itl_p99_over_p50", "running_requests", "cache_share",
        "cache_peak_share", "busy_share", "prefix_hit_share", "span_s", "simulated_s", "replica_s", "elapsed_s",
    ), 0.0)  # fmt: skip
    rates = dict.fromkeys(("requests_per_s", "output_tokens_per_s", "total_tokens_per_s"),
                          estimate((0.0, 0.0, 0.0), setup))  # fmt: skip
    none: dict[str, Any] = {**nothing, **zero, **rates}
    return SimulationDocument(
        schema_version=1, command="simulate", model=setup.arch.name, device=setup.device.id, name=setup.device.name,
        devices=setup.count, engine=setup.engine.id, format=setup.plan.format.id,
        layout=Layout(int(setup.plan.tp), int(setup.plan.pp), 1), router="", policy=settings(policy),
        sequences_limit=0, step_limit_tokens=0, cache_capacity_tokens=0, load=asked.about, assumptions=tuple(told),
        seed=seed, fits=False, missing_bytes=missing, partial=False, requests=len(asked),
        counted=0, refused=0, refused_reason="", unfinished=len(asked), prompt_tokens_mean=float(asked.prompt.mean()),
        output_tokens_mean=float(asked.output.mean()), offered_requests_per_s=asked.offered,
        limits=(), put_back=0, power_w=None, energy_j_per_token=None,
        energy_j=None, steps=0, compiled=False, series=SeriesDocument(1.0, (), (), (), (), ()), tier=tier_of(setup),
        notes=(note,), **none,
    )  # fmt: skip


def show(found: SimulationDocument) -> None:
    """A simulation on a terminal."""
    console = screen()
    layout = found.layout
    parts = [f"TP{layout.tp}" if layout.tp > 1 else "", f"PP{layout.pp}" if layout.pp > 1 else "",
             f"×{layout.replicas}, {found.router}" if layout.replicas > 1 else ""]  # fmt: skip
    machine = f"{found.devices} × {found.name}" if found.devices > 1 else found.name
    how = " ".join(part for part in (found.engine, found.format, *parts) if part)
    console.print(Text(f"{found.model} on {machine}, {how}", style="bold"))
    if not found.fits:
        console.print(Text("It does not fit: " + "; ".join(found.notes)))
        return
    lengths = f"{digits(found.prompt_tokens_mean)} in and {digits(found.output_tokens_mean)} out on average"
    console.print(Text(f"{found.load}: {whole(found.requests)} requests, tokens {lengths}"))
    if found.partial:
        console.print(Text(f"Stopped after {duration(found.simulated_s)} of simulated time: "
                           f"{whole(found.unfinished)} requests are not answered", style="bold"))  # fmt: skip
    console.print()
    console.print(_latencies(found))
    console.print()
    for name, text in _figures(found):
        console.print(Text(f"{name:<12} {text}"))
    if found.limits:
        console.print()
        for one in found.limits:
            console.print(Text(_kept(one)))
    console.print()
    bins = found.series
    for name, values, text in (
        ("running", bins.running_requests, f"up to {digits(max(bins.running_requests, default=0.0))}"),
        ("waiting", bins.waiting_requests, f"up to {digits(max(bins.waiting_requests, default=0.0))}"),
        ("KV cache", bins.cache_share, f"up to {share(max(bins.cache_share, default=0.0))}"),
    ):
        console.print(Text(f"{name:<12} {spark(values, 64)} {text}"))
    console.print(Text(f"{'':<12} 0 … {duration(bins.bin_s * len(bins.running_requests))}"))
    how = f"{duration(found.simulated_s)} and {whole(found.steps)} steps simulated in {duration(found.elapsed_s)}"
    told = (*found.notes, how + (", compiled" if found.compiled else ""))
    for title, lines in (("Assumed", found.assumptions), ("How to read it", told)):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
            for line in lines:
                console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def screen() -> Console:
    """Where answers are printed: as wide as the terminal, or as :data:`WIDTH` where it is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, WIDTH))


def _latencies(found: SimulationDocument) -> Table:
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(f"latency ({TIER_MARK[found.tier]})")
    for statistic in STATISTICS:
        drawn.add_column(statistic, justify="right")
    for name, title in LATENCY_NAMES.items():
        values: Mapping[str, Estimate] = getattr(found, f"{name}_s")
        if values:
            drawn.add_row(title, *(around(values[s]) for s in STATISTICS))
    return drawn


def around(estimate: Estimate) -> str:
    low, high = duration(estimate.low), duration(estimate.high)
    number, _, unit = low.partition(" ")
    span = f"{number}–{high}" if high.endswith(f" {unit}") else f"{low}–{high}"
    return duration(estimate.value) + ("" if low == high else f"\n{span}")


def _figures(found: SimulationDocument) -> Iterator[tuple[str, str]]:
    yield (
        "throughput",
        (
            f"{_rate(found.requests_per_s)} requests/s, {_rate(found.output_tokens_per_s)} tokens/s made, "
            f"{digits(found.total_tokens_per_s.value)} with those read"
        ),
    )
    if (offered := found.offered_requests_per_s) and _behind(found, offered):
        yield (
            "overload",
            f"{digits(offered)} requests/s come and {digits(found.requests_per_s.value)} are answered: the queue grows "
            "for as long as they come",
        )
    if found.limits:
        yield (
            "goodput",
            f"{digits(found.goodput_requests_per_s)} requests/s keep every limit: {share(found.goodput_share)}",
        )
    spreads = ", ".join(f"{LATENCY_NAMES[name]} {digits(value, 2)}" for name, value in found.p99_over_p50.items())
    yield "stability", f"p99 over p50: ITL {digits(found.itl_p99_over_p50, 2)}, {spreads}"
    yield (
        "batch",
        f"{digits(found.running_requests)} requests at work on average; busy {share(found.busy_share)} of the time",
    )
    yield (
        "KV cache",
        (
            f"{share(found.cache_share)} held on average, {share(found.cache_peak_share)} at most, of "
            f"{count(found.cache_capacity_tokens)} tokens a replica"
            + (f"; {share(found.prefix_hit_share)} of prompt tokens found in it" if found.prefix_hit_share else "")
        ),
    )
    if found.put_back:
        yield "put back", f"{whole(found.put_back)} times a request lost its place and was computed anew"
    if found.refused:
        many = "request" if found.refused == 1 else "requests"
        yield "refused", f"{whole(found.refused)} {many} can never fit: {found.refused_reason}"
    if found.power_w is not None and found.energy_j is not None and found.energy_j_per_token is not None:
        joules = found.energy_j_per_token
        yield (
            "energy",
            (
                f"{power(found.power_w)} at the wall on average, {energy(found.energy_j)} in all, "
                f"{digits(joules.value)} J a token ({digits(joules.low)}–{digits(joules.high)})"
            ),
        )


def _rate(estimate: Estimate) -> str:
    low, high = digits(estimate.low), digits(estimate.high)
    return digits(estimate.value) + ("" if low == high else f" ({low}–{high})")


def _behind(found: SimulationDocument, offered: float) -> bool:
    """Whether the queue grew as long as requests came: fewer are answered, and waits are no moment of it."""
    wait = found.wait_s["p95"].value if found.wait_s else 0.0
    return found.requests_per_s.value < BEHIND * offered and wait > (1.0 - BEHIND) * found.requests / offered


def _kept(one: LimitDocument) -> str:
    name = f"{LATENCY_NAMES[one.latency]} {one.statistic} ≤ {duration(one.limit_s)}"
    if one.value_s is None:
        return f"✗ {name}: nothing was answered"
    value = f"{duration(one.value_s.value)}, at the slow end {duration(one.value_s.high)}"
    if one.kept and one.kept_when_slow:
        return f"✓ {name}: {value}"
    return f"{'○' if one.kept else '✗'} {name}: {value}" + (
        " – kept as expected, not at the slow end" if one.kept else ""
    )


def spark(values: Sequence[float], width: int) -> str:
    """A series as a line of bars, the highest full."""
    if not values:
        return ""
    step = max(len(values) / width, 1.0)
    held = [
        max(values[int(i * step) : max(int((i + 1) * step), int(i * step) + 1)]) for i in range(min(width, len(values)))
    ]
    top = max(held)
    if top <= 0:
        return BLOCKS[1] * len(held)
    return "".join(BLOCKS[max(math.ceil(v / top * 8), 1) if v > 0 else 1] for v in held)
