"""llama.cpp's server: so many slots, each with its share of the context; prompts ride beside decoding slots.

From ``tools/server``: ``-np`` slots, by default as many as the engine's sheet says; a batch of 2,048 tokens a pass
(``-b``) computed in micro-batches of 512 (``-ub``), tokens of decoding slots first (continuous batching).
"""

from ridgewise.simulation.policies import Policy

POLICY = Policy(
    "llamacpp", ("llama.cpp", "ik_llama.cpp", "ollama", "lm-studio", "koboldcpp", "llamafile"),
    "slots with a fixed share of the context, prompts beside decoding slots",
    ("https://github.com/ggml-org/llama.cpp/tree/master/tools/server",),
    tokens=2048, block=1, reserve_all=True,
)  # fmt: skip
