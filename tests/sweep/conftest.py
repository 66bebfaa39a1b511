"""Grids that are small and quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ridgewise.sweep.grid import Grid, grid

pytest.importorskip("pyarrow", reason="pyarrow is not installed: sweeps are not tested")

NONE = {"hardware": None, "models": None}
TABLE: dict[str, Any] = {
    "names": {"model": "Llama-3.1-8B-Instruct", "hardware": ["H100 SXM", "RTX 4090"]},
    "numbers": {"prompt": [128, 4096], "concurrency": {"from": 1, "to": 64, "points": 30, "scale": "log"},
                "tariff": [0.1, 0.3]},
}  # fmt: skip
Make = Callable[..., Grid]


@pytest.fixture
def make() -> Make:
    """A grid of the usual table with some of it changed, in parts of so many rows."""

    def made(part: int = 50, **tables: Any) -> Grid:
        return replace(grid({**TABLE, **tables}, NONE), part=part)

    return made
