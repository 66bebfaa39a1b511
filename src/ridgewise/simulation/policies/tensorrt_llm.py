"""TensorRT-LLM, in-flight batching: prompts join the generation steps; nobody is ever put back.

From its documentation of the batch scheduler: the capacity policy GUARANTEED_NO_EVICT admits a request when prompt and
whole answer have room; ``max_num_tokens`` bounds a step; long prompts are read in chunks (chunked context).
"""

from ridgewise.simulation.policies import Policy

POLICY = Policy(
    "tensorrt-llm", ("tensorrt-llm",), "in-flight batching, room for the whole answer before admission",
    ("https://nvidia.github.io/TensorRT-LLM/performance/performance-tuning-guide/useful-runtime-flags.html",),
    block=32, reserve_all=True,
)  # fmt: skip
