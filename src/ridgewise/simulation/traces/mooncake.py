"""Mooncake's JSON lines: milliseconds, lengths, and a hash per 512 tokens of the prompt with all before it."""

from collections.abc import Iterator

from ridgewise.simulation.traces import Entry, Form, Record, number

#: Tokens that one hash stands for.
BLOCK = 512


def _entries(record: Record) -> Iterator[Entry]:
    hashes = tuple(record.get("hash_ids") or ())
    yield Entry(
        number(record, "timestamp") / 1e3, number(record, "input_length"), number(record, "output_length"), hashes,
        BLOCK,
    )  # fmt: skip


FORM = Form(
    "mooncake", "a Mooncake trace", True, ("timestamp", "input_length", "output_length"), _entries,
    sources=("https://github.com/kvcache-ai/Mooncake",),
)  # fmt: skip
