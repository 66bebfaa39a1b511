"""Weights stored wider than they were published."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.rank import narrowest
from ridgewise.advise.rules.rule import Rule
from ridgewise.models.formats import load_formats, native_format
from ridgewise.units import digits


def check(case: Case) -> Iterator[Finding]:
    """Bits of the named format against those of the checkpoint, of the experts where they differ."""
    fmt, native = case.question.format, native_format(case.question.arch)
    if fmt is None or not case.serves:
        return
    bits, published = narrowest(fmt), narrowest(native)
    if bits <= 1.1 * published:
        return
    own = load_formats()["gguf-mxfp4"] if native.id == "mxfp4" and fmt.family == "gguf" else native
    yield Finding(
        "warning",
        f"{fmt.name} keeps {digits(bits, 2)} bits per weight of a model published in {digits(published, 2)} "
        f"({native.name}): {digits(bits / published, 2)} times the bytes, and nothing finer in them",
        Measure("bits per weight", bits, published, "bits"),
        f"{digits(bits / published, 2)} times the memory and the time per token",
        Cure(f"take it as it was published (--quant {own.id})", {"quant": own.id}),
    )


RULE = Rule(
    "finer-than-published", "warning", "overkill", "Weights wider than published",
    "Are more bits stored than the publisher gave?", check,
)  # fmt: skip
