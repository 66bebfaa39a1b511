"""Static batching: a batch is read together, answers until its longest answer ends, and only then comes the next."""

from ridgewise.simulation.policies import Policy

POLICY = Policy(
    "static", ("transformers", "mlx", "npu"), "a batch begins and ends as a whole",
    ("https://arxiv.org/abs/2207.04836", "https://www.usenix.org/conference/osdi22/presentation/yu"),
    tokens=1 << 18, block=1, mixed=False, reserve_all=True, whole=True, prefix=False,
)  # fmt: skip
