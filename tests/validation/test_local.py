"""Single-user speed: a row by hand, predictions blind to what was measured, nothing unknown that crashes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.engines import engine
from ridgewise.evidence import KINDS, Row, read_table
from ridgewise.hardware import device
from ridgewise.models.formats import model_bytes, weight_format
from ridgewise.models.precision import precision, sized
from ridgewise.models.read import load
from ridgewise.serving import Setup
from ridgewise.serving.estimate import decode_seconds, prompt_seconds
from ridgewise.serving.local import (
    Run,
    keys,
    pipelined,
    product,
    prompt_steps,
    rates,
    streamed,
)  # fmt: skip
from ridgewise.timing.coefficients import Block, Coefficient
from ridgewise.validation import judge
from ridgewise.validation.domains.local import IDEAL, LOCAL, released, threads, understood
from ridgewise.work import Plan

ROW: Row = {
    "source_key": "s", "device_id": "nvidia-rtx-4090", "compute_unit": "gpu", "n_devices": "1",
    "parallelism": "single", "engine": "llama.cpp", "backend": "cuda", "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "config_file": "meta-llama__Llama-3.1-8B-Instruct.json", "precision": "F16", "metric": "decode_tok_s",
    "value": "50", "unit": "tok/s", "prompt_tokens": "0", "gen_tokens": "128", "context_depth": "0", "batch": "1",
    "flash_attention": "1", "date": "2026-01", "use": "score",
}  # fmt: skip


def predicted(*rows: Row, **coefficients: float) -> np.ndarray:
    """Predictions in tokens/s with given coefficients, the rest ideal."""
    ready = LOCAL.prepare(rows, "local")
    (cases,) = ready.cases
    values = {**IDEAL, **coefficients}
    found: np.ndarray = np.exp(LOCAL.predict(cases, {k: np.full(len(rows), v) for k, v in values.items()}))
    return found


def test_a_decode_row_by_hand() -> None:
    # Llama-3.1-8B in 16 bits without its input table: 8.03e9 − 0.525e9 weights · 2 B = 15.0 GB, and a cache of
    # 131,072 B per token over 65 tokens: 8.5 MB. Over 1008 GB/s: 14.90 ms, so 67.1 tokens/s.
    arch = load("meta-llama/Llama-3.1-8B-Instruct")
    read = (arch.parameters_total - arch.embedding) * 2 + 131_072 * 65
    assert predicted(ROW)[0] == pytest.approx(1008e9 / read, rel=1e-3)
    # Half a millisecond per step on top, and 90 % of the bandwidth.
    assert predicted(ROW, step_overhead=0.5e-3, weight_read=0.9)[0] == pytest.approx(
        1 / ((read - 131_072 * 65) / 0.9 / 1008e9 + 131_072 * 65 / 1008e9 + 0.5e-3), rel=1e-3
    )


def test_a_batch_counts_its_tokens_together() -> None:
    many = {**ROW, "batch": "4"}
    one, four = predicted(ROW, many)
    assert one < four < 4.0001 * one


def test_a_request_is_slower_than_its_decoding() -> None:
    whole = {**ROW, "metric": "output_tok_s", "prompt_tokens": "512"}
    apart, together = predicted(ROW, whole)
    assert together < apart


@pytest.mark.parametrize("changes", [
    {}, {"metric": "prefill_tok_s", "prompt_tokens": "1300"}, {"precision": "Q4_K_M", "n_devices": "4",
    "parallelism": "layer", "metric": "prefill_tok_s", "prompt_tokens": "4096"},
    {"model_id": "Qwen/Qwen3-30B-A3B", "config_file": "", "compute_unit": "hybrid", "precision": "Q4_K_M",
     "device_id": "amd-ryzen-9950x", "secondary_device_id": "nvidia-rtx-4090"},
])  # fmt: skip
def test_a_plan_and_a_measured_row_are_timed_alike(changes: dict[str, str]) -> None:
    row = {**ROW, **changes}
    (cases,) = LOCAL.prepare([row], "local").cases
    priors = {s.name: s.prior for s in LOCAL.specs(cases.block)}
    run, rate = (
        understood(row).run,
        float(np.exp(LOCAL.predict(cases, {k: np.full(1, v) for k, v in priors.items()}))[0]),
    )
    runner = engine(run.engine)
    backend = runner.backend(run.device)
    assert backend is not None
    held = Block(run.block, {name: Coefficient(name, value) for name, value in priors.items()})
    setup = Setup(
        run.arch, run.device, runner, backend, Plan(run.format, pp=float(run.count)), 1e12, blocks={run.block: held},
        host=run.host, experts=run.split == "experts",
    )  # fmt: skip
    assert setup.run.split == run.split
    if row["metric"] == "decode_tok_s":
        assert float(decode_seconds(setup, 64.0)) == pytest.approx(1 / rate)
    else:
        prompt = float(row["prompt_tokens"])
        assert float(prompt_seconds(setup, prompt)) == pytest.approx(prompt / rate)


def test_the_measured_figure_and_the_notes_of_it_do_not_enter() -> None:
    other = {**ROW, "value": "1234", "stdev": "9", "n_runs": "7"}
    assert predicted(ROW)[0] == predicted(other)[0]


ODD = st.sampled_from([
    "", "nvidia-rtx-4090", "no such device", "apple-m2", "rockchip-rk3562", "-1", "~8", "nan", "1e300", "q7_z", "int4",
    "mlx-q6", "cpu", "npu", "hybrid", "tensor", "layer", "2", "0", "x" * 50,
])  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*(k for k in ROW if k not in ("value", "metric")), "secondary_device_id",
                                        "kv_dtype", "ubatch", "notes", "params_b", "weight_gib"]), ODD))  # fmt: skip
def test_nothing_unknown_crashes(changes: dict[str, str]) -> None:
    row = {**ROW, **changes}
    ready = LOCAL.prepare([row], "local")
    assert len(ready.unsupported) + sum(len(c.rows) for c in ready.cases) == 1
    for cases in ready.cases:
        priors = {s.name: np.full(1, s.prior) for s in LOCAL.specs(cases.block)}
        assert np.isfinite(LOCAL.predict(cases, priors)).all()


def test_spellings_of_formats() -> None:
    assert precision("Q4_K_M")[0] == weight_format("q4_k_m")
    assert precision("UD-Q4_K_XL")[0].family == "gguf"
    assert precision("w4a16_g128")[0].default == pytest.approx(4 + 20 / 128)
    assert precision("mlx-q4-g32")[0].default == 5.0  # a scale and a bias of 16 bits per 32
    assert precision("w8a8")[0].compute == "int8"
    assert precision("never heard of")[1]  # guessed, and said


def test_the_files_own_size_overrides_arithmetic() -> None:
    arch = load("meta-llama/Llama-3.1-8B-Instruct")
    fmt = sized(arch, weight_format("q4_k_m"), 5e9)
    assert model_bytes(arch, fmt) == pytest.approx(5e9, rel=1e-9)
    # The size of something else changes nothing.
    assert sized(arch, weight_format("q4_k_m"), 5e12).default == weight_format("q4_k_m").default


def test_kernels_by_device_release_and_tokens() -> None:
    arch, fmt = load("meta-llama/Llama-3.1-8B-Instruct"), weight_format("q4_k_m")
    card = Run(arch, fmt, device("nvidia-rtx-4090"), backend="cuda")
    assert product(card, 512) == "integer"
    early = Run(arch, fmt, device("nvidia-rtx-4090"), backend="cuda", released=202405)
    assert (product(early, 512), product(early, 8)) == ("unpacked", "integer")
    assert product(Run(arch, fmt, device("amd-rx-7900-xtx"), backend="rocm"), 512) == "unpacked"
    assert product(Run(arch, fmt, device("apple-m2"), backend="metal"), 512) == "unpacked"
    # 16-bit products accumulate in 16 bits: twice the listed 165.2 TFLOP/s of a GeForce card.
    half = Run(arch, weight_format("f16"), device("nvidia-rtx-4090"), backend="cuda")
    assert rates(half)[0].peak == pytest.approx(330.4e12, rel=1e-3)
    assert keys(half)["product"] == "llama.cpp|cuda|half"


@pytest.mark.parametrize(
    ("name", "backend", "peak"),
    [
        ("nvidia-rtx-4090", "cuda", 660.6e12),  # 8 · 82.58 TFLOP/s of FP32 issue, as much as the matrix units offer
        ("nvidia-h100-sxm", "cuda", 535.2e12),  # 8 · 66.9: far below 1,979
        ("nvidia-a100-sxm4-80gb", "cuda", 312e12),  # 8 · 2 · 19.5: its schedulers issue twice what its FP32 lanes take
        ("nvidia-t4", "cuda", 129.6e12),  # 8 · 2 · 8.1
        ("nvidia-p40", "cuda", 31.3e12),  # 47 and 8 · 11.76 one after the other: dot products on the vector units
        ("amd-rx-6800-xt", "rocm", 55.3e12),  # 4 · 20.74 and 8 · 20.74 likewise
    ],
)
def test_integer_products_wait_for_the_slower_of_two_units_or_for_one_twice(
    name: str, backend: str, peak: float
) -> None:
    run = Run(load("meta-llama/Llama-3.1-8B-Instruct"), weight_format("q4_k_m"), device(name), backend=backend)
    assert product(run, 512) == "integer"
    assert rates(run)[0].peak == pytest.approx(peak, rel=2e-3)


def test_a_prompt_passes_in_micro_batches() -> None:
    run = Run(load("meta-llama/Llama-3.1-8B-Instruct"), weight_format("q4_k_m"), device("nvidia-rtx-4090"))
    parts = prompt_steps(run, 1300.0, 100.0)
    assert sum(float(p.step.tokens) * float(p.times) for p in parts) == 1300
    pairs = sum(float(p.step.slices[0].pairs()) * float(p.times) for p in parts)
    assert pairs == pytest.approx(1300 * 100 + 1300 * 1301 / 2)  # the mean depth keeps the pairs exact
    assert sum(float(p.times) for p in prompt_steps(run, 128.0, 0.0, 16.0)) == 4  # four short prompts at a time


def test_experts_in_ram_are_fetched_for_long_prompts_only() -> None:
    arch = load("Qwen/Qwen3-30B-A3B")  # 128 experts, 8 active
    run = Run(arch, weight_format("q4_k_m"), device("nvidia-rtx-4090"), split="experts")
    assert not streamed(run, 1) and streamed(run, 32)
    other = Run(arch, weight_format("q4_k_m"), device("nvidia-rtx-4090"), engine="ik_llama.cpp", split="experts")
    assert not streamed(other, 511) and streamed(other, 512)


def test_a_pipeline_gains_at_most_its_devices() -> None:
    # Eight micro-batches through four devices: 8 · 4 / 11 = 2.91 times as fast, with few layers per device.
    assert pipelined(1.0, 8.0, 4.0, 32.0, 1.0) == pytest.approx(11 / 32)
    assert pipelined(1.0, 1.0, 4.0, 32.0, 1.0) == 1.0


def test_conditions_in_words() -> None:
    assert released({"date": "2024-05"}) == 202405
    assert released({"date": "2025-07/08"}) == 202507
    assert released({"date": ""}) is None
    assert threads({"notes": "n_ubatch=128,threads=8,mmap=0"}) == 8
    assert threads({"notes": "KV q8_0; t=16; sweep"}) == 16


def test_shared_measurements_are_predicted_well(shared: Path) -> None:
    file = shared / "truth" / "local" / "dev.csv"
    if not file.is_file():
        pytest.skip("reference material is not beside the checkout")
    table = read_table(file)
    scored = [row for row in table.rows if row.get("use") == "score"][::6]
    ready = LOCAL.prepare(scored, KINDS["local"].name)
    assert len(ready.unsupported) < 0.05 * len(scored)
    errors = {"decode_tok_s": 0.35, "prefill_tok_s": 0.75}  # untouched priors, not a fit
    for cases in ready.cases:
        priors = {s.name: np.full(len(cases.rows), s.prior) for s in LOCAL.specs(cases.block)}
        ratio = judge.measured(cases) - LOCAL.predict(cases, priors)
        roof = judge.measured(cases) - LOCAL.roofline(cases)
        metrics = np.array([judge.metric(row) for row in cases.rows])
        assert np.isfinite(ratio).all()
        for metric, limit in errors.items():
            mine = metrics == metric
            if cases.block == "local-gpu":
                assert float(np.median(np.abs(ratio[mine]))) < limit
                # Next to nothing beats the datasheet by more than unstated boosts and unevenly routed batches explain.
                assert float(np.mean(roof[mine] > 0.25)) < 0.05


def test_a_board_with_less_power_reads_prompts_slower() -> None:
    """RTX 6000 Ada lists a tenth more than RTX 4090 and may draw a third less."""
    run = understood({**ROW, "precision": "Q4_K_M"}).run
    strong, weak = (rates(replace(run, device=device(name)))[0] for name in ("nvidia-rtx-4090", "nvidia-rtx-6000-ada"))
    assert weak.peak > strong.peak
    assert weak.peak * weak.reach < strong.peak * strong.reach
