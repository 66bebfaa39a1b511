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


#: Bounds on the parts of a vLLM start-up log: of what is logged, but for other allocations [GiB].
VLLM_BOUNDS = {"weights": 0.02, "buffers": 0.03, "engine": 0.02}


def test_vllm_is_predicted_part_by_part_from_its_start_up_logs(shared: Path) -> None:
    """Weights within 2 %, the profiled peak within 3 % (20 % for the multimodal model, whose log does not say how many
    sequences it sampled), other allocations within 0.02 GiB, their sum within 3 %, and the cache that remains within
    3 %. CUDA graphs are captured beside the share, so the pool does not shrink by them."""
    device = 79.18 * GIB
    names = {"RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic": "meta-llama/Llama-3.3-70B-Instruct"}
    names |= {"mistralai/Mistral-Small-3.2-24B-Instruct-2506": "mistralai/Mistral-Small-3.1-24B-Instruct-2503"}
    columns = {"weights": "weights_gib_per_gpu", "buffers": "activation_gib", "engine": "non_torch_gib"}
    for row in rows(shared / "truth" / "local" / "vllm_memory.csv"):
        arch = load(names.get(row["model_id"], row["model_id"]))
        plan = Plan(weight_format(row["precision"]), tp=float(row["tensor_parallel"]))
        foot = inference(arch, plan, 0.0, 1.0, policy("vllm"), device)
        logged = {part: float(row[column]) for part, column in columns.items()}
        seeing = "multimodal" in row["arch"]
        for part, value in logged.items():
            bound = 0.2 if seeing and part == "buffers" else VLLM_BOUNDS[part]
            within = bound if part == "engine" else bound * value
            assert float(foot.parts[part]) / GIB == pytest.approx(value, abs=within), (row["model_id"], part)
        assert float(foot.total) / GIB == pytest.approx(sum(logged.values()), rel=0.03), row["model_id"]
        pool = device * float(row["gpu_memory_utilization"]) - float(foot.total)
        assert pool / GIB == pytest.approx(float(row["kv_cache_gib"]), rel=0.03), row["model_id"]


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
