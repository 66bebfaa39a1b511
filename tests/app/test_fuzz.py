"""Whatever is typed, the command answers with 0, 1 or 2 and one document: no exception, no traceback."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ridgewise.app.main import main
from ridgewise.hardware import device, load_devices, sheets

JUNK = [
    "", " ", "0", "1", "-1", "-0", "1.5", "1e12", "1000000000000", "1e308", "1e999", "nan", "inf", "-inf", "NaN",
    "0x10", "1,5", "1_000", "٣", "½", "∞", "💥", "null", "None", "true", "[]", "{}", "'", '"', "\\", "\x00", "\n",
    "../..", "/dev/null", "a" * 3000, "9" * 400, "1s", "500ms", "80GiB", "4k", "2T", "50%", "600W", "30d", "--", "-",
    "=", "a=b", "RTX 4090=1", "Llama-3.1-8B", "RTX 4090", "H100 SXM,RTX 4090", "q4_k_m", "bf16", "vllm", "llama.cpp",
    "infer", "train", "qlora", "speed",
]  # fmt: skip
VALUES = st.sampled_from(JUNK) | st.text(max_size=12)


def mostly(names: list[str]) -> st.SearchStrategy[str]:
    """A real name nine times out of ten, so that most commands get as far as computing."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(names) if n else VALUES)


PLAN_FLAGS = [
    "--goal", "--priority", "--users", "--prompt", "--output", "--context", "--concurrency", "--active", "--think",
    "--slo-ttft", "--slo-tpot", "--tokens", "--length", "--batch", "--rank", "--deadline", "--budget", "--max-power",
    "--tariff", "--price", "--quant", "--engine", "--kv-bits",
]  # fmt: skip
FIT_FLAGS = ["--engine", "--quant", "--context", "--concurrency", "--kv-bits", "--tp", "--memory", "--free"]
EXPLAIN_FLAGS = ["--engine", "--quant", "--prompt", "--output", "--batch", "--tp"]
MODELS = mostly([
    "Llama-3.1-8B", "gpt-oss-20b", "DeepSeek-V3", "state-spaces/mamba-2.8b-hf", "openai/whisper-base",
    "sentence-transformers/all-MiniLM-L6-v2", "openai/clip-vit-base-patch32",
    "moonshotai/Kimi-Linear-48B-A3B-Instruct", "stabilityai/stable-diffusion-2-1",
])  # fmt: skip
REAL_DEVICES = [
    "RTX 4090", "H100 SXM", "Strix Halo", "EPYC 9654", "M3 Ultra", "apple-ane-m4", "groq-lpu-v1", "Quadro RTX 8000",
    "google-tpu-v5e", "intel-gaudi3", "DGX Spark",
]  # fmt: skip
DEVICES = mostly(REAL_DEVICES)
#: Values that make sense, so that junk meets a computation that is otherwise in order.
NUMBERS = ["1", "2", "7.5", "16", "300", "4k", "20M"]
SENSIBLE = {
    "--goal": ["infer", "infer", "qlora", "lora", "finetune"], "--priority": ["speed", "cost", "energy", "balanced"],
    "--active": ["0.1", "50%", "1"], "--think": ["1s", "5 min"], "--slo-ttft": ["100ms", "2s"], "--slo-tpot": ["20ms"],
    "--deadline": ["1h", "30d"], "--budget": ["500", "20k"], "--max-power": ["150W", "2kW"], "--tariff": ["0", "0.4"],
    "--price": ["RTX 4090=1", "H100 SXM=1e9"], "--quant": ["q4_k_m", "bf16", "fp8", "mxfp4"],
    "--engine": ["vllm", "llama.cpp", "mlx", "npu"], "--kv-bits": ["8", "16", "4.5"], "--memory": ["128GiB", "96GiB"],
    "--free": ["1GiB", "20GiB"], "--tp": ["2", "3", "8", "64"],
}  # fmt: skip
QUICK = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)


@pytest.fixture(scope="module", autouse=True)
def small_catalogue() -> Iterator[None]:
    """A few machines of every class to fall back on: ways out are sought in the catalogue each time."""
    few = {found.id: found for found in map(device, REAL_DEVICES)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheets, "load_devices", lambda extra=None: few if extra is None else load_devices(extra))
        yield


