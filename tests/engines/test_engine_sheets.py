"""Engine sheets: what they name exists, what they say of themselves is what the engine's own code says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ridgewise.advise.deploy import deploy
from ridgewise.engines import Engine, kin, load_engines
from ridgewise.engines import engine as find
from ridgewise.engines.engine import _engine
from ridgewise.errors import RequestError
from ridgewise.facts import load_sources
from ridgewise.hardware import device, load_devices
from ridgewise.memory import inference
from ridgewise.memory.engines import POLICIES, policy
from ridgewise.models.formats import load_formats, weight_format
from ridgewise.models.read import load
from ridgewise.serving import Setup
from ridgewise.serving.limits import cache_bits, limits, memory_policy
from ridgewise.serving.outcome import Load, outcome
from ridgewise.timing.coefficients import load_blocks
from ridgewise.work import Plan

ENGINES = load_engines()
JOBS = {"embeddings", "pictures", "speech", "sequences"}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_everything_a_sheet_names_exists(engine: Engine) -> None:
    formats, sources = load_formats(), load_sources()
    assert engine.memory in POLICIES and all(name in POLICIES for _, name in engine.memory_before)
    assert {f.family for f in formats.values()} >= set(engine.families)
    assert set(engine.jobs) <= JOBS
    assert engine.sources and all(key in sources for key in engine.sources)
    for backend in engine.backends:
        assert all(formats[name].family in engine.families for name in backend.formats), backend.id
        known = {d.architecture for d in load_devices().values()}
        assert {*backend.architectures, *backend.excluded} <= known | {"Maxwell"}, backend.id
        assert any(backend.runs_on(d) for d in load_devices().values()), f"{backend.id} drives nothing"


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_measurements_it_points_to_exist(engine: Engine) -> None:
    """Another name than its own, or another engine's measurements, only where there are some."""
    stacks = {stack.partition("|")[0] for block in load_blocks().values() for stack in block.seen.get("stack", ())}
    for backend in engine.backends:
        called = engine.called(backend)
        assert called == engine.id or called in stacks, (engine.id, backend.id, called)


@pytest.mark.parametrize(
    ("engine", "card", "year", "sequences", "tokens"),
    [
        ("vllm", "nvidia-h100-sxm", None, 1024, 8192),
        ("vllm", "nvidia-h100-sxm", 2024, 256, 2048),
        ("vllm", "nvidia-a100-sxm4-80gb", None, 256, 2048),
        ("vllm", "nvidia-l4", None, 256, 2048),
        ("vllm-tpu", "google-tpu-v6e", None, 256, 2048),
        ("sglang", "nvidia-h100-sxm", None, 4096, 8192),
        ("sglang", "nvidia-l4", None, 4096, 4096),
        ("tensorrt-llm", "nvidia-l4", None, 2048, 8192),
        ("lmdeploy", "nvidia-h200-sxm", None, 1024, 8192),
        ("lmdeploy", "nvidia-a100-pcie-40gb", None, 384, 8192),
        ("lmdeploy", "nvidia-gh200-96gb", None, 1024, 8192),
        ("lmdeploy", "nvidia-rtx-4090", None, 128, 8192),
        ("tgi", "nvidia-h100-sxm", None, 128, 4096),
        ("nobody-s-engine", "nvidia-h100-sxm", None, 256, 8192),
    ],
)
def test_limits_an_engine_sets_itself(
    engine: str, card: str, year: int | None, sequences: float, tokens: float
) -> None:
    found = limits(engine, device(card), year)
    assert (found.sequences, found.tokens) == (sequences, tokens)


def test_memory_rules_by_release_and_kin() -> None:
    assert memory_policy("vllm").id == "vllm"
    assert memory_policy("vllm", 2024).id == "vllm-unified"
    assert memory_policy("vllm", None, "Ampere").id == "vllm-ampere"
    assert memory_policy("vllm-tpu", 2026).id == "vllm"
    assert memory_policy("nobody-s-engine").id == "textbook"
    tpu = kin("vllm-tpu")
    assert tpu is not None and tpu.id == "vllm" and kin("nobody") is None


