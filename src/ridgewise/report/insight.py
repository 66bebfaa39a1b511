"""What stands beside a plan where it is asked for: the front, why not another, what it hangs on, mixed use; and what
hardware that is there already serves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ridgewise.advise.contrast import WhyNot
from ridgewise.advise.mixed import Mixed, System
from ridgewise.advise.option import Option
from ridgewise.advise.pareto import AXES, Standing
from ridgewise.advise.reverse import Served, Upgrade
from ridgewise.advise.sensitivity import Hinge
from ridgewise.report.document import SCHEMA_VERSION
from ridgewise.report.text import screen
from ridgewise.units import count, digits, money, whole

#: Axis → its key with its unit, for machines.
KEYS = {
    "time": "time_s", "cost": "cost_usd", "energy": "energy_j", "memory in use": "memory_used",
    "slowed by twice the load": "slowed", "coarseness": "coarseness_points",
}  # fmt: skip
#: Changes smaller than this [log] are none to people.
STILL = 0.02
#: Options of the front that are shown to people.
SHOWN = 12


@dataclass(frozen=True, slots=True)
class StandingDocument:
    """One option on every axis (less is better; null: unknown); ``front``: nothing beats it."""

    name: str
    device: str
    count: int
    format: str
    roles: tuple[str, ...]
    front: bool
    values: dict[str, float | None]
    beaten_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class HingeDocument:
    """One input moved by a factor: who is first then, and what becomes of the recommendation."""

    what: str
    factor: float
    pick: str | None
    moved: bool
    time_factor: float
    cost_factor: float


@dataclass(frozen=True, slots=True)
class SystemDocument:
    """Machines for both uses."""

    serving: str
    training: str
    same: bool
    cost_usd_per_month: float


@dataclass(frozen=True, slots=True)
class MixedDocument:
    """Training beside use: one system, two, and the better of them."""

    also: str
    runs_per_month: float
    one: SystemDocument | None
    two: SystemDocument | None
    better: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InsightDocument:
    """What was asked for besides the plan; empty where it was not."""

    standings: tuple[StandingDocument, ...] = ()
    why_not: tuple[WhyNot, ...] = ()
    hinges: tuple[HingeDocument, ...] = ()
    measurement: tuple[str, ...] = ()
    mixed: MixedDocument | None = None
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class ServedDocument:
    """One model on hardware that is there already."""

    model: str
    parameters_total: int
    verdict: str
    well: bool
    format: str
    decode_tokens_per_s: float | None
    ttft_s: float | None
    context_limit_tokens: float | None
    users: float
    fine_tuning: str


@dataclass(frozen=True, slots=True)
class UpgradeDocument:
    """One machine in its place, and the models it serves well that this one does not."""

    name: str
    purchase_usd: float | None
    gained: tuple[str, ...]
    faster: float


@dataclass(frozen=True, slots=True)
class HaveDocument:
    """What hardware serves, and what one upgrade buys, the best for its price first."""

    schema_version: int
    command: str
    hardware: str
    feasible: bool
    models: tuple[ServedDocument, ...]
    upgrades: tuple[UpgradeDocument, ...]


def insight(
    standings: Sequence[Standing], why: Sequence[WhyNot], hinges: Sequence[Hinge], measurement: Sequence[str],
    mixed: Mixed | None, *, dropped: bool,
) -> InsightDocument:  # fmt: skip
    """The published form."""
    return InsightDocument(
        tuple(map(_standing, standings)), tuple(why),
        tuple(HingeDocument(h.what, h.factor, h.pick, h.moved, h.time, h.cost) for h in hinges),
        tuple(measurement), None if mixed is None else _mixed(mixed), dropped,
    )  # fmt: skip


def _standing(found: Standing) -> StandingDocument:
    option = found.option
    known = {KEYS[axis]: value if math.isfinite(value) else None for axis, value in found.values.items()}
    return StandingDocument(
        option.name, option.device.id, option.count, option.format, found.roles, found.by is None, known,
        found.by.name if found.by else None, found.reason,
    )  # fmt: skip


def _mixed(found: Mixed) -> MixedDocument:
    better = found.better
    word = "none" if better is None else "one" if better.same else "two"
    return MixedDocument(found.also.words, found.also.runs, _system(found.one), _system(found.two), word, found.reasons)


def _system(found: System | None) -> SystemDocument | None:
    if found is None:
        return None
    return SystemDocument(found.serving.name, found.training.name, found.same, found.month)


def have_document(hardware: str, rows: Sequence[Served], upgrades: Sequence[Upgrade]) -> HaveDocument:
    """The published form, what is served well and large first."""
    ordered = sorted(rows, key=lambda row: (not row.well, -row.arch.parameters_total))
    return HaveDocument(
        SCHEMA_VERSION, "plan", hardware, any(row.well for row in rows), tuple(map(_served, ordered)),
        tuple(UpgradeDocument(u.name, u.price, u.gained, u.faster) for u in upgrades),
    )  # fmt: skip


def _served(row: Served) -> ServedDocument:
    option: Option | None = row.option if row.option is not None and row.option.left >= 0 else None
    speed = option.speed if option else None
    return ServedDocument(
        row.arch.name, row.arch.parameters_total, row.verdict, row.well, option.format if option else "",
        speed.each if speed else None, speed.ttft if speed else None, option.context_limit if option else None,
        row.users, row.tunes,
    )  # fmt: skip


def sections(found: InsightDocument) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Headed lists: the words of what was asked for."""
    front = [standing for standing in found.standings if standing.front]
    if front:
        more = f", the first {SHOWN} of {len(front)}" if len(front) > SHOWN else ""
        yield (
            f"What nothing else beats in everything (at the slow end of intervals; less is better{more})",
            tuple(map(_on_axes, front[:SHOWN])),
        )
    if found.dropped:
        beaten = [standing for standing in found.standings if not standing.front]
        yield "Dropped", tuple(f"{s.name}: {s.beaten_by} is better: {s.reason}" for s in beaten)
    for why in found.why_not:
        rank = f" ({why.rank} of those considered)" if why.rank > 1 else ""
        yield f"Why not {why.name}{rank}", why.reasons
    yield "What it hangs on", tuple(map(_hinge, found.hinges))
    yield "The cheapest measurement that firms it up", found.measurement
    if found.mixed is not None:
        better = {"one": "one system", "two": "two systems", "none": "neither"}[found.mixed.better]
        yield f"With {found.mixed.also}: {better}", found.mixed.reasons


