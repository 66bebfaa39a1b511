"""One deployment under one load: how fast, how many at once, what it draws, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from ridgewise.advise.drawing import serving_draw
from ridgewise.advise.fitting import batch_limit, fit_fixes, placed, split_of
from ridgewise.economics import Draw
from ridgewise.engines import load_engines
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.memory import Footprint
from ridgewise.memory.engines import policy
from ridgewise.memory.offload import fitting, place
from ridgewise.models.architecture import Architecture
from ridgewise.serving import Setup
from ridgewise.serving.apart import apart
from ridgewise.serving.estimate import bands, prompt_parts, prompt_seconds, step_terms, step_time
from ridgewise.serving.local import Part
from ridgewise.serving.outcome import Load, Outcome, Range, outcome, ranged
from ridgewise.serving.speculation import Draft, prediction_layer
from ridgewise.units import count, digits
from ridgewise.work import Plan, decode

#: Lengths of documents whose reading time is shown [tokens].
DOCUMENTS = (4096.0, 32768.0, 131072.0)


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase against the roofline.

    intensity   FLOP per byte moved
    peak_share  model FLOPs over time times peak: MFU; None where no peak is known
    bandwidth_share   bytes of weights and cache over time times bandwidth: MBU
    bound       "compute", "memory" or "overhead": what takes most of the time
    """

    intensity: Annotated[float, "FLOP/B"]
    peak_share: Annotated[float, "ratio"] | None
    bandwidth_share: Annotated[float, "ratio"]
    bound: str


@dataclass(frozen=True, slots=True)
class Estimation:
    """Everything about one load; ``reader`` has the prompts where machines share the phases.

    memory      the fullest device with all running sequences at full length; ``ram`` beside it [B]
    batch_limit sequences of this length that one replica's memory holds
    documents   seconds to read so many tokens with nothing beside them
    fixes       single changes that would make it fit, where it does not
    board, wall watts while it works; joules at the wall per output token
    """

    setup: Setup
    reader: Setup | None
    load: Load
    outcome: Outcome
    memory: Footprint
    ram: Annotated[float, "B"]
    batch_limit: int
    documents: tuple[tuple[float, Range], ...]
    prefill: Phase
    decode: Phase
    draw: Draw | None
    notes: tuple[str, ...]
    fixes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return float(self.memory.left) >= 0

    @property
    def joules(self) -> Range | None:
        """Energy at the wall per output token [J]."""
        if self.draw is None:
            return None
        rate, draw = self.outcome.output, self.draw
        return Range(draw.wall / rate.value, draw.low / rate.high, draw.high / rate.low)


def lowered(setup: Setup, host: Device, ngl: int | None, experts: bool, context: float) -> Setup:
    """The same with layers (``ngl`` on the card; None: as many as fit) or routed experts in the RAM of ``host``."""
    wanted = "layers" if ngl is not None or not experts else "experts"
    if wanted not in setup.engine.offloads or setup.count > 1 or not setup.device.kind.startswith("gpu"):
        able = tuple(f"--engine {e.id}" for e in load_engines().values() if wanted in e.offloads)
        raise RequestError(f"{setup.engine.name} on this hardware leaves no {wanted} in RAM", "--host", able)
    if experts and not setup.arch.moe:
        raise RequestError(f"{setup.arch.name} has no experts to leave in RAM", "--cpu-moe", ("--ngl N",))
    rules = policy(setup.engine.memory)
    if ngl is None:
        found = fitting(setup.arch, setup.plan, 1.0, context, rules, setup.usable, experts)
    else:
        found = place(setup.arch, setup.plan, ngl, 1.0, context, rules, setup.usable, experts)
    if found is None:
        raise RequestError(f"not one layer of {setup.arch.name} fits {setup.device.name}", "hardware", ("--ngl 0",))
    below = (found.of - found.layers) / found.of
    if not below and not experts:
        return setup
    return replace(setup, host=host, experts=experts, lowered=below)


def drafted(setup: Setup, drafter: Architecture | None, tokens: float, acceptance: float) -> Setup:
    """The same with tokens drafted by a small model (None: by its own prediction layer) and checked."""
    arch = drafter or prediction_layer(setup.arch)
    if arch is None:
        raise RequestError(f"{setup.arch.name} has no multi-token-prediction layer", "--draft", ("--draft MODEL",))
    if arch.vocab != setup.arch.vocab:
        raise RequestError(
            f"{arch.name} writes {arch.vocab} different tokens, {setup.arch.name} {setup.arch.vocab}: no draft of it",
            "--draft",
        )
    if arch.parameters_active >= setup.arch.parameters_active:
        raise RequestError(f"{arch.name} is no smaller than {setup.arch.name}", "--draft")
    alone = Plan(setup.plan.format, kv_bits=setup.plan.kv_bits)  # every device of the group drafts for itself
    small = replace(setup, arch=arch, plan=alone, host=None, experts=False, lowered=0.0, adapters=0.0)
    return replace(setup, draft=Draft(small, tokens, acceptance))


