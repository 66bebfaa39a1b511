"""LLMServingSim's workloads: JSON lines with nanoseconds, or its older tables; lengths in tokens."""

from collections.abc import Iterator

from ridgewise.simulation.traces import Entry, Form, Record, number


def _entries(record: Record) -> Iterator[Entry]:
    yield Entry(number(record, "arrival_time_ns") / 1e9, number(record, "input_toks"), number(record, "output_toks"))


FORM = Form(
    "llmservingsim", "an LLMServingSim workload", True, ("input_toks", "output_toks", "arrival_time_ns"), _entries,
    sources=("https://github.com/casys-kaist/LLMServingSim",),
)  # fmt: skip
