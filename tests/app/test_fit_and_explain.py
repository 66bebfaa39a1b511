"""``ridgewise fit`` and ``ridgewise explain``: the waterfall and the terms, each checkable by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from ridgewise.advise.explaining import Explanation
from ridgewise.advise.fitting import FitAnswer
from ridgewise.report.document import schema

Run = Callable[..., Any]
GIB = 2.0**30


def test_an_8b_model_fits_a_24_gib_card(run: Run) -> None:
    said = run("fit", "Llama-3.1-8B", "RTX 4090", "--quant", "q4_k_m", "--json")
    assert said.code == 0
    document = said.document
    jsonschema.validate(document, schema(FitAnswer), jsonschema.Draft202012Validator)
    assert document["fits"] and document["fixes"] == []
    # A file of 4.91 GB, whose input table (525M at 4.5 bits, 0.30 GB) llama.cpp leaves in RAM; 131,072 B × 8,192.
    assert document["parts_bytes"]["weights"] == pytest.approx(4.91e9 - 0.296e9, rel=0.005)
    assert document["parts_bytes"]["KV cache"] == GIB
    assert document["kv_bytes_per_token"] == pytest.approx(131072)


@pytest.mark.parametrize(
    "flags",
    [
        ("Llama-3.1-8B", "RTX 4090"),
        ("Llama-3.1-70B", "RTX 4090"),
        ("Llama-3.1-70B", "H100 SXM", "--tp", "2", "--concurrency", "16"),
        ("gpt-oss-120b", "Strix Halo", "--memory", "128GiB", "--context", "128k"),
        ("DeepSeek-V3", "H200 SXM", "--tp", "8"),
        ("google/gemma-3-27b-it", "RTX 5090", "--kv-bits", "fp8"),
        ("Llama-3.1-8B", "EPYC 9654", "--memory", "256GiB"),
        ("Llama-3.1-8B", "RTX 4090", "--free", "20GiB"),
    ],
)
def test_the_waterfall_adds_up(run: Run, flags: tuple[str, ...]) -> None:
    said = run("fit", *flags, "--json")
    document = said.document
    left = document["memory_total_bytes"] - document["reserved_bytes"] - sum(document["parts_bytes"].values())
    assert document["left_bytes"] == pytest.approx(left, abs=1)
    assert document["fits"] == (document["left_bytes"] >= 0)
    assert said.code == (0 if document["fits"] else 1)


SHORT = [
    ("Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m"),
    ("Llama-3.1-8B", "RTX 3060 12GB", "--context", "131072"),
    ("Llama-3.1-8B", "RTX 4090", "--quant", "q4_k_m", "--concurrency", "40"),
    ("Llama-3.1-8B", "RTX 4060 Ti 16GB", "--quant", "bf16", "--engine", "vllm"),
    ("Llama-3.1-70B", "H100 SXM", "--quant", "bf16"),
    ("google/gemma-3-27b-it", "RTX 5060 Ti 16GB"),
]


@pytest.mark.parametrize("flags", SHORT)
def test_every_fix_makes_it_fit(run: Run, flags: tuple[str, ...]) -> None:
    """The flags a fix names are added to the command, which then answers 0."""
    said = run("fit", *flags, "--json")
    assert said.code == 1
    assert said.document["fixes"], "there is always a way out"
    tried = 0
    for fix in said.document["fixes"]:
        named = re.search(r"\((--[a-z-]+) ([^)]+)\)", fix)
        if named is None:
            assert "layers left in RAM" in fix
            continue
        tried += 1
        rest = list(flags)
        if named[1] in rest:
            place = rest.index(named[1])
            del rest[place : place + 2]
        assert run("fit", *rest, named[1], named[2]).code == 0, fix
    assert tried


def test_what_misses_is_said_for_people(run: Run) -> None:
    said = run("fit", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m")
    assert said.code == 1
    # 42.5 GB of weights are 39.6 GiB, 1 to 3 GiB more against 24: 18 to 20 GiB short.
    missing = float(re.search(r"= MISSING\s+([\d.]+) GiB", said.out)[1])  # type: ignore[index]
    assert 17 < missing < 20
    assert "Does not fit" in said.out


def test_the_limits_it_states_are_limits(run: Run) -> None:
    document = run("fit", "Llama-3.1-8B", "RTX 4070", "--quant", "q4_k_m", "--json").document
    context, batch = document["context_limit_tokens"], document["batch_limit_requests"]
    base = ("fit", "Llama-3.1-8B", "RTX 4070", "--quant", "q4_k_m")
    assert run(*base, "--context", str(int(0.97 * context))).code == 0
    assert run(*base, "--context", str(int(1.05 * context))).code == 1
    assert run(*base, "--concurrency", str(int(batch))).code == 0
    assert run(*base, "--concurrency", str(int(batch) + 1)).code == 1


def test_memory_and_the_engine_are_told_apart(run: Run) -> None:
    """A state of 2.56 MiB in 64 layers is no reason to stop at 16 sequences, the default of llama.cpp."""
    flags = ("fit", "mamba-2.8b", "RTX 4090", "--quant", "q4_k_m")
    document = run(*flags, "--concurrency", "100000", "--json").document
    batch = int(document["batch_limit_requests"])
    assert document["engine_limit_requests"] == 16 and batch > 900
    assert any(f"--concurrency {batch}" in fix for fix in document["fixes"])
    assert run(*flags, "--concurrency", str(batch)).code == 0
    assert run(*flags, "--concurrency", str(batch + 1)).code == 1
    said = run(*flags, "--concurrency", str(batch + 1)).out
    assert "16 sequences at once by default (--parallel)" in said
    assert "no room for a context" not in said


def test_limits_beside_a_split_are_those_of_the_split(run: Run) -> None:
    """Half of a 70B model in RAM: the card has room for a context and the limits say which."""
    flags = ("fit", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m", "--ngl", "30", "--json")
    document = run(*flags).document
    assert document["fits"] and document["ram_bytes"] > 20 * GIB
    context, batch = int(document["context_limit_tokens"]), int(document["batch_limit_requests"])
    assert 8192 < context < 131072 and batch > 1
    assert run(*flags, "--context", str(context)).code == 0
    assert run(*flags, "--context", str(context + 256)).code == 1
    assert run(*flags, "--concurrency", str(batch)).code == 0
    assert run(*flags, "--concurrency", str(batch + 1)).code == 1
    short = run("fit", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m", "--ngl", "60", "--json").document
    named = next(fix for fix in short["fixes"] if "--ngl" in fix)
    fewer = re.search(r"--ngl (\d+)", named)[1]  # type: ignore[index]
    assert run("fit", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m", "--ngl", fewer).code == 0
    assert run("fit", "Llama-3.1-70B", "RTX 4090", "--quant", "q4_k_m", "--ngl", str(int(fewer) + 1)).code == 1


def test_a_pipeline_is_judged_by_its_fullest_stage(run: Run) -> None:
    """80 equal layers in four stages of vLLM: 20 each, and the head of 128,256 × 8,192 on the last."""
    document = run("fit", "Llama-3.1-70B", "H100 SXM", "--quant", "bf16", "--tp", "2", "--pp", "4", "--json").document
    assert (document["devices"], document["tp"], document["pp"]) == (8, 2, 4)
    layer = 2 * (2 * 8192 * 8192 + 2 * 8192 * 1024 + 3 * 8192 * 28672)
    held = (20 * layer + 128256 * 8192 * 2) / 2
    assert document["parts_bytes"]["weights"] == pytest.approx(held, rel=1e-3)
    assert document["parts_bytes"]["KV cache"] == pytest.approx(8192 * 20 * 4096 / 2)


def test_experts_shared_out_and_attention_repeated(run: Run) -> None:
    """DeepSeek-V3 on eight devices, attention on each of them: an eighth of the experts, all of the attention."""
    flags = ("fit", "DeepSeek-V3", "H200 SXM", "--json")
    eight = run(*flags, "--ep", "8").document
    shared = run(*flags, "--tp", "8").document
    assert (eight["devices"], eight["tp"], eight["ep"]) == (8, 1, 8)
    latent = 61 * (7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168)
    assert eight["parts_bytes"]["weights"] - shared["parts_bytes"]["weights"] == pytest.approx(latent * 7 / 8, rel=1e-3)
    # A sequence lies whole on one device, and so do eight sequences on eight.
    assert eight["parts_bytes"]["KV cache"] == pytest.approx(61 * 1152 * 8192)
    more = run(*flags, "--ep", "8", "--concurrency", "8").document
    assert more["parts_bytes"]["KV cache"] == eight["parts_bytes"]["KV cache"]


def test_keys_and_values_of_different_types(run: Run) -> None:
    """q8_0 keys of 8.5 bits and f16 values: 12.25 bits on the whole."""
    flags = ("fit", "Llama-3.1-8B", "RTX 4090", "--kv-dtype", "q8_0/f16", "--json")
    document = run(*flags).document
    assert document["kv_bits"] == 12.25
    assert document["parts_bytes"]["KV cache"] == pytest.approx(8192 * 65536 * 12.25 / 8)


def test_a_short_model_is_asked_for_what_it_can(run: Run) -> None:
    assert run("fit", "openai-community/gpt2-xl", "RTX 4090", "--json").document["context_tokens"] == 1024


def test_what_is_assumed_is_marked(run: Run) -> None:
    out = run("fit", "Llama-3.1-8B", "RTX 4090").out
    assert "usable memory (assumed)" in out and "the label" in out and "engine (assumed)" in out
    given = run("fit", "Llama-3.1-8B", "RTX 4090", "--free", "20GiB", "--json").document
    assert given["memory_basis"] == "given" and given["assumed_parts"] == ["engine"]
    total = given["total_bytes"]
    assert total["low"] < total["value"] < total["high"] and total["tier"] == "assumed"
    assert total["value"] == pytest.approx(sum(given["parts_bytes"].values()))


def test_more_devices_share_the_weights(run: Run) -> None:
    one, four = (
        run("fit", "Llama-3.1-70B", "H100 SXM", "--quant", "bf16", "--tp", n, "--json").document for n in ("1", "4")
    )
    assert four["parts_bytes"]["weights"] == pytest.approx(one["parts_bytes"]["weights"] / 4)
    assert (one["fits"], four["fits"]) == (False, True)


@pytest.mark.parametrize(
    "flags",
    [
        ("Llama-3.1-8B", "RTX 4090"),
        ("gpt-oss-120b", "Strix Halo"),
        ("DeepSeek-V3", "H200 SXM", "--tp", "8", "--batch", "32"),
        ("Llama-3.1-8B", "Quadro RTX 8000"),
        ("google/gemma-3-27b-it", "M3 Ultra"),
    ],
)
def test_terms_add_up_to_the_step(run: Run, flags: tuple[str, ...]) -> None:
    said = run("explain", *flags, "--json")
    assert said.code == 0
    document = said.document
    jsonschema.validate(document, schema(Explanation), jsonschema.Draft202012Validator)
    for phase in document["phases"]:
        for row in phase["operators"]:
            roofs = [seconds for seconds in (row["compute_s"], row["memory_s"]) if seconds is not None]
            assert row["operator_s"] == max(roofs)
            if row["compute_s"] is not None:
                assert row["bound"] == ("compute" if row["compute_s"] > row["memory_s"] else "memory")
        if phase["step_s"] is not None:
            total = sum(row["operator_s"] for row in phase["operators"]) + phase["overhead_s"]
            assert phase["step_s"] == pytest.approx(total, rel=1e-9)
            assert phase["low_s"] < phase["step_s"] < phase["high_s"]


def test_a_term_can_be_recomputed_from_what_is_shown(run: Run) -> None:
    """Feed-forward of one decode step: its weight bytes over bandwidth times the share reached."""
    document = run("explain", "Llama-3.1-8B", "RTX 4090", "--quant", "q4_k_m", "--json").document
    bandwidth = next(i["value"] for i in document["inputs"] if i["key"].endswith(".bandwidth"))
    assert bandwidth == 1008e9
    decode = next(phase for phase in document["phases"] if phase["phase"] == "decode")
    feed = next(row for row in decode["operators"] if row["operator"] == "feed-forward")
    # 32 layers of three 4,096 × 14,336 matrices: gate and up at 4.5 bits, down at 5.53.
    weights = 32 * 4096 * 14336 * (4.5 + 4.5 + 5.53125) / 8
    assert feed["weight_bytes"] == pytest.approx(weights, rel=1e-3)
    share = decode["coefficients"]["weight_read"]
    assert feed["memory_s"] == pytest.approx(
        (feed["weight_bytes"] / share + feed["activation_bytes"]) / bandwidth, rel=1e-6
    )
    assert feed["work_flop"] == pytest.approx(2 * 32 * 3 * 4096 * 14336)
    assert document["ridge_point_flop_per_byte"] == pytest.approx(document["peak_flop_per_s"] / bandwidth)


def test_the_speed_explained_is_the_speed_planned(run: Run) -> None:
    plan = run("plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--json").document["options"][0]
    explained = run("explain", "Llama-3.1-8B", "RTX 4090", "--quant", plan["format"], "--json").document
    decode = next(phase for phase in explained["phases"] if phase["phase"] == "decode")
    assert decode["step_s"] == pytest.approx(plan["tpot_s"]["value"])
    assert explained["tier"] == plan["tier"]


def test_explaining_for_people_names_sources_and_formulas(run: Run) -> None:
    out = run("explain", "Llama-3.1-8B", "RTX 4090").out
    for word in ("ridge point", "Formulas", "Inputs", "Coefficients", "measurements", "nvidia-rtx-4090.bandwidth"):
        assert word in out


REFUSED = [
    ("fit", "Llama-3.1-8B", "RTX 409", "RTX 409"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--context", "0", "context"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--context", "nan", "context"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--concurrency", "-1", "concurrency"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--tp", "0", "tp"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--tp", "1000000000000", "tp"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--tp", "two", "tp"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--memory", "96GiB", "96"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--engine", "mlx", "RTX 4090"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--engine", "vllm", "--quant", "q4_k_m", "Q4_K_M"),
    ("fit", "Llama-3.1-8B", "EPYC 9654", "EPYC 9654"),
    # Encoders, pictures and speech are no decoders.
    ("fit", "FLUX.1-dev", "H100 SXM", "decoder"),
    ("fit", "google-bert/bert-base-uncased", "RTX 4090", "decoder"),
    ("fit", "openai/whisper-large-v3", "RTX 4090", "decoder"),
    ("explain", "FLUX.1-dev", "H100 SXM", "decoder"),
    # 8,192 tokens are the limit of Llama 3.
    ("fit", "meta-llama/Meta-Llama-3-8B-Instruct", "H100 SXM", "--context", "9000", "8,192"),
    # 28 query and 4 KV heads (Qwen2.5-7B): 7 divides the first, not the second; 16 does not divide the first.
    ("fit", "Qwen/Qwen2.5-7B-Instruct", "H100 SXM", "--tp", "7", "KV heads"),
    ("fit", "Qwen/Qwen2.5-7B-Instruct", "H100 SXM", "--tp", "16", "--tp 28"),
    ("fit", "Llama-3.1-8B", "H100 SXM", "--pp", "33", "32 layers"),
    ("fit", "Llama-3.1-8B", "H100 SXM", "--ep", "8", "experts"),
    ("fit", "DeepSeek-V3", "H200 SXM", "--ep", "24", "--ep 16"),
    ("fit", "DeepSeek-V3", "H200 SXM", "--engine", "llama.cpp", "--ep", "8", "experts"),
    ("fit", "Llama-3.1-8B", "M3 Ultra", "--engine", "mlx", "--tp", "2", "one device"),
    # Cache types belong to engines.
    ("fit", "Llama-3.1-8B", "RTX 4090", "--kv-dtype", "3.7", "q8_0"),
    ("fit", "Llama-3.1-8B", "H100 SXM", "--engine", "vllm", "--kv-dtype", "q8_0", "fp8"),
    ("fit", "Llama-3.1-8B", "H100 SXM", "--engine", "vllm", "--kv-dtype", "fp8/fp16", "one type"),
    ("fit", "Llama-3.1-8B", "RTX 4090", "--cpu-moe", "no experts"),
    ("fit", "Mixtral-8x7B", "H100 SXM", "--engine", "vllm", "--cpu-moe", "--cpu-moe"),
    ("explain", "Llama-3.1-8B", "RTX 4090", "--batch", "0", "batch"),
    ("explain", "Llama-3.1-8B", "RTX 4090", "--prompt", "", "prompt"),
    ("explain", "no-such-model", "RTX 4090", "no-such-model"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: " ".join(case[:-1]))
def test_a_bad_request_is_refused_by_name(run: Run, case: tuple[str, ...]) -> None:
    *arguments, named = case
    said = run(*arguments)
    assert said.code == 2
    assert said.out == "" and named in said.err
    said = run(*arguments, "--json")
    assert said.code == 2 and said.document["error"]["what"]


def test_an_engine_told_to_run_fewer_sequences_makes_room(run: Run) -> None:
    """gpt-oss-120b on one H100 of 80 GB: by default vLLM samples 1,024 sequences at once while it profiles, 9.7 FP32
    copies of 201,088 logits each; its recipe for that card tells it less."""
    default = run("fit", "gpt-oss-120b", "H100 SXM", "--engine", "vllm", "--json")
    assert default.code == 1
    assert any("--max-sequences" in fix for fix in default.document["fixes"])
    assert any("--utilization 0.95" in fix for fix in default.document["fixes"])
    told = run("fit", "gpt-oss-120b", "H100 SXM", "--engine", "vllm", "--max-sequences", "128", "--json")
    assert told.code == 0
    assert told.document["engine_limit_requests"] == 128
    saved = default.document["parts_bytes"]["buffers"] - told.document["parts_bytes"]["buffers"]
    assert saved == pytest.approx(9.7 * (1024 - 128) * 201088 * 4, rel=0.01)
    more = run("fit", "gpt-oss-120b", "H100 SXM", "--engine", "vllm", "--utilization", "0.95", "--json")
    assert more.document["reserved_bytes"] == pytest.approx(0.05 * more.document["memory_total_bytes"])


@pytest.mark.parametrize(("flag", "value"), [("--utilization", "1.2"), ("--max-sequences", "0")])
def test_what_no_engine_can_be_told_is_refused(run: Run, flag: str, value: str) -> None:
    said = run("fit", "gpt-oss-120b", "H100 SXM", flag, value)
    assert said.code == 2 and flag in said.err