def adapted(setup: Setup, adapters: float, rank: float) -> Setup:
    """The same with LoRA adapters beside the weights."""
    return replace(setup, adapters=adapters, rank=rank)


def estimation(setup: Setup, load: Load, reader: Setup | None = None, link: float | None = None) -> Estimation:
    """All of it, for one load; ``reader`` and ``link`` where the prompts are read elsewhere."""
    if reader is None:
        found = outcome(setup, load)
    else:
        assert link is not None
        found = apart(reader, setup, load, link)
    prompt, output = float(load.prompt), float(load.output)
    new, depth = prompt * (1.0 - float(load.cached)), prompt * float(load.cached)
    running = float(found.running)
    split = split_of(setup)
    held, ram = placed(setup, split, max(running, 1.0), prompt + output)
    first = reader or setup
    steady = decode(prompt + output / 2, max(running, 1.0))
    each = float(found.output.value) / setup.replicas
    return Estimation(
        setup, reader, load, found, held, ram, batch_limit(setup, split, prompt + output),
        tuple(_documents(first)),
        _phase(first, prompt_parts(first, new, depth), float(prompt_seconds(first, new, depth))),
        _phase(setup, (Part(steady),), float(step_time(setup, steady))),
        serving_draw(setup, prompt, output, running, each, float(load.cached)) if reader is None else None,
        tuple(_notes(setup, load)),
        () if float(held.left) >= 0 else tuple(fit_fixes(setup, split, max(running, 1.0), prompt + output)),
    )  # fmt: skip


def _documents(setup: Setup) -> Iterator[tuple[float, Range]]:
    """Documents no longer than the model can read, and the longest it can."""
    most = float(setup.arch.max_context or DOCUMENTS[-1])
    band = bands(setup)[0]
    for tokens in sorted({min(length, most) for length in DOCUMENTS}):
        yield tokens, ranged(prompt_seconds(setup, tokens), band.low, band.high, 0.0)


def _phase(setup: Setup, parts: tuple[Part, ...], seconds: float) -> Phase:
    """A phase of several engine steps against both roofs."""
    flops = moved = read = 0.0
    taken = {"compute": 0.0, "memory": 0.0}
    for part in parts:
        for term in step_terms(setup, part.step):
            times = float(part.times)
            flops += times * float(term.work.flops)
            moved += times * float(term.work.bytes)
            read += times * float(term.work.weights + term.work.cache)
            taken[term.bound] += times * float(term.seconds)
    taken["overhead"] = seconds - sum(taken.values())
    bandwidth = float(setup.rates().bandwidth)
    peak = setup.peak
    return Phase(
        flops / moved, flops / seconds / peak[0] if peak else None, read / seconds / bandwidth,
        max(taken, key=lambda roof: taken[roof]),
    )  # fmt: skip


def _notes(setup: Setup, load: Load) -> Iterator[str]:
    """What the reader of the numbers should know."""
    tokens = float(load.prompt) + float(load.output)
    if setup.arch.max_context and tokens > setup.arch.max_context:
        yield f"{count(tokens)} tokens are more than the {count(setup.arch.max_context)} this model was made for"
    if setup.draft:
        yield (
            f"each drafted token is taken with probability {digits(setup.draft.acceptance)} (--acceptance; the text "
            f"decides): {digits(float(setup.draft.gained))} tokens per pass"
        )
    if setup.host:
        where = "routed experts" if setup.experts else f"{digits(100 * setup.lowered)} % of the layers"
        yield f"{where} in the RAM of {setup.host.name}"
    if setup.lone:
        yield "the coefficients rest on one device of this kind"
    if lent := setup.engine.borrows(setup.backend):
        yield f"measurements of {lent}, which has kernels of the same kind, stand in for those of {setup.engine.name}"
    if setup.tier == "datasheet":
        yield "no measurement of this engine on such a device: physics and typical efficiency alone"
    if setup.peak is None:
        yield f"no sheet gives a peak rate of {setup.device.name}: prompts are timed by a typical ratio to bandwidth"
    yield from setup.arch.assumptions
