"""``ridgewise train`` as people run it: answers with bound, risk and error; mistakes named; settings that agree."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from ridgewise.app.main import main

Said = tuple[int, str, str]


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def call(*words: str) -> Said:
        code = main(["train", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def answer(said: Said) -> dict[str, Any]:
    found = json.loads(said[1].rstrip("\n").rpartition("\n")[2])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "64", "--tokens", "2T"),
        ("Llama-3.1-70B", "--hardware", "H100 SXM", "--count", "512", "--tokens", "2T", "--seq", "8192"),
        ("deepseek-ai/DeepSeek-V3", "--hardware", "H800 SXM", "--count", "2048", "--tokens", "14.8T", "--global-batch",
         "62914560", "--precision", "fp8"),
        ("Llama-3.1-70B", "--hardware", "RTX A6000", "--goal", "qlora", "--samples", "5000"),
        ("Llama-3.1-8B", "--hardware", "RTX 5090 laptop", "--goal", "lora", "--samples", "1000"),
        ("Llama-3.1-8B", "--hardware", "apple-m4-max-40c", "--goal", "lora", "--samples", "1000"),
    ],
)  # fmt: skip
def test_runs_people_plan_name_their_bound_their_risk_and_their_error(
    train: Callable[..., Said], words: tuple[str, ...]
) -> None:
    said = train(*words, "--json")
    found = answer(said)
    assert said[0] == 0 and found["feasible"]
    assert found["bound"] and found["accuracy"] and found["risks"]
    assert found["run_s"]["low"] < found["run_s"]["value"] < found["run_s"]["high"]
    first = found["layouts"][0]
    assert first["fits"] and first["memory_bytes"] <= found["usable_memory_bytes"]
    assert sum(first["memory_parts_bytes"].values()) == pytest.approx(first["memory_bytes"])
    assert sum(first["step_parts_s"].values()) == pytest.approx(first["step_s"])
    degrees = first["tp"] * first["pp"] * first["cp"] * first["dp"]
    assert degrees == found["devices"]
    code, out, _ = train(*words)
    assert code == 0 and "Bound, risk, error" in out


def test_resnet_on_four_consumer_cards(train: Callable[..., Said]) -> None:
    said = train("resnet-50", "--hardware", "RTX 4090", "--count", "4", "--epochs", "90", "--json")
    found = answer(said)
    assert said[0] == 0
    assert found["bound"] and found["accuracy"] and found["risks"] and found["evidence"]
    # 440 pictures a second and core: about 12 cores, of which a desk's processor has 16; eight cards take more.
    (loading,) = [risk for risk in found["risks"] if risk.startswith("pictures")]
    assert f"{found['samples_per_s']['value'] / 440:.0f} cores" in loading and "16 cores" not in loading
    twice = answer(train("resnet-50", "--hardware", "RTX 4090", "--count", "8", "--json"))
    assert any("16 cores" in risk and "times as long" in risk for risk in twice["risks"])
    # Public tables print about 1,300 to 1,500 images/s for one RTX 4090 in 16 bits.
    assert 3000 < found["samples_per_s"]["value"] < 8000
    assert found["run_s"]["value"] == pytest.approx(90 * 1_281_167 / found["samples_per_s"]["value"])


def test_pretraining_on_a_processor_is_told_in_years(train: Callable[..., Said]) -> None:
    """2T tokens of 70.6B parameters are 8.7e23 FLOP; at the full 7.4 TFLOP/s of the cores 3,700 years."""
    said = train("Llama-3.1-70B", "--hardware", "EPYC 9654", "--tokens", "2T", "--json")
    found = answer(said)
    assert said[0] == 1 and not found["feasible"]
    assert "years" in found["impossible"]
    assert found["floor_s"] == pytest.approx(8.7e23 / 7.373e12, rel=0.03)


def test_too_little_memory_is_told_with_how_much(train: Callable[..., Said]) -> None:
    said = train("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "1", "--tokens", "1B", "--json")
    found = answer(said)
    assert said[0] == 1 and "cannot hold it" in found["impossible"] and "2 devices hold it" in found["impossible"]
    assert found["memory_least_bytes"] > found["usable_memory_bytes"]


@pytest.mark.parametrize(
    ("words", "place", "hint"),
    [
        (("--tokens", "0"), "--tokens", ""),
        (("--goal", "train"), "--tokens", "2T"),
        (("--tokens", "1T", "--optimizer", "adamx"), "--optimizer", "adamw"),
        (("--tokens", "1T", "--precision", "fp9"), "--precision", "fp8"),
        (("--tokens", "1T", "--count", "64", "--tp", "3"), "--tp", "--tp 2"),
        (("--tokens", "1T", "--count", "64", "--pp", "33"), "--pp", "--pp 32"),
        (("--tokens", "1T", "--count", "64", "--pp", "4", "--vpp", "3"), "--vpp", "--vpp 1"),
        (("--tokens", "1T", "--count", "64", "--ep", "2"), "--ep", "--ep 1"),
        (("--tokens", "1T", "--count", "24", "--dp", "24"), "--batch", "--batch"),
        (("--tokens", "1T", "--count", "10", "--tp", "4"), "--count", "--count 8"),
        (("--tokens", "1T", "--count", "64", "--pp", "2", "--zero", "3"), "--zero", "--zero 1"),
        (("--tokens", "1T", "--batch", "100"), "--batch", "--batch 4096"),
        (("--goal", "pretrian", "--tokens", "1T"), "--goal", "train"),
        (("--goal", "lora", "--tokens", "1M", "--method", "full"), "--method", "dpo"),
        (("--goal", "finetune", "--rank", "8"), "--rank", "lora"),
        (("--goal", "grpo", "--batch", "10"), "--batch", "--batch 8"),
        (("--tokens", "1T", "--samples", "10"), "--samples", "20M"),
        (("--tokens", "1T", "--length", "1M"), "--length", ""),
        (("--tokens", "1T", "--recompute", "some"), "--recompute", ""),
        (("--tokens", "1T", "--schedule", "zero-buble"), "--schedule", "zero-bubble"),
        (("--tokens", "1T", "--schedule", "zero-bubble", "--vpp", "2"), "--vpp", "--vpp 1"),
        (("--tokens", "1T", "--schedule", "dualpipe", "--pp", "1"), "--schedule", "--pp"),
        (("--tokens", "1T", "--offload", "everything"), "--offload", "optimizer"),
        (("--tokens", "1T", "--imbalance", "1.3"), "--imbalance", "mixture"),
        (("--tokens", "1T", "--count", "64", "--pp", "4", "--schedule", "zero-bubble", "--export", "megatron"),
         "--schedule", "1f1b"),
        (("--goal", "finetune", "--count", "8", "--tp", "1", "--offload", "activations", "--export", "llamafactory"),
         "--offload", "optimizer"),
        (("--goal", "lora", "--export", "trl"), "--export", "axolotl"),
        (("--tokens", "1T", "--count", "64", "--pp", "4", "--export", "deepspeed"), "--export", "--pp 1"),
        (("--tokens", "1T", "--count", "64", "--cp", "2", "--length", "8192", "--pp", "1", "--export", "deepspeed"),
         "--export", "--cp 1"),
        (("--tokens", "1T", "--count", "64", "--pp", "1", "--precision", "fp8", "--export", "deepspeed"),
         "--precision", "bf16"),
        (("--tokens", "1T", "--count", "64", "--optimizer", "adafactor", "--export", "megatron"),
         "--optimizer", "muon"),
        (("--goal", "lora", "--export", "megatron"), "--export", "axolotl"),
    ],
)  # fmt: skip
def test_mistakes_are_named(train: Callable[..., Said], words: tuple[str, ...], place: str, hint: str) -> None:
    code, out, err = train("Llama-3.1-8B", "--hardware", "H100 SXM", *words)
    assert code == 2 and not out
    assert place in err.splitlines()[0] and hint in err and "Traceback" not in err


def test_a_precision_the_device_lacks_is_refused(train: Callable[..., Said]) -> None:
    code, _, err = train("Llama-3.1-8B", "--hardware", "A100 SXM4 80GB", "--tokens", "1T", "--precision", "fp8")
    assert code == 2 and "--precision" in err and "bf16" in err


def test_flags_of_language_models_mean_nothing_to_pictures(train: Callable[..., Said]) -> None:
    code, _, err = train("resnet-50", "--hardware", "RTX 4090", "--tokens", "1T")
    assert code == 2 and "--tokens" in err


def test_a_deadline_is_kept_or_told_how_far_off(train: Callable[..., Said]) -> None:
    words = ("Llama-3.1-8B", "--hardware", "H100 SXM", "--tokens", "15T", "--deadline", "30d", "--json")
    kept, late = answer(train(*words)), train(*words, "--count", "64")
    assert kept["feasible"] and kept["run_s"]["value"] <= 30 * 86400
    assert late[0] == 1 and "deadline" in answer(late)["impossible"]


def test_post_training_costs_both_phases(train: Callable[..., Said]) -> None:
    words = ("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "8", "--samples", "1000", "--json")
    grpo, lora = (answer(train(*words, "--goal", goal)) for goal in ("grpo", "lora"))
    assert lora["generation"] is None and grpo["generation"]["answers"] == 64
    writing, training = grpo["generation"]["seconds_s"]["value"], grpo["layouts"][0]["step_s"]
    assert grpo["step_s"]["value"] == pytest.approx(writing + training)
    assert grpo["tokens"] == 1000 * 8 * (512 + 1024)


def test_knobs_and_the_largest_model_on_one_box(train: Callable[..., Said]) -> None:
    found = answer(train("Llama-3.1-8B", "--hardware", "RTX 4090", "--goal", "lora", "--samples", "1000", "--json"))
    assert {"full", "lora", "qlora"} == set(found["largest"])
    knobs = {knob["change"]: knob for knob in found["knobs"]}
    assert knobs["--goal qlora"]["memory_delta_bytes"] < 0
    assert knobs["--rank 64"]["memory_delta_bytes"] > 0
    assert found["epoch_s"]["value"] == pytest.approx(found["run_s"]["value"])


# --- settings of programs ---

RUN = ("Llama-3.1-70B", "--hardware", "H100 SXM", "--count", "512", "--tokens", "1T", "--seq", "8192")
ADAPT = ("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "8", "--goal", "qlora", "--samples", "10000")


def test_torchtitan_reads_the_same_numbers(train: Callable[..., Said]) -> None:
    one = answer(train(*RUN, "--json"))["layouts"][0]
    made = tomllib.loads(train(*RUN, "--export", "torchtitan")[1])
    degrees = made["parallelism"]
    assert degrees["tensor_parallel_degree"] == one["tp"] and degrees["pipeline_parallel_degree"] == one["pp"]
    assert degrees["data_parallel_replicate_degree"] * degrees["data_parallel_shard_degree"] == one["dp"]
    assert made["training"]["global_batch_size"] == 512 and made["training"]["seq_len"] == 8192


def test_megatron_reads_the_same_numbers(train: Callable[..., Said]) -> None:
    one = answer(train(*RUN, "--json"))["layouts"][0]
    words = train(*RUN, "--export", "megatron")[1].replace("\\", " ").split()
    said = {word: words[place + 1] for place, word in enumerate(words[:-1]) if word.startswith("--")}
    assert int(said["--tensor-model-parallel-size"]) == one["tp"]
    assert int(said["--pipeline-model-parallel-size"]) == one["pp"]
    assert int(said["--context-parallel-size"]) == one["cp"]
    assert int(said["--micro-batch-size"]) == one["micro_batch_sequences"]
    assert int(said["--global-batch-size"]) == 512
    assert said["--optimizer"] == "adam"
    assert int(said["--nnodes"]) * int(said["--nproc-per-node"]) == 512


def test_schedules_and_offloads_are_said_to_the_programs_that_have_them(train: Callable[..., Said]) -> None:
    words = ("Llama-3.1-70B", "--hardware", "H100 SXM", "--count", "64", "--tokens", "1T", "--pp", "8")
    made = tomllib.loads(train(*words, "--schedule", "zero-bubble", "--export", "torchtitan")[1])
    assert made["parallelism"]["pipeline_parallel_schedule"] == "ZBVZeroBubble"
    narrow = train(*words[:-2], "--precision", "fp8", "--export", "torchtitan")[1]
    assert tomllib.loads(narrow)["model"]["converters"] == ["float8"]
    assert "--optimizer-cpu-offload" in train(*words, "--offload", "optimizer", "--export", "megatron")[1]
    tuned = ("Llama-3.1-8B", "--hardware", "RTX 4090", "--count", "1", "--goal", "finetune", "--recompute", "full")
    made = json.loads(train(*tuned, "--offload", "both", "--export", "deepspeed")[1])
    assert made["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert made["activation_checkpointing"]["cpu_checkpointing"] is True


def test_one_memory_has_nowhere_to_offload_to(train: Callable[..., Said]) -> None:
    code, _, err = train("Llama-3.1-8B", "--hardware", "M4 Max 40-core", "--goal", "lora", "--offload", "activations")
    assert code == 2 and err.startswith("ridgewise: --offload") and "none" in err
    words = ("Llama-3.1-8B", "--hardware", "RTX 5090 laptop", "--goal", "lora", "--samples", "1000", "--json")
    knobs = {knob["change"]: knob for knob in answer(train(*words))["knobs"]}
    assert knobs["--offload activations"]["memory_delta_bytes"] < 0


def test_full_tuning_of_8b_fits_a_24_gib_card_with_its_states_in_ram(train: Callable[..., Said]) -> None:
    words = ("Llama-3.1-8B", "--hardware", "RTX 4090", "--count", "1", "--goal", "finetune", "--samples", "1000")
    alone, away = train(*words, "--json"), answer(train(*words, "--offload", "both", "--json"))
    assert alone[0] == 1 and away["feasible"]
    # 12 bytes of FP32 master and moments per parameter and most of the 2 of gradients: 105 GiB at least.
    assert away["layouts"][0]["host_memory_bytes"] > 13 * 8.03e9
    assert any("RAM of each host" in note for note in away["notes"])


def test_deepspeed_reads_the_same_numbers(train: Callable[..., Said]) -> None:
    one = answer(train(*ADAPT, "--json"))["layouts"][0]
    made = json.loads(train(*ADAPT, "--export", "deepspeed")[1])
    assert made["train_micro_batch_size_per_gpu"] == one["micro_batch_sequences"]
    assert made["train_batch_size"] == one["micro_batch_sequences"] * one["micro_steps"] * one["dp"]
    assert made["zero_optimization"]["stage"] == one["zero_stage"]


@pytest.mark.parametrize(
    ("program", "micro", "steps"),
    [("axolotl", "micro_batch_size", "max_steps"), ("llamafactory", "per_device_train_batch_size", "max_steps")],
)
def test_fine_tuning_programs_read_the_same_numbers(
    train: Callable[..., Said], program: str, micro: str, steps: str
) -> None:
    found = answer(train(*ADAPT, "--json"))
    lines = dict(line.split(": ", 1) for line in train(*ADAPT, "--export", program)[1].splitlines() if ": " in line)
    assert int(lines[micro]) == found["layouts"][0]["micro_batch_sequences"]
    assert int(lines["gradient_accumulation_steps"]) == found["layouts"][0]["micro_steps"]
    assert int(lines[steps]) == round(found["tokens"] / (found["batch_sequences"] * found["length_tokens"]))


# --- edges ---


def test_a_precision_nobody_gave_a_peak_is_refused(train: Callable[..., Said]) -> None:
    code, _, err = train("Llama-3.1-8B", "--hardware", "Gaudi 2", "--tokens", "1B", "--precision", "tf32")
    assert code == 2 and "--precision" in err and "bf16" in err


def test_a_short_model_is_trained_at_its_own_length(train: Callable[..., Said]) -> None:
    found = answer(train("gpt2", "--hardware", "RTX 4090", "--count", "1", "--tokens", "1B", "--json"))
    assert found["feasible"] and found["length_tokens"] == 1024


def test_answers_that_cannot_be_written_make_the_run_impossible(train: Callable[..., Said]) -> None:
    words = ("--count", "1", "--goal", "grpo", "--method", "qlora", "--samples", "100", "--json")
    said = train("Llama-3.1-8B", "--hardware", "RTX 4060 Ti 16GB", *words)
    assert said[0] == 1 and "writing answers" in answer(said)["impossible"]


def test_models_that_answer_no_tokens_are_sent_to_those_that_were_measured(train: Callable[..., Said]) -> None:
    code, _, err = train("stabilityai/stable-diffusion-xl-base-1.0", "--hardware", "H100 SXM", "--tokens", "1B")
    assert code == 2 and "resnet-50" in err


def test_chunks_alone_leave_the_stages_to_the_search(train: Callable[..., Said]) -> None:
    words = ("Llama-3.1-70B", "--hardware", "H100 SXM", "--count", "128", "--tokens", "1B", "--vpp", "2", "--json")
    first = answer(train(*words))["layouts"][0]
    assert first["vpp"] == 2 and first["pp"] > 1
    alone = train("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "1", "--tokens", "1B", "--vpp", "2", "--json")
    assert alone[0] == 1 and "no layout" in answer(alone)["impossible"]


def test_the_same_question_in_python(train: Callable[..., Said]) -> None:
    import ridgewise
    from ridgewise.errors import RequestError

    words = ("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "64", "--tokens", "2T", "--batch", "4M", "--json")
    found = ridgewise.train("Llama-3.1-8B", "H100 SXM", count=64, tokens=2e12, batch="4M")
    assert found.duration.value == pytest.approx(answer(train(*words))["run_s"]["value"])
    with pytest.raises(RequestError, match="tokens"):
        ridgewise.train("Llama-3.1-8B", "H100 SXM", tokns=1)


def test_the_document_keeps_to_its_schema(train: Callable[..., Said]) -> None:
    schema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    from ridgewise.facts.catalog import catalog_path

    wanted = json.loads(catalog_path("schemas", "training.schema.json").read_text("utf-8"))
    for words in (
        ("Llama-3.1-8B", "--hardware", "H100 SXM", "--count", "8", "--goal", "grpo"),
        ("Llama-3.1-70B", "--hardware", "EPYC 9654", "--tokens", "2T"),
        ("resnet-50", "--hardware", "RTX 4090", "--count", "4"),
    ):
        schema.validate(answer(train(*words, "--json")), wanted)