def test_an_engine_may_cache_fewer_bits_by_itself() -> None:
    card, moe, fp8 = device("nvidia-h100-sxm"), load("Qwen/Qwen3-30B-A3B"), weight_format("fp8")
    assert cache_bits("tensorrt-llm", card, fp8, moe) == 8.0
    assert cache_bits("vllm", card, fp8, moe) == 16.0


@pytest.mark.parametrize(
    ("name", "share", "step"),
    [("lmdeploy", 0.8, 64), ("tgi", 0.9, 1)],
)
def test_engines_that_take_a_share_of_what_is_free(name: str, share: float, step: int) -> None:
    """What the rule leaves for the cache is that share of what weights, context and buffers leave."""
    arch, plan, offered = load("Llama-3.1-8B"), Plan(weight_format("bf16")), 80 * 2.0**30
    foot = inference(arch, plan, 1.0, 1000.0, policy(name), offered)
    free = offered - sum(float(n) for part, n in foot.parts.items() if "cache" not in part)
    cache = sum(float(n) for part, n in foot.parts.items() if "cache" in part)
    assert float(foot.left) + cache == pytest.approx(share * free, rel=1e-6)
    held = -(-1000 // step) * step
    assert cache == pytest.approx(held * 32 * 2 * 8 * 128 * 2)


@pytest.mark.parametrize(("name", "page"), [("exllama", 256), ("mlc", 16), ("openvino", 32)])
def test_engines_with_pages_round_the_cache_up(name: str, page: int) -> None:
    arch, plan = load("google/gemma-3-4b-it"), Plan(weight_format("bf16"))
    rules = policy(name)
    for group in arch.kinds:
        assert float(rules.held(group.mixer, 5000.0, 0.0)) == -(-5000 // page) * page
    assert float(rules.buffers(arch, plan, 24 * 2.0**30)) > 0


def test_engines_nobody_named_are_not_taken() -> None:
    """Only these are taken unasked; every other one wants to be named."""
    usual = {key for key, engine in ENGINES.items() if engine.usual}
    assert usual == {"llama.cpp", "mlx", "npu", "sglang", "tensorrt-llm", "transformers", "vllm"}
    cpu = device("amd-epyc-9654")
    assert ENGINES["vllm"].backend(cpu) is None
    asked = ENGINES["vllm"].backend(cpu, asked=True)
    assert asked is not None and asked.unit == "cpu" and not ENGINES["vllm"].serves(asked)
    assert ENGINES["lmdeploy"].backend(device("nvidia-h100-sxm")) is None


def test_an_engine_that_was_not_measured_says_so_and_doubts_more() -> None:
    arch, card, fmt = load("Llama-3.1-8B"), device("nvidia-h100-sxm"), weight_format("bf16")

    def of(name: str) -> Setup:
        engine = ENGINES[name]
        backend = engine.backend(card, asked=True)
        assert backend is not None
        return Setup(arch, card, engine, backend, Plan(fmt), 80 * 2.0**30)

    known, unknown = of("vllm"), of("lmdeploy")
    assert unknown.support == "none" and unknown.tier == "datasheet"
    assert known.tier in ("measured", "interpolated")
    here, there = known.band("tpot_ms"), unknown.band("tpot_ms")
    assert there.high / there.low > here.high / here.low
    assert unknown.block.name == "serving"


def test_measurements_of_another_name_are_found() -> None:
    """vLLM on TPUs, Qualcomm's NPUs and MLX are measured under other names than the catalogue's."""
    arch, fmt = load("Llama-3.1-8B"), weight_format("bf16")
    for name, card, called in (
        ("vllm", "google-tpu-v6e", "vllm-tpu|tpu"),
        ("npu", "qualcomm-x-elite-hexagon", "qnn-genie|qnn-htp"),
        ("npu", "rockchip-rk3588", "rkllm|rknpu"),
        ("mlx", "apple-m2-ultra", "mlx-lm|metal"),
        ("exllamav3", "nvidia-rtx-3090", "exllamav2|cuda"),
        ("neuron", "aws-inferentia2", "neuron-transformers|neuron"),
    ):
        engine, machine = ENGINES[name], device(card)
        backend = engine.backend(machine, asked=True)
        assert backend is not None
        setup = Setup(arch, machine, engine, backend, Plan(fmt), 16 * 2.0**30)
        assert setup.keys()["stack"] == called
        assert setup.support != "none", name


def test_measurements_of_another_engine_are_transferred_at_best() -> None:
    arch, fmt, card = load("Llama-2-7b"), weight_format("exl3-4bit"), device("nvidia-rtx-4090")
    supports = {}
    for name in ("exllamav2", "exllamav3"):
        engine = ENGINES[name]
        backend = engine.backend(card, asked=True)
        assert backend is not None
        supports[name] = Setup(arch, card, engine, backend, Plan(fmt), 24 * 2.0**30)
    assert supports["exllamav2"].support in ("cell", "device")
    assert supports["exllamav3"].support == "stack" and supports["exllamav3"].tier == "transferred"
    assert supports["exllamav2"].coefficients() == supports["exllamav3"].coefficients()


def test_a_back_end_can_be_named() -> None:
    """What drives the same silicon is worth a factor: the measurements of each back end are its own."""
    halo = device("amd-ryzen-ai-max-395")
    usual = find("llama.cpp").backend(halo)
    assert usual is not None and usual.id == "vulkan"
    stacks = set()
    for name in ("llama.cpp", "Ollama/rocm", "llama.cpp/rocm-hipblaslt"):
        engine = find(name)
        backend = engine.backend(halo, asked=True)
        assert backend is not None
        setup = Setup(load("Llama-2-7b"), halo, engine, backend, Plan(weight_format("q4_k_m")), 90 * 2.0**30)
        stacks.add(setup.keys()["stack"])
        assert setup.support in ("cell", "device")
    assert stacks == {"llama.cpp|vulkan", "llama.cpp|rocm", "llama.cpp|rocm-hipblaslt"}
    with pytest.raises(RequestError, match="no back end") as caught:
        find("llama.cpp/cudnn")
    assert "llama.cpp/cuda" in caught.value.nearest


def test_a_sheet_with_a_wrong_word_is_refused() -> None:
    sheet = {
        "id": "x", "name": "X", "families": ["hf"], "memory": "vllm", "split": "tensor", "service": True,
        "max_sequences": 1,
    }  # fmt: skip
    made = _engine("x", {**sheet, "limits": [{"sequences": 4, "tokens": 8, "memory": "2 GiB"}]}, "x.toml")
    assert made.limits[0].memory == 2 * 2.0**30
    assert not made.limits[0].applies(replace(device("nvidia-l4"), figures={}), None)
    for wrong in ({"limit": []}, {"limits": [{"sequences": 1, "tokens": 1, "colour": 2}]}, {"id": "y"}):
        with pytest.raises(RequestError):
            _engine("x", {**sheet, **wrong}, "x.toml")


NAMED = [f"{engine.id}/{name}" for engine in ENGINES.values() for name in dict.fromkeys(b.id for b in engine.backends)]


@pytest.mark.parametrize("name", NAMED)
def test_every_back_end_answers(name: str) -> None:
    """A model of 1 B in the usual format on the largest device of each back end has room and takes time."""
    engine = find(name)
    able = [d for d in load_devices().values() if d.bandwidth and engine.backend(d, asked=True)]
    driven = max(able, key=lambda d: d.memory or 0.0)
    memory = None if driven.memory else 64 * 2.0**30
    setup = deploy(load("meta-llama/Llama-3.2-1B-Instruct"), driven, engine, None, 16.0, 1, memory, None)
    assert setup.backend.id == name.partition("/")[2]
    found = outcome(setup, Load(512.0, 128.0, 4.0 if setup.many else 1.0))
    assert 0 < found.tpot.low <= found.tpot.value <= found.tpot.high < 10
    assert 0 < found.ttft.low <= found.ttft.value <= found.ttft.high < 600
    assert setup.tier in ("measured", "interpolated", "transferred", "datasheet", "assumed")
    assert float(found.room) >= 1
