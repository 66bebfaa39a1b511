"""One replica to be simulated: a deployment, its engine's policy, what memory holds, how long its steps take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.serving.estimate import footprint, memory_batch, most_sequences
from ridgewise.serving.limits import limits
from ridgewise.serving.setup import Setup
from ridgewise.simulation.policies import Policy, policy_of
from ridgewise.simulation.steptimes import StepTimes, step_times
from ridgewise.units import digits, size

#: Cache of a model that keeps none per token [blocks].
ENDLESS = 10**12
#: Tokens of a typical request where none is given.
TYPICAL = 1024.0


@dataclass(frozen=True, slots=True)
class System:
    """One replica.

    blocks    cache blocks that memory holds
    longest   most tokens of a request with its answer: the model's own limit, or a slot's share of the cache
    overhead  seconds a request takes outside the engine, felt by itself alone
    gained    tokens a decode step makes per sequence: more than one with drafts
    model     which of a fleet's models it serves
    slowness  what its steps were multiplied by
    """

    times: StepTimes
    policy: Policy
    sequences: Annotated[int, "1"]
    tokens: Annotated[int, "tokens"]
    blocks: Annotated[int, "1"]
    longest: Annotated[int, "tokens"] = 10**9
    overhead: Annotated[float, "s"] = 0.0
    gained: Annotated[float, "tokens"] = 1.0
    setup: Setup | None = None
    model: int = 0
    slowness: Annotated[float, "ratio"] = 1.0

    @property
    def capacity(self) -> int:
        """Tokens that the cache holds."""
        return self.blocks * self.policy.block

    def slower(self, factor: float) -> System:
        """The same with every step and the time outside so many times as long."""
        return replace(
            self, times=self.times.scaled(factor), overhead=self.overhead * factor, slowness=self.slowness * factor
        )


def system(
    setup: Setup, policy: Policy | None = None, context: float = TYPICAL, cache: float | None = None, model: int = 0
) -> System:
    """A deployment made ready. ``context``: tokens of a typical request with its answer, by which memory of models
    with windows or recurrent state is shared out; ``cache``: tokens it holds, where known.

    RequestError says how much memory is missing where not even one such request fits.
    """
    policy = policy or policy_of(setup.engine)
    sequences = policy.sequences or int(most_sequences(setup))
    rows = int(setup.draft.tokens) + 1 if setup.draft else 1
    tokens = max(policy.tokens or int(limits(setup.engine.id, setup.device).tokens), sequences * rows)
    found = cache_tokens(setup, context) if cache is None else cache
    if found < 1:
        missing = -float(footprint(setup, 1.0, context).left)
        raise RequestError(
            f"{setup.arch.name} in {setup.plan.format.id} and one request of {digits(context)} tokens lack "
            f"{size(missing)} per device on {setup.count} × {setup.device.name}",
            "hardware", (f"--tp {int(setup.plan.tp) * 2}", "a smaller --quant"),
        )  # fmt: skip
    blocks = int(min(max(found // policy.block, 1), ENDLESS))
    longest = int(setup.arch.max_context or 10**9)
    if policy.name == "llamacpp":
        longest = min(longest, max(blocks * policy.block // sequences, 1))
    times = step_times(setup, sequences, tokens, context)
    overhead = float(setup.coefficients().get("request_overhead", 0.0))
    gained = float(setup.draft.gained) if setup.draft else 1.0
    return System(times, policy, sequences, tokens, blocks, longest, overhead, gained, setup, model)


def cache_tokens(setup: Setup, context: float) -> float:
    """Tokens of cache that one replica holds for requests of this length; 0 where not even one fits."""
    held = float(memory_batch(setup, context))
    if not np.isfinite(held):
        return float(ENDLESS)
    if held >= 1:
        foot, one = footprint(setup, 0.0, context), footprint(setup, 1.0, context)
        return max(float(foot.left) / float(one.total - foot.total), held) * context
    return 0.0
