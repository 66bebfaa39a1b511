"""Answers for people: the terminal (Rich) and Markdown from the same rows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ridgewise.report.document import Estimate, FindingDocument, OptionDocument, PlanDocument
from ridgewise.report.lines import piped
from ridgewise.units import digits, duration, money, power, size

if TYPE_CHECKING:
    from rich.console import Console

#: One letter per tier, explained under every table.
TIER_MARK = {"measured": "m", "interpolated": "i", "transferred": "t", "datasheet": "d", "assumed": "a"}
TIER_TEXT = (
    "m measured · i interpolated (this device and engine were measured) · t transferred (its class was) · "
    "d datasheet · a assumed"
)


#: Between columns on the terminal.
GAP = 2
#: Least width of the column that may wrap, between words.
NAME, NAME_WIDTH = "hardware", 22
#: What is stacked on a narrow terminal, in turn until the table fits: this column under that one.
STACKED = (("bound by", NAME), ("power", "memory each"), ("TTFT", "tokens/s"), ("MFU", "run"))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table before anything is drawn."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[bool, ...] = ()


def between(estimate: Estimate | None, write: Callable[[float], str] = digits) -> str:
    """'42 t' over '35–51': value and tier, then the 80 % interval."""
    if estimate is None:
        return "unknown"
    low, high = write(estimate.low), write(estimate.high)
    span = "" if low == high else f"\n{_range(low, high)}"
    return f"{write(estimate.value)} {TIER_MARK[estimate.tier]}{span}"


def _range(low: str, high: str) -> str:
    """'1.2–2.4 s': the unit once where both have it, the currency once."""
    if low == high:
        return low
    number, space, unit = low.partition(" ")
    if space and high.endswith(f" {unit}"):
        return f"{number}–{high}"
    return f"{low}–{high.removeprefix('$')}" if low.startswith("$") else f"{low}–{high}"


def two(value: float) -> str:
    """As many digits as the speed of a plan deserves."""
    return digits(value, 2)


def _short(dollars: float) -> str:
    """Money for a table cell: $2,129, $45k, $1.2M."""
    return f"${digits(dollars / 1e3)}k" if 1e4 <= dollars < 1e6 else money(dollars)


def _price(option: OptionDocument) -> str:
    """What it costs to buy, what it costs to rent per hour; the dearer way in brackets."""
    ways = {}
    if option.purchase_usd is not None:
        dated = f" ({option.price_date[:4]})" if option.price_stale else ""
        amount = _range(_short(option.purchase_usd.low), _short(option.purchase_usd.high))
        node = f" for {option.bought}" if option.bought > option.count else ""
        ways["own"] = f"{amount}{node}{dated} {TIER_MARK[option.purchase_usd.tier]}"
    if option.rent_usd_per_h is not None:
        amount = _range(money(option.rent_usd_per_h.low), money(option.rent_usd_per_h.high))
        ways["rent"] = f"{amount}/h {TIER_MARK[option.rent_usd_per_h.tier]}"
    first = ways.pop(option.tenure, None)
    lines = ([first] if first else []) + [f"({way})" for way in ways.values()]
    return "\n".join(lines) or "no price"


def _layout(option: OptionDocument) -> str:
    """'vllm fp8 TP4 ×2' or 'TP4 PP1, 256 shards'."""
    layout = option.layout
    if option.run_s is not None:
        return f"TP{layout.tp} PP{layout.pp} DP{layout.replicas}{' ' + layout.sharding if layout.replicas > 1 else ''}"
    parts = [("TP", layout.tp), ("split ", layout.pp), ("×", layout.replicas)]
    return " ".join([option.engine, option.format, *(f"{name}{n}" for name, n in parts if n > 1)])


def _name(option: OptionDocument) -> str:
    """The machine, its memory where it is sold with several, and how it runs the model."""
    memory = option.configuration_memory_bytes
    return f"{option.name}{', ' + size(memory) if memory else ''}\n{_layout(option)}"


def _memory(option: OptionDocument) -> str:
    mark = TIER_MARK[option.memory_bytes.tier]
    least = f"\nfrom {size(option.memory_least_bytes)}" if option.memory_least_bytes else ""
    return f"{size(option.memory_bytes.value)} {mark}\nof {size(option.memory_usable_bytes)}{least}"


def options_table(document: PlanDocument) -> Table:
    """The ranked options, one row each."""
    training = document.phase == "training"
    headers = (
        ("rank", "hardware", "memory each", "run", "MFU", "power", "price, and of the run", "bound by")
        if training
        else ("rank", "hardware", "memory each", "TTFT", "tokens/s", "power", "price", "bound by")
    )
    rows = tuple(_training_row(o) if training else _inference_row(o) for o in document.options)
    return Table(headers, rows, tuple(option.feasible for option in document.options))


def stacked(table: Table, width: int) -> Table | None:
    """The table within ``width``: columns under one another, names wrapped between words. None: no way."""
    if _width(table) <= width:
        return table
    for lower, upper in (("", ""), *STACKED):
        if lower in table.headers and upper in table.headers:
            table = _stack(table, lower, upper)
        room = width - (_width(table) - _widths(table)[table.headers.index(NAME)])
        if room >= NAME_WIDTH:
            return _wrapped(table, NAME, room)
    return None


def _widths(table: Table) -> list[int]:
    columns = zip(table.headers, *table.rows, strict=True)
    return [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]


def _width(table: Table) -> int:
    widths = _widths(table)
    return sum(widths) + GAP * (len(widths) - 1)


def _stack(table: Table, lower: str, upper: str) -> Table:
    """One column under another; an empty cell adds no line."""
    down, up = table.headers.index(lower), table.headers.index(upper)

    def merged(cells: tuple[str, ...], prefix: str = "") -> tuple[str, ...]:
        under = cells[down] and f"{prefix}{cells[down]}"
        both = "\n".join(part for part in (cells[up], under) if part)
        return tuple(both if place == up else cell for place, cell in enumerate(cells) if place != down)

    mark = {"bound by": "bound by ", "TTFT": "TTFT ", "MFU": "MFU "}.get(lower, "")
    headers = merged(table.headers) if lower != "bound by" else table.headers[:down] + table.headers[down + 1 :]
    headers = tuple(NAME if header.startswith(NAME) else header for header in headers)
    return Table(headers, tuple(merged(row, mark) for row in table.rows), table.marks)


def _wrapped(table: Table, name: str, width: int) -> Table:
    """A column with its lines broken between words, a number and its unit kept together."""
    from textwrap import wrap

    place = table.headers.index(name)

    def broken(cell: str) -> str:
        kept = (re.sub(r"(?<=\d) (?=[KMGT]i?B\b)", "\u00a0", line) for line in cell.split("\n"))
        lines = [part for line in kept for part in wrap(line, width, break_long_words=False) or [""]]
        return "\n".join(lines).replace("\u00a0", " ")

    rows = tuple(tuple(broken(c) if i == place else c for i, c in enumerate(row)) for row in table.rows)
    return Table(table.headers, rows, table.marks)


def blocks(table: Table) -> Iterator[str]:
    """Every row as lines of "column: cell", for a terminal too narrow for any table."""
    for row in table.rows:
        cells = zip(table.headers, row, strict=True)
        yield "\n".join(f"{title}: {cell.replace(chr(10), ', ')}" for title, cell in cells if cell)


def _inference_row(option: OptionDocument) -> tuple[str, ...]:
    rate = between(option.decode_tokens_per_s, two)
    if option.total_tokens_per_s and option.concurrency_requests and option.concurrency_requests > 1:
        rate += f"\n{two(option.total_tokens_per_s.value)} in all"
    loads = option.memory_left_bytes >= 0
    return (
        str(option.rank),
        _name(option),
        _memory(option),
        between(option.ttft_s, duration) if loads else "—",
        rate if loads else "does not fit",
        _power(option),
        _price(option),
        option.bound if loads else "",
    )


def _power(option: OptionDocument) -> str:
    """Board power, and what the wall sees."""
    if option.power_w is None or option.board_power_w is None:
        return "unknown"
    return f"{power(option.board_power_w)}\nwall {power(option.power_w.value)} {TIER_MARK[option.power_w.tier]}"


def _training_row(option: OptionDocument) -> tuple[str, ...]:
    run = f"\nrun {money(option.cost_usd_run)} ({option.tenure})" if option.cost_usd_run else ""
    return (
        str(option.rank),
        _name(option),
        _memory(option),
        between(option.run_s, duration),
        f"{digits(100 * option.mfu, 2)} %" if option.mfu else "unknown",
        _power(option),
        _price(option) + run,
        option.bound,
    )


def sections(document: PlanDocument) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Headed lists under the table, in the order in which people ask."""
    broken = tuple(
        f"{option.name}: {'; '.join(option.shortfalls)}" for option in document.options if not option.feasible
    )
    if document.pick:
        yield f"Why {document.pick} is first", document.why
        yield "What would change the answer", document.changes
    else:
        yield "Nothing fits. The nearest ways out", document.fixes or ("none was found",)
    if broken:
        yield "What the others fall short of" if document.pick else "By how much", broken
    if document.dropped:
        yield "No candidates", document.dropped
    yield (
        "Caught",
        tuple(
            f"{f.level}: {said(f)}." + (f" → {f.remedy}" if f.remedy else "") + f" [{f.rule}]"
            for f in document.findings
        ),
    )
    yield "Assumed, change with the flag named", document.assumptions
    weights = ", ".join(f"{name} {value:g}" for name, value in document.weights.items() if value)
    ranks = "" if len(document.options) >= document.considered else ", the best of each kind shown"
    considered = f"{document.considered} machine{'s' if document.considered != 1 else ''} considered{ranks}"
    yield (
        "How it was ranked",
        (
            f"{considered}; points per doubling of speed and per halving of cost and energy under "
            f"--priority {document.priority}: {weights}",
            *document.ranking,
            "times and rates with their 80 % interval; " + TIER_TEXT,
        ),
    )


