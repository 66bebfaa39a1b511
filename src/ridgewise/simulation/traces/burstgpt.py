"""BurstGPT: seconds, request and response tokens; failed requests have no response and are left out."""

from collections.abc import Iterator

from ridgewise.simulation.traces import Entry, Form, Record, number


def _entries(record: Record) -> Iterator[Entry]:
    if number(record, "Response tokens") > 0 and number(record, "Request tokens") > 0:
        session = str(record.get("Session ID") or "")
        yield Entry(
            number(record, "Timestamp"), number(record, "Request tokens"), number(record, "Response tokens"),
            session=session,
        )  # fmt: skip


FORM = Form(
    "burstgpt", "a BurstGPT trace", False, ("Timestamp", "Request tokens", "Response tokens"), _entries,
    sources=("https://github.com/HPMLL/BurstGPT",),
)  # fmt: skip
