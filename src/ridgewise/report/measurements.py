"""The store of measurements, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TEXTS, NUMBERS = ("kind", "device", "model", "engine", "precision"), (("rows", "rows"), ("score", "to score"))


def print_measurements(found: Sequence[Mapping[str, Any]]) -> None:
    """One line per kind, device, model, engine and format."""
    drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 1))
    for title in TEXTS:
        drawn.add_column(title, overflow="fold")
    for _, title in NUMBERS:
        drawn.add_column(title, justify="right")
    drawn.add_column("metrics", overflow="fold")
    for one in found:
        texts = [Text(str(one[name])) for name in TEXTS]
        drawn.add_row(*texts, *(str(one[name]) for name, _ in NUMBERS), Text(", ".join(one["metrics"])))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=max(console.width, 120))).print(drawn)
