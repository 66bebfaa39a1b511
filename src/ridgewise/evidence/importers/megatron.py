"""Megatron-LM: the log of the last rank."""

from __future__ import annotations

import re

from ridgewise.evidence.importers.reading import COLOUR, NUMBER, Found, Importer, figure, first, stated
from ridgewise.evidence.importers.training_log import peak, series, speeds

#: Megatron's arguments → our columns.
ARGUMENTS = {
    "num_layers": "layers", "hidden_size": "hidden", "num_attention_heads": "heads", "num_query_groups": "kv_heads",
    "kv_channels": "head_dim", "ffn_hidden_size": "ffn", "padded_vocab_size": "vocab", "num_experts": "n_experts",
    "moe_router_topk": "experts_per_tok", "seq_length": "seq_len", "micro_batch_size": "micro_batch",
    "global_batch_size": "global_batch_seqs", "world_size": "n_devices", "tensor_model_parallel_size": "tp",
    "pipeline_model_parallel_size": "pp", "context_parallel_size": "cp", "data_parallel_size": "dp",
    "expert_model_parallel_size": "ep",
}  # fmt: skip


def recognises(text: str, path: str) -> bool:
    """By an iteration with its time."""
    return re.search(r"iteration +\d+/ *\d+ \|.{0,200}elapsed time per iteration \(ms\):", text) is not None


def read(text: str, place: str) -> list[Found]:
    """Time of an iteration, the rate of FLOPs the program counts (kept as context), and peak memory."""
    text = COLOUR.sub("", text)

    def argument(name: str) -> str:
        value = first(rf"^(?:\[[^\]\n]{{1,40}}\]:?)? *{name} \.{{2,}} (\S{{1,60}})", text)
        return "" if value in ("None", "False") else value

    cells = stated(framework="megatron-lm", method="pretrain", **{
        column: argument(name) for name, column in ARGUMENTS.items()
    })  # fmt: skip
    for column in ARGUMENTS.values():
        if column in cells:
            figure(cells[column], f"{place}, {column}")
    cells |= stated(
        family="llm-moe" if "n_experts" in cells else "llm-dense",
        precision="fp8" if argument("fp8") else "bf16" if argument("bf16") == "True"
        else "fp16" if argument("fp16") == "True" else "",
        recompute={"full": "full", "selective": "selective"}.get(argument("recompute_granularity"), ""),
        sharding="zero1" if argument("use_distributed_optimizer") == "True" else "",
        optimizer=argument("optimizer"), shape_source="log" if "layers" in cells else "",
    )  # fmt: skip
    if cells.get("ep") == "1" and "n_experts" not in cells:
        del cells["ep"]
    if "global_batch_seqs" not in cells:
        cells |= stated(global_batch_seqs=first(r"global batch size: +(\d+)", text))
    milliseconds = series(rf"elapsed time per iteration \(ms\): {NUMBER}", text, f"{place}, elapsed time")
    rate = series(rf"throughput per GPU \(TFLOP/s/GPU\): {NUMBER}", text, f"{place}, throughput")
    measured = [("iter_time_s", [value / 1e3 for value in milliseconds], ""), ("tflops_per_gpu", rate, "")]
    memory = series(rf"max reserved: {NUMBER}", text, f"{place}, max reserved")
    return speeds(cells, measured, place) + peak(cells, memory, "MiB", "torch max reserved (framework log)")


IMPORTER = Importer("megatron", "log of Megatron-LM", recognises, read)
