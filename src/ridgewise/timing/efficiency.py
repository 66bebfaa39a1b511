"""What a real engine gets out of a real device: coefficients fitted on measurements, with their spread.

They live in ``catalog/calibration/timing.toml``, one table per engine back end, each with the number of
measurements, devices and sources it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any

from ridgewise.facts.catalog import catalog_path, frozen, read_toml
from ridgewise.units import Num


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Coefficients of one engine back end.

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


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients with their evidence.

    decode_spread, prefill_spread   ratio r such that about 80 % of measurements fall within
                                    [prediction / r, prediction · r] on devices and sources left out
    classes                         classes of models measured: "dense", "moe"
    devices                         devices whose measurements entered the fit
    peak                            precision of the peak that ``compute`` refers to; "" = the format's own
    """

    key: str
    efficiency: Efficiency
    decode_spread: Annotated[float, "ratio"]
    prefill_spread: Annotated[float, "ratio"]
    rows: int = 0
    classes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    peak: str = ""
    kind: str = "measured"
    note: str = ""


_NAMES = {f.name for f in fields(Efficiency)}


@cache
def load_calibration() -> Mapping[str, Fitted]:
    """The shipped coefficients by key: ``engine/back end`` with an optional ``/device class``."""
    sheet: dict[str, dict[str, Any]] = read_toml(catalog_path("calibration", "timing.toml"))
    return {key: _fitted(key, entry) for key, entry in sheet.items()}


def _fitted(key: str, entry: Mapping[str, Any]) -> Fitted:
    rest: dict[str, Any] = {k: v for k, v in frozen(entry).items() if k not in _NAMES}
    return Fitted(key=key, efficiency=Efficiency(**{k: v for k, v in entry.items() if k in _NAMES}), **rest)
