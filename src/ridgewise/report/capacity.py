"""What ``capacity`` answers: as a document, and for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ridgewise.advise.capacity import BEYOND, Sized, Softer, Step
from ridgewise.economics.cost import AMORTISATION_MONTHS, sold
from ridgewise.report.charts.knee import promised
from ridgewise.report.document import Estimate, Layout, Tier
from ridgewise.report.simulation import LATENCY_NAMES, NOTES, around, estimate, screen, tier_of
from ridgewise.report.text import TIER_MARK
from ridgewise.serving import Setup
from ridgewise.simulation.capacity import Answer, Look, Missed
from ridgewise.simulation.interval import bands_of
from ridgewise.simulation.metrics import Limit
from ridgewise.units import digits, duration, money, power, share, whole
from ridgewise.units.shown import Shown
from ridgewise.workloads import Service


@dataclass(frozen=True, slots=True)
class PointDocument:
    """One point of the knee curve: load on the whole system, latencies as expected and at the slow end."""

    load: float
    share_of_most: float
    ttft_s: Estimate | None
    tpot_s: Estimate | None
    output_tokens_per_s: Estimate
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
class PromiseDocument:
    """A statistic of a latency, and the most it may be."""

    latency: str
    statistic: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class SofterDocument:
    """Limits that, were they these, this system would keep; what it saves against the first one."""

    limits: tuple[PromiseDocument, ...]
    name: str
    device: str
    devices: int
    engine: str
    format: str
    layout: Layout
    tier: Tier
    cost_usd_per_month: float | None
    saved_usd_per_month: float | None
    saved_purchase_usd: float | None


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
    output_tokens_per_s: Estimate
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
class CapacityDocument(Shown):
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
    softer: tuple[SofterDocument, ...]
    missed: tuple[str, ...]
    assumptions: tuple[str, ...]
    considered: int
    simulated: int
    elapsed_s: float
    notes: tuple[str, ...]


def document(done: Sized, model: str, people: float | None, told: Sequence[str], elapsed: float) -> CapacityDocument:
    """A sizing. ``people``: with access, where the load is theirs; ``told``: what was assumed of the load."""
    asked, found, best = done.asked, done.found, done.best
    unit, users = "requests/s" if people is None else "users", asked.users
    load = f"{digits(asked.amount)} {unit}" if people is None else (
        f"{digits(people)} users, {digits(asked.amount)} conversations at the busiest time"
    )  # fmt: skip
    notes = [*NOTES] if asked.requests is not None else [
        *NOTES, "the load is so large that one replica with its share stands for all of them"
    ]  # fmt: skip
    notes += [
        "a limit is held by the percentile it names, of the system whose steps are all as long as the slow end says; "
        "`plan` holds means at that end, without queues that build up by chance",
        f"{found.considered} kinds of replica considered, {found.simulated} simulated, in {duration(elapsed)}; one row "
        "per device, the cheapest month first",
    ]
    most = likely = 0.0
    curve: tuple[PointDocument, ...] = ()
    growth: tuple[GrowthDocument, ...] = ()
    spares: tuple[GrowthDocument, ...] = ()
    settings: tuple[str, ...] = ()
    breaks = fails = ""
    if best is not None:
        first = found.answers[0]
        setup, n, slow = first.candidate.setup, first.replicas, first.most
        calibrated = bands_of(setup, first.at.metrics.running)
        most, likely = slow * n * users, best.likely * n * users
        curve = tuple(_point(at, setup, n, users, slow) for at in best.curve)
        growth, spares = (tuple(_step(one, users) for one in steps) for steps in (best.growth, best.spares))
        settings = tuple(
            f"{name}: {digits(load * n * users)} {unit} at the slow end, {digits(100 * (load / slow - 1))} % more"
            for name, load in best.settings
        )
        breaks = f"{best.breaks} ({_broken(best.beyond)})"
        fails = "the whole service is down until it is repaired" if n == 1 else (
            f"{n - 1} of {n} replicas carry {digits((n - 1) * slow * users)} {unit} within the limits at the slow end, "
            f"{digits((n - 1) * best.likely * users)} as expected, of {digits(asked.amount * users)}"
        )  # fmt: skip
        notes.insert(0, (
            "the most load is the most at which every limit is kept at the slow end of the interval: with every step "
            f"{digits(calibrated['tpot'].high)} times as long as expected, and TTFT {digits(calibrated['ttft'].high)} "
            "times or more; nine times in ten the real system does better on each limit"
        ))  # fmt: skip
    return CapacityDocument(
        schema_version=1, command="capacity", model=model, load=load, amount=asked.amount * users, unit=unit,
        limits=tuple(map(str, asked.limits)), feasible=best is not None,
        systems=tuple(_system(rank, one, done) for rank, one in enumerate(found.answers, 1)), curve=curve,
        curve_unit=unit, breaks_first=breaks, most_when_slow=most, most_as_expected=likely, growth=growth,
        spares=spares, one_fails=fails, settings=settings, softer=tuple(_soft(one) for one in done.softer),
        missed=tuple(_missing(one) for one in found.missed[:4]), assumptions=(*told, _costs(done)),
        considered=found.considered, simulated=found.simulated, elapsed_s=elapsed, notes=tuple(notes),
    )  # fmt: skip


def _costs(done: Sized) -> str:
    """What a month is made of."""
    work = done.asked.question.workload
    assert isinstance(work, Service)
    return (
        f"a month costs the cheaper of renting all hours and owning: {AMORTISATION_MONTHS} months, busy "
        f"{digits(100 * work.busy)} % of them (--busy), electricity at ${digits(done.asked.tariff)}/kWh (--tariff, "
        "--country)"
    )


def _point(at: Look, setup: Setup, replicas: int, users: float, slow: float) -> PointDocument:
    rates = [rate * replicas for rate in at.interval.rates["output"]]
    return PointDocument(
        at.amount * replicas * users, at.amount / slow, _promised(at, "ttft", setup), _promised(at, "tpot", setup),
        estimate((rates[0], rates[1], rates[2]), setup), at.likely, at.good,
    )  # fmt: skip


def _step(one: Step, users: float) -> GrowthDocument:
    return GrowthDocument(one.replicas, one.devices, one.load * users, one.month)


def _broken(found: Look) -> str:
    if not found.broken:
        return f"no limit breaks yet at {100 * (BEYOND[-1] - 1):.0f} % more"
    return ", ".join(f"{_said(one)} {duration(value)}" for one, value in found.broken)


def _said(limit: Limit) -> str:
    return f"{LATENCY_NAMES[limit.latency]} {limit.statistic}"


def _missing(one: Missed) -> str:
    """What a kind of replica misses with next to no load."""
    setup = one.candidate.setup
    parts = ", ".join(f"{_said(p)} {duration(v)} over {duration(p.most)}" for p, v in one.look.broken)
    how = _how(setup.engine.id, setup.plan.format.id, Layout(int(setup.plan.tp), int(setup.plan.pp), 1))
    return f"{setup.device.name}, {how}: {parts or 'requests do not fit'} when slow"


def _promised(at: Look, name: str, setup: Setup) -> Estimate | None:
    """A latency at the statistic that is promised."""
    statistic = next((one.statistic for one in at.limits if one.latency == name), "p95")
    three = at.interval.latencies[name].get(statistic)
    return None if three is None else estimate(three, setup)


def _named(of: Answer) -> tuple[str, Layout]:
    """How many of what, and how they are laid out."""
    setup = of.candidate.setup
    times = f"{of.devices} × " if of.devices > 1 else ""
    return f"{times}{setup.device.name}", Layout(int(setup.plan.tp), int(setup.plan.pp), of.replicas)


def _soft(one: Softer) -> SofterDocument:
    setup, (name, layout) = one.answer.candidate.setup, _named(one.answer)
    return SofterDocument(
        tuple(PromiseDocument(p.latency, p.statistic, p.most) for p in one.limits), name, setup.device.id,
        one.answer.devices, setup.engine.id, setup.plan.format.id, layout, tier_of(setup), one.answer.month, one.month,
        one.bought,
    )  # fmt: skip


def _system(rank: int, of: Answer, done: Sized) -> SystemDocument:
    asked, setup, metrics = done.asked, of.candidate.setup, of.at.metrics
    cost = asked.cost(of.candidate, of.replicas, metrics.running, metrics.output)
    draw = asked.draw(of.candidate, of.replicas, metrics.running, metrics.output)
    first, rest = (_promised(of.whole, name, setup) for name in ("ttft", "tpot"))
    assert first is not None and rest is not None
    name, layout = _named(of)
    many = 1.0 if asked.requests is not None else float(of.replicas)
    value, low, high = (rate * many for rate in of.whole.interval.rates["output"])
    return SystemDocument(
        rank=rank, name=name, device=setup.device.id, devices=of.devices, bought=sold(setup.device, of.devices),
        replicas=of.replicas, engine=setup.engine.id, format=setup.plan.format.id, layout=layout,
        load_per_replica=of.most * asked.users, headroom=of.most * of.replicas / asked.amount - 1.0, ttft_s=first,
        tpot_s=rest, output_tokens_per_s=estimate((value, low, high), setup), cache_peak_share=metrics.cache_peak,
        power_w=draw.wall if draw else None, purchase_low_usd=cost.buy_low, purchase_high_usd=cost.buy_high,
        rent_low_usd_per_h=cost.rent_low, rent_high_usd_per_h=cost.rent_high, tenure=cost.tenure,
        cost_usd_per_month=cost.month, tier=tier_of(setup),
    )  # fmt: skip


def show(found: CapacityDocument) -> None:
    """A capacity answer on a terminal."""
    console = screen()
    console.print(Text(f"{found.model}: {found.load}", style="bold"))
    console.print(Text(f"limits: {', '.join(found.limits)}, each kept at the slow end of its interval"))
    console.print()
    if not found.feasible:
        console.print(Text("No system of the candidates keeps these limits at any load. The nearest:"))
        for line in found.missed:
            console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))
        _lines(console, "What would do", [softly(one) for one in found.softer])
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
        _lines(console, "A softer limit would save much", [softly(one) for one in found.softer])
        _lines(console, "Tried without success", found.missed)
    _lines(console, "Assumed, change with the flag named", found.assumptions)
    _lines(console, "How to read it", found.notes)


def _lines(console: Console, title: str, lines: Sequence[str]) -> None:
    """A titled list; nothing where it is empty."""
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def softly(one: SofterDocument) -> str:
    """``TTFT p95 ≤ 1.4 s: 4 × RTX 5090, vllm fp8 TP4, $2,100 a month: $3,800 less, and $165k less to buy``."""
    limit = " and ".join(f"{LATENCY_NAMES[p.latency]} {p.statistic} ≤ {duration(p.limit_s)}" for p in one.limits)
    what = f"{one.name}, {_how(one.engine, one.format, one.layout)} ({one.tier})"
    parts = [f"{limit}: {what}{_cost(one.cost_usd_per_month)}"]
    if one.saved_usd_per_month is not None:
        parts.append(f"{money(one.saved_usd_per_month)} a month less")
    if one.saved_purchase_usd is not None:
        more = "less" if one.saved_purchase_usd >= 0 else "more"
        parts.append(f"{_thousands(abs(one.saved_purchase_usd))} {more} to buy")
    return ", ".join(parts)


def _how(engine: str, fmt: str, layout: Layout) -> str:
    parts = (
        engine,
        fmt,
        f"TP{layout.tp}" if layout.tp > 1 else "",
        f"×{layout.replicas}" if layout.replicas > 1 else "",
    )
    return " ".join(part for part in parts if part)


def _cost(month: float | None) -> str:
    return "" if month is None else f", {money(month)} a month"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _amount(value: float, unit: str) -> str:
    return f"{whole(value) if unit == 'users' else digits(value)} {unit}"


def _systems(found: CapacityDocument) -> Table:
    statistics = _statistics(found)
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    titles = ("rank", "system", *statistics.values(), "tokens/s", f"{found.unit} each", "power", "price", "a month")
    for title in titles:
        drawn.add_column(title)
    for one in found.systems:
        price = []
        if one.rent_low_usd_per_h is not None and one.rent_high_usd_per_h is not None:
            price.append(f"{money(one.rent_low_usd_per_h)}–{money(one.rent_high_usd_per_h)}/h")
        if one.purchase_low_usd is not None and one.purchase_high_usd is not None:
            node = f" for {one.bought}" if one.bought > one.devices else ""
            price.append(f"{_thousands(one.purchase_low_usd)}–{_thousands(one.purchase_high_usd)}{node}")
        if one.tenure == "own":
            price.reverse()
        drawn.add_row(
            str(one.rank), f"{one.name}\n{_how(one.engine, one.format, one.layout)}", _marked(one.ttft_s),
            _marked(one.tpot_s),
            digits(one.output_tokens_per_s.value, 2), digits(one.load_per_replica),
            power(one.power_w) if one.power_w is not None else "unknown", "\n".join(price) or "no price",
            f"{money(one.cost_usd_per_month)}\n{one.tenure}" if one.cost_usd_per_month is not None else "",
        )  # fmt: skip
    return drawn


def _thousands(dollars: float) -> str:
    return f"${digits(dollars / 1e3)}k" if 1e4 <= dollars < 1e6 else money(dollars)


def _marked(estimate: Estimate) -> str:
    value, _, rest = around(estimate).partition("\n")
    return f"{value} {TIER_MARK[estimate.tier]}" + (f"\n{rest}" if rest else "")


#: Rows and columns of a plot in text.
ROWS, ACROSS = 9, 60


def plots(found: CapacityDocument) -> Iterator[str]:
    """TTFT and TPOT over load: ● as expected, ○ at the slow end, ─ the limit."""
    limits, statistics = promised(found.limits), _statistics(found)
    for name in ("ttft", "tpot"):
        points = [(p.load, getattr(p, f"{name}_s")) for p in found.curve]
        drawn = [(x, e.value, e.high) for x, e in points if e is not None]
        if drawn:
            yield from plot(statistics[name], drawn, limits.get(name), found.curve_unit)


def _statistics(found: CapacityDocument) -> dict[str, str]:
    """Latencies with the statistic that is promised, or shown where none is: "TTFT p95"."""
    named = {name.lower(): f"{name} {statistic}" for name, statistic, *_ in map(str.split, found.limits)}
    return {name: named.get(name, f"{LATENCY_NAMES[name]} p95") for name in ("ttft", "tpot")}


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
