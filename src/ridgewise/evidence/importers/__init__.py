"""Readers of what measuring tools print: one file per format, listed here."""

from __future__ import annotations

from ridgewise.errors import RequestError, nearest
from ridgewise.evidence.importers import (
    aiperf,
    dcgm,
    genai_perf,
    guidellm,
    hf_trainer,
    llama_bench,
    llama_log,
    llm_foundry,
    megatron,
    mlperf,
    nemo,
    nvidia_smi,
    ollama,
    optimum_benchmark,
    sglang_bench,
    torchtitan,
    trtllm_bench,
    vllm_bench,
    vllm_log,
)
from ridgewise.evidence.importers.reading import LIMIT, Found, Importer

__all__ = ["IMPORTERS", "LIMIT", "Found", "Importer", "importer_of"]

#: In the order in which they are asked: what is more particular comes first.
IMPORTERS: tuple[Importer, ...] = tuple(
    module.IMPORTER
    for module in (
        llama_bench, vllm_bench, sglang_bench, guidellm, aiperf, genai_perf, trtllm_bench, optimum_benchmark,
        hf_trainer, mlperf, ollama, vllm_log, torchtitan, megatron, nemo, llm_foundry, llama_log, nvidia_smi, dcgm,
    )
)  # fmt: skip


def importer_of(text: str, place: str, name: str | None = None) -> Importer:
    """The importer of that name, or the first that recognises the text; RequestError lists the formats."""
    if name is not None:
        for importer in IMPORTERS:
            if importer.name == name:
                return importer
        names = [importer.name for importer in IMPORTERS]
        raise RequestError(f"unknown format {name!r}", "--format", nearest(name, names) or tuple(names))
    for importer in IMPORTERS:
        if importer.recognises(text, place):
            return importer
    names = [importer.name for importer in IMPORTERS]
    raise RequestError("is in no known format: name it with --format", place, tuple(names))
