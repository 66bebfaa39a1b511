"""AIPerf: profile_export_aiperf.json or .csv."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ridgewise.evidence.importers import profile_export
from ridgewise.evidence.importers.reading import Found, Importer, at, first_object, stated, text_of


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
        more = stated(date=text_of(document.get("start_time"))[:10], device_label=_gpu(document))
        return [Found(one.kind, {**more, **one.cells}) for one in found]
    return profile_export.from_csv(text, place)


def _gpu(document: Mapping[str, Any]) -> str:
    """The one kind of GPU that telemetry saw; how many of them worked it does not say."""
    names = set()
    endpoints = at(document, "telemetry_data.endpoints")
    for endpoint in endpoints.values() if isinstance(endpoints, Mapping) else ():
        cards = at(endpoint, "gpus")
        names |= {text_of(at(card, "gpu_name")) for card in (cards.values() if isinstance(cards, Mapping) else ())}
    return names.pop() if len(names) == 1 else ""


IMPORTER = Importer("aiperf", "AIPerf: profile_export_aiperf.json, .csv", recognises, read)