def said(finding: FindingDocument) -> str:
    """The sentence of a finding, with its subject where the sentence does not name it."""
    name = finding.subject.rpartition(" × ")[2]
    return finding.text if name in finding.text else f"{finding.subject}: {finding.text}"


def heading(document: PlanDocument) -> str:
    from ridgewise.units import count

    active = ""
    if document.parameters_active < 0.95 * document.parameters_total:
        active = f", {count(document.parameters_active)} active per token"
    return f"{document.model} · {count(document.parameters_total)} parameters{active}"


def screen() -> Console:
    """Where answers are printed: as wide as the terminal or ``COLUMNS``, at least 120 columns where it is neither."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=max(console.width, 120))
    return console


def print_plan(document: PlanDocument) -> None:
    """The plan on a terminal."""
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    console = screen()
    console.print(Text(heading(document), style="bold"))
    console.print(Text(document.verdict))
    full = options_table(document)
    table = stacked(full, console.width)
    if table is None:
        for block in blocks(full):
            console.print()
            console.print(Text(block))
    elif table.rows:
        drawn = RichTable(header_style="bold", box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for title in table.headers:
            drawn.add_column(title, no_wrap=True)
        for row, feasible in zip(table.rows, table.marks, strict=True):
            drawn.add_row(*(Text(cell) for cell in row), style="" if feasible else "dim")
        console.print()
        console.print(drawn)
    for title, lines in sections(document):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
            for line in lines:
                console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def markdown(document: PlanDocument) -> str:
    """The plan as Markdown."""
    table = options_table(document)
    lines = [f"## {heading(document)}", "", document.verdict, ""]
    lines += piped(table.headers, table.rows)
    for title, entries in sections(document):
        if entries:
            lines += ["", f"### {title}", "", *(f"- {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"
