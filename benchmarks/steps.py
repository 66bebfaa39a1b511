"""Real optimiser steps of small GPTs on one core of this processor, each predicted before it is measured.

The step formula gets the rate of a square product and of a copy, measured first, and one number from one measured
step, the anchor; sizes, lengths, recomputation and adapters follow from it. A row's ratio is measured over predicted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ridgewise.models.architecture import Architecture
from ridgewise.models.parts import attention, merged, mlp
from ridgewise.training.step import Layout, Supply, TrainingCoefficients, demand, step_time

#: What FP32 steps of plain torch do on a processor: products as fast as a large square one whatever their shape,
#: values of 4 bytes instead of 2, hardly any launch. AdamW's loop over tensors reads and writes 84 bytes per
#: parameter: decay 8, first moment 12, second 24, root, quotient and ε 24, update 16.
COEFFICIENTS = replace(
    TrainingCoefficients(), compute=1.1, half_width=1e-3, half_rows=1e-3, traffic=700.0, logits=40.0, eager=1.0,
    layer_floor=1e-4, micro_floor=1e-3, optimiser=84.0,
)  # fmt: skip
#: Rank of the adapters.
RANK = 8


@dataclass(frozen=True, slots=True)
class Case:
    """A GPT and how it is trained."""

    layers: int
    hidden: int
    heads: int
    vocab: int
    batch: int
    length: int
    again: bool = False
    adapters: bool = False

    @property
    def name(self) -> str:
        """What a row calls it."""
        how = ", everything recomputed" if self.again else f", adapters of rank {RANK}" if self.adapters else ""
        return f"GPT {self.layers}×{self.hidden}, {self.batch} × {self.length} tokens{how}"

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Input and output width of a layer's matrices."""
        h = self.hidden
        return (h, 3 * h), (h, h), (h, 4 * h), (4 * h, h)

    @property
    def arch(self) -> Architecture:
        """The same as Ridgewise reads models."""
        block = (attention(self.hidden, self.heads, self.heads, self.hidden // self.heads),
                 mlp(self.hidden, 4 * self.hidden, gated=False), 2 * self.hidden)  # fmt: skip
        tables = self.vocab * self.hidden
        return Architecture("GPT", "decoder", self.hidden, self.vocab, merged([block] * self.layers), tables, tables,
                            False)  # fmt: skip


ANCHOR = Case(6, 384, 6, 8192, 4, 256)
CASES = (
    Case(4, 256, 4, 8192, 4, 128), Case(6, 384, 6, 8192, 2, 512), Case(8, 512, 8, 8192, 4, 256),
    Case(4, 768, 12, 16384, 2, 256), Case(12, 768, 12, 16384, 2, 128), Case(2, 1024, 16, 32768, 2, 256),
    Case(8, 512, 8, 8192, 1, 1024), replace(ANCHOR, again=True), Case(8, 512, 8, 8192, 4, 256, again=True),
    replace(ANCHOR, adapters=True),
)  # fmt: skip


def predicted(case: Case, rates: Supply, pace: float = 1.0) -> float:
    """Seconds of a step."""
    trained = float(case.layers * RANK * sum(a + b for a, b in case.matrices)) if case.adapters else None
    plan = Layout(1, 1, 1, 1, 1, 1, 1, 1, case.batch, 1, case.length, 0, 2 if case.adapters else 3,
                  float(case.again), 1, 0, 0, 1)  # fmt: skip
    need = demand(case.arch, float(case.length), trained)
    return float(step_time(need, plan, rates, replace(COEFFICIENTS, pace=pace)).total)


def measured(case: Case) -> float:
    """Processor seconds of forward, backward and AdamW."""
    import torch
    from torch import nn
    from torch.nn import functional
    from torch.utils.checkpoint import checkpoint

    class Linear(nn.Linear):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__(inputs, outputs, bias=False)
            if case.adapters:
                self.weight.requires_grad = False
                self.down = nn.Parameter(torch.randn(RANK, inputs) / inputs)
                self.up = nn.Parameter(torch.zeros(outputs, RANK))

        def forward(self, x: Any) -> Any:
            found = super().forward(x)
            if not case.adapters:
                return found
            return found + functional.linear(functional.linear(x, self.down), self.up)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LayerNorm(case.hidden), nn.LayerNorm(case.hidden)
            self.qkv, self.out, self.up, self.down = (Linear(*sides) for sides in case.matrices)

        def forward(self, x: Any) -> Any:
            batch, length, hidden = x.shape
            split = self.qkv(self.first(x)).view(batch, length, 3, case.heads, hidden // case.heads)
            q, k, v = split.permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(attended.transpose(1, 2).reshape(batch, length, hidden))
            return x + self.down(functional.gelu(self.up(self.second(x))))

    torch.manual_seed(0)
    table, blocks = nn.Embedding(case.vocab, case.hidden), [Block() for _ in range(case.layers)]
    norm, head = nn.LayerNorm(case.hidden), nn.Linear(case.hidden, case.vocab, bias=False)
    for frozen in (table, norm, head) if case.adapters else ():
        frozen.requires_grad_(False)
    parameters = [p for part in (table, *blocks, norm, head) for p in part.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters)
    text = torch.randint(case.vocab, (case.batch, case.length + 1))

    def step() -> None:
        x = table(text[:, :-1])
        for block in blocks:
            x = checkpoint(block, x, use_reentrant=False) if case.again else block(x)
        loss = functional.cross_entropy(head(norm(x)).flatten(0, 1), text[:, 1:].flatten())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return least(step, 5)


def least(call: Callable[[], object], runs: int) -> float:
    """Least processor seconds of so many calls after one warm-up: what else runs on the machine only adds."""
    call()
    times = []
    for _ in range(runs):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return min(times)


def machine() -> Supply:
    """Rate of a square product and of a copy on one core."""
    import torch

    side, size = 1536, 2**26
    one, other = torch.randn(side, side), torch.randn(side, side)
    source, target = torch.randn(size), torch.empty(size)
    peak = 2.0 * side**3 / least(lambda: one @ other, 5)
    bandwidth = 8.0 * size / least(lambda: target.copy_(source), 5)
    return Supply(peak, peak, bandwidth, 1e9, 1e9)


def rows() -> Iterator[tuple[str, str, str, float]]:
    """Measured over predicted of every case; none where torch is not installed."""
    try:
        import torch
    except ImportError:
        print("steps of small GPTs: torch is not installed")
        return
    torch.set_num_threads(1)
    rates = machine()
    pace = measured(ANCHOR) / predicted(ANCHOR, rates)
    for case in CASES:
        expected = predicted(case, rates, pace)
        took = measured(case)
        yield f"a step of {case.name}", f"{took:.2f} s", f"{expected:.2f} s foreseen after one anchor", took / expected


def main() -> None:
    """Print the rows."""
    began = time.perf_counter()
    for what, took, foreseen, ratio in rows():
        print(f"| {what} | {took} | {foreseen} | {ratio:.2f} |")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
