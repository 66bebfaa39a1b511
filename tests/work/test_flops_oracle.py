"""FLOPs of one forward pass against torch's FlopCounterMode on fake tensors: an oracle nobody here wrote.

Eager attention is used because the fused CPU kernel is not counted; it multiplies every pair, causal or
not, so the oracle's scores are compared with all pairs. Experts run as batched products for the same reason.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from ridgewise.models.formats import weight_format
from ridgewise.models.read import find, load, read_json
from ridgewise.work import Plan, forward, training

LENGTH = 64
DENSE = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen2.5-7B-Instruct",
    "mistralai/Mistral-7B-v0.1",
    "google/gemma-3-1b-it",
    "google/gemma-2-9b-it",
    "microsoft/phi-4",
    "allenai/OLMo-2-1124-7B",
    "openai-community/gpt2",
)
EXPERTS = ("mistralai/Mixtral-8x7B-v0.1", "Qwen/Qwen3-30B-A3B", "allenai/OLMoE-1B-7B-0924")


def counted(name: str) -> float:
    """FLOPs that torch counts for one sequence of LENGTH tokens."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    settings: dict[str, Any] = {k: v for k, v in read_json(find(name).path).items() if not k.startswith("_")}
    settings.pop("quantization_config", None)
    settings.pop("auto_map", None)
    kind = settings.pop("model_type")
    config = transformers.AutoConfig.for_model(kind, **json.loads(json.dumps(settings)))
    config._attn_implementation = "eager"
    config.use_cache = False
    if hasattr(config, "_experts_implementation"):
        config._experts_implementation = "batched_mm"
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        if hasattr(model, "set_experts_implementation"):
            model.set_experts_implementation("batched_mm")
        tokens = torch.zeros((1, LENGTH), dtype=torch.long)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(tokens)
    return float(counter.get_total_flops())


def ours(name: str) -> float:
    """Our count for the same pass, with every query–key pair multiplied."""
    arch = load(name)
    work = forward(arch, training(LENGTH), Plan(weight_format("bf16")))
    linear = sum(float(part.flops) for operator, part in work.items() if not operator.startswith("attention"))
    scores = sum(g.count * 2.0 * g.mixer.heads * (g.mixer.qk_dim + g.mixer.v_dim) * LENGTH * LENGTH for g in arch.kinds)
    return linear + scores


@pytest.mark.parametrize("name", DENSE)
def test_dense_forward_flops_equal_torch(name: str) -> None:
    assert ours(name) == pytest.approx(counted(name), rel=0.01)


@pytest.mark.parametrize("name", EXPERTS)
def test_mixture_of_experts_forward_flops_equal_torch(name: str) -> None:
    assert ours(name) == pytest.approx(counted(name), rel=0.01)
