"""Activations and FLOPs of a training step as torch itself keeps and counts them, on blocks small enough for a CPU."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from ridgewise.memory.training import MemoryCoefficients, Sharding, bulk, parts
from ridgewise.models.architecture import Architecture
from ridgewise.models.parts import attention, merged, mlp
from ridgewise.training import flops_per_token
from ridgewise.training.step import demand

torch: Any = pytest.importorskip("torch", reason="torch is not installed")

LAYERS, HIDDEN, HEADS, LENGTH, BATCH, VOCAB = 3, 256, 4, 128, 2, 512


def shape(kv_heads: int = HEADS, ffn: int = 4 * HIDDEN, *, gated: bool = False) -> Architecture:
    mixer = attention(HIDDEN, HEADS, kv_heads, HIDDEN // HEADS)
    groups = merged([(mixer, mlp(HIDDEN, ffn, gated=gated), 2 * HIDDEN)] * LAYERS)
    table = VOCAB * HIDDEN
    return Architecture("small", "decoder", HIDDEN, VOCAB, groups, table, table, False)


class Block(torch.nn.Module):  # type: ignore[misc]
    """A pre-norm decoder layer: fused attention or plain products, GELU or SwiGLU, dropout by one-byte masks."""

    def __init__(self, kv_heads: int, ffn: int, gated: bool, drop: bool, fused: bool) -> None:
        super().__init__()
        each = HIDDEN // HEADS
        self.kv, self.each, self.gated, self.drop, self.fused = kv_heads, each, gated, drop, fused
        linear = partial(torch.nn.Linear, bias=False)
        self.q, self.out = linear(HIDDEN, HIDDEN), linear(HIDDEN, HIDDEN)
        self.k, self.v = linear(HIDDEN, kv_heads * each), linear(HIDDEN, kv_heads * each)
        self.up, self.down = linear(HIDDEN, ffn), linear(ffn, HIDDEN)
        self.gate = linear(HIDDEN, ffn) if gated else None
        self.before, self.after = torch.nn.LayerNorm(HIDDEN), torch.nn.LayerNorm(HIDDEN)

    def dropped(self, x: Any) -> Any:
        return x * (torch.rand_like(x) > 0.1) if self.drop else x

    def forward(self, x: Any) -> Any:
        act, y = torch.nn.functional, self.before(x)
        q, k, v = (t.view(BATCH, LENGTH, -1, self.each).transpose(1, 2) for t in (self.q(y), self.k(y), self.v(y)))
        if self.fused:
            mixed = act.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.kv != HEADS)
        else:
            scores = torch.softmax(q @ k.transpose(2, 3) * self.each**-0.5, dim=-1)
            mixed = scores @ v
        x = x + self.dropped(self.out(mixed.transpose(1, 2).reshape(BATCH, LENGTH, HIDDEN)))
        y = self.after(x)
        wide = act.silu(self.gate(y)) * self.up(y) if self.gate is not None else act.gelu(self.up(y))
        return x + self.dropped(self.down(wide))


def kept(
    again: bool = False, kv_heads: int = HEADS, ffn: int = 4 * HIDDEN, gated: bool = False, drop: bool = True
) -> int:
    """Bytes that torch keeps for the backward pass of all layers, every storage once, weights aside."""
    from torch.utils.checkpoint import checkpoint

    torch.manual_seed(0)
    layers = [Block(kv_heads, ffn, gated, drop, True).to(torch.bfloat16) for _ in range(LAYERS)]
    weights = {p.untyped_storage().data_ptr() for layer in layers for p in layer.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = torch.randn(BATCH, LENGTH, HIDDEN, dtype=torch.bfloat16, requires_grad=True)
    alive = [x]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for layer in layers:
            x = checkpoint(layer, x, use_reentrant=True) if again else layer(x)
            alive.append(x)
    if again:  # re-entrant checkpoints keep their inputs outside the hooks
        held = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in alive[:-1]}
    return sum(held.values())


def predicted(arch: Architecture, repeated: float = 0.0) -> float:
    plan = Sharding(1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, float(BATCH), float(LENGTH), repeated, 1.0, 1.0)
    return float(parts(bulk(arch, "full"), plan, MemoryCoefficients())["activations"])


def test_a_block_keeps_34_bytes_per_token_and_hidden_unit() -> None:
    """Korthikanti's count with fused attention: what torch keeps of GPT blocks, dropout masks of one byte included."""
    assert predicted(shape()) == pytest.approx(kept(), rel=0.05)


def test_recomputation_keeps_the_inputs_of_the_layers() -> None:
    """Two bytes per unit and layer, beside which one layer is whole while it runs backwards."""
    alone = predicted(shape()) / LAYERS
    assert predicted(shape(), 1.0) == pytest.approx(kept(again=True) + alone, rel=0.05)


def test_a_gated_block_with_fewer_keys_keeps_what_its_width_says() -> None:
    """SwiGLU of 3.5 times the width keeps gate, up, activation and product; grouped keys keep less."""
    arch = shape(2, 7 * HIDDEN // 2, gated=True)
    assert predicted(arch) == pytest.approx(kept(kv_heads=2, ffn=7 * HIDDEN // 2, gated=True, drop=False), rel=0.1)


def counted(frozen: bool = False, gated: bool = False, ffn: int = 4 * HIDDEN) -> int:
    """FLOPs torch counts in the forward and backward pass of blocks and head."""
    from torch.utils.flop_counter import FlopCounterMode

    layers = torch.nn.Sequential(*(Block(HEADS, ffn, gated, False, False) for _ in range(LAYERS)),
                                 torch.nn.Linear(HIDDEN, VOCAB, bias=False))  # fmt: skip
    layers.requires_grad_(not frozen)
    x = torch.randn(BATCH, LENGTH, HIDDEN, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        layers(x).sum().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_flops_of_a_step_are_those_torch_counts(method: str, gated: bool) -> None:
    """Full training three times the forward pass; frozen weights have no gradient of their own. Torch multiplies every
    pair of positions, causal or not, so the formula's halved scores are counted twice."""
    arch = shape(gated=gated)
    scores = float(demand(arch, float(LENGTH)).attention)
    passes = 3.0 if method == "full" else 2.0
    tokens = BATCH * LENGTH
    products = float(flops_per_token(arch, float(LENGTH), method)) - passes * scores  # type: ignore[arg-type]
    pairs = 3.0 * 2.0 * scores * LENGTH / (LENGTH + 1)  # both gradients of a score are of activations
    assert counted(method == "lora", gated) == pytest.approx((products + pairs) * tokens, rel=0.02)
