"""Start-up and whole commands, as a user runs them; the floor is an empty interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.timing import median

COMMANDS = (
    ("--version",),
    ("--help",),
    ("plan", "meta-llama/Llama-3.1-8B-Instruct", "--users", "1"),
    ("plan", "meta-llama/Llama-3.1-70B-Instruct", "--users", "200", "--slo-ttft", "1s"),
    ("plan", "Llama-3.1-70B", "--goal", "train", "--tokens", "2T"),
)


def run(*command: str) -> None:
    subprocess.run(command, check=False, capture_output=True)


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Every command against ``python -c pass``."""
    floor = median(lambda: run(sys.executable, "-c", "pass"))
    for command in COMMANDS:
        seconds = median(lambda c=command: run(sys.executable, "-m", "ridgewise", *c), 5)
        yield f"`ridgewise {' '.join(command)}`", f"{1e3 * seconds:.0f} ms", "empty interpreter", seconds / floor
