"""``ridgewise fit`` and ``ridgewise explain``: one model on one device, every term shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.advise.deploy import Deployment, deploy
from ridgewise.advise.explaining import Explanation, explanation
from ridgewise.advise.fitting import FitAnswer, fit_answer, memory_basis
from ridgewise.app.anchors import own_blocks
from ridgewise.app.home import own, write_whole
from ridgewise.errors import RequestError
from ridgewise.units import parse

if TYPE_CHECKING:
    from ridgewise.report.insight import InsightDocument

#: Tokens a sequence holds where nothing is said, and the model can.
CONTEXT = 8192.0


def given(flags: Mapping[str, Any], name: str, usual: Any) -> Any:
    """The value of a flag, or the usual one where nothing is said."""
    value = flags.get(name)
    return usual if value is None else value


def number(text: str, unit: str, flag: str, low: float, high: float) -> float:
    """A number given as text, within bounds."""
    value = parse(text, unit, flag)
    if unit == "B" and 0 < value < 2**20:
        plain = text.strip().rstrip("Bb ")
        raise RequestError(f"{text} is less than a MiB: in which unit?", flag, (f"{flag} {plain}GiB",))
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
    flags = {
        "engine": engine, "quant": quant, "context": context, "concurrency": concurrency, "kv_bits": kv_bits,
        "tp": tp, "pp": pp, "ep": ep, "memory": memory, "free": free, "ngl": ngl, "cpu_moe": cpu_moe,
        "max_sequences": sequences_limit, "utilization": utilization,
    }  # fmt: skip
    found = fitted(model, hardware, flags)
    _show(found, json)
    return 0 if found.fits else 1


def fitted(model: str, hardware: str, flags: Mapping[str, Any]) -> FitAnswer:
    """Does it fit? ``flags`` are those of ``ridgewise fit``, with underscores."""
    context = flags.get("context")
    tokens = CONTEXT if context is None else number(context, "tokens", "--context", 1, 1e9)
    sequences = number(given(flags, "concurrency", "1"), "1", "--concurrency", 1, 1e9)
    size = number(flags["memory"], "B", "--memory", 2**20, 2**60) if flags.get("memory") else None
    left = number(flags["free"], "B", "--free", 0, 2**60) if flags.get("free") else None
    told = told_limits(flags.get("max_sequences"), flags.get("utilization"))
    made = deployment(
        model, hardware, flags.get("engine"), flags.get("quant"), str(given(flags, "kv_bits", 16)),
        int(flags.get("tp") or 1), int(flags.get("pp") or 1), flags.get("ep"), size, left, *told,
    )  # fmt: skip
    if context is None and made.arch.max_context:
        tokens = min(tokens, float(made.arch.max_context))
    basis = memory_basis(made.device, size, left)
    return fit_answer(made, sequences, tokens, flags.get("ngl"), bool(flags.get("cpu_moe")), basis)


def explain(
    model: str, hardware: str, engine: str | None, quant: str | None, prompt: str, output: str, batch: str,
    tp: int, pp: int, ep: int | None, plot: Path | None, why_not: Sequence[str] = (), *, sensitivity: bool = False,
    json: bool,
) -> int:  # fmt: skip
    """Print every term of one estimate; draw the roofline to ``plot``; say why not others and what it hangs on."""
    flags = {"engine": engine, "quant": quant, "prompt": prompt, "output": output, "batch": batch, "tp": tp, "pp": pp,
             "ep": ep}  # fmt: skip
    found = explained(model, hardware, flags)
    if plot is not None:
        from ridgewise.report.charts.roofline import roofline

        if found.ridge_point_flop_per_byte is None or found.peak_flop_per_s is None:
            raise RequestError(f"the catalogue knows no peak rate of {found.device}", "--plot")
        bandwidth = found.peak_flop_per_s / found.ridge_point_flop_per_byte
        title = f"{found.model} on {found.device}"
        write_whole(plot, roofline(title, found.roofline, found.peak_flop_per_s, found.peak_precision, bandwidth))
    further = None
    if why_not or sensitivity:
        from ridgewise.app.advising import beside

        further = beside(_deployed(model, hardware, flags), *_load(flags), why_not, sensitivity)
    _show(found, json, further)
    return 0


def explained(model: str, hardware: str, flags: Mapping[str, Any]) -> Explanation:
    """Every term of one estimate; ``flags`` are those of ``ridgewise explain``, with underscores."""
    return explanation(_deployed(model, hardware, flags), *_load(flags))


def _deployed(model: str, hardware: str, flags: Mapping[str, Any]) -> Deployment:
    return deployment(
        model, hardware, flags.get("engine"), flags.get("quant"), "16", int(flags.get("tp") or 1),
        int(flags.get("pp") or 1), flags.get("ep"),
    )  # fmt: skip


def _load(flags: Mapping[str, Any]) -> tuple[float, float, float]:
    """Prompt, output and sequences together."""
    return (
        number(given(flags, "prompt", "1024"), "tokens", "--prompt", 1, 1e8),
        number(given(flags, "output", "512"), "tokens", "--output", 1, 1e8),
        number(given(flags, "batch", "1"), "1", "--batch", 1, 1e6),
    )


def _show(found: Any, json: bool, further: InsightDocument | None = None) -> None:
    if json:
        from ridgewise.report.document import as_json

        print(as_json(found, insight=further))
        return
    from ridgewise.report import insight
    from ridgewise.report.inspection import show

    show(found)
    if further is not None:
        insight.show(further)
