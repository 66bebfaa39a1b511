"""vLLM, engine v1: each step takes one token of every running sequence and, within a token budget, chunks of prompts.

From ``vllm/v1/core/sched/scheduler.py``: running requests first, then waiting ones in order; where the cache runs out
the last of the running list is put back and computed anew, and nobody is admitted in that step; a request is admitted
when its prompt has room. Blocks of answered requests stay until the space is wanted, least recently used first.
"""

from ridgewise.simulation.policies import Policy

POLICY = Policy(
    "vllm", ("vllm",), "token budget, prompts in chunks beside decode steps, put back and computed anew when full",
    ("https://docs.vllm.ai/en/latest/configuration/optimization.html", "https://arxiv.org/abs/2309.06180"),
)  # fmt: skip
