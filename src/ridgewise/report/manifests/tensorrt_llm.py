"""``trtllm-serve`` and its YAML, in one script. Names as of TensorRT-LLM 1.0 (documentation, "trtllm-serve" and "LLM
API reference": ``KvCacheConfig``, ``TorchLlmArgs``)."""

from __future__ import annotations

from ridgewise.errors import RequestError
from ridgewise.memory.engines.tensorrt_llm import SHARE
from ridgewise.report.manifests._served import HERE, Served, header, one_node, shell
from ridgewise.report.manifests._yaml import yaml

NAME, ABOUT = "tensorrt-llm", "trtllm-serve (1.0) with its YAML"
ENGINES = ("tensorrt-llm",)
#: Container image by back end.
IMAGES = {"cuda": "nvcr.io/nvidia/tensorrt-llm/release:1.0.0"}
PORT, READY = 8000, "/health"
#: The file that the script writes first.
FILE = "trtllm.yaml"


def settings(served: Served) -> dict[str, object]:
    """What the YAML says: what the command has no option for."""
    plan = served.setup.plan
    found: dict[str, object] = {
        "kv_cache_config": {"dtype": served.cache[0], "free_gpu_memory_fraction": float(plan.share) or SHARE},
        "enable_chunked_prefill": True,
    }
    if served.groups > 1:
        if plan.attn_tp > 1:
            raise RequestError("attention is divided wholly or not at all", "--tp", (f"--tp 1 --ep {plan.tp:.0f}",))
        found |= {"enable_attention_dp": True, "moe_expert_parallel_size": int(plan.tp)}
    return found


def command(served: Served, host: str = HERE) -> list[str]:
    """The words that write the YAML and start the server; ``host``: the address it listens on."""
    return ["bash", "-c", _script(served, host)]


def _script(served: Served, host: str = HERE) -> str:
    plan = served.setup.plan
    words = [
        "trtllm-serve", served.model(), "--backend", "pytorch", "--host", host, "--port", str(PORT),
        "--tp_size", f"{plan.tp:.0f}", "--pp_size", f"{plan.pp:.0f}", "--max_seq_len", str(served.context),
        "--max_batch_size", str(max(served.most // served.groups, 1)), "--max_num_tokens", str(served.step_tokens),
        "--extra_llm_api_options", FILE,
    ]  # fmt: skip
    return "\n".join([f"cat > {FILE} <<'END'", yaml(settings(served)).rstrip(), "END", shell(words), ""])


def write(served: Served) -> str:
    """The script with its notes."""
    one_node(served, NAME)
    return "\n".join(["#!/bin/sh", *header(served), _script(served)])
