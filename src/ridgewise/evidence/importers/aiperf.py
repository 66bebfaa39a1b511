"""AIPerf: profile_export_aiperf.json or .csv."""

from __future__ import annotations

from ridgewise.evidence.importers import profile_export
from ridgewise.evidence.importers.reading import Found, Importer, first_object, text_of


def recognises(text: str, path: str) -> bool:
    """By its version key (JSON), or the sum among its statistics (CSV)."""
    document = first_object(text)
    if document:
        return profile_export.is_json(document) and ("aiperf_version" in document or "aiperf" in path)
    return profile_export.is_csv(text) and ("Metric,avg,min,max,sum" in text[:40] or "aiperf" in path)


def read(text: str, place: str) -> list[Found]:
    """Latencies and throughputs."""
    if text.lstrip().startswith("{"):
        found, document = profile_export.from_json(text, place)
        date = text_of(document.get("start_time"))[:10]
        return [Found(one.kind, {"date": date, **one.cells} if date else one.cells) for one in found]
    return profile_export.from_csv(text, place)


IMPORTER = Importer("aiperf", "AIPerf: profile_export_aiperf.json, .csv", recognises, read)
