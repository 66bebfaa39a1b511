"""llm-foundry and Composer: the console logger's blocks."""

from __future__ import annotations

import re

from ridgewise.evidence.importers.reading import COLOUR, NUMBER, Found, Importer, first, stated
from ridgewise.evidence.importers.training_log import peak, series, speeds


def recognises(text: str, path: str) -> bool:
    """By a block's heading and a throughput line."""
    return bool(re.search(r"\[batch=\d+/\d+\]:", text)) and "throughput/" in text


def read(text: str, place: str) -> list[Found]:
    """Tokens per second and device, utilisation, and peak of reserved (else allocated) memory, printed in 1e9 bytes."""
    text = COLOUR.sub("", text)
    cells = stated(
        framework="llm-foundry", method="pretrain", family="llm-dense", seq_len=first(r"max_seq_len: (\d+)", text),
        global_batch_seqs=first(r"global_train_batch_size: (\d+)", text),
        micro_batch=first(r"device_train_microbatch_size: (\d+)", text),
        n_devices=first(r"(?:n_gpus|world_size): (\d+)", text),
        precision={"amp_bf16": "bf16", "amp_fp16": "fp16", "amp_fp8": "fp8", "fp32": "fp32"}.get(
            first(r"precision: (\w+)", text), ""),
        sharding={"FULL_SHARD": "zero3/fsdp", "SHARD_GRAD_OP": "zero2", "NO_SHARD": "none"}.get(
            first(r"sharding_strategy: (\w+)", text), ""),
        recompute={"true": "full", "false": "none"}.get(first(r"activation_checkpointing: (\w+)", text), ""),
    )  # fmt: skip
    tokens = series(rf"throughput/device/tokens_per_sec: {NUMBER}", text, f"{place}, tokens_per_sec")
    share = series(rf"throughput/device/mfu: {NUMBER}", text, f"{place}, mfu")
    batches = series(rf"throughput/batches_per_sec: {NUMBER}", text, f"{place}, batches_per_sec")
    measured = [
        ("tokens_s_per_gpu", tokens, ""),
        ("iter_time_s", [1.0 / rate for rate in batches], ""),
        ("mfu", [100.0 * value for value in share], "model-full-attention"),
    ]
    reserved = series(rf"memory/peak_reserved_mem: {NUMBER}", text, f"{place}, peak_reserved_mem")
    allocated = series(rf"memory/peak_allocated_mem: {NUMBER}", text, f"{place}, peak_allocated_mem")
    memory = peak(cells, reserved, "GB", "torch max reserved (framework log)") or peak(
        cells, allocated, "GB", "torch max allocated"
    )
    return speeds(cells, measured, place) + memory


IMPORTER = Importer("llm-foundry", "console log of llm-foundry (Composer)", recognises, read)