def _on_axes(standing: StandingDocument) -> str:
    values = []
    for axis, form in AXES.items():
        value = standing.values[KEYS[axis]]
        if axis in ("coarseness", "slowed by twice the load") and not value:
            continue
        values.append(f"{axis} {form(value) if value is not None else 'unknown'}")
    roles = f" [{', '.join(standing.roles)}]" if standing.roles else ""
    return f"{standing.name} ({standing.format}){roles}: {', '.join(values)}"


def _hinge(found: HingeDocument) -> str:
    times = f"× {digits(found.factor, 2)}" if found.factor > 1 else f"÷ {digits(1 / found.factor, 2)}"
    if found.moved:
        return f"{found.what} {times}: {found.pick or 'nothing does the job'}{' first' if found.pick else ''}"
    changed = [
        f"{name} × {digits(value, 2)}"
        for name, value in (("time", found.time_factor), ("cost", found.cost_factor))
        if abs(math.log(max(value, 1e-9))) > STILL
    ]
    return f"{found.what} {times}: the same choice{', ' + ', '.join(changed) if changed else ', nothing moves'}"


def show(found: InsightDocument) -> None:
    """Print the sections."""
    console = screen()
    for title, lines in sections(found):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
            for line in lines:
                console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def markdown(found: InsightDocument) -> str:
    """The sections as Markdown."""
    lines = []
    for title, entries in sections(found):
        if entries:
            lines += ["", f"### {title}", "", *(f"- {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"


def show_have(found: HaveDocument) -> None:
    """What it serves, and the upgrades."""
    console = screen()
    console.print(Text(f"{found.hardware}: what it serves", style="bold"))
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("model", "size", "verdict", "weights", "tokens/s", "context", "users", "fine-tuning"):
        table.add_column(title)
    for row in found.models:
        table.add_row(
            row.model, count(row.parameters_total), row.verdict, row.format or "—",
            digits(row.decode_tokens_per_s, 2) if row.decode_tokens_per_s else "—",
            count(math.floor(row.context_limit_tokens)) if row.context_limit_tokens else "—",
            whole(row.users) if row.users else "—", row.fine_tuning or "—", style="" if row.well else "dim",
        )  # fmt: skip
    console.print()
    console.print(table)
    console.print()
    console.print(Text("What one upgrade buys", style="bold"))
    for upgrade in found.upgrades:
        gained = f"serves {', '.join(upgrade.gained)} well" if upgrade.gained else "nothing new"
        faster = f", the rest {digits(upgrade.faster, 2)} times as fast" if upgrade.faster else ""
        price = money(upgrade.purchase_usd) if upgrade.purchase_usd is not None else "no sourced price"
        console.print(Padding(Text(f"· {upgrade.name} ({price}): {gained}{faster}"), (0, 0, 0, 2)))
    if not found.upgrades:
        console.print(Padding(Text("· none of those tried serves more"), (0, 0, 0, 2)))
    console.print()
    console.print(
        Text(
            "users: people it carries as a service within 10 s to the first token and reading speed; fine-tuning: the "
            "most thorough way that fits and ends within a week"
        )
    )
