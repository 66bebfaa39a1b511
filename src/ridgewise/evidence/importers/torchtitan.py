"""torchtitan: the log of rank 0."""

from __future__ import annotations

import re

from ridgewise.evidence.importers.reading import COLOUR, NUMBER, Found, Importer, first, stated
from ridgewise.evidence.importers.training_log import peak, series, speeds


def recognises(text: str, path: str) -> bool:
    """By a step with tokens per second and memory."""
    return re.search(r"step: +\d+ .{0,200}memory: .{0,80}tps: ", COLOUR.sub("", text[: 1 << 20])) is not None


def read(text: str, place: str) -> list[Found]:
    """Tokens per second and device (printed so), utilisation, and the peak of reserved memory."""
    text = COLOUR.sub("", text)
    model, flavour = first(r"Building (\w+) ", text), first(r"Building \w+ ([\w.-]+) with", text)
    cells = stated(
        framework="torchtitan", method="pretrain", family="llm-dense",
        device_label=first(r"(?:CUDA|GPU|XPU) capacity: (.{1,100}?)(?: \(\d+\))? with", text),
        model_label=f"{model} {flavour}".strip() or first(r"Model (\w+ [\w.-]+) size", text),
        micro_batch=first(r"local batch size:? (\d+)", text),
        global_batch_seqs=first(r"global batch size:? (\d+)", text),
        seq_len=first(r"sequence length:? (\d+)", text), sharding="zero3/fsdp" if "Applied FSDP" in text else "",
    )  # fmt: skip
    measured = [
        ("tokens_s_per_gpu", series(rf"tps: +{NUMBER}", text, f"{place}, tps"), ""),
        ("mfu", series(rf"mfu: +{NUMBER}%", text, f"{place}, mfu"), "model-full-attention"),
        ("tflops_per_gpu", series(rf"tflops: +{NUMBER}", text, f"{place}, tflops"), "model-full-attention"),
    ]
    memory = series(rf"memory: +{NUMBER}GiB", text, f"{place}, memory")
    return speeds(cells, measured, place) + peak(cells, memory, "GiB", "torch max reserved (framework log)")


IMPORTER = Importer("torchtitan", "log of torchtitan", recognises, read)
