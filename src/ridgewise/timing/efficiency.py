"""What a real engine gets out of a real device: the coefficients that the step formula reads.

Their values come from the calibrated blocks (:mod:`ridgewise.timing.coefficients`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ridgewise.units import Num


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Coefficients of one case.

    Each may be a column: one value per case.

    weight_read     share of the datasheet bandwidth reached while reading weights
    expert_read     what routed experts reach of that share: their weights are gathered
    cache_read      share of it reached while reading the KV cache
    state_read      share of it reached while reading and writing recurrent state; 0: as the cache
    compute         share of the peak matrix rate reached by large products
    expert_compute  what grouped products of routed experts reach of that share
    half_rows       rows (tokens per weight matrix) at which a product reaches half of that share
    fill            peak that ``half_rows`` is given for: a device of twice the peak takes twice the rows to fill its
                    units (waves of tiles); 0: the same for every device
    few_rows        share of the vector peak that products of few rows reach while unpacking weights
    expert_half_rows  the same for grouped products of routed experts, by rows of one expert; 0: as half_rows
    expert_few_rows what grouped products of several tokens reach of that share: tiles filled in part
    pointwise       share of the bandwidth reached while activations pass through memory
    attention       share of the peak rate reached by prefill attention
    layer_overhead  seconds every layer costs besides its work: launches, norms, rope, small copies
    expert_overhead further seconds per mixture-of-experts layer: routing, gathers, scatter
    step_overhead   seconds every step costs: scheduling, sampling, detokenising
    sequence_overhead  further seconds per sequence in a step: sampling, detokenising, streaming
    request_overhead  seconds before the first token besides compute: HTTP, tokeniser, queueing for a step
    link_share      share of a link's bandwidth that collectives reach
    link_wait       latency of a small collective over that of the library's own measured one
    """

    weight_read: Annotated[Num, "ratio"] = 0.7
    expert_read: Annotated[Num, "ratio"] = 1.0
    cache_read: Annotated[Num, "ratio"] = 0.6
    state_read: Annotated[Num, "ratio"] = 0.0
    compute: Annotated[Num, "ratio"] = 0.5
    expert_compute: Annotated[Num, "ratio"] = 1.0
    half_rows: Annotated[Num, "tokens"] = 64.0
    fill: Annotated[Num, "FLOP/s"] = 0.0
    few_rows: Annotated[Num, "ratio"] = 0.4
    expert_few_rows: Annotated[Num, "ratio"] = 1.0
    expert_half_rows: Annotated[Num, "tokens"] = 0.0
    pointwise: Annotated[Num, "ratio"] = 1.0
    attention: Annotated[Num, "ratio"] = 0.35
    layer_overhead: Annotated[Num, "s"] = 60e-6
    expert_overhead: Annotated[Num, "s"] = 40e-6
    step_overhead: Annotated[Num, "s"] = 0.5e-3
    sequence_overhead: Annotated[Num, "s"] = 0.0
    request_overhead: Annotated[Num, "s"] = 30e-3
    link_share: Annotated[Num, "ratio"] = 0.75
    link_wait: Annotated[Num, "ratio"] = 1.0
