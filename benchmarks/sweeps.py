"""Rows per second of a sweep, one core, with intervals; the floor writes one column of as many rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import median
from ridgewise.sweep import swept
from ridgewise.sweep.grid import grid
from ridgewise.sweep.part import part_bytes

#: A million rows of one model and device, three columns of which those that keep two limits are written.
SPAN: dict[str, Any] = {
    "prompt": {"from": 128, "to": 32768, "points": 100, "scale": "log"},
    "output": {"from": 16, "to": 1024, "points": 100, "scale": "log"},
    "concurrency": {"from": 1, "to": 512, "points": 100, "scale": "log"},
}
KEEP = {
    "columns": ["ttft_s", "tpot_s", "output_tokens_per_s"],
    "where": ["ttft_s < 0.05", "tpot_s < 0.01"],
}


def rows() -> Iterator[tuple[str, str, str, float]]:
    """A dense and a mixture-of-experts model, and one worker beside two."""
    own = {"hardware": None, "models": None}
    column = np.arange(1_000_000.0)
    floor = median(lambda: column * 1.5)
    for model in ("meta-llama/Llama-3.1-8B-Instruct", "openai/gpt-oss-120b"):
        names = {"model": model, "hardware": "H100 SXM", "engine": "vllm"}
        asked = replace(grid({"names": names, "numbers": SPAN, "keep": KEEP}, own), part=1_000_000)
        seconds = median(lambda g=asked: part_bytes(g, 0), 3)
        what = f"sweep of 10⁶ rows with intervals, one core, {model}"
        yield what, f"{seconds:.2f} s, {1 / seconds:.1f} M/s", "one column of 10⁶ rows", seconds / floor
    wide = grid({"names": names, "numbers": {**SPAN, "cached": [0.0, 0.3, 0.6, 0.9] * 3}, "keep": KEEP}, own)
    taken = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            taken[workers] = median(lambda w=workers, f=folder: swept(wide, _fresh(Path(f)), "processes", w), 1)
    yield (
        f"sweep of {wide.rows:,} rows, two processes",
        f"{taken[2]:.1f} s, {wide.rows / taken[2] / 1e6:.1f} M/s",
        "one process, halved",
        taken[2] / (taken[1] / 2),
    )


def _fresh(folder: Path) -> Path:
    """A folder that is not there yet."""
    return folder / str(sum(1 for _ in folder.iterdir()))
