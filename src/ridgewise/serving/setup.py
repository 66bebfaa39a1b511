"""A deployment: one model on one machine under one engine, and the calibrated coefficients that apply to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from ridgewise.engines import Backend, Engine
from ridgewise.hardware.device import Device
from ridgewise.memory.training import adapter_parameters
from ridgewise.models.architecture import Architecture
from ridgewise.models.formats import stored
from ridgewise.serving import local
from ridgewise.serving.keys import BLOCK, service_keys, service_regime
from ridgewise.serving.local import Run, known
from ridgewise.serving.rates import matrix_peak, service_rates
from ridgewise.serving.speculation import Draft
from ridgewise.timing import Efficiency, Rates
from ridgewise.timing.coefficients import Band, Block, load_blocks
from ridgewise.work import Plan, Step, Work, forward
from ridgewise.work.forward import pointwise

#: The load that plans are made for: people who ask again some time after the last answer.
LOAD = "closed_loop"
#: A metric of each phase.
PROMPTS, ANSWERS = "prefill_tok_s", "tpot_ms"
#: Evidence by how well the measurements support a case.
TIERS: Mapping[str, str] = {
    "cell": "measured", "device": "interpolated", "stack": "transferred", "none": "datasheet",
}  # fmt: skip


def tier_of(block: Block | None, cell: str, metric: str, support: str) -> str:
    """Evidence of a metric with this support: on a user's "own" device the ``cell`` itself was measured, or others."""
    if support == "own":
        support = "cell" if block is not None and cell in block.groups("cell", metric) else "device"
    return TIERS[support]


