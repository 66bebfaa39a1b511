"""NeMo: the progress lines of a training run (NeMo 2 and the progress bar of NeMo 1)."""

from __future__ import annotations

from ridgewise.evidence.importers.reading import COLOUR, NUMBER, Found, Importer, first, stated
from ridgewise.evidence.importers.training_log import peak, series, speeds


def recognises(text: str, path: str) -> bool:
    """By the time of a step as NeMo names it."""
    return "train_step_timing in s" in text


def read(text: str, place: str) -> list[Found]:
    """Time of a step, the rate of FLOPs where it is logged (kept as context), and peak memory."""
    text = COLOUR.sub("", text)
    cells = stated(
        framework="nemo", global_batch_seqs=first(r"global_batch_size: (\d+)", text), family="llm-dense",
    )  # fmt: skip
    measured = [
        ("iter_time_s", series(rf"train_step_timing in s[:=] ?{NUMBER}", text, f"{place}, train_step_timing"), ""),
        ("tflops_per_gpu", series(rf"TFLOPS_per_GPU[:=] ?{NUMBER}", text, f"{place}, TFLOPS_per_GPU"), ""),
    ]
    memory = series(rf"peak_memory_usage: {NUMBER}", text, f"{place}, peak_memory_usage")
    return speeds(cells, measured, place) + peak(cells, memory, "B", "torch max reserved (framework log)")


IMPORTER = Importer("nemo", "progress lines of NeMo", recognises, read)
