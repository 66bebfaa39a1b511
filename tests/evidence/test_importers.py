"""Every importer on a sample of its format: values and conditions checked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ridgewise.errors import RequestError
from ridgewise.evidence import KINDS
from ridgewise.evidence.columns import COLUMNS
from ridgewise.evidence.importers import IMPORTERS, Found, importer_of
from ridgewise.evidence.importers.ggml import device_line, file_type, from_file_name
from ridgewise.evidence.importers.reading import steady
from ridgewise.evidence.shipped import shipped

SAMPLES = Path(__file__).parent / "samples"
#: Sample → the importer that must recognise it, and the kinds it must give.
EXPECTED = {
    "llama-bench.json": ("llama-bench", {"local"}),
    "llama-bench.jsonl": ("llama-bench", {"local"}),
    "llama-bench.csv": ("llama-bench", {"local"}),
    "llama-bench.md": ("llama-bench", {"local"}),
    "llama.cpp-load.log": ("llama.cpp-log", {"local", "local-memory"}),
    "llama.cpp-server.log": ("llama.cpp-log", {"local", "local-memory"}),
    "ollama-verbose.txt": ("ollama", {"local"}),
    "vllm-bench-serve.json": ("vllm-bench", {"serving"}),
    "vllm-bench-latency.json": ("vllm-bench", {"serving"}),
    "vllm-bench-throughput.json": ("vllm-bench", {"serving"}),
    "vllm-startup.log": ("vllm-log", {"vllm-memory"}),
    "sglang-bench.jsonl": ("sglang-bench", {"serving"}),
    "guidellm.json": ("guidellm", {"serving"}),
    "profile_export_aiperf.json": ("aiperf", {"serving"}),
    "profile_export_aiperf.csv": ("aiperf", {"serving"}),
    "profile_export_genai_perf.json": ("genai-perf", {"serving"}),
    "profile_export_genai_perf.csv": ("genai-perf", {"serving"}),
    "trtllm-bench.json": ("trtllm-bench", {"serving"}),
    "trtllm-bench.log": ("trtllm-bench", {"serving"}),
    "mlperf_offline_summary.txt": ("mlperf", {"serving"}),
    "mlperf_server_summary.txt": ("mlperf", {"serving"}),
    "optimum-benchmark.json": ("optimum-benchmark", {"local"}),
    "torchtitan.log": ("torchtitan", {"training", "training-memory"}),
    "megatron.log": ("megatron", {"training", "training-memory"}),
    "nemo.log": ("nemo", {"training", "training-memory"}),
    "llm-foundry.log": ("llm-foundry", {"training", "training-memory"}),
    "trainer_state.json": ("hf-trainer", {"training"}),
    "nvidia-smi.csv": ("nvidia-smi", {"energy"}),
    "dcgmi-dmon.txt": ("dcgm", {"energy"}),
}


def read(name: str) -> list[Found]:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    return importer_of(text, name).read(text, name)


def value(name: str, metric: str, stat: str = "", nth: int = 0) -> float:
    """The figure of a sample with this metric and statistic."""
    rows = [one.cells for one in read(name) if one.cells.get("metric") == metric and one.cells.get("stat", "") == stat]
    return float(rows[nth]["value"])


def test_every_sample_is_listed_and_every_importer_has_one() -> None:
    assert set(EXPECTED) == {path.name for path in SAMPLES.iterdir()} - {"README.md"}
    assert {importer for importer, _ in EXPECTED.values()} == {importer.name for importer in IMPORTERS}
    described = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in described or f"`{Path(name).suffix}`" in described for name in EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_is_recognised_and_read_into_known_columns(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    importer, kinds = EXPECTED[name]
    assert importer_of(text, name).name == importer
    assert importer_of(text, "renamed").name == importer
    found = read(name)
    assert {one.kind for one in found} == kinds
    for one in found:
        assert set(one.cells) <= set(COLUMNS[one.kind]), set(one.cells) - set(COLUMNS[one.kind])
        if KINDS[one.kind].metrics:
            assert one.cells["metric"] in KINDS[one.kind].metrics
            assert float(one.cells["value"]) > 0
        assert all(cell for cell in one.cells.values())


@pytest.mark.parametrize("name", EXPECTED)
def test_only_one_importer_claims_a_sample(name: str) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    claims = [importer.name for importer in IMPORTERS if importer.recognises(text, name)]
    assert set(claims) <= {EXPECTED[name][0], "genai-perf"}, claims  # AIPerf writes what genai-perf wrote


def test_the_columns_are_those_of_the_shipped_tables() -> None:
    for table in shipped():
        assert tuple(table.rows[0]) == COLUMNS[table.kind.name], table.place
    for kind in KINDS.values():
        assert set(kind.signature) | set(kind.required) <= set(COLUMNS[kind.name])


def test_llama_bench_json() -> None:
    prefill, decode = (one.cells for one in read("llama-bench.json"))  # the combined test has no rate of either
    assert (prefill["metric"], prefill["value"], prefill["prompt_tokens"]) == ("prefill_tok_s", "12427.18447", "512")
    assert (decode["metric"], decode["gen_tokens"], decode["context_depth"]) == ("decode_tok_s", "128", "4096")
    assert decode["kv_dtype"] == "k:q8_0,v:f16" and "kv_dtype" not in prefill
    assert prefill["device_label"] == "NVIDIA GeForce RTX 4090" and prefill["compute_unit"] == "gpu"
    assert prefill["model_label"] == "Meta-Llama-3.1-8B-Instruct" and prefill["precision"] == "Q4_K_M"
    assert float(prefill["weight_gib"]) == pytest.approx(4912898304 / 2**30)
    assert prefill["engine_version"] == "5ef22d281 (6097)" and prefill["date"] == "2025-08-05"


def test_llama_bench_elsewhere() -> None:
    cpu = read("llama-bench.jsonl")[1].cells
    assert (cpu["compute_unit"], cpu["backend"], cpu["value"]) == ("cpu", "cpu", "8")
    assert cpu["device_label"] == "AMD Ryzen 9 7950X 16-Core Processor"
    two = read("llama-bench.csv")[0].cells
    assert (two["n_devices"], two["parallelism"], two["value"]) == ("2", "layer", "4096")
    assert two["precision"] == "mxfp4" and two["model_label"] == "gpt-oss-20b"
    table = [one.cells for one in read("llama-bench.md")]
    assert [row["value"] for row in table] == ["2402.51", "70.12", "61.9"]
    assert [row["context_depth"] for row in table] == ["0", "0", "4096"]
    assert table[0]["device_label"] == "NVIDIA GeForce RTX 3070" and table[0]["engine_version"] == "5ef22d281 (6097)"


def test_llama_log() -> None:
    rows = {one.cells["metric"]: one.cells for one in read("llama.cpp-load.log")}
    assert float(rows["model_buffer_mib"]["value"]) == pytest.approx(281.81 + 4403.49)
    assert rows["kv_buffer_mib"]["value"] == "1024"  # 8192 tokens x 32 layers x 2 x 8 heads x 128 x 2 bytes
    assert rows["compute_buffer_mib"]["value"] == "560"  # the host's 24 MiB are not on the device
    assert rows["kv_buffer_mib"]["context"] == "8192" and rows["kv_buffer_mib"]["placement"] == "gpu"
    assert rows["prefill_tok_s"]["value"] == "2000" and rows["decode_tok_s"]["context_depth"] == "200"


def test_llama_log_of_a_later_build() -> None:
    """Real output: times before every line, sizes in MiB, flash attention decided late."""
    rows = {one.cells["metric"]: one.cells for one in read("llama.cpp-server.log")}
    assert rows["model_buffer_mib"]["value"] == "4.79" and rows["compute_buffer_mib"]["value"] == "6.52"
    assert rows["kv_buffer_mib"]["value"] == "2" == str(1024 * 4 * 2 * (2 * 64) * 2 // 2**20)
    memory, decode = rows["kv_buffer_mib"], rows["decode_tok_s"]
    assert (memory["placement"], memory["context"], memory["flash_attention"]) == ("cpu", "1024", "1")
    assert (decode["value"], decode["gen_tokens"], decode["context_depth"]) == ("81.68", "32", "49")
    assert (decode["compute_unit"], decode["device_label"], decode["precision"]) == ("cpu", "AMD EPYC", "F16")


def test_unlike_cards_are_no_device() -> None:
    text = "  Device 0: NVIDIA GeForce RTX 3090, c\n  Device 1: NVIDIA GeForce RTX 4090, c\n"
    assert device_line(text) == ("NVIDIA GeForce RTX 3090 + NVIDIA GeForce RTX 4090", 2)


def test_ollama() -> None:
    assert value("ollama-verbose.txt", "prefill_tok_s") == 200 and value("ollama-verbose.txt", "decode_tok_s") == 66.37
    assert read("ollama-verbose.txt")[0].cells["model_label"] == "llama3.1:8b"


def test_vllm_bench() -> None:
    row = read("vllm-bench-serve.json")[0].cells
    assert (row["load"], row["concurrency"], row["input_tokens"], row["output_tokens"]) == (
        "closed_loop", "16", "1024", "128",
    )  # fmt: skip
    assert value("vllm-bench-serve.json", "ttft_ms", "median") == 110.25
    assert value("vllm-bench-serve.json", "output_tok_s", "mean") == 512 == 25600 / 50
    assert value("vllm-bench-latency.json", "e2e_ms", "mean") == 1250
    assert value("vllm-bench-throughput.json", "total_tok_s", "mean") == 6400


def test_vllm_bench_loads() -> None:
    result = json.loads((SAMPLES / "vllm-bench-serve.json").read_text())
    for change, load in (
        ({"max_concurrency": None}, "burst"), ({"max_concurrency": 200}, "burst"), ({"request_rate": 3.5}, "open_loop"),
    ):  # fmt: skip
        text = json.dumps(result | change)
        assert importer_of(text, "x").read(text, "x")[0].cells["load"] == load


def test_sglang_bench() -> None:
    assert value("sglang-bench.jsonl", "tpot_ms", "median") == 14.2
    assert value("sglang-bench.jsonl", "total_tok_s", "mean") == 8192 + 2048
    first, second = read("sglang-bench.jsonl")[0].cells, read("sglang-bench.jsonl")[-1].cells
    assert (first["load"], first["lengths"], second["load"], second["request_rate"]) == (
        "closed_loop", "fixed", "open_loop", "4",
    )  # fmt: skip


def test_guidellm_counts_the_first_token_apart() -> None:
    """Its own "time per output token" includes the first: 15.4 ms there, 15.0 ms here."""
    assert value("guidellm.json", "tpot_ms", "mean") == 15.0
    assert value("guidellm.json", "e2e_ms", "p99") == 2400
    row = read("guidellm.json")[0].cells
    assert (row["concurrency"], row["model_id"], row["input_tokens"]) == ("8", "Qwen/Qwen3-8B", "512")


@pytest.mark.parametrize("name", ["profile_export_aiperf.json", "profile_export_aiperf.csv"])
def test_aiperf(name: str) -> None:
    assert value(name, "ttft_ms", "p99") == 210 and value(name, "tpot_ms", "mean") == 14.2
    assert value(name, "output_tok_s", "mean") == 1024 == 8 * 128
    row = read(name)[0].cells
    assert (row["input_tokens"], row["output_tokens"], row["num_requests"]) == ("1000", "128", "512")
    if name.endswith("json"):
        assert (row["load"], row["concurrency"], row["model_id"]) == ("closed_loop", "16", "Qwen/Qwen3-8B")
        assert row["date"] == "2025-10-02" and row["device_label"] == "NVIDIA H100 80GB HBM3"


@pytest.mark.parametrize("name", ["profile_export_genai_perf.json", "profile_export_genai_perf.csv"])
def test_genai_perf(name: str) -> None:
    assert value(name, "e2e_ms", "mean") == 2200 and value(name, "output_tok_s", "mean") == 576 == 4.5 * 128
    row = read(name)[0].cells
    assert row["input_tokens"] == "550"
    if name.endswith("json"):
        assert (row["load"], row["concurrency"], row["lengths"]) == ("closed_loop", "10", "fixed")


def test_trtllm_bench() -> None:
    assert value("trtllm-bench.json", "output_tok_s", "mean") == 12800 == 100 * 128
    row = read("trtllm-bench.json")[0].cells
    assert (row["load"], row["weight_dtype"], row["device_label"]) == ("offline", "fp8", "NVIDIA H100 80GB HBM3")
    assert value("trtllm-bench.log", "total_tok_s", "mean") == 38528
    printed = read("trtllm-bench.log")[0].cells
    assert (printed["tp"], printed["n_devices"], printed["input_tokens"]) == ("2", "2", "128")
    assert not [one for one in read("trtllm-bench.json") if one.cells["metric"].endswith("_ms")]  # offline: queueing


def test_mlperf() -> None:
    assert value("mlperf_offline_summary.txt", "output_tok_s", "mean") == 255060
    assert [one.cells["metric"] for one in read("mlperf_offline_summary.txt")] == ["output_tok_s", "req_s"]
    assert value("mlperf_server_summary.txt", "ttft_ms", "mean") == pytest.approx(0.442503)
    assert value("mlperf_server_summary.txt", "tpot_ms", "p99") == pytest.approx(0.103445)
    row = read("mlperf_server_summary.txt")[0].cells
    assert (row["load"], row["request_rate"], row["slo_ttft_ms"], row["slo_tpot_ms"]) == (
        "open_loop", "50", "2000", "200",
    )  # fmt: skip
    assert "invalid" in row["use_reason"]  # the dummy run was too short


def test_optimum_benchmark() -> None:
    assert value("optimum-benchmark.json", "prefill_tok_s") == 4000 == 4 * 256 / 0.256
    assert value("optimum-benchmark.json", "decode_tok_s") == 100
    row = read("optimum-benchmark.json")[1].cells
    assert (row["batch"], row["gen_tokens"], row["context_depth"], row["precision"]) == ("4", "64", "256", "bf16")
    assert (row["device_label"], row["engine"]) == ("NVIDIA A10G", "transformers")


def test_torchtitan_counts_steady_steps() -> None:
    assert value("torchtitan.log", "tokens_s_per_gpu") == 5780  # the median of steps 10, 20, 30: step 1 compiles
    assert value("torchtitan.log", "peak_mem_gib") == 65.4
    row = read("torchtitan.log")[0].cells
    assert (row["device_label"], row["seq_len"], row["global_batch_seqs"]) == ("NVIDIA H100 80GB HBM3", "8192", "8")


def test_megatron() -> None:
    assert value("megatron.log", "iter_time_s") == 16.1  # the median of 16.0 and 16.2
    assert value("megatron.log", "peak_mem_gib") == 50  # its "MB" are 2^20 bytes
    row = read("megatron.log")[0].cells
    assert [row[c] for c in ("layers", "hidden", "kv_heads", "ffn", "vocab")] == [
        "32", "4096", "8", "14336", "128256",
    ]  # fmt: skip
    assert [row[c] for c in ("n_devices", "tp", "pp", "dp", "seq_len", "precision", "sharding")] == [
        "8", "2", "1", "4", "8192", "bf16", "zero1",
    ]  # fmt: skip


def test_nemo_and_llm_foundry_and_hf() -> None:
    assert value("nemo.log", "iter_time_s") == 10.3 and value("nemo.log", "peak_mem_gib") == 60
    assert value("llm-foundry.log", "tokens_s_per_gpu") == 16384 and value("llm-foundry.log", "iter_time_s") == 4
    assert value("llm-foundry.log", "peak_mem_gib") == pytest.approx(36.5e9 / 2**30, abs=1e-4)  # its GB are 1e9 bytes
    assert value("trainer_state.json", "samples_s") == 8 and value("trainer_state.json", "iter_time_s") == 4
    assert read("trainer_state.json")[0].cells["global_batch_seqs"] == "32"


def test_power_is_the_mean_of_each_gpu_summed() -> None:
    assert value("nvidia-smi.csv", "watts", "mean") == 620 + 510  # a sample that is not available does not count
    assert value("dcgmi-dmon.txt", "watts", "mean") == 620.125 + 510
    row = read("nvidia-smi.csv")[0].cells
    assert (row["n_devices"], row["power_scope"], row["date"]) == ("2", "gpus_total", "2025-05-01")


def test_power_without_units_or_identity() -> None:
    text = "timestamp, power.draw [W]\n2025/05/01 12:00:00, 300.5\n2025/05/01 12:00:01, 301.5\n"
    row = importer_of(text, "x").read(text, "x")[0].cells
    assert row["value"] == "301" and "n_devices" not in row and row["power_scope"] == "per_device"


def test_vllm_log() -> None:
    row = read("vllm-startup.log")[0].cells
    assert [row[c] for c in ("weights_gib_per_gpu", "activation_gib", "non_torch_gib", "cuda_graph_gib",
                             "kv_cache_gib")] == ["13.47", "7.38", "0.13", "0.39", "50.28"]  # fmt: skip
    assert (row["model_id"], row["precision"], row["max_model_len"]) == ("openai/gpt-oss-20b", "mxfp4", "16000")
    old = (
        "the current vLLM instance can use total_gpu_memory (79.18GiB) x gpu_memory_utilization (0.90) = 71.26GiB\n"
        "model weights take 14.99GiB; non_torch_memory takes 0.09GiB; PyTorch activation peak memory takes 1.19GiB; "
        "the rest of the memory reserved for KV Cache is 54.99GiB.\n"
    )
    found = importer_of(old, "x").read(old, "x")[0].cells
    assert found == {
        "weights_gib_per_gpu": "14.99", "non_torch_gib": "0.09", "activation_gib": "1.19", "kv_cache_gib": "54.99",
        "gpu_memory_utilization": "0.90", "engine": "vllm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "name"),
    [("llama 8B Q4_K - Medium", "Q4_K_M"), ("qwen3 8B Q8_0", "Q8_0"), ("gpt-oss 20B MXFP4 MoE", "mxfp4"),
     ("llama 7B IQ4_XS - 4.25 bpw", "IQ4_XS"), ("llama 13B mostly Q5_K - Small", "Q5_K_S"), ("gemma 2B all F32", "F32"),
     ("qwen2 1B Q2_K - Medium", "Q2_K"), ("llama 8B IQ3_S mix - 3.66 bpw", "IQ3_M"), ("llama 8B", "")],
)  # fmt: skip
def test_file_types_by_their_description(printed: str, name: str) -> None:
    assert file_type(printed) == name


def test_names_of_files_and_devices() -> None:
    assert from_file_name("a/Qwen3-8B-Q4_K_M.gguf") == ("Qwen3-8B", "Q4_K_M")
    assert from_file_name("x\\GLM-4.5-UD-Q3_K_XL-00001-of-00003.gguf") == ("GLM-4.5", "UD-Q3_K_XL")
    assert from_file_name("model.gguf") == ("model", "")
    assert device_line("ggml_vulkan: 0 = Radeon 8060S Graphics (RADV GFX1151) (radv) | uma: 1 | fp16: 1") == (
        "Radeon 8060S Graphics", 1,
    )  # fmt: skip
    assert device_line("ggml_metal_init: GPU name:   Apple M3 Max") == ("Apple M3 Max", 1)


def test_steady_steps() -> None:
    assert steady([]) == (None, "") and steady([5.0])[0] == 5.0
    assert steady([100.0, 2.0, 4.0])[0] == 3.0
    assert steady([100.0] * 2 + [1.0] * 18)[0] == 1.0


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ('{"n_prompt": "x", "n_gen": 0, "avg_ts": 3}', "test 1, n_prompt", "not a number"),
        ('{"n_prompt": 1, "n_gen": 0, "avg_ts": NaN}', "test 1, avg_ts", "not a finite number"),
        ('{"n_prompt": 1, "n_gen": 0, "avg_ts": -4}', "test 1, avg_ts", "below zero"),
        ('{"n_prompt": 512, "n_gen": 128, "avg_ts": 9}', "", "holds no test"),
        ("timestamp, power.draw [W]\n2025/05/01, 1 W, 3\n", "line 2", "3 cells under 2 columns"),
        ("timestamp, power.draw [W]\n2025/05/01, warm\n", "line 2, power.draw", "not a number"),
        ("| model | size | params | backend | test | t/s |\n| a | 1 GiB | 1 B | CPU | pp | 3 |\n", "test", "no test"),
        ("#Entity POWER\nID W\nGPU 0\n", "line 3", "no power"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_named(text: str, where: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        importer_of(text, "f").read(text, "f")
    assert caught.value.where.startswith("f") and where in caught.value.where


def test_no_format_names_all() -> None:
    with pytest.raises(RequestError, match="no known format") as caught:
        importer_of("hello", "f")
    assert len(caught.value.nearest) == len(IMPORTERS)
    with pytest.raises(RequestError, match="unknown format 'lama-bench'") as caught:
        importer_of("hello", "f", "lama-bench")
    assert caught.value.nearest[0] == "llama-bench"
