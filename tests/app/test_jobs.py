"""``ridgewise estimate`` of models that do not answer token by token, and of pictures in prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from ridgewise.report.document import schema
from ridgewise.report.jobs import JobDocument

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("flags", "kind", "unit"),
    [
        (("BAAI/bge-large-en-v1.5", "L4"), "embeddings", "texts"),
        (("BAAI/bge-large-en-v1.5", "L4", "--replicas", "4"), "embeddings", "texts"),
        (("BAAI/bge-large-en-v1.5", "intel-core-ultra-7-258v-npu"), "embeddings", "texts"),
        (("Qwen/Qwen3-Embedding-0.6B", "RTX 4090", "--length", "256", "--batch", "8"), "embeddings", "texts"),
        (("google/vit-base-patch16-224", "L4", "--batch", "64"), "embeddings", "pictures"),
        (("openai/clip-vit-base-patch32", "M2 Ultra"), "embeddings", "pairs"),
        (("SDXL", "RTX 4090", "--steps", "30"), "pictures", "pictures"),
        (("FLUX.1", "H100 SXM", "--quant", "fp8", "--size", "1344x768"), "pictures", "pictures"),
        (("Wan-AI/Wan2.1-T2V-14B", "H200", "--frames", "33", "--no-guidance"), "pictures", "clips"),
        (("openai/whisper-large-v3", "RTX 4090", "--audio", "1h", "--batch", "8", "--beams", "5"), "speech",
         "seconds of sound"),
        (("google-t5/t5-small", "L4", "--prompt", "256", "--output", "64", "--batch", "4"), "sequences", "texts"),
    ],
)  # fmt: skip
def test_the_document_keeps_its_schema_and_adds_up(run: Run, flags: tuple[str, ...], kind: str, unit: str) -> None:
    said = run("estimate", *flags, "--json")
    assert said.code == 0
    found = said.document
    jsonschema.validate(found, schema(JobDocument), jsonschema.Draft202012Validator)
    assert (found["kind"], found["unit"]) == (kind, unit)
    for name in ("job_s", "units_per_s", "tokens_per_s", "real_time_factor"):
        if found[name]:
            assert 0 < found[name]["low"] <= found[name]["value"] <= found[name]["high"], name
            assert found[name]["basis"] and found[name]["tier"] in ("transferred", "datasheet", "assumed")
    assert found["job_s"]["value"] == pytest.approx(sum(stage["total_s"] for stage in found["stages"]))
    assert found["flop"] == pytest.approx(sum(stage["flop"] for stage in found["stages"]))
    done = found["devices"] * found["units"] / found["job_s"]["value"]
    assert found["units_per_s"]["value"] == pytest.approx(done)
    assert 0 < found["mfu"] < 1
    for stage in found["stages"]:
        assert stage["total_s"] == pytest.approx(stage["passes"] * stage["pass_s"])
        operators = sum(max(row["compute_s"], row["memory_s"]) for row in stage["operators"])
        assert stage["pass_s"] == pytest.approx(operators + stage["overhead_s"])
        assert stage["flop"] == pytest.approx(stage["passes"] * sum(row["flop"] for row in stage["operators"]))
    if found["power_w"]:
        joules = found["power_w"]["value"] / found["units_per_s"]["value"]
        assert found["energy_j_per_unit"]["value"] == pytest.approx(joules)


def test_the_real_time_factor_is_compute_over_sound(run: Run) -> None:
    found = run("estimate", "openai/whisper-small", "L4", "--audio", "10min", "--json").document
    assert found["real_time_factor"]["value"] == pytest.approx(found["job_s"]["value"] / 600)


def test_the_screen_shows_what_is_counted_and_what_is_not(run: Run) -> None:
    said = run("estimate", "SDXL", "RTX 4090")
    assert said.code == 0
    for words in ("one picture", "80 % interval", "denoiser", "autoencoder", "50 steps", "guidance", "text encoder",
                  "activations (assumed)", "no such job was measured"):  # fmt: skip
        assert words in " ".join(said.out.split()), words
    assert "not counted" not in said.out
    film = run("estimate", "hunyuanvideo-community/HunyuanVideo", "H200")
    assert "not counted, because the model's file does not describe it: autoencoder" in " ".join(film.out.split())


def test_weights_too_large_exit_with_1(run: Run) -> None:
    said = run("estimate", "FLUX.1", "RTX 4090")
    assert said.code == 1 and "MISSING" in said.out and "does not fit" in said.out
    assert "one part after the other would" in " ".join(said.out.split())  # 22 GiB of denoiser, 9 of T5
    assert "one part" not in run("estimate", "FLUX.1", "RTX 5070").out


def test_pictures_in_a_prompt_cost_tokens_and_a_pass_of_the_tower(run: Run) -> None:
    asked = ("estimate", "Qwen/Qwen2.5-VL-7B-Instruct", "RTX 4090", "--prompt", "200", "--json")
    plain = run(*asked).document
    seen = run(*asked, "--images", "2", "--size", "1024x1024").document
    as_long = run(*asked[:-3], "--prompt", str(200 + 2 * 1369), "--json").document
    assert seen["prompt_tokens"] == plain["prompt_tokens"] + 2 * 1369
    assert seen["ttft_s"]["value"] > as_long["ttft_s"]["value"] > plain["ttft_s"]["value"]
    assert seen["tpot_s"]["value"] == pytest.approx(as_long["tpot_s"]["value"])
    tower = seen["ttft_s"]["value"] - as_long["ttft_s"]["value"]
    assert seen["e2e_s"]["value"] == pytest.approx(as_long["e2e_s"]["value"] + tower)
    assert any("1,369 tokens" in note for note in seen["notes"])


def test_pictures_take_from_everybody_under_load(run: Run) -> None:
    asked = ("estimate", "google/gemma-3-4b-it", "L4", "--concurrency", "8", "--output", "100", "--json")
    seen = run(*asked, "--images", "4", "--prompt", "100").document
    as_long = run(*asked, "--prompt", str(100 + 4 * 256)).document
    assert seen["prompt_tokens"] == as_long["prompt_tokens"]
    assert seen["requests_per_s"]["value"] < as_long["requests_per_s"]["value"]
    flow = seen["requests_per_s"]["value"] * seen["e2e_s"]["value"]
    assert flow == pytest.approx(as_long["requests_per_s"]["value"] * as_long["e2e_s"]["value"])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("Llama-3.1-8B", "L4", "--audio", "60s"), "--audio"),
        (("Llama-3.1-8B", "L4", "--images", "1"), "see pictures"),
        (("FLUX.1", "H100 SXM", "--length", "77"), "--length"),
        (("FLUX.1", "H100 SXM", "--size", "huge"), "no size in pixels"),
        (("FLUX.1", "H100 SXM", "--size", "8x8"), "smaller than one token"),
        (("FLUX.1", "H100 SXM", "--frames", "9"), "not clips"),
        (("FLUX.1", "H100 SXM", "--tp", "2"), "one device"),
        (("BAAI/bge-large-en-v1.5", "Gaudi 2", "--quant", "fp16"), "does not take"),
        (("BAAI/bge-large-en-v1.5", "L4", "--quant", "q4_k_m"), "does not take"),
        (("FLUX.1", "H100 SXM", "--draft", "mtp"), "--draft"),
        (("FLUX.1", "H100 SXM", "--engine", "vllm"), "does no pictures"),
        (("FLUX.1", "Hailo-10H"), "no engine"),
        (("FLUX.1", "EPYC 9654"), "--memory"),
        (("BAAI/bge-large-en-v1.5", "L4", "--length", "8k"), "512"),
        (("openai/whisper-small", "L4", "--audio", "loud"), "--audio"),
    ],
)
def test_bad_requests_are_named(run: Run, flags: tuple[str, ...], words: str) -> None:
    said = run("estimate", *flags)
    assert said.code == 2
    assert words in " ".join((said.out + said.err).split())


@pytest.mark.parametrize("command", ["fit", "explain"])
def test_other_commands_point_here(run: Run, command: str) -> None:
    said = run(command, "FLUX.1", "H100 SXM")
    assert said.code == 2 and "ridgewise estimate" in " ".join((said.out + said.err).split())
