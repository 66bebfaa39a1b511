"""Models and devices of the catalogue, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ridgewise.facts import load_sources
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.hardware.offers import Offer
from ridgewise.models import Architecture
from ridgewise.models.read import Entry
from ridgewise.units import count, digits, money, quantity, rate, size, whole


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, 120))


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title in columns:
        drawn.add_column(title, justify="right" if title in numbers else "left", overflow="fold")
    return drawn


def _lines(console: Console, title: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Padding(Text(f"· {line}"), (0, 0, 0, 2)))


def print_models(entries: Sequence[Entry]) -> None:
    """Id, how far to trust the file, aliases."""
    table = _table("model", "file", "also called")
    for entry in entries:
        table.add_row(Text(entry.id), entry.kind, Text(", ".join(entry.aliases)))
    console = _console()
    console.print(table)
    console.print(Text(f"{len(entries)} models"))


def print_devices(devices: Sequence[Device]) -> None:
    """Id, class, memory, bandwidth, peak, ridge point."""
    right = ("memory", "bandwidth", "16-bit peak", "ridge FLOP/B")
    table = _table("id", "name", "class", *right, "status", numbers=right)
    for device in devices:
        peak, ridge = device.peak("bf16"), device.ridge("bf16")
        table.add_row(
            Text(device.id),
            Text(device.name),
            device.kind,
            size(device.memory) if device.memory else "",
            rate(device.bandwidth, "B/s") if device.bandwidth else "unknown",
            rate(peak[0], "FLOP/s") if peak else "unknown",
            digits(ridge) if ridge else "",
            "" if device.status == "available" else device.status,
        )
    console = _console()
    console.print(table)
    console.print(Text(f"{len(devices)} devices"))


class _Citations:
    """Sources numbered in the order in which they are first cited."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def marks(self, keys: Iterable[str]) -> str:
        marks = [f"[{self._numbers.setdefault(key, len(self._numbers) + 1)}]" for key in keys]
        return "".join(marks) or "none yet"

    def lines(self) -> Iterator[str]:
        known = load_sources()
        for key, number in self._numbers.items():
            source = known.get(key)
            parts = [source.title, source.publisher, source.url, source.date] if source else [key]
            yield f"[{number}] {', '.join(part for part in parts if part)}"


def print_device(device: Device, offers: Sequence[Offer]) -> None:
    """Every figure with kind, date and source; prices; why FLOP/s by precision is the figure to compare."""
    console = _console()
    console.print(Text(f"{device.name} ({device.id})", style="bold"))
    about = [device.vendor, device.kind, device.architecture, device.memory_type, device.link]
    console.print(Text(" · ".join(part for part in about if part)))
    if device.aliases:
        console.print(Text(f"also called {', '.join(device.aliases)}"))
    table = _table("figure", "value", "kind", "as of", "sources", "note", numbers=("value",))
    cited = _Citations()
    groups = {"": device.figures, **device.compute_units}
    for unit, figures in groups.items():
        for name, figure in figures.items():
            label = f"{unit}.{name}" if unit else name
            shown = quantity(figure.number, figure.unit)
            table.add_row(label, shown, figure.kind, figure.as_of, cited.marks(figure.sources), Text(figure.note))
    console.print()
    console.print(table)
    usable = Machine(device).usable_figure
    lines = []
    if usable is not None:
        lines.append(f"usable memory {size(usable.number)} [{usable.kind}] {usable.note}")
    for dtype in ("bf16", "fp8", "int8"):
        ridge, peak = device.ridge(dtype), device.peak(dtype)
        if ridge and peak and peak[1] == dtype:
            lines.append(f"ridge point in {dtype}: {digits(ridge)} FLOP/B; decoding one sequence does 1 to 4")
    lines.append(
        "core counts do not compare across makers or generations: FLOP/s by precision and bandwidth decide, and "
        "for decoding bandwidth alone"
    )
    _lines(console, "Read it so", lines)
    _lines(console, "Prices", _prices(offers, cited))
    _lines(console, "Sources", cited.lines())
    if device.notes:
        _lines(console, "Notes", [device.notes])


