"""A Modelfile for Ollama. Instructions and parameters as of Ollama's documentation, "Modelfile reference" and "FAQ"."""

from __future__ import annotations

from ridgewise.report.manifests._served import Served, header
from ridgewise.report.manifests.llama_cpp import layers

NAME, ABOUT = "ollama", "a Modelfile for Ollama"
ENGINES = ("llama.cpp",)


def write(served: Served) -> str:
    """The Modelfile; what the server reads from its environment stands above it."""
    lines = header(served)
    environment = {
        "OLLAMA_NUM_PARALLEL": str(served.slots), "OLLAMA_KV_CACHE_TYPE": served.cache[0],
        "OLLAMA_FLASH_ATTENTION": "1", "OLLAMA_MAX_LOADED_MODELS": "1",
    }  # fmt: skip
    lines += ["# The server: " + " ".join(f"{name}={value}" for name, value in environment.items()) + " ollama serve"]
    if served.cache[0] != served.cache[1]:
        lines += [f"# Ollama caches keys and values in one type: values are {served.cache[0]} too"]
    lines += ["# The model: ollama create NAME -f Modelfile", f"FROM {served.model()}"]
    lines += [f"PARAMETER num_ctx {served.context}", f"PARAMETER num_gpu {layers(served)}"]
    lines += [f"PARAMETER num_batch {served.setup.engine.chunk:.0f}"]
    return "\n".join([*lines, ""])
