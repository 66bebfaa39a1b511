"""More requests in flight than the engine, or the memory, runs at once: the rest wait."""

from __future__ import annotations

from collections.abc import Iterator

from ridgewise.advise import cures
from ridgewise.advise.case import Case
from ridgewise.advise.finding import Cure, Finding, Measure
from ridgewise.advise.option import Option
from ridgewise.advise.rules.rule import Rule
from ridgewise.engines import load_engines
from ridgewise.serving.estimate import most_sequences
from ridgewise.units import digits
from ridgewise.workloads import Service


def check(case: Case) -> Iterator[Finding]:
    """Requests in flight against what all replicas run at once."""
    option, work = case.option, case.question.workload
    if not isinstance(work, Service) or option is None or option.speed is None or option.batch_limit is None:
        return
    flight, held = option.speed.concurrency, option.batch_limit
    if option.left < 0 or flight <= held:
        return
    slots = most_sequences(option.speed.setup) * option.replicas
    engine = load_engines()[option.engine].name
    why = f"{engine} runs {digits(slots)} unless told otherwise" if held >= slots else f"memory holds {digits(held)}"
    yield Finding(
        "error",
        f"{digits(flight)} requests are in flight at the busiest time, {why}",
        Measure("requests in flight", flight, held, "1"),
        f"{digits(flight - held)} people wait for a place before they wait for an answer",
        _cure(case),
    )


def _cure(case: Case) -> Cure | None:
    def runs(name: str) -> bool:
        other = best_with(case, name)
        return other is not None and other.feasible

    for name in ("vllm", "sglang"):
        if case.option is not None and case.option.engine != name and runs(name):
            return Cure(f"serve it with {load_engines()[name].name} (--engine {name})", {"engine": name, "quant": None})
    return cures.load(case)


def best_with(case: Case, engine: str) -> Option | None:
    """The same hardware under another engine, in a format it reads; None where it does not run."""
    backend = load_engines()[engine].backend(case.device, asked=True)
    return None if backend is None else case.on(case.count, engine=engine, format=None)


RULE = Rule(
    "engine-slots", "error", "load", "More requests than places", "Are as many requests run at once as arrive?", check
)