def _prices(offers: Sequence[Offer], cited: _Citations) -> list[str]:
    lines = []
    for offer in sorted(offers, key=lambda o: (o.kind, o.as_of), reverse=True)[:16]:
        amount = money(offer.low) if offer.low == offer.high else f"{money(offer.low)}–{money(offer.high)[1:]}"
        if offer.currency != "USD":
            amount = f"{digits(offer.low)}–{digits(offer.high)} {offer.currency}"
        per = "/h" if offer.kind == "rent" else ""
        what = offer.product or offer.provider or ""
        where = f"{offer.provider} " if offer.kind == "rent" else ""
        about = ", ".join(part for part in (offer.condition, offer.region, offer.as_of) if part)
        lines.append(f"{amount}{per} {offer.terms} {where}{what} ({about}) {cited.marks(offer.sources)}")
    more = len(offers) - 16
    return lines + ([f"and {more} more (--json)"] if more > 0 else [])


def print_model(arch: Architecture, document: dict[str, Any]) -> None:
    """One model on one screen."""
    console = _console()
    active = f", {count(arch.parameters_active)} active per token" if arch.moe else ""
    console.print(Text(f"{arch.name} · {whole(arch.parameters_total)} parameters{active}", style="bold"))
    per_token, state = document["kv_bytes_per_token"], document["state_bytes_per_sequence"]
    facts = [
        f"family {arch.family}, stored as {arch.dtype}",
        f"{arch.layers} layers, hidden size {whole(arch.hidden)}, vocabulary {whole(arch.vocab)}"
        + (", tied embeddings" if arch.tied else ""),
        f"KV cache {whole(per_token)} bytes per token at 16 bits ({size(per_token * 8192)} for 8,192 before windows)",
    ]
    if state:
        facts.append(f"recurrent state {size(state)} per sequence, whatever its length")
    if arch.max_context:
        facts.append(f"contexts up to {whole(arch.max_context)} tokens")
    if arch.moe and not arch.tied:
        looked_up = count(arch.parameters_active - arch.embedding)
        facts.append(f"active parameters count the embedding, which is only looked up: {looked_up} without it")
    for fact in facts:
        console.print(Text(fact))
    parts = _table("component", "parameters", "share", numbers=("parameters", "share"))
    for part, n in arch.parameters.items():
        parts.add_row(part, whole(n), f"{100 * n / max(arch.parameters_total, 1):.1f} %")
    for part, n in arch.extra.items():
        parts.add_row(f"apart: {part}", whole(n), "")
    console.print()
    console.print(parts)
    right = ("layers", "heads", "KV heads", "head", "window", "cached values", "parameters each")
    layers = _table(*right[:1], "mixer", *right[1:6], "feed-forward", right[6], numbers=right)
    for group in (*arch.encoder, *arch.kinds):
        mixer, feed = group.mixer, group.feed
        width = f"{mixer.latent}+{mixer.rope_dim}" if mixer.kind == "mla" else str(mixer.qk_dim or "")
        moe = f"{feed.active} of {feed.experts} experts" if feed.experts else feed.kind
        layers.add_row(
            str(group.count), mixer.kind, str(mixer.heads or ""), str(mixer.kv_heads or ""), width,
            str(mixer.window or ""), whole(mixer.kv_values), moe, whole(group.parameters),
        )  # fmt: skip
    console.print()
    console.print(layers)
    _lines(console, "Assumed", arch.assumptions)
    entry = document.get("source")
    if entry:
        cited = "; ".join(s.get("title", s.get("key", "")) for s in entry.get("sources", []))
        _lines(console, "Read from", [f"{entry.get('kind', '')}: {cited} {entry.get('note', '') or ''}".strip()])
