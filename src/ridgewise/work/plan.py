"""How a model is laid out on devices: names (formats) and numbers (degrees of parallelism)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ridgewise.models.formats import Format
from ridgewise.units import Count, Num


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment of one replica.

    tp   tensor-parallel degree: every device holds 1/tp of each layer; two all-reduces per layer
    pp   pipeline stages (or llama.cpp's layer split): capacity adds, the latency of one token does not
    kv_bits   bits per cached value
    sequences   most sequences the engine is told to run at once per replica; 0: its own default
    share       share of the device it is told to take; 0: its own default
    attn_dp   groups inside the replica that each attend to sequences of their own (attention data parallelism):
              a group of tp/attn_dp devices holds all attention weights; feed-forwards stay divided by tp
    """

    format: Format
    tp: Count = 1.0
    pp: Count = 1.0
    kv_bits: Annotated[Num, "bits"] = 16.0
    attn_dp: Count = 1.0
    sequences: Count = 0.0
    share: Annotated[Num, "ratio"] = 0.0

    @property
    def attn_tp(self) -> Count:
        """Devices that share the attention of one sequence."""
        return self.tp / self.attn_dp

    def each(self, sequences: Count) -> Count:
        """Sequences of a pass that one attention group holds: every group schedules and samples its own."""
        return np.maximum(sequences / self.attn_dp, 1.0)
