"""Training speed, peak memory and matrix products from measured rows: read, predicted, never peeked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ridgewise.evidence import Row, read_table
from ridgewise.memory.training import MemoryCoefficients
from ridgewise.training.step import Demand, Layout, Supply, TrainingCoefficients, distinct, step_time
from ridgewise.validation.domain import Cases, Domain, Prepared
from ridgewise.validation.domains.matmul import MATMUL
from ridgewise.validation.domains.training import TRAINING, convention, the_model
from ridgewise.validation.domains.training_memory import TRAINING_MEMORY
from ridgewise.validation.domains.training_memory import read as read_memory

RUN: Row = {
    "metric": "tokens_s_per_gpu", "value": "10000", "unit": "tokens/s/device", "device_id": "nvidia-h100-sxm",
    "n_devices": "8", "framework": "llm-foundry", "family": "llm-dense", "calibration": "absolute", "use": "score",
    "config_file": "meta-llama__Meta-Llama-3.1-8B.json", "model_id": "meta-llama/Meta-Llama-3.1-8B",
    "method": "pretrain", "precision": "bf16", "seq_len": "8192", "micro_batch": "1", "global_batch_seqs": "64",
    "sharding": "zero3/fsdp", "flash_attention": "yes", "date": "2025",
}  # fmt: skip
PEAK: Row = {**RUN, "metric": "peak_mem_gib", "value": "70", "unit": "GiB", "mem_kind": "torch max allocated"}
CLASSIC: Row = {
    **RUN, "family": "vision", "calibration": "relative", "model_id": "microsoft/resnet-50", "config_file": "",
    "metric": "samples_s", "value": "20000", "precision": "fp16", "global_batch_seqs": "2048", "seq_len": "",
}  # fmt: skip
PRODUCT: Row = {"device_id": "nvidia-h100-sxm", "precision": "bf16", "value": "794", "unit": "TFLOP/s/device"}


def predicted(domain: Domain, row: Row) -> float:
    """The prediction of one row with priors alone."""
    (cases,) = domain.prepare([row], domain.kinds[0]).cases
    return float(values(domain, cases)[0])


def values(domain: Domain, cases: Cases) -> np.ndarray:
    coefficients = {spec.name: np.full(len(cases.rows), spec.prior) for spec in domain.specs(cases.block)}
    return np.asarray(np.exp(domain.predict(cases, coefficients)))


# --- the step by hand ---


def test_a_step_of_products_alone_by_hand() -> None:
    """1e9 FLOP per token forward, three passes, 4 × 1,000 tokens: 1.2e13 FLOP at half of 1e14 are 0.24 s; two
    micro-steps 0.48 s."""
    need = Demand(1e9, 0, 0, 0, 1, 0, 1e9, 1, 1, 1, 0, 1, 1, 1e9, 0, 1e9)
    plan = Layout(1, 8, 1, 1, 1, 1, 1, 1, 4, 2, 1000, 0, 3, 0, 1, 0, 1, 0)
    free = TrainingCoefficients(
        compute=0.5, half_width=0, half_rows=0, traffic=0, layer_floor=0, expert_floor=0, micro_floor=0, optimiser=0
    )
    found = step_time(need, plan, Supply(1e14, 1e14, 1e30, 1e30, 1e30), free)
    assert float(found.total) == pytest.approx(0.48, rel=1e-3)  # shares bend a little below their ceiling
    assert float(found.messages) == 0


def test_recomputation_and_frozen_weights_by_hand() -> None:
    need = Demand(1e9, 0, 0, 0, 1, 0, 1e9, 1, 1, 1, 0, 1, 1, 1e9, 0, 1e9)
    free = TrainingCoefficients(
        compute=0.5, half_width=0, half_rows=0, traffic=0, layer_floor=0, expert_floor=0, micro_floor=0, optimiser=0
    )
    rates = Supply(1e14, 1e14, 1e30, 1e30, 1e30)
    seconds = {
        (passes, again): float(
            step_time(need, Layout(1, 8, 1, 1, 1, 1, 1, 1, 4, 2, 1000, 0, passes, again, 1, 0, 1, 0), rates, free).total
        )
        for passes in (2.0, 3.0)
        for again in (0.0, 1.0)
    }
    assert seconds[3.0, 1.0] / seconds[3.0, 0.0] == pytest.approx(4 / 3)
    assert seconds[2.0, 0.0] / seconds[3.0, 0.0] == pytest.approx(2 / 3)


def test_a_token_visits_a_device_once() -> None:
    # Eight draws among eight places: 8 · (1 − (7/8)^8) = 5.25 of them are met.
    assert float(distinct(8.0, 8.0)) == pytest.approx(8 * (1 - (7 / 8) ** 8))
    assert float(distinct(1.0, 8.0)) == 1


def test_conventions_count_the_same_work_differently() -> None:
    # 6·N with N = 1e9/2 matrix parameters; attention 12·L·s·a in full, half of that causally.
    need = Demand(1e9, 0, 0, 1e8, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1e9, 0, 1e9)
    assert convention("model-6N", need) == 3e9
    assert convention("model-causal", need) == 3.3e9
    assert convention("model-full-attention", need) == 3.6e9
    assert convention("hardware-full-attention", need) == pytest.approx(4.8e9)
    assert convention("model-lora-4N", need) == 2e9


# --- rows ---


def test_a_plain_run_is_predicted_within_reason() -> None:
    """8B on an H100 at 30 to 60 % of 989 TFLOP/s: 6 · 8.0e9 FLOP and a tenth of attention per token."""
    rate = predicted(TRAINING, RUN)
    assert 0.3 < rate * 54e9 / 989e12 < 0.6


@pytest.mark.parametrize(
    ("domain", "row"), [(TRAINING, RUN), (TRAINING, CLASSIC), (TRAINING_MEMORY, PEAK), (MATMUL, PRODUCT)]
)
def test_predictions_do_not_depend_on_what_was_measured(domain: Domain, row: Row) -> None:
    other = {**row, "value": "1", "value_as_printed": "1", "value_gib_low": "1", "value_gib_high": "1"}
    assert predicted(domain, other) == predicted(domain, row) == predicted(domain, {**row, "value": ""})


def test_units_of_one_run_agree() -> None:
    per_gpu = predicted(TRAINING, RUN)
    step = predicted(TRAINING, {**RUN, "metric": "iter_time_s"})
    samples = predicted(TRAINING, {**RUN, "metric": "samples_s"})
    assert per_gpu == pytest.approx(64 * 8192 / 8 / step)
    assert samples == pytest.approx(64 / step)
    mfu = predicted(TRAINING, {**RUN, "metric": "mfu", "flops_convention_id": "model-6N"})
    flops = predicted(TRAINING, {**RUN, "metric": "tflops_per_gpu", "flops_convention_id": "model-6N"})
    assert mfu == pytest.approx(100 * flops / 989.4, rel=1e-6)


def test_a_source_moves_no_prediction() -> None:
    assert predicted(TRAINING, {**RUN, "source_key": "somebody"}) == predicted(TRAINING, RUN)


@pytest.mark.parametrize(
    "change",
    [
        {"framework": "never heard of"}, {"precision": "int3-new+bf16"}, {"sharding": "as they liked"}, {"date": ""},
        {"config_file": "", "model_id": "", "params_b": "8"}, {"micro_batch": "", "global_batch_seqs": ""},
        {"seq_len": ""}, {"tp": "0"}, {"n_devices": ""}, {"recompute": "some layers"}, {"tp": "64", "pp": "64"},
        {"n_devices": "4096", "global_batch_seqs": "1"}, {"flops_convention_id": "their own", "metric": "mfu"},
        {"config_file": "", "layers": "4", "hidden": "512", "n_experts": "8", "experts_per_tok": "2", "vocab": "1000"},
        {"method": "qlora", "precision": "nf4+bf16"}, {"device_id": "", "device_label": "A100 SXM4 80GB"},
    ],
)  # fmt: skip
def test_the_unknown_is_filled_and_finite(change: dict[str, str]) -> None:
    assert 0 < predicted(TRAINING, {**RUN, **change}) < np.inf
    if "metric" not in change:
        assert 0 < predicted(TRAINING_MEMORY, {**PEAK, **change}) < np.inf


@pytest.mark.parametrize(
    "change",
    [
        {"device_id": "no such card"}, {"device_id": "", "device_label": ""}, {"metric": "minutes_to_train"},
        {"config_file": "", "model_id": "nobody/knows-it"}, {"seq_len": "a few"}, {"layers": "1e300", "hidden": "9",
         "config_file": "", "model_id": "nobody/knows-it"},
    ],
)  # fmt: skip
def test_what_cannot_be_predicted_says_why(change: dict[str, str]) -> None:
    ready = TRAINING.prepare([{**RUN, **change}, RUN], "training")
    assert list(ready.unsupported) == [0] and ready.unsupported[0]
    assert len(ready.cases[0].rows) == 1


def test_a_printed_shape_is_the_model() -> None:
    """MPT-7B: 32 layers of 4,096, four times that inside, not gated, tied: 6.65e9 parameters."""
    row = {
        "layers": "32", "hidden": "4096", "heads": "32", "ffn": "16384", "vocab": "50432", "params_b": "6.65",
        "model_id": "mosaicml/mpt-7b-of-somebody",
    }  # fmt: skip
    arch, assumed = the_model(row, None)
    assert not assumed
    assert arch.parameters_total == pytest.approx(6.65e9, rel=0.005)


# --- memory ---


def test_a_single_device_holds_its_states_by_hand() -> None:
    """Full fine-tuning in 16 bits keeps 8 bytes per parameter: 8.03e9 · 8 = 64.2 GB = 59.8 GiB before activations."""
    row = {**PEAK, "n_devices": "1", "method": "full_ft", "framework": "torchtune", "sharding": "none"}
    need = read_memory(row, None).need
    held = float(need.trained) * float(need.weight + need.gradient + need.optimiser)
    assert held / 2**30 == pytest.approx(59.8, rel=0.01)


def test_meters_see_more_from_allocated_to_the_whole_device() -> None:
    row = {**PEAK, "n_devices": "1", "method": "lora", "framework": "hf-trainer", "sharding": "none"}
    seen = [
        predicted(TRAINING_MEMORY, {**row, "mem_kind": kind})
        for kind in ("torch max allocated", "torch max active", "torch max reserved", "nvidia-smi-like")
    ]
    assert seen == sorted(seen) and len(set(seen)) == 4


def test_shards_and_recomputation_need_less() -> None:
    one, many = (predicted(TRAINING_MEMORY, {**PEAK, "n_devices": n}) for n in ("8", "64"))
    kept, dropped = (predicted(TRAINING_MEMORY, {**PEAK, "recompute": again}) for again in ("none", "full"))
    assert many < one and dropped < kept
    assert MemoryCoefficients().kept == 34


# --- the tables of measurements ---


@pytest.mark.parametrize(
    ("domain", "file"), [(TRAINING, "dev.csv"), (TRAINING_MEMORY, "dev_memory.csv"), (MATMUL, "dev_matmul.csv")]
)
def test_almost_every_scored_row_is_predicted(shared: Path, domain: Domain, file: str) -> None:
    table = read_table(shared / "truth" / "training" / file)
    scored = [row for row in table.rows if row.get("use", "score") == "score"]
    ready: Prepared = domain.prepare(scored, table.kind.name)
    assert len(ready.unsupported) <= 0.05 * len(scored)
    for cases in ready.cases:
        found = values(domain, cases)
        assert np.isfinite(found).all() and (found > 0).all()
        assert np.isfinite(domain.roofline(cases)).all()
        assert {"device", "stack", "cell"} <= set(cases.keys)
        for spec in domain.specs(cases.block):
            assert set(spec.levels) <= set(cases.keys)
