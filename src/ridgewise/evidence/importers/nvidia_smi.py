"""Power by nvidia-smi: ``--query-gpu=timestamp,name,index,power.draw --format=csv``, with or without units."""

from __future__ import annotations

import csv
import io

from ridgewise.errors import RequestError
from ridgewise.evidence.importers.reading import Found, Importer, figure, nothing, plain, stated

POWER = ("power.draw.average", "power.draw", "power.draw.instant")
IDENTITY = ("uuid", "index", "pci.bus_id", "gpu_uuid", "gpu_bus_id")


def recognises(text: str, path: str) -> bool:
    """By the power column of its header."""
    header = text[:4096].partition("\n")[0]
    return "," in header and any(f"{name} [W]" in header for name in POWER)


def read(text: str, place: str) -> list[Found]:
    """The mean power of each GPU over the file, summed over the GPUs."""
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    drawn: dict[str, list[float]] = {}
    names: dict[str, str] = {}
    date = ""
    try:
        header = [cell.strip().partition(" [")[0] for cell in next(reader, [])]
        power = next((header.index(name) for name in POWER if name in header), None)
        if power is None:
            raise RequestError("has no column power.draw", place)
        identity = next((header.index(name) for name in IDENTITY if name in header), None)
        for cells in reader:
            where = f"{place}, line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                raise RequestError(f"{len(cells)} cells under {len(header)} columns", where)
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            watts = figure(cells[power].strip().removesuffix("W"), f"{where}, {header[power]}")
            if watts is None:
                continue
            if watts < 0:
                raise RequestError(f"{watts:g} W is below zero", where)
            key = cells[identity] if identity is not None else ""
            drawn.setdefault(key, []).append(watts)
            names[key] = row.get("name", "")
            date = date or row.get("timestamp", "")[:10].replace("/", "-")
            if len(drawn) > 4096:
                raise RequestError("more than 4,096 GPUs", where)
    except csv.Error as error:
        raise RequestError(f"not a CSV table: {error}", f"{place}, line {reader.line_num}") from None
    return watts_of(drawn, names, date, identity is not None, place)


def watts_of(
    drawn: dict[str, list[float]], names: dict[str, str], date: str, apart: bool, place: str
) -> list[Found]:  # fmt: skip
    """One row: the sum over GPUs of their mean power. ``apart``: the file tells its GPUs from one another."""
    if not any(drawn.values()):
        raise nothing("power reading", place)
    if len(set(names.values())) > 1:
        raise RequestError(f"holds unlike GPUs: {', '.join(sorted(set(names.values())))[:200]}", place)
    total = sum(sum(values) / len(values) for values in drawn.values())
    samples = sum(map(len, drawn.values()))
    cells = stated(
        date=date, device_label=next(iter(names.values()), ""), n_devices=float(len(drawn)) if apart else None,
        power_scope="gpus_total" if apart else "per_device", serving_mode="aggregated",
        notes=f"mean of {samples} samples",
    )  # fmt: skip
    return [Found("energy", {**cells, "metric": "watts", "stat": "mean", "value": plain(round(total, 3))})]


IMPORTER = Importer("nvidia-smi", "power log of nvidia-smi --query-gpu … --format=csv", recognises, read)
