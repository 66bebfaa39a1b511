"""What ``simulate`` and ``capacity`` answer: as documents, and for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ridgewise.report.document import Estimate, Layout, Tier
from ridgewise.report.text import TIER_MARK, TIER_TEXT
from ridgewise.simulation.metrics import STATISTICS
from ridgewise.units import count, digits, duration, energy, money, power, share, whole

#: Columns of text where the output is no terminal.
WIDTH = 120
LATENCY_NAMES = {"ttft": "TTFT", "tpot": "TPOT", "itl": "ITL", "e2e": "E2E", "wait": "wait"}
BLOCKS = " ▁▂▃▄▅▆▇█"


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
class SimulationDocument:
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
    requests_per_s: float
    output_tokens_per_s: float
    total_tokens_per_s: float
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


def show(found: SimulationDocument) -> None:
    """A simulation on a terminal."""
    console = _console()
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


def _console() -> Console:
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
            drawn.add_row(title, *(_around(values[s]) for s in STATISTICS))
    return drawn


def _around(estimate: Estimate) -> str:
    low, high = duration(estimate.low), duration(estimate.high)
    number, _, unit = low.partition(" ")
    span = f"{number}–{high}" if high.endswith(f" {unit}") else f"{low}–{high}"
    return duration(estimate.value) + ("" if low == high else f"\n{span}")


def _figures(found: SimulationDocument) -> Iterator[tuple[str, str]]:
    yield (
        "throughput",
        (
            f"{digits(found.requests_per_s)} requests/s, {digits(found.output_tokens_per_s)} tokens/s made, "
            f"{digits(found.total_tokens_per_s)} with those read"
        ),
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


@dataclass(frozen=True, slots=True)
class PointDocument:
    """One point of the knee curve: load on the whole system, latencies as expected and at the slow end."""

    load: float
    share_of_most: float
    ttft_s: Estimate | None
    tpot_s: Estimate | None
    output_tokens_per_s: float
    kept: bool
    kept_when_slow: bool


@dataclass(frozen=True, slots=True)
class GrowthDocument:
    """The load up to which so many replicas do, and what they cost."""

    replicas: int
    devices: int
    load: float
    cost_usd_per_month: float | None


@dataclass(frozen=True, slots=True)
class SystemDocument:
    """A system that keeps the limits.

    load_per_replica   the most that one carries with every limit kept at the slow end of the interval
    headroom           further load they carry, as a share of what was asked
    ttft_s, tpot_s     of all replicas together with the load that was asked
    """

    rank: int
    name: str
    device: str
    devices: int
    bought: int
    replicas: int
    engine: str
    format: str
    layout: Layout
    load_per_replica: float
    headroom: float
    ttft_s: Estimate
    tpot_s: Estimate
    output_tokens_per_s: float
    cache_peak_share: float
    power_w: float | None
    purchase_low_usd: float | None
    purchase_high_usd: float | None
    rent_low_usd_per_h: float | None
    rent_high_usd_per_h: float | None
    tenure: str
    cost_usd_per_month: float | None
    tier: Tier


@dataclass(frozen=True, slots=True)
class CapacityDocument:
    """How much hardware a service needs."""

    schema_version: int
    command: str
    model: str
    load: str
    amount: float
    unit: str
    limits: tuple[str, ...]
    feasible: bool
    systems: tuple[SystemDocument, ...]
    curve: tuple[PointDocument, ...]
    curve_unit: str
    breaks_first: str
    most_when_slow: float
    most_as_expected: float
    growth: tuple[GrowthDocument, ...]
    spares: tuple[GrowthDocument, ...]
    one_fails: str
    settings: tuple[str, ...]
    missed: tuple[str, ...]
    assumptions: tuple[str, ...]
    considered: int
    simulated: int
    elapsed_s: float
    notes: tuple[str, ...]


def show_capacity(found: CapacityDocument) -> None:
    """A capacity answer on a terminal."""
    console = _console()
    console.print(Text(f"{found.model}: {found.load}", style="bold"))
    console.print(Text("limits: " + ", ".join(found.limits)))
    console.print()
    if not found.feasible:
        console.print(Text("No system of the candidates keeps these limits at any load. The nearest:"))
        for line in found.missed:
            console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))
    else:
        console.print(_systems(found))
        first = found.systems[0]
        console.print()
        console.print(Text(f"{first.name}: latency against load", style="bold"))
        for line in plots(found):
            console.print(Text(line))
        console.print()
        for title, text in (
            ("carries", f"{_amount(found.most_when_slow, found.unit)} at the slow end of the interval, "
                        f"{_amount(found.most_as_expected, found.unit)} as expected; asked are "
                        f"{_amount(found.amount, found.unit)}: head-room {share(first.headroom)}"),
            ("breaks first", found.breaks_first),
            ("growth", "; ".join(f"up to {_amount(g.load, found.unit)} {_many(g.replicas, 'replica')} "
                                 f"({_many(g.devices, 'device')}{_cost(g.cost_usd_per_month)})"
                                 for g in found.growth)),
            ("spares", "; ".join(f"N+{i}: {g.replicas} replicas, {g.devices} devices{_cost(g.cost_usd_per_month)}"
                                 for i, g in enumerate(found.spares, 1))),
            ("one fails", found.one_fails),
            ("settings", "; ".join(found.settings) or "none tried carries more than the engine's own"),
        ):  # fmt: skip
            console.print(Padding(Text(f"{title}: {text}"), (0, 0, 0, 0)))
        if found.missed:
            console.print()
            console.print(Text("Tried without success", style="bold"))
            for line in found.missed:
                console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))
    for title, lines in (("Assumed, change with the flag named", found.assumptions), ("How to read it", found.notes)):
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def _cost(month: float | None) -> str:
    return "" if month is None else f", {money(month)} a month"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _amount(value: float, unit: str) -> str:
    return f"{whole(value) if unit == 'users' else digits(value)} {unit}"


def _systems(found: CapacityDocument) -> Table:
    named = {text.split(" ")[0]: " ".join(text.split(" ")[:2]) for text in found.limits}
    first, rest = (named.get(name, f"{name} p95") for name in ("TTFT", "TPOT"))
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    titles = ("rank", "system", first, rest, "tokens/s", f"{found.unit} each", "power", "price", "a month")
    for title in titles:
        drawn.add_column(title)
    for one in found.systems:
        layout = one.layout
        parts = (one.engine, one.format, f"TP{layout.tp}" if layout.tp > 1 else "",
                 f"×{one.replicas}" if one.replicas > 1 else "")  # fmt: skip
        price = []
        if one.rent_low_usd_per_h is not None and one.rent_high_usd_per_h is not None:
            price.append(f"{money(one.rent_low_usd_per_h)}–{money(one.rent_high_usd_per_h)}/h")
        if one.purchase_low_usd is not None and one.purchase_high_usd is not None:
            node = f" for {one.bought}" if one.bought > one.devices else ""
            price.append(f"{_thousands(one.purchase_low_usd)}–{_thousands(one.purchase_high_usd)}{node}")
        if one.tenure == "own":
            price.reverse()
        drawn.add_row(
            str(one.rank), f"{one.name}\n{' '.join(p for p in parts if p)}", _marked(one.ttft_s), _marked(one.tpot_s),
            digits(one.output_tokens_per_s, 2), digits(one.load_per_replica),
            power(one.power_w) if one.power_w is not None else "unknown", "\n".join(price) or "no price",
            f"{money(one.cost_usd_per_month)}\n{one.tenure}" if one.cost_usd_per_month is not None else "",
        )  # fmt: skip
    return drawn


def _thousands(dollars: float) -> str:
    return f"${digits(dollars / 1e3)}k" if 1e4 <= dollars < 1e6 else money(dollars)


def _marked(estimate: Estimate) -> str:
    value, _, rest = _around(estimate).partition("\n")
    return f"{value} {TIER_MARK[estimate.tier]}" + (f"\n{rest}" if rest else "")


#: Rows and columns of a plot in text.
ROWS, ACROSS = 9, 60


def plots(found: CapacityDocument) -> Iterator[str]:
    """TTFT and TPOT over load: ● as expected, ○ at the slow end, ─ the limit."""
    limits = {}
    for text in found.limits:
        name, statistic, _, amount = text.split(" ", 3)
        limits[name.lower()] = (statistic, amount)
    for name in ("ttft", "tpot"):
        points = [(p.load, getattr(p, f"{name}_s")) for p in found.curve]
        drawn = [(x, e.value, e.high) for x, e in points if e is not None]
        if drawn:
            statistic, amount = limits.get(name, ("p95", ""))
            yield from plot(f"{LATENCY_NAMES[name]} {statistic}", drawn, _seconds(amount), found.curve_unit)


def _seconds(text: str) -> float | None:
    from ridgewise.units import parse

    return parse(text, "s") if text else None


def plot(title: str, points: Sequence[tuple[float, float, float]], limit: float | None, unit: str) -> Iterator[str]:
    """A plot in text, seconds on a logarithmic axis."""
    values = [v for _, a, b in points for v in (a, b) if v > 0 and math.isfinite(v)] + ([limit] if limit else [])
    low, high = math.log(min(values) / 1.15), math.log(max(values) * 1.15)
    right = max(x for x, _, _ in points)
    cells = [[" "] * ACROSS for _ in range(ROWS)]

    def row(value: float) -> int:
        return ROWS - 1 - min(max(round((math.log(value) - low) / (high - low) * (ROWS - 1)), 0), ROWS - 1)

    if limit:
        cells[row(limit)] = ["─"] * ACROSS
    for mark, which in (("○", 2), ("●", 1)):
        for point in points:
            if point[which] > 0 and math.isfinite(point[which]):
                cells[row(point[which])][min(round(point[0] / right * (ACROSS - 1)), ACROSS - 1)] = mark
    yield f"  {title} (● as expected, ○ at the slow end{', ─ the limit' if limit else ''})"
    for number, line in enumerate(cells):
        value = math.exp(high - (high - low) * number / (ROWS - 1))
        label = (
            duration(value) if number in (0, ROWS - 1) else duration(limit) if limit and number == row(limit) else ""
        )
        yield f"{label:>9} ┤{''.join(line)}"
    yield f"{'':>9} └{'─' * ACROSS}"
    yield f"{'':>11}0{f'{digits(right)} {unit}':>{ACROSS - 1}}"


#: What is said under every table.
NOTES = (
    "times with their 80 % interval: the run is repeated with every step as short and as long as the ends of TPOT's "
    "calibrated interval say, so that queues are part of it; none is narrower than the calibrated one. " + TIER_TEXT,
)
