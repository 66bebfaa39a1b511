"""genai-perf: profile_export_genai_perf.json or .csv."""

from __future__ import annotations

from ridgewise.evidence.importers import profile_export
from ridgewise.evidence.importers.reading import Found, Importer, first_object


def recognises(text: str, path: str) -> bool:
    """By its metrics; AIPerf, which writes the same, is asked first."""
    document = first_object(text)
    return profile_export.is_json(document) if document else profile_export.is_csv(text)


def read(text: str, place: str) -> list[Found]:
    """Latencies and throughputs."""
    if text.lstrip().startswith("{"):
        return profile_export.from_json(text, place)[0]
    return profile_export.from_csv(text, place)


IMPORTER = Importer("genai-perf", "genai-perf: profile_export_genai_perf.json, .csv", recognises, read)