def given_flags(names: list[str]) -> st.SearchStrategy[list[str]]:
    pair = st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), mostly(SENSIBLE.get(name, NUMBERS))))
    return st.lists(pair, max_size=4).map(lambda pairs: [word for flag in pairs for word in flag])


def answered(arguments: list[str]) -> int:
    """The exit code, after checking both streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    said, complained = out.getvalue(), err.getvalue()
    assert code in (0, 1, 2), (code, arguments)
    assert "Traceback" not in said + complained
    assert len(complained) < 20_000
    if "--json" in arguments and "--help" not in arguments and "-h" not in arguments:
        document: dict[str, Any] = json.loads(said.rstrip("\n").rpartition("\n")[2], parse_constant=_refuse)
        assert document["schema_version"] == 1
        assert ("error" in document) == (code == 2)
    if code == 2:
        assert complained.startswith("ridgewise: ")
    return code


def _refuse(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


@settings(QUICK, max_examples=150)
@given(MODELS, st.lists(DEVICES, min_size=1, max_size=2), given_flags(PLAN_FLAGS), st.booleans())
@example("Llama-3.1-8B", ["RTX 4090"], ["--users", "1e9"], True)
@example("Llama-3.1-8B", ["H100 SXM"], ["--users", "1e9", "--concurrency", "1e9"], True)
@example("Llama-3.1-8B", ["H100 SXM"], ["--goal", "train", "--tokens", "1e18"], True)
@example("Llama-3.1-8B", ["H100 SXM"], ["--goal", "train", "--tokens", "1", "--batch", "1", "--length", "1e8"], True)
@example("Llama-3.1-8B", ["RTX 4090"], ["--output", "1", "--prompt", "1", "--context", "1e8"], True)
@example("openai/whisper-base", ["RTX 4090"], ["--users", "100"], True)
@example("state-spaces/mamba-2.8b-hf", ["RTX 4090"], ["--goal", "qlora"], True)
def test_any_plan_is_answered(model: str, devices: list[str], flags: list[str], document: bool) -> None:
    hardware = [word for device in devices for word in ("--hardware", device)]
    answered(["plan", model, *hardware, *flags, *(["--json"] if document else [])])


@QUICK
@given(MODELS, DEVICES, given_flags(FIT_FLAGS), st.booleans())
@example("Llama-3.1-8B", "RTX 4090", ["--tp", "1000000000000"], True)
@example("Llama-3.1-8B", "RTX 4090", ["--tp", "3"], True)
@example("Llama-3.1-8B", "RTX 4090", ["--context", "1e9", "--concurrency", "1e9"], True)
@example("Llama-3.1-8B", "RTX 4090", ["--free", "0"], True)
def test_any_fit_is_answered(model: str, device: str, flags: list[str], document: bool) -> None:
    answered(["fit", model, device, *flags, *(["--json"] if document else [])])


@QUICK
@given(MODELS, DEVICES, given_flags(EXPLAIN_FLAGS), st.booleans())
@example("openai/clip-vit-base-patch32", "RTX 4090", [], True)
@example("Llama-3.1-8B", "apple-ane-m4", [], True)
def test_anything_is_explained(model: str, device: str, flags: list[str], document: bool) -> None:
    answered(["explain", model, device, *flags, *(["--json"] if document else [])])


@settings(QUICK, max_examples=60)
@given(
    st.sampled_from(["models", "hardware", "plna", "", "--json", "--version"]),
    st.sampled_from(["list", "show", "add", "remove", ""]),
    st.lists(VALUES, max_size=3),
)
def test_any_catalogue_command_is_answered(group: str, command: str, rest: list[str]) -> None:
    if "/dev/null" not in rest:
        answered([group, command, *rest])


@settings(QUICK, max_examples=60)
@given(st.lists(VALUES | st.sampled_from(["plan", "fit", *PLAN_FLAGS]), max_size=6))
def test_any_words_are_answered(words: list[str]) -> None:
    if words[:1] != ["plan"] or any(not word.startswith("-") for word in words[1:2]):
        answered([*words, "--json"] if words else ["--help"])


def test_an_absurd_service_fits_nowhere_and_says_so() -> None:
    """A billion users: 1.25e8 conversations at once, and no overflow on the way to no."""
    devices = "H100 SXM, google-tpu-v5e, intel-gaudi3, Strix Halo, EPYC 9654"
    assert answered(["plan", "Llama-3.1-8B", "--users", "1e9", "--hardware", devices, "--json"]) == 1
