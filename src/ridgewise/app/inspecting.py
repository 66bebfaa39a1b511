"""``ridgewise fit`` and ``ridgewise explain``: one model on one device, every term shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ridgewise.advise.deployment import Deployment, deploy, explanation, fit_answer, memory_basis
from ridgewise.app.anchors import own_blocks
from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError
from ridgewise.units import parse

#: Tokens a sequence holds where nothing is said, and the model can.
CONTEXT = 8192.0


def number(text: str, unit: str, flag: str, low: float, high: float) -> float:
    """A number given as text, within bounds."""
    value = parse(text, unit, flag)
    if not low <= value <= high:
        raise RequestError(f"{text} is outside {low:g} … {high:g}", flag)
    return value


def deployment(
    model: str, hardware: str, engine: str | None, quant: str | None, kv_bits: str, tp: int, pp: int, ep: int | None,
    memory: float | None = None, free: float | None = None, sequences: float = 0.0, share: float = 0.0,
) -> Deployment:  # fmt: skip
    """The deployment that the flags name."""
    from ridgewise.engines import engine as find_engine
    from ridgewise.hardware.sheets import device
    from ridgewise.models.formats import weight_format
    from ridgewise.models.read import load_model

    found = load_model(model, own("models"))
    return deploy(
        found.arch,
        device(hardware, "hardware", own("hardware")),
        find_engine(engine) if engine else None,
        weight_format(quant) if quant else found.format,
        kv_bits,
        tp,
        memory,
        free,
        pp,
        ep,
        own_blocks(),
        sequences,
        share,
    )


def told_limits(sequences: str | None, utilization: str | None) -> tuple[float, float]:
    """What the engine is told instead of its defaults: sequences at once, share of the device; 0: nothing."""
    most = number(sequences, "1", "--max-sequences", 1, 1e5) if sequences else 0.0
    return most, number(utilization, "ratio", "--utilization", 0.05, 1.0) if utilization else 0.0


def fit(
    model: str, hardware: str, engine: str | None, quant: str | None, context: str | None, concurrency: str,
    kv_bits: str, tp: int, pp: int, ep: int | None, memory: str | None, free: str | None, ngl: int | None,
    cpu_moe: bool, sequences_limit: str | None, utilization: str | None, *, json: bool,
) -> int:  # fmt: skip
    """Print the memory waterfall; 0 when it fits, 1 when it does not."""
    tokens = CONTEXT if context is None else number(context, "tokens", "--context", 1, 1e9)
    sequences = number(concurrency, "1", "--concurrency", 1, 1e9)
    size = number(memory, "B", "--memory", 2**20, 2**60) if memory else None
    left = number(free, "B", "--free", 0, 2**60) if free else None
    told = told_limits(sequences_limit, utilization)
    made = deployment(model, hardware, engine, quant, kv_bits, tp, pp, ep, size, left, *told)
    if context is None and made.arch.max_context:
        tokens = min(tokens, float(made.arch.max_context))
    basis = memory_basis(made.device, size, left)
    found = fit_answer(made, sequences, tokens, ngl, cpu_moe, basis)
    _show(found, json)
    return 0 if found.fits else 1


def explain(
    model: str, hardware: str, engine: str | None, quant: str | None, prompt: str, output: str, batch: str,
    tp: int, pp: int, ep: int | None, plot: Path | None, *, json: bool,
) -> int:  # fmt: skip
    """Print every term of one estimate; draw the roofline to ``plot``."""
    found = explanation(
        deployment(model, hardware, engine, quant, "16", tp, pp, ep),
        number(prompt, "tokens", "--prompt", 1, 1e8),
        number(output, "tokens", "--output", 1, 1e8),
        number(batch, "1", "--batch", 1, 1e6),
    )
    if plot is not None:
        from ridgewise.report.roofline import svg

        if found.ridge_point_flop_per_byte is None or found.peak_flop_per_s is None:
            raise RequestError(f"the catalogue knows no peak rate of {found.device}", "--plot")
        bandwidth = found.peak_flop_per_s / found.ridge_point_flop_per_byte
        title = f"{found.model} on {found.device}"
        write_whole(plot, svg(title, found.roofline, found.peak_flop_per_s, found.peak_precision, bandwidth))
    _show(found, json)
    return 0


def _show(found: Any, json: bool) -> None:
    if json:
        from ridgewise.report.document import as_json

        print(as_json(found))
    else:
        from ridgewise.report.inspection import show

        show(found)
