"""The plain form, as CSV or JSON lines: seconds of arrival, tokens in, tokens out; optionally a session."""

from collections.abc import Iterator

from ridgewise.simulation.traces import Entry, Form, Record, number


def _entries(record: Record) -> Iterator[Entry]:
    came = record["arrival_s"]
    arrival = None if came is None or (isinstance(came, str) and not came.strip()) else number(record, "arrival_s")
    session = str(record.get("session") or "")
    yield Entry(arrival, number(record, "input_tokens"), number(record, "output_tokens"), session=session)


FORM = Form("own", "a table of arrivals and lengths", False, ("arrival_s", "input_tokens", "output_tokens"), _entries)
