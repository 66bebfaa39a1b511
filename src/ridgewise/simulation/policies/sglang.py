"""SGLang: prompts first, in steps of their own and in chunks; between them everyone decodes.

From ``sglang/srt/managers/schedule_policy.py`` and ``schedule_batch.py``: a request is admitted when its prompt and
answer have room beside a share of what running requests will still make; the share begins at 0.7 and falls to 0.098
over 600 decode steps. The cache holds single tokens and keeps prefixes in a tree (RadixAttention).
"""

from ridgewise.simulation.policies import Policy

POLICY = Policy(
    "sglang", ("sglang",), "prompts first in steps of their own, a falling share of the answers kept free",
    ("https://docs.sglang.ai/advanced_features/hyperparameter_tuning.html", "https://arxiv.org/abs/2312.07104"),
    block=1, mixed=False, reserve=0.7, reserve_least=0.098, reserve_less=(0.7 - 0.098) / 600,
)  # fmt: skip
