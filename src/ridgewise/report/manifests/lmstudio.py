"""A preset of LM Studio. Keys as in its SDK (``@lmstudio/sdk`` 2.0, the schematics of ``llm.load``)."""

from __future__ import annotations

import json

from ridgewise.report.manifests._served import Served
from ridgewise.report.manifests.llama_cpp import layers

NAME, ABOUT = "lmstudio", "a preset of LM Studio"
ENGINES = ("llama.cpp",)


def write(served: Served) -> str:
    """The preset as JSON; the model file is chosen in the program."""
    kept, total = layers(served), served.setup.arch.layers + 1
    fields: dict[str, object] = {
        "llm.load.contextLength": served.context,
        "llm.load.numParallelSessions": served.slots,
        "llm.load.llama.acceleration.offloadRatio": round(min(kept / total, 1.0), 3),
        "llm.load.llama.flashAttention": True,
        "llm.load.llama.evalBatchSize": int(served.setup.engine.chunk),
        "llm.load.llama.kCacheQuantizationType": _type(served.cache[0]),
        "llm.load.llama.vCacheQuantizationType": _type(served.cache[1]),
    }
    name = served.setup.arch.name.rpartition("/")[2]
    preset = {
        "identifier": f"@local:{name.casefold()}",
        "name": f"{name} on {served.setup.device.name}",
        "changed": False,
        "operation": {"fields": []},
        "load": {"fields": [{"key": key, "value": value} for key, value in fields.items()]},
    }
    return json.dumps(preset, indent=2, ensure_ascii=False) + "\n"


def _type(name: str) -> dict[str, object]:
    """A cache type as a field that may be off: off is 16 bits."""
    return {"checked": name != "f16", "value": name}
