"""FLOP/s of a leaflet: with sparsity, or of a precision the work does not run in."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rules.rule import Rule
from ridgewise.units import digits, rate

#: Rates within this ratio are the same figure rounded differently.
SAME = 1.03
#: Multiples of a dense rate that leaflets print, and why.
SPARSE = 2.0


def check(case: Case) -> Iterator[Finding]:
    """What the user reckons with against the dense peak in the precision of the work."""
    quoted, option = case.question.quoted, case.option
    if quoted is None:
        return
    named = option.speed.peak if option and option.speed and option.speed.peak else "bf16"
    peak = case.device.peak(named if named in ("fp16", "bf16", "fp8", "fp4", "int8", "fp32") else "bf16")
    if peak is None or quoted <= SAME * peak[0]:
        return
    rate_, precision = peak
    yield Finding(
        "error",
        f"{rate(quoted, 'FLOP/s')} are {digits(quoted / rate_, 2)} times what {case.device.name} does in {precision} "
        f"with dense matrices, {rate(rate_, 'FLOP/s')}{_why(case, quoted)}; this work runs in {precision}",
        Measure("FLOP/s reckoned with", quoted, rate_, "FLOP/s"),
        f"prompts and training take {digits(quoted / rate_, 2)} times as long as reckoned",
        Cure(f"reckon with {rate(rate_, 'FLOP/s')} (--peak {rate_ / 1e12:g}TFLOP/s)",
             {"peak": f"{rate_ / 1e12:g}TFLOP/s"}),
    )  # fmt: skip


def _why(case: Case, quoted: float) -> str:
    """Which figure of the leaflet it is: a wider claim before a narrower precision."""
    for factor, words in ((SPARSE, "{} with 2:4 sparsity"), (1.0, "{}")):
        for precision in ("bf16", "fp16", "fp8", "fp4", "int8"):
            known = case.device.number(f"peak_{precision}")
            if known is not None and max(quoted, factor * known) / min(quoted, factor * known) <= SAME:
                return f" (the figure is that of {words.format(precision.upper())})"
    return ""


RULE = Rule(
    "quoted-flops", "error", "flops", "FLOP/s of another precision, or of sparse matrices",
    "Are the FLOP/s reckoned with dense, and of the precision the work runs in?", check,
)  # fmt: skip