@dataclass(frozen=True)
class Setup:
    """One model on one machine under one engine: ``replicas`` groups of ``tp·pp`` devices.

    usable   bytes of one device that weights and caches may take
    blocks   coefficients to use instead of the shipped ones (a user's own measurements moved them)
    host     processor whose RAM holds what does not fit the card: the routed ``experts``, or the share ``lowered``
             of the layers
    draft    what drafts tokens that the model checks
    adapters LoRA adapters served beside the model, of ``rank``
    """

    arch: Architecture
    device: Device
    engine: Engine
    backend: Backend
    plan: Plan
    usable: Annotated[float, "B"]
    replicas: int = 1
    blocks: Mapping[str, Block] | None = None
    host: Device | None = None
    experts: bool = False
    lowered: Annotated[float, "ratio"] = 0.0
    draft: Draft | None = None
    adapters: Annotated[float, "1"] = 0.0
    rank: Annotated[float, "1"] = 16.0

    def __post_init__(self) -> None:
        """Weights as a file of this model holds them."""
        object.__setattr__(self, "plan", replace(self.plan, format=stored(self.arch, self.plan.format)))

    @property
    def count(self) -> int:
        return int(self.plan.tp * self.plan.pp) * self.replicas

    @property
    def many(self) -> bool:
        """The engine's measurements are of many users."""
        return self.engine.serves(self.backend)

    @property
    def called(self) -> str:
        """What measurements call the engine."""
        return self.engine.called(self.backend)

    @cached_property
    def run(self) -> Run:
        """The same as a single user's run."""
        backend = self.backend.stack or self.backend.id
        count = int(self.plan.tp * self.plan.pp)
        split = "none" if count == 1 else "tensor" if self.plan.tp > 1 else "layer"
        if self.host is not None:
            split = "experts" if self.experts else "ram"
        return Run(
            self.arch, self.plan.format, self.device, self.called, backend, self.backend.unit, count, split,
            kv_bits=float(self.plan.kv_bits), ubatch=float(self.engine.chunk), host=self.host, lowered=self.lowered,
        )  # fmt: skip

    @cached_property
    def block(self) -> Block:
        """The coefficients of the family; without any, the step formula's own defaults apply."""
        name = BLOCK if self.many else self.run.block
        return (self.blocks if self.blocks is not None else load_blocks()).get(name) or Block(name, {})

    def keys(self, tokens: float = 1.0) -> dict[str, str]:
        """Level → group of a pass of so many tokens."""
        if self.many:
            return service_keys(self.called, self.device, self.arch, self.plan.format, self.plan) | {"load": LOAD}
        return local.keys(self.run, tokens)

    @cached_property
    def _known(self) -> dict[str, dict[str, float]]:
        return {}

    def coefficients(self, tokens: float = 1.0) -> dict[str, float]:
        """Coefficients of a pass of so many tokens: looked up once for each way in which products run."""
        way = "" if self.many else local.product(self.run, tokens)
        if way not in self._known:
            self._known[way] = self.block.at(self.keys(tokens))
        return self._known[way]

    def efficiency(self, tokens: float = 1.0) -> Efficiency:
        """Those that the step formula reads."""
        return known(self.coefficients(tokens))

    def rates(self, tokens: float = 1.0) -> Rates:
        """What one device offers a pass of so many tokens."""
        if self.many:
            return service_rates(self.device, self.plan.format, float(self.plan.tp))
        return local.rates(self.run, tokens)[0]

    def work(self, step: Step, tokens: float) -> dict[str, Work]:
        """Everything one step asks of one device; ``tokens`` decide how its products run."""
        beside = {"pointwise": pointwise(self.arch, step, self.plan)} if self.many else None
        found = {**forward(self.arch, step, self.plan), **(beside or local.beside(self.run, step, tokens))}
        return found | {"adapters": self._adapters(step)} if self.adapters else found

    @property
    def adapter_bytes(self) -> float:
        """Bytes of all adapters on one device, in 16 bits."""
        return float(self.adapters * 2.0 * adapter_parameters(self.arch, self.rank) / self.plan.tp)

    def _adapters(self, step: Step) -> Work:
        """Two thin products beside every projection; a step reads the adapters its sequences use (Punica, arXiv
        2310.18547), at most one each."""
        own = adapter_parameters(self.arch, self.rank) / self.plan.tp
        used = np.minimum(step.sequences, self.adapters)
        return Work(2.0 * own * step.tokens, 2.0 * own * used, rows=step.tokens / np.maximum(used, 1.0))

    @property
    def peak(self) -> tuple[float, str] | None:
        """Peak rate that prompts are held against, and its precision; None where no sheet gives one."""
        if self.many:
            return matrix_peak(self.device, self.plan.format)
        run = self.run
        found, _, _ = local.peaks(run, run.ubatch)
        named = (local.PRECISIONS[local.product(run, run.ubatch)], "fp16", "bf16", "int8", "fp32")
        known = [kind for kind in named if local.figure(self.device, run.unit, f"peak_{kind}")]
        return None if found is None or not known else (found, known[0])

    def supported(self, metric: str) -> str:
        """How well the measurements support this deployment in a metric: "own", "cell", "device", "stack" or "none";
        those of another engine no better than "stack"."""
        found = self.block.support(self.keys(), metric)
        return "stack" if found in ("cell", "device") and self.engine.borrows(self.backend) else found

    @cached_property
    def support(self) -> str:
        """The same of its answers."""
        return self.supported(ANSWERS)

    @cached_property
    def tier(self) -> str:
        """Evidence of the speed of answers: by support, and assumed where a figure of the device is."""
        return self._evidence(ANSWERS)

    @cached_property
    def prompt_tier(self) -> str:
        """Evidence of the speed at which prompts are read: a device may have been measured in answers alone."""
        return self._evidence(PROMPTS)

    def _evidence(self, metric: str) -> str:
        bandwidth = self.device.figures.get("bandwidth")
        if bandwidth is None or bandwidth.kind == "assumed":
            return "assumed"
        return tier_of(self.block, self.keys()["cell"], metric, self.supported(metric))

    @cached_property
    def lone(self) -> bool:
        """Transferred from a single device."""
        stack = self.keys()["stack"]
        seen = self.block.seen.get("device", frozenset())
        return self.support == "stack" and sum(pair.endswith(f"|{stack}") for pair in seen) == 1

    def regime(self, sequences: float = 1.0) -> str:
        """How errors and intervals group this deployment with so many sequences at once."""
        if self.many:
            return service_regime(self.device, self.arch, LOAD)
        return local.regime(self.run, sequences)

    def band(self, metric: str, sequences: float = 1.0) -> Band:
        """The 80 % interval of a metric, as ratios to its prediction."""
        found = self.block.band(metric, self.regime(sequences), self.supported(metric))
        wider = UNSURE if self.tier == "assumed" else 1.0
        return Band(found.low / wider, found.high * wider, found.rows)

    def evidence(self, tokens: float = 1.0) -> list[dict[str, Any]]:
        """Every factor that enters: coefficient, level, group, factor, doubt, measurements."""
        keys = self.keys(tokens)
        return [
            {"coefficient": name, "level": level, "group": keys[level], "factor": found.factor,
             "doubt": found.doubt, "measurements": found.rows}
            for name, coefficient in self.block.coefficients.items()
            for level, groups in coefficient.levels.items()
            if level in keys and (found := groups.get(keys[level])) is not None
        ]  # fmt: skip


#: How much further each way an interval reaches where a figure was assumed.
UNSURE = 1.5
