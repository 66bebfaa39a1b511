"""What vLLM's benchmark takes and gives as custom requests: prompt and output lengths, a timestamp where it has one."""

from collections.abc import Iterator

from ridgewise.simulation.traces import Entry, Form, Record, number


def _entries(record: Record) -> Iterator[Entry]:
    came = record.get("timestamp")
    arrival = None if came in (None, "") else number(record, "timestamp")
    yield Entry(arrival, number(record, "prompt_len"), number(record, "output_len"))


FORM = Form("vllm", "requests of vLLM's benchmark", True, ("prompt_len", "output_len"), _entries)
