"""What logs of training runs have in common: steps printed again and again, of which the steady ones count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ridgewise.evidence.importers.reading import Found, figure, nothing, plain, steady

#: Bytes per printed unit, in GiB.
GIB: Mapping[str, float] = {"GiB": 1.0, "MiB": 2.0**-10, "GB": 1e9 / 2**30, "MB": 1e6 / 2**30, "B": 2.0**-30}


def series(pattern: str, text: str, place: str) -> list[float]:
    """Every value that a line's pattern finds, in order."""
    found = [figure(value, place) for value in re.findall(pattern, text)]
    return [value for value in found if value is not None and value > 0]


def speeds(
    cells: Mapping[str, str], measured: Sequence[tuple[str, list[float], str]], place: str
) -> list[Found]:  # fmt: skip
    """One row per metric with steps: the steady median. Each is (metric, values, convention of FLOPs counted).

    The first is the run's; others are the same fact again, and say so.
    """
    rows: list[Found] = []
    for metric, values, convention in measured:
        value, note = steady(values)
        if value is None:
            continue
        row = {**cells, "metric": metric, "value": plain(value), "notes": note}
        if convention:
            row["flops_convention_id"] = convention
        if rows:
            row["use_reason"] = f"another metric of a scored run: {rows[0].cells['metric']}"
        rows.append(Found("training", row))
    if not rows:
        raise nothing("step with a speed", place)
    return rows


def peak(cells: Mapping[str, str], values: list[float], unit: str, what: str) -> list[Found]:
    """The highest memory of the log as a row of its own; none where nothing was logged."""
    if not values:
        return []
    highest = max(values)
    row = {
        "metric": "peak_mem_gib", "value": plain(round(highest * GIB[unit], 4)), "unit_printed": unit,
        "unit_certainty": "exact", "mem_kind": what, "value_as_printed": plain(highest),
    }  # fmt: skip
    return [Found("training-memory", {**cells, **row})]
