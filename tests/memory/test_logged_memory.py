"""Memory rules against what engines logged when they loaded real models."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from ridgewise.memory import cache_bytes, inference
from ridgewise.memory.engines import policy
from ridgewise.memory.engines.llamacpp import compute_buffer
from ridgewise.models.formats import model_bytes, weight_format
from ridgewise.models.read import load
from ridgewise.work import Plan

MIB, GIB = 2.0**20, 2.0**30
KV_BITS = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5, "iq4_nl": 4.5, "q6_0": 6.5, "": 16.0}


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)


def scored(shared: Path, metric: str) -> list[dict[str, str]]:
    found = [
        row
        for row in rows(shared / "truth" / "local" / "dev_memory.csv")
        if row["metric"] == metric and row["use"] == "score" and row["config_file"]
    ]
    assert len(found) > 50
    return found


def test_llama_cpp_cache_is_exact_to_a_tenth_of_a_mebibyte(shared: Path) -> None:
    """Every logged cache whose keys and values have one known type; caches that expand MLA are another rule."""
    checked = 0
    for row in scored(shared, "kv_buffer_mib"):
        kinds = set(row["kv_type"].replace("K=", "").replace("V=", "").replace("/", " ").replace("+", " ").split())
        if row["attention_impl"] == "no-mla" or len(kinds | {""}) > 2 or not kinds <= set(KV_BITS):
            continue
        arch = load(row["config_file"])
        plan = Plan(weight_format("f16"), kv_bits=KV_BITS[next(iter(kinds), "")])
        ours = float(cache_bytes(arch, plan, 1.0, float(row["context"]), policy("llama.cpp"))) / MIB
        assert ours == pytest.approx(float(row["value"]), abs=0.1), row["row_id"]
        checked += 1
    assert checked >= 90


def test_q4_k_m_files_of_llama_models_are_predicted_within_a_thousandth(shared: Path) -> None:
    checked = 0
    for row in scored(shared, "model_buffer_mib"):
        if row["precision"] != "Q4_K_M" or "llama-3" not in row["model_id"].casefold():
            continue
        ours = model_bytes(load(row["config_file"]), weight_format("q4_k_m")) / MIB
        assert ours == pytest.approx(float(row["value"]), rel=1e-3), row["row_id"]
        checked += 1
    assert checked >= 10


def test_vllm_leaves_the_cache_that_its_start_up_log_reports(shared: Path) -> None:
    """Within 3 % of the device for text models; one multimodal model profiles a smaller batch: 5 %."""
    device = 79.18 * GIB
    names = {"RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic": "meta-llama/Llama-3.3-70B-Instruct"}
    names |= {"mistralai/Mistral-Small-3.2-24B-Instruct-2506": "mistralai/Mistral-Small-3.1-24B-Instruct-2503"}
    for row in rows(shared / "truth" / "local" / "vllm_memory.csv"):
        arch = load(names.get(row["model_id"], row["model_id"]))
        plan = Plan(weight_format(row["precision"]), tp=float(row["tensor_parallel"]))
        foot = inference(arch, plan, 0.0, 1.0, policy("vllm"), device)
        pool = device * float(row["gpu_memory_utilization"]) - float(foot.total)
        share = 0.05 if "multimodal" in row["arch"] else 0.03
        assert pool == pytest.approx(float(row["kv_cache_gib"]) * GIB, abs=share * device), row["model_id"]


def test_llama_cpp_leaves_the_input_table_on_the_host() -> None:
    """The log of an 8B Q4_K_M file splits 4,685.30 MiB into 281.81 MiB on the host and 4,403.49 on the card."""
    arch, plan = load("meta-llama/Meta-Llama-3-8B"), Plan(weight_format("q4_k_m"))
    card = inference(arch, plan, 0.0, 1.0, policy("llama.cpp"), 24 * GIB, discrete=True)
    unified = inference(arch, plan, 0.0, 1.0, policy("llama.cpp"), 24 * GIB)
    assert float(card.parts["weights"]) / MIB == pytest.approx(4403.49, abs=0.2)
    assert float(unified.parts["weights"]) / MIB == pytest.approx(4685.30, abs=0.2)


def test_compute_buffers_of_llama_cpp_are_within_five_per_cent(shared: Path) -> None:
    """Median over the logs that say whether flash attention was on, per device; DeepSeek in forks that change
    the attention kernels is another engine."""
    errors = []
    for row in scored(shared, "compute_buffer_mib"):
        if row["flash_attention"] == "" or (float(row["n_gpus"]) > 1 and "DeepSeek" in row["model_id"]):
            continue
        devices = float(row["n_gpus"])
        flash = row["flash_attention"] == "1"
        ours = compute_buffer(load(row["config_file"]), float(row["context"]), float(row["ubatch"]), devices, flash)
        errors.append(abs(float(ours) / MIB / (float(row["value"]) / devices) - 1))
    assert len(errors) > 25
    assert statistics.median(errors) <= 0.001
    assert max(errors) <= 0.05
