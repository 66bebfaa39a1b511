"""One model on one device: the blanks of a deployment filled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ridgewise.advise.inference import LADDERS, SERVICE_ENGINES, SINGLE_ENGINES
from ridgewise.advise.limits import check_decoder, check_tensor_parallel
from ridgewise.engines import Engine, load_engines
from ridgewise.errors import RequestError
from ridgewise.hardware import Device
from ridgewise.hardware.machine import Machine
from ridgewise.memory.engines import policy
from ridgewise.models import Architecture
from ridgewise.models.formats import Format, load_formats, native_format
from ridgewise.serving import Setup
from ridgewise.timing.coefficients import Block
from ridgewise.units import parse, size
from ridgewise.work import Plan

Deployment = Setup


def deploy(
    arch: Architecture,
    device: Device,
    engine: Engine | None,
    fmt: Format | None,
    kv_cache: float | str,
    tp: int,
    memory: float | None,
    free: float | None,
    pp: int = 1,
    ep: int | None = None,
    blocks: Mapping[str, Block] | None = None,
    sequences: float = 0.0,
    share: float = 0.0,
) -> Deployment:
    """One deployment with the blanks filled: the usual engine of the device, the usual format of both.

    ``kv_cache``: bits per cached value, or the engine's names of its types; ``ep``: devices that share the experts;
    ``sequences``, ``share``: what the engine is told instead of its defaults (most at once, share of the device).
    """
    check_decoder(arch)
    chosen = engine or _usual_engine(device, fmt)
    backend = chosen.backend(device, asked=engine is not None)
    if backend is None:
        able = tuple(e.id for e in load_engines().values() if e.backend(device, asked=True))
        raise RequestError(f"{chosen.name} does not run on {device.name}", "--engine", able)
    format_ = fmt or _usual_format(arch, chosen, backend.formats)
    if format_.family not in chosen.families:
        usable = tuple(f.id for f in load_formats().values() if f.family in chosen.families)
        raise RequestError(f"{chosen.name} does not read {format_.name}", "--quant", usable[:6])
    offered = free if free is not None else Machine(device, tp, memory).usable
    if free is not None and device.memory is not None and free > 1.02 * max(device.memory, memory or 0.0):
        raise RequestError(
            f"{size(free)} free on a device of {size(max(device.memory, memory or 0.0))}",
            "--free",
            (size(device.memory),),
        )
    if offered is None:
        raise RequestError(f"the memory of {device.name} is not in the catalogue", "--memory", ("--memory 64GiB",))
    bits = cache_bits(arch, chosen, kv_cache) if isinstance(kv_cache, str) else kv_cache
    plan = replace(_layout(arch, chosen, format_, bits, tp, pp, ep), sequences=sequences, share=share)
    return Setup(arch, device, chosen, backend, plan, offered, blocks=blocks)


def _layout(arch: Architecture, engine: Engine, fmt: Format, kv_bits: float, tp: int, pp: int, ep: int | None) -> Plan:
    """The plan behind ``--tp``, ``--pp`` and ``--ep``; RequestError where it cannot be."""
    tensor = engine.split == "tensor"
    stages = pp if tensor else tp * pp
    if stages > 1 and engine.split == "none":
        raise RequestError(f"{engine.name} runs on one device", "--tp" if tp > 1 else "--pp", ("--tp 1 --pp 1",))
    if stages > arch.layers:
        raise RequestError(f"{arch.layers} layers make no {stages} stages", "--pp", (f"--pp {arch.layers}",))
    if tensor:
        check_tensor_parallel(arch, tp)
    if ep is None or ep == 1:
        return Plan(fmt, float(tp) if tensor else 1.0, float(stages), kv_bits)
    if not tensor:
        raise RequestError(f"{engine.name} does not share out experts", "--ep", ("vllm", "sglang", "tensorrt-llm"))
    _check_experts(arch, tp, ep)
    return Plan(fmt, float(ep), float(stages), kv_bits, float(ep // tp))


def _check_experts(arch: Architecture, tp: int, ep: int) -> None:
    experts = {group.feed.experts for group in arch.kinds if group.feed.experts}
    if not experts:
        raise RequestError(f"{arch.name} has no experts", "--ep", (f"--tp {ep}",))
    able = [n for n in range(tp, 1025, tp) if all(count % n == 0 for count in experts)]
    if ep not in able:
        near = sorted(able, key=lambda n: (abs(n - ep), n))[:4]
        raise RequestError(
            f"{ep} devices: they must be a multiple of --tp and divide the {max(experts)} experts",
            "--ep",
            tuple(f"--ep {n}" for n in near),
        )


#: Spellings of a width, whatever the engine calls the type.
WIDTHS = {"fp16": 16.0, "bf16": 16.0, "f16": 16.0, "auto": 16.0, "fp8": 8.0, "int8": 8.0}


def cache_bits(arch: Architecture, engine: Engine, text: str) -> float:
    """Bits per cached value of a type as the engine names it, of a width it has a type for, or, where keys and values
    may differ, of two of them: ``q8_0/f16``."""
    rules = policy(engine.memory)
    keys, slash, values = text.partition("/")
    if slash and not rules.apart:
        raise RequestError(f"{engine.name} caches keys and values in one type", "--kv-bits", tuple(rules.caches)[:6])
    one = _type_bits(engine, rules.caches, keys)
    if not slash:
        return one
    other = _type_bits(engine, rules.caches, values)
    total = {"k": 0.0, "v": 0.0}
    for group in arch.kinds:
        mixer = group.mixer
        if mixer.kv_values:
            separate = 0 if mixer.kind == "mla" else mixer.kv_heads * mixer.v_dim
            total["k"] += group.count * (mixer.kv_values - separate)
            total["v"] += group.count * separate
    both = total["k"] + total["v"]
    return (one * total["k"] + other * total["v"]) / both if both else one


def _type_bits(engine: Engine, types: Mapping[str, float], text: str) -> float:
    word = text.strip().casefold()
    if word in types:
        return float(types[word])
    try:
        width = WIDTHS[word] if word in WIDTHS else float(parse(word, "1", "--kv-bits"))
    except RequestError:
        width = -1.0
    exact = [bits for bits in types.values() if bits == width]
    near = exact or [bits for bits in types.values() if width == math.floor(bits)]
    if not near:
        raise RequestError(f"{engine.name} has no cache type {text!r}", "--kv-bits", tuple(types)[:6])
    return float(min(near))


def _usual_engine(device: Device, fmt: Format | None) -> Engine:
    engines = load_engines()
    order = SERVICE_ENGINES if device.kind == "gpu-datacenter" else SINGLE_ENGINES
    for name in (*order, *engines):
        if engines[name].backend(device) and (fmt is None or fmt.family in engines[name].families):
            return engines[name]
    what = f" with {fmt.name}" if fmt else ""
    raise RequestError(f"no engine of the catalogue runs on {device.name}{what}", "hardware")


def _usual_format(arch: Architecture, engine: Engine, allowed: tuple[str, ...]) -> Format:
    formats = load_formats()
    native = native_format(arch)
    if native.id == "mxfp4" and "gguf" in engine.families:
        return formats["gguf-mxfp4"]
    if native.family in engine.families and (not allowed or native.id in allowed):
        return native
    names = [name for family in engine.families for name in LADDERS.get(family, ()) if not allowed or name in allowed]
    return formats[(names or list(allowed))[0]]
