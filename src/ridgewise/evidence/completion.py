"""From what a tool printed, and what its user adds, to a row of a schema: nothing guessed, what lacks is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from ridgewise.errors import RequestError, nearest
from ridgewise.evidence.columns import COLUMNS
from ridgewise.evidence.tables import KINDS, Row, number

#: What a user calls a column, where kinds differ: flag → kind → column.
FLAGS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "device": {kind: "device_label" if kind == "local-memory" else "device_id" for kind in KINDS},
        "model": {kind: "model_id" for kind in KINDS if kind != "matmul"},
        "engine": {
            kind: "framework" if kind.startswith("training") else "engine" for kind in KINDS if kind != "matmul"
        },
        "precision": {kind: "weight_dtype" if kind in ("serving", "energy") else "precision" for kind in KINDS},
    }
)
#: Columns that Ridgewise writes itself, so that nobody sets them by hand.
OWN = ("row_id", "metric", "value", "unit", "stat", "use", "use_reason", "ship", "group_id", "regime", "split_group")
#: Columns that hold numbers.
NUMERIC = """
    power_limit_w n_devices n_gpus devices_per_node params_b params_active_b active_params_b weight_gib n_runs
    prompt_tokens gen_tokens context_depth batch ubatch context tp pp vpp dp ep cp concurrency num_requests
    request_rate max_num_seqs max_num_batched_tokens input_tokens output_tokens slo_ttft_ms slo_tpot_ms layers hidden
    heads kv_heads head_dim ffn vocab n_experts experts_per_tok seq_len micro_batch global_batch_seqs
    tensor_parallel gpu_memory_utilization max_model_len block_size
"""
NUMBERS = frozenset(NUMERIC.split())
#: Columns without which a row is not imported, beyond device, model, engine and precision.
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "serving": ("n_devices",),
        "energy": ("n_devices",),
        "training": ("n_devices",),
        "training-memory": ("n_devices",),
        "local-memory": ("context",),
    }
)
#: Columns without which a row is kept as context and not scored.
CONDITIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "local": ("n_devices", "compute_unit", "parallelism", "batch"),
        "local-memory": ("placement",),
        "serving": ("load", "input_tokens", "output_tokens"),
        "energy": ("load", "input_tokens", "output_tokens", "power_scope"),
        "training": ("seq_len", "global_batch_seqs"),
        "training-memory": ("seq_len", "micro_batch", "mem_kind"),
    }
)
#: Conditions that depend on another column: kind → (column, value) → columns.
FURTHER: Mapping[str, Mapping[tuple[str, str], tuple[str, ...]]] = MappingProxyType(
    {
        "local": {
            ("metric", "prefill_tok_s"): ("prompt_tokens", "context_depth"),
            ("metric", "decode_tok_s"): ("gen_tokens", "context_depth"),
            ("metric", "output_tok_s"): ("prompt_tokens", "gen_tokens"),
        },
        **{
            kind: {
                ("load", "static_batch"): ("batch",),
                ("load", "closed_loop"): ("concurrency",),
                ("load", "open_loop"): ("request_rate",),
                ("load", "burst"): ("num_requests",),
            }
            for kind in ("serving", "energy")
        },
        "training": {(("metric"), metric): ("flops_convention_id",) for metric in ("tflops_per_gpu", "mfu", "hfu")},
    }
)


def set_columns(pairs: Mapping[str, str], kinds: tuple[str, ...]) -> dict[str, str]:
    """``--set`` columns, checked against the schemas of these kinds."""
    known = {column for kind in kinds for column in COLUMNS[kind] if column not in (*OWN, *KINDS[kind].figures)}
    for column, value in pairs.items():
        if column not in known:
            what = f"no column {column!r} to set in {' or '.join(kinds)} measurements"
            raise RequestError(what, "--set", nearest(column, known))
        if column in NUMBERS:
            found = number(pairs, column, "--set")
            if found is not None and found < 0:
                raise RequestError(f"{value!r} is below zero", f"--set, {column}")
    return dict(pairs)


def column_of(flag: str, kind: str) -> str | None:
    """The column that a flag means in this kind."""
    return FLAGS[flag].get(kind)


def complete(kind: str, cells: Mapping[str, str], place: str, source: str, reasons: tuple[str, ...] = ()) -> Row:
    """A whole row of the schema. ``reasons``: why it cannot be scored, known to the caller.

    RequestError names the first thing without which the row says nothing, and the flag that adds it.
    """
    row = {column: cells.get(column, "") for column in COLUMNS[kind]}
    _devices(row)
    _needed(kind, row, place)
    known = KINDS[kind]
    if known.metrics:
        row["unit"] = known.metrics[row["metric"]]
    row["source_key"], row["ship"] = source, "no"
    if "use" in row:
        lacking = [*reasons, *([row["use_reason"]] if row["use_reason"] else []), *_lacking(kind, row)]
        row["use"], row["use_reason"] = ("context", "; ".join(lacking)) if lacking else ("score", "")
    if "split_group" in row:
        row["split_group"] = "|".join((source, row["device_id"], row["model_id"]))
    if kind == "training" and not row["calibration"]:
        row["calibration"] = "absolute" if row["family"].startswith("llm") else "relative"
    if kind == "training-memory" and row["value"]:
        row["value_gib_low"] = row["value_gib_low"] or row["value"]
        row["value_gib_high"] = row["value_gib_high"] or row["value"]
    if "row_id" in row:
        row["row_id"] = f"{source}-{content_hash(kind, row)[:12]}"
    return row


def content_hash(kind: str, row: Row) -> str:
    """What a row says, as a key: the same for the same cells, whatever their order and whichever are empty."""
    held = sorted((column, cell) for column, cell in row.items() if cell)
    return hashlib.sha256(json.dumps([kind, held], ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _devices(row: dict[str, str]) -> None:
    """The number of devices follows from the layout where only that is stated."""
    if "n_devices" in row and not row["n_devices"] and row.get("tp"):
        sizes = [number(row, column) or 1.0 for column in ("tp", "pp", "dp") if column in row]
        row["n_devices"] = f"{sizes[0] * sizes[1] * sizes[2]:.0f}" if len(sizes) == 3 else row["tp"]


def _needed(kind: str, row: Row, place: str) -> None:
    for flag in FLAGS:
        column = column_of(flag, kind)
        if column is not None and not row[column] and not (kind == "local-memory" and flag == "device"):
            raise RequestError(f"does not say the {flag}: add --{flag}", f"{place}, {column}")
    for column in NEEDED.get(kind, ()):
        if not row[column]:
            raise RequestError(f"does not say {column}: add --set {column}=…", f"{place}, {column}")


def _lacking(kind: str, row: Row) -> list[str]:
    wanted = list(CONDITIONS.get(kind, ()))
    for (column, value), more in FURTHER.get(kind, {}).items():
        if row.get(column) == value:
            wanted += more
    if kind.startswith("training") and row.get("family", "").startswith(("vision", "diffusion", "other")):
        wanted.remove("seq_len")
    missing = [column for column in wanted if not row.get(column)]
    return [f"not stated: {', '.join(missing)}"] if missing else []
