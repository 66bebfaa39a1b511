"""``make bench``: run every benchmark and write ``benchmarks/results.md``."""

from __future__ import annotations

import platform
from pathlib import Path

from benchmarks import estimates, loading, plan, readers, simulator, start, steps, sweeps, training

HEADER = """# Benchmarks

Medians of repeated runs on {machine}; every ratio is against the floor named beside it, measured in the
same run. Times move with the machine, ratios hardly.

| what | median | floor | ratio |
| --- | --- | --- | --- |
"""


def main() -> None:
    parts = (start, plan, estimates, readers, simulator, training, steps, loading, sweeps)
    rows = [row for part in parts for row in part.rows()]
    lines = [f"| {what} | {median} | {floor} | {ratio:.2f} |" for what, median, floor, ratio in rows]
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    text = HEADER.format(machine=machine) + "\n".join(lines) + "\n"
    Path(__file__).with_name("results.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
