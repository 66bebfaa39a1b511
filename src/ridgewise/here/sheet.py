"""The sheet of this machine, made of what ``probe`` measured."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated

from ridgewise.here.contention import Figure
from ridgewise.here.machine import Here
from ridgewise.here.match import OURS

#: Share of a datasheet's bandwidth that a reading kernel reaches. Coefficients are shares of datasheets, so what was
#: read stands over this. The fastest decoding on the processor with most measurements stands for it: Llama-3.1-8B in
#: BF16, Q6_K and Q8_0 on a Ryzen 9 7950X (rows L05206, L05238, L05210 that ship) reads 0.80, 0.775 and 0.76 of
#: 83.2 GB/s. That other processors' kernels reach as much is assumed.
READ_SHARE: Annotated[float, "ratio"] = 0.77


def sheet(here: Here, figures: Sequence[Figure], day: str) -> str:
    """TOML of the processors as a device: figures are ``measured``, or ``derived`` where datasheets mean another."""
    cpu, best = here.cpu, _best(figures, r"memory, read, \d+ thread")
    single = _best(figures, r"product, fp32, \d+ thread")
    half = _best(figures, r"torch cpu, product, bf16")
    name = " ".join(cpu.name.split()) or "processor"
    lines = [
        f'id = "{OURS}"',
        f"name = {json.dumps(name + ' (this machine)', ensure_ascii=False)}",
        f"vendor = {json.dumps(cpu.vendor)}",
        'kind = "cpu"',
        'aliases = ["here", "this machine"]',
        f'as_of = "{day}"',
        f'notes = "measured by ridgewise probe on {day}"',
        "",
        "[figures]",
        f'memory = {{ value = "{here.ram.total / 2**20:.0f} MiB", kind = "measured", note = "what the system has" }}',
        f"cores = {{ value = {max(cpu.cores, 1)}, kind = \"measured\" }}",
        'max_per_node = { value = 1, kind = "measured", note = "the whole machine" }',
    ]  # fmt: skip
    if best is not None:
        lines.append(
            f'bandwidth = {{ value = "{best.value / READ_SHARE / 1e9:.2f} GB/s", kind = "derived", note = '
            f'"{best.value / 1e9:.1f} GB/s read, over {READ_SHARE:g}: what is read of a datasheet on a Ryzen 9 7950X, '
            'assumed here" }'
        )
    if single is not None:
        lines.append(
            f'peak_fp32 = {{ value = "{single.value / 1e12:.4f} TFLOP/s", kind = "measured", note = "matrix product" }}'
        )
    if half is not None and single is not None and half.value > single.value:
        lines.append(
            f'peak_bf16 = {{ value = "{half.value / 1e12:.4f} TFLOP/s", kind = "measured", note = "matrix product" }}'
        )
    if cpu.l3:
        lines.append(f'l3 = {{ value = "{cpu.l3 / 2**20:.0f} MiB", kind = "measured" }}')
    if here.ram.channels:
        lines.append(f'memory_channels = {{ value = {here.ram.channels}, kind = "measured" }}')
    return "\n".join(lines) + "\n"


def _best(figures: Sequence[Figure], pattern: str) -> Figure | None:
    """The fastest of the figures so named: of numbers of threads the one that suits the machine."""
    held = [figure for figure in figures if re.match(pattern, figure.name)]
    return max(held, key=lambda figure: figure.value, default=None)
