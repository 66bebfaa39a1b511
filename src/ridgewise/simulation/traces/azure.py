"""Azure's public traces: a time of day, ContextTokens, GeneratedTokens."""

from collections.abc import Iterator
from datetime import datetime

from ridgewise.simulation.traces import Entry, Form, Record, number


def _seconds(text: str) -> float:
    """Seconds since 1970 of "2023-11-16 18:15:46.6805900", digits beyond microseconds kept."""
    whole, _, part = text.strip().partition(".")
    digits = "".join(c for c in part if c.isdigit())
    return datetime.fromisoformat(f"{whole[:19]}+00:00").timestamp() + (float(f"0.{digits}") if digits else 0.0)


def _entries(record: Record) -> Iterator[Entry]:
    came = _seconds(str(record["TIMESTAMP"]))
    tokens = number(record, "GeneratedTokens")
    if tokens > 0:  # a few requests were stopped before their first token
        yield Entry(came, number(record, "ContextTokens"), tokens)


FORM = Form(
    "azure", "an Azure LLM inference trace", False, ("TIMESTAMP", "ContextTokens", "GeneratedTokens"), _entries,
    sources=("https://github.com/Azure/AzurePublicDataset",),
)  # fmt: skip
