"""Weights in a precision this hardware has no units for."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.models.formats import load_formats
from ridgewise.units import digits, rate

#: Precisions that formats are taken for, and the wider ones they fall back to.
NARROW = ("fp8", "fp4", "int8")


def check(case: Case) -> Iterator[Finding]:
    """The precision of the named format against those of which the sheet knows a peak."""
    fmt, option = case.question.format, case.option
    if not case.serves or fmt is None or fmt.compute not in NARROW or option is None:
        return
    used = case.device.peak(fmt.compute)
    if used is None or used[1] == fmt.compute:
        return
    half = load_formats()["w4a16"] if fmt.default < 8 else load_formats()["bf16"]
    yield Finding(
        "warning",
        f"{case.device.name} has no {fmt.compute.upper()} units: {fmt.name} weights take {digits(fmt.default, 2)} bits "
        f"of memory and are multiplied in {used[1].upper()}, at {rate(used[0], 'FLOP/s')}",
        Measure("precision of the products [bits]", 16.0, fmt.default, "bits"),
        "prompts and large batches gain nothing over 16 bits; decoding gains by the bytes alone",
        Cure(f"take {half.name} (--quant {half.id}) unless the bytes are what you want", {"quant": half.id}),
    )


RULE = Rule(
    "slow-format", "warning", "flops", "A format this hardware does not accelerate",
    "Does the hardware multiply in the precision of the weights?", check,
)  # fmt: skip
