"""Answers for people: the terminal (Rich) and Markdown from the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ridgewise.report.document import Estimate, OptionDocument, PlanDocument
from ridgewise.units import digits, duration, money, power, size

#: One letter per tier, explained under every table.
TIER_MARK = {"measured": "m", "interpolated": "i", "transferred": "t", "datasheet": "d", "assumed": "a"}
TIER_TEXT = (
    "m measured · i interpolated (this device and engine were measured) · t transferred (its class was) · "
    "d datasheet · a assumed"
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table before anything is drawn."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[bool, ...] = ()


def between(estimate: Estimate | None, write: object = digits) -> str:
    """'42 (35–51) t': value, 80 % interval, tier."""
    if estimate is None:
        return "unknown"
    show = write if callable(write) else digits
    low, high = show(estimate.low), show(estimate.high)
    span = f" ({low}–{high})" if low != high else ""
    return f"{show(estimate.value)}{span} {TIER_MARK[estimate.tier]}"


def _two(value: float) -> str:
    return digits(value, 2)


def _price(option: OptionDocument) -> str:
    if option.purchase_usd is not None:
        low, high = option.purchase_usd.low, option.purchase_usd.high
        return money(low) if round(low) == round(high) else f"{money(low)}–{money(high)[1:]}"
    if option.rent_usd_per_h is not None:
        low, high = option.rent_usd_per_h.low, option.rent_usd_per_h.high
        return f"{money(low)}–{money(high)[1:]}/h"
    return "no price"


def _layout(option: OptionDocument) -> str:
    parts = [("TP", option.layout.tp), ("PP", option.layout.pp), ("×", option.layout.replicas)]
    shown = " ".join(f"{name}{n}" for name, n in parts if n > 1)
    return f"{option.engine} {option.format}" + (f" {shown}" if shown else "")


def _name(option: OptionDocument) -> str:
    memory = option.configuration_memory_bytes
    return option.name + (f", {size(memory)}" if memory else "")


def _memory(option: OptionDocument) -> str:
    return f"{size(option.memory_bytes.value)} of {size(option.memory_usable_bytes)}"


def options_table(document: PlanDocument) -> Table:
    """The ranked options, one row each."""
    training = document.phase == "training"
    headers = (
        ("#", "hardware", "layout", "memory/device", "run", "MFU", "wall power", "buy", "rent the run", "bound by")
        if training
        else ("#", "hardware", "runs as", "memory/device", "TTFT", "tokens/s each", "in all", "board", "wall", "price", "bound by")
    )
    rows = tuple(_training_row(o) if training else _inference_row(o) for o in document.options)
    return Table(headers, rows, tuple(option.feasible for option in document.options))


def _inference_row(option: OptionDocument) -> tuple[str, ...]:
    return (
        str(option.rank),
        _name(option),
        _layout(option),
        _memory(option),
        between(option.ttft_s, duration),
        between(option.decode_tokens_per_s, _two),
        _two(option.total_tokens_per_s.value) if option.total_tokens_per_s else "unknown",
        power(option.board_power_w) if option.board_power_w else "unknown",
        power(option.power_w.value) if option.power_w else "unknown",
        _price(option),
        option.bound,
    )


def _training_row(option: OptionDocument) -> tuple[str, ...]:
    return (
        str(option.rank),
        _name(option),
        f"TP{option.layout.tp} PP{option.layout.pp} shards {option.layout.replicas}",
        _memory(option),
        between(option.run_s, duration),
        f"{digits(100 * option.mfu, 2)} %" if option.mfu else "unknown",
        power(option.power_w.value) if option.power_w else "unknown",
        money(option.purchase_usd.value) if option.purchase_usd else "no price",
        money(option.cost_usd_run) if option.cost_usd_run and option.rent_usd_per_h else "no offer",
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
        yield "Nothing fits. The nearest ways out", document.fixes
    if broken:
        yield "What the others fall short of" if document.pick else "By how much", broken
    yield (
        "Caught",
        tuple(f"{f.level}: {f.text}." + (f" → {f.remedy}" if f.remedy else "") for f in document.findings),
    )
    yield "Assumed, change with the flag named", document.assumptions
    weights = ", ".join(f"{name} {value:g}" for name, value in document.weights.items())
    yield (
        "How it was ranked",
        (
            f"{document.considered} devices considered; points per doubling of speed and per halving of cost and "
            f"energy under --priority {document.priority}: {weights}",
            "times and rates with their 80 % interval; " + TIER_TEXT,
        ),
    )


def heading(document: PlanDocument) -> str:
    from ridgewise.units import count

    active = ""
    if document.parameters_active < 0.95 * document.parameters_total:
        active = f", {count(document.parameters_active)} active per token"
    return f"{document.model} · {count(document.parameters_total)} parameters{active}"


def print_plan(document: PlanDocument) -> None:
    """The plan on a terminal."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(heading(document), style="bold"))
    console.print(Text(document.verdict))
    table = options_table(document)
    drawn = RichTable(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title in table.headers:
        drawn.add_column(title, overflow="fold", no_wrap=title == "#")
    for row, feasible in zip(table.rows, table.marks, strict=True):
        drawn.add_row(*(Text(cell) for cell in row), style="" if feasible else "dim")
    console.print()
    console.print(drawn)
    for title, lines in sections(document):
        if lines:
            console.print()
            console.print(Text(title, style="bold"))
            for line in lines:
                console.print(Text(f"  · {line}"), soft_wrap=False)


def markdown(document: PlanDocument) -> str:
    """The plan as Markdown."""
    table = options_table(document)
    lines = [f"## {heading(document)}", "", document.verdict, ""]
    lines += markdown_table(table)
    for title, entries in sections(document):
        if entries:
            lines += ["", f"### {title}", "", *(f"- {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"


def markdown_table(table: Table) -> list[str]:
    def row(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [row(table.headers), row(tuple("---" for _ in table.headers)), *(row(cells) for cells in table.rows)]
