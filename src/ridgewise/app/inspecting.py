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


def held(flags: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Memory of the machine and what of a device is free [B], where the flags say them."""
    size = number(flags["memory"], "B", "--memory", 2**20, 2**60) if flags.get("memory") else None
    return size, number(flags["free"], "B", "--free", 0, 2**60) if flags.get("free") else None


def deployment(model: str, hardware: str, flags: Mapping[str, Any]) -> Deployment:
    """The deployment that the flags name: of one copy, without drafts and parts in RAM."""
    from ridgewise.engines import engine
    from ridgewise.hardware.sheets import device
    from ridgewise.models.formats import weight_format
    from ridgewise.models.read import load_model

    size, left = held(flags)
    most = number(flags["max_sequences"], "1", "--max-sequences", 1, 1e5) if flags.get("max_sequences") else 0.0
    share = number(flags["utilization"], "ratio", "--utilization", 0.05, 1.0) if flags.get("utilization") else 0.0
    found = load_model(model, own("models"))
    return deploy(
        found.arch,
        device(hardware, "hardware", own("hardware")),
        engine(flags["engine"]) if flags.get("engine") else None,
        weight_format(flags["quant"]) if flags.get("quant") else found.format,
        str(flags.get("kv_bits") or 16),
        int(flags.get("tp") or 1),
        size,
        left,
        int(flags.get("pp") or 1),
        flags.get("ep"),
        own_blocks(),
        most,
        share,
    )


def fit(model: str, hardware: str, flags: Mapping[str, Any], *, json: bool) -> int:
    """Print the memory waterfall; 0 when it fits, 1 when it does not."""
    found = fitted(model, hardware, flags)
    _show(found, json)
    return 0 if found.fits else 1


def fitted(model: str, hardware: str, flags: Mapping[str, Any]) -> FitAnswer:
    """Does it fit? ``flags`` are those of ``ridgewise fit``, with underscores."""
    context = flags.get("context")
    tokens = CONTEXT if context is None else number(context, "tokens", "--context", 1, 1e9)
    sequences = number(given(flags, "concurrency", "1"), "1", "--concurrency", 1, 1e9)
    made = deployment(model, hardware, flags)
    if context is None and made.arch.max_context:
        tokens = min(tokens, float(made.arch.max_context))
    basis = memory_basis(made.device, *held(flags))
    return fit_answer(made, sequences, tokens, flags.get("ngl"), bool(flags.get("cpu_moe")), basis)


def explain(
    model: str, hardware: str, flags: Mapping[str, Any], plot: Path | None, why_not: Sequence[str] = (), *,
    sensitivity: bool = False, json: bool,
) -> int:  # fmt: skip
    """Print every term of one estimate; draw the roofline to ``plot``; say why not others and what it hangs on."""
    found = explained(model, hardware, flags)
    if plot is not None:
        from ridgewise.report.charts import roofline

        drawn = roofline.explained(found)
        if not drawn:
            raise RequestError(f"the catalogue knows no peak rate of {found.device}", "--plot")
        write_whole(plot, drawn)
    further = None
    if why_not or sensitivity:
        from ridgewise.app.advising import beside

        further = beside(deployment(model, hardware, flags), *_load(flags), why_not, sensitivity)
    _show(found, json, further)
    return 0


def explained(model: str, hardware: str, flags: Mapping[str, Any]) -> Explanation:
    """Every term of one estimate; ``flags`` are those of ``ridgewise explain``, with underscores."""
    return explanation(deployment(model, hardware, flags), *_load(flags))


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
