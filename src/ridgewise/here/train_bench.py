"""Real training steps of a decoder with random weights, in PyTorch: forward, backward, AdamW."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Annotated, Any

from ridgewise.errors import RequestError
from ridgewise.here.contention import OURS, scatter
from ridgewise.here.random_gguf import writable
from ridgewise.models.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Steps:
    """Training steps as timed: the median of those least disturbed, and the most memory the process held."""

    seconds: Annotated[float, "s"]
    spread: Annotated[float, "ratio"]
    rounds: int
    busy: Annotated[float, "ratio"]
    memory: Annotated[float, "B"]
    version: str
    cut: str = ""


def train(
    arch: Architecture, length: int, micro: int, threads: int, steps: int, said: Callable[[str], None],
    device: str = "cpu", dtype: str = "float32",
) -> Steps:  # fmt: skip
    """Time ``steps`` steps of ``micro`` sequences of ``length`` tokens after a first one; Ctrl-C keeps those done."""
    try:
        import torch
    except ImportError:
        raise RequestError("is not installed", "torch", ("pip install torch",)) from None
    torch.set_num_threads(threads)
    model = _decoder(torch, arch).to(device=device, dtype=getattr(torch, dtype))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens = torch.randint(0, arch.vocab, (micro, length + 1), device=device)
    wait: Callable[[], None] = getattr(torch, device).synchronize if device != "cpu" else (lambda: None)
    found: list[tuple[float, float]] = []
    cut = ""
    try:
        for i in range(steps + 1):
            wall, cpu = time.perf_counter(), time.process_time()
            logits = model(tokens[:, :-1])
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
            loss.backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            wait()
            taken = time.perf_counter() - wall
            share = (time.process_time() - cpu) / (taken * threads) if device == "cpu" else 1.0
            said(f"step {i}: {taken:.2f} s")
            if i:
                found.append((taken, share))
    except KeyboardInterrupt:
        cut = "stopped by the user"
    if not found:
        raise RequestError("not one step was timed", "--train", ("--length 128", "a smaller model"))
    ours = [pair for pair in found if pair[1] >= OURS]
    used = ours or sorted(found, key=lambda pair: -pair[1])[: max(len(found) // 3, 1)]
    middle, spread = scatter([taken for taken, _ in used])
    if device == "cuda":
        memory = float(torch.cuda.max_memory_allocated())
    else:
        unit = 1.0 if sys.platform == "darwin" else 1024.0
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    busy = median(share for _, share in used)
    return Steps(middle, spread, len(used), busy, memory, str(torch.__version__), cut)


def _decoder(torch: Any, arch: Architecture) -> Any:
    """The decoder in plain PyTorch: pre-norm attention over grouped heads, gated feed-forward, no rotation."""
    mixer, feed = writable(arch)
    if feed.experts:
        raise RequestError("is a mixture of experts, which this loop does not train", arch.name, ("a dense model",))
    nn, functional = torch.nn, torch.nn.functional
    inner = feed.weights["gate"] // arch.hidden

    class Layer(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.after = nn.RMSNorm(arch.hidden), nn.RMSNorm(arch.hidden)
            self.q = nn.Linear(arch.hidden, mixer.heads * mixer.qk_dim, bias=False)
            self.k = nn.Linear(arch.hidden, mixer.kv_heads * mixer.qk_dim, bias=False)
            self.v = nn.Linear(arch.hidden, mixer.kv_heads * mixer.v_dim, bias=False)
            self.o = nn.Linear(mixer.heads * mixer.v_dim, arch.hidden, bias=False)
            self.gate, self.up = (nn.Linear(arch.hidden, inner, bias=False) for _ in range(2))
            self.down = nn.Linear(inner, arch.hidden, bias=False)

        def forward(self, x: Any) -> Any:
            count, length, _ = x.shape
            y = self.norm(x)
            q = self.q(y).view(count, length, mixer.heads, mixer.qk_dim).transpose(1, 2)
            k = self.k(y).view(count, length, mixer.kv_heads, mixer.qk_dim).transpose(1, 2)
            v = self.v(y).view(count, length, mixer.kv_heads, mixer.v_dim).transpose(1, 2)
            seen = functional.scaled_dot_product_attention(
                q, k, v, is_causal=True, enable_gqa=mixer.heads != mixer.kv_heads
            )
            x = x + self.o(seen.transpose(1, 2).reshape(count, length, -1))
            y = self.after(x)
            return x + self.down(functional.silu(self.gate(y)) * self.up(y))

    class Decoder(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(arch.vocab, arch.hidden)
            self.layers = nn.ModuleList([Layer() for _ in range(arch.layers)])
            self.norm = nn.RMSNorm(arch.hidden)
            self.head = nn.Linear(arch.hidden, arch.vocab, bias=False)
            nn.init.normal_(self.embedding.weight, std=0.02)
            if arch.tied:
                self.head.weight = self.embedding.weight

        def forward(self, tokens: Any) -> Any:
            x = self.embedding(tokens)
            for layer in self.layers:
                x = layer(x)
            return self.head(self.norm(x))

    return Decoder()
