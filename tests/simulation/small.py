"""Small systems whose step times can be followed by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ridgewise.simulation.policies import Policy, load_policies
from ridgewise.simulation.steptimes import UNBOUNDED, StepTimes
from ridgewise.simulation.system import System


def plain_times(
    fixed: float = 0.010, token: float = 0.001, context: float = 0.0, pair: float = 0.0, most: int = 1 << 14,
    window: float = UNBOUNDED, rows_each: int = 1,
) -> StepTimes:  # fmt: skip
    """``fixed`` seconds a step, ``token`` more per token computed, ``context`` per cached token read by decoding
    sequences (up to ``window``), ``pair`` per query–key pair of prompts."""
    base = fixed + token * np.arange(most + 1.0)
    base[0] = 0.0
    none, whole = np.zeros(0), np.zeros(most + 1, dtype=np.int64)
    return StepTimes(
        base, np.zeros(most + 2), none, whole, none, whole, none, 0, np.array([window]), np.array([0]),
        np.zeros(1), np.array([context]), 0.0, np.array([pair]), np.zeros(1), 0.0,
        np.zeros(most // rows_each + 1), rows_each,
    )  # fmt: skip


def small(
    name: str = "vllm", times: StepTimes | None = None, sequences: int = 8, tokens: int = 64, blocks: int = 100,
    gained: float = 1.0, **rules: Any,
) -> System:  # fmt: skip
    """A system of few blocks under a policy with its rules changed."""
    policy: Policy = replace(load_policies()[name], **rules)
    return System(times or plain_times(), policy, sequences, max(tokens, sequences), blocks,
                  gained=gained)  # fmt: skip
