"""Serving rows: what is read from a row, the load formulas by hand, and that the measured value is never read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ridgewise.evidence import read_table
from ridgewise.hardware import device
from ridgewise.models.formats import weight_format
from ridgewise.models.read import load
from ridgewise.serving import loads
from ridgewise.serving.keys import service_keys
from ridgewise.serving.limits import cache_bits, capacity, limits, memory_policy
from ridgewise.validation.domain import Cases
from ridgewise.validation.domains.serving import SERVING, read
from ridgewise.work import Plan

BASE = {
    "row_id": "1", "source_key": "somebody", "date": "2026-01", "device_id": "nvidia-h100-sxm", "n_devices": "4",
    "tp": "4", "engine": "vllm", "model_id": "meta-llama/Llama-3.1-70B-Instruct",
    "config_file": "meta-llama__Llama-3.1-70B-Instruct.json", "weight_dtype": "bf16", "load": "closed_loop",
    "concurrency": "16", "input_tokens": "1024", "output_tokens": "1024", "lengths": "fixed", "metric": "tpot_ms",
    "stat": "mean", "value": "20", "unit": "ms", "use": "score",
}  # fmt: skip


def row(**changes: str) -> dict[str, str]:
    return {**BASE, **changes}


def predicted(*rows: dict[str, str]) -> np.ndarray:
    """Values predicted with coefficients before any evidence, in the order of the rows."""
    ready = SERVING.prepare(rows, "serving")
    assert not ready.unsupported, ready.unsupported
    cases: Cases = ready.cases[0]
    specs = SERVING.specs(cases.block)
    return np.asarray(np.exp(SERVING.predict(cases, {s.name: np.full(len(rows), s.prior) for s in specs})))


def test_one_client_by_hand() -> None:
    """One client: nothing interferes; 0.1 s to the first token, then 0.02 s each, 51 tokens."""
    steps = loads.Steps(decode=0.02, alone=0.06, added=0.05, packed=0.05, first=0.07)
    found = loads.closed_loop(steps, loads.Manners(request=0.04), 1.0, 1.0, 100.0, 51.0)
    assert found.ttft == pytest.approx(0.1)
    assert found.tpot == pytest.approx(0.02)
    assert found.e2e == pytest.approx(1.1)
    assert found.output == pytest.approx(51 / 1.1)
    assert found.total == pytest.approx(151 / 1.1)


def test_others_prompts_ride_in_the_steps() -> None:
    """11 clients, 100 tokens of 0.02 s: ten prompts of 0.05 s ride along, so with an instant first token
    TPOT = (100·0.02 + 10·0.05)/100 = 0.025 s."""
    steps = loads.Steps(decode=0.02, alone=0.0, added=0.05, packed=0.0, first=0.0)
    manners = loads.Manners(request=0.0, together=0.0, queue=0.0, steps=0.0)
    found = loads.closed_loop(steps, manners, 11.0, 11.0, 100.0, 100.0)
    assert found.tpot == pytest.approx(0.025)
    assert found.output == pytest.approx(11 / 0.025, rel=0.02)


def test_clients_beyond_the_memory_wait_their_turn() -> None:
    """Twice as many clients as places: the wait is one whole run (Little's law), the throughput stays."""
    steps, manners = loads.Steps(0.02, 0.05, 0.04, 0.05, 0.06), loads.Manners()
    full = loads.closed_loop(steps, manners, 8.0, 8.0, 100.0, 100.0)
    over = loads.closed_loop(steps, manners, 16.0, 8.0, 100.0, 100.0)
    assert over.ttft - full.ttft == pytest.approx(full.e2e)
    assert over.output == pytest.approx(full.output)


def test_a_static_batch_by_hand() -> None:
    steps = loads.Steps(decode=0.02, alone=0.05, added=0.04, packed=0.04, first=0.06)
    found = loads.static_batch(steps, loads.Manners(request=0.0), 8.0, 8.0, 100.0, 101.0)
    assert found.ttft == pytest.approx(0.32)
    assert found.e2e == pytest.approx(2.32)


def test_offline_by_hand() -> None:
    """Ten sequences of 100 tokens at 0.02 s with ten prompts of 0.05 s: 1000 tokens in 2.5 s."""
    steps = loads.Steps(decode=0.02, alone=0.05, added=0.05, packed=0.05, first=0.07)
    found = loads.offline(steps, loads.Manners(), 1e9, 10.0, 100.0, 100.0)
    assert found.output == pytest.approx(400.0)


def test_a_burst_waits_for_places() -> None:
    steps, manners = loads.Steps(0.02, 0.05, 0.04, 0.04, 0.06), loads.Manners()
    few, many = (loads.burst(steps, manners, n, 16.0, 100.0, 100.0) for n in (16.0, 160.0))
    assert many.ttft > 4 * few.ttft
    assert many.output == pytest.approx(few.output, rel=0.5)


def test_an_open_loop_serves_what_comes() -> None:
    steps, manners = loads.Steps(0.02, 0.05, 0.04, 0.04, 0.06), loads.Manners()
    idle = loads.open_loop(steps, manners, 1.0, 3.0, 64.0, 100.0, 100.0, 500.0)
    swamped = loads.open_loop(steps, manners, 1e3, 64.0, 64.0, 100.0, 100.0, 500.0)
    assert idle.output == pytest.approx(100.0)
    assert swamped.output < 1e5
    assert swamped.ttft > 5 * idle.ttft


def test_a_row_is_read_into_a_layout() -> None:
    found = read(row(n_devices="8", tp="4", concurrency="32"))
    assert (float(found.plan.tp), found.replicas, found.inflight) == (4.0, 2.0, 16.0)
    spread = read(row(n_devices="8", tp="1", dp="8", ep="8", attn_dp="yes"))
    assert (float(spread.plan.tp), float(spread.plan.attn_dp), spread.replicas) == (8.0, 8.0, 1.0)
    left = read(row(load="offline", n_devices="8", tp="", weight_dtype="fp8"))
    assert (float(left.plan.tp), left.replicas) == (2.0, 4.0)
    held_back = read(row(load="burst", num_requests="1000", concurrency="10"))
    assert held_back.load == "closed_loop"


def test_a_step_of_so_many_tokens_keeps_so_many_running() -> None:
    """8,192 tokens a step, prompts of 2,000 and answers of 100: every running sequence takes one token and the
    hundredth of a prompt, 21 tokens, so 390 run."""
    assert loads.fed(2000.0, 100.0, 8192.0) == pytest.approx(390.1, abs=0.1)
    crowd = read(row(load="burst", num_requests="1000", concurrency="1000", input_tokens="2000", output_tokens="100",
                     weight_dtype="fp8"))  # fmt: skip
    assert crowd.running == pytest.approx(390.1, abs=0.1)
    talkers = read(row(concurrency="64"))
    assert talkers.running == 64


def test_attention_groups_hold_sequences_of_their_own() -> None:
    """What every sequence costs its scheduler is shared out among attention groups."""
    fmt = weight_format("bf16")
    assert float(Plan(fmt, tp=8.0).each(400.0)) == 400
    assert float(Plan(fmt, tp=8.0, attn_dp=8.0).each(400.0)) == 50
    assert float(Plan(fmt, tp=8.0, attn_dp=8.0).each(4.0)) == 1


def test_latencies_in_the_right_order() -> None:
    ttft, tpot, e2e, output, total = predicted(
        row(metric="ttft_ms"), row(), row(metric="e2e_ms"), row(metric="output_tok_s"), row(metric="total_tok_s")
    )
    assert e2e == pytest.approx(ttft + 1023 * tpot)
    assert output == pytest.approx(16 * 1024 / e2e * 1e3)
    assert total == pytest.approx(2 * output)
    roof = 2 * 70e9 / 4 / 3.35e12 * 1e3
    assert roof < tpot < 4 * roof


def test_far_tails_lie_beyond_the_mean() -> None:
    mean, tail = predicted(row(metric="ttft_ms"), row(metric="ttft_ms", stat="p99"))
    assert tail > mean


@pytest.mark.parametrize("load", ["closed_loop", "static_batch", "burst", "offline", "open_loop"])
def test_the_measured_value_is_not_read(load: str) -> None:
    metrics = ("output_tok_s",) if load == "offline" else ("ttft_ms", "tpot_ms", "e2e_ms", "output_tok_s")
    once = [row(load=load, metric=m, batch="16", num_requests="64", request_rate="2") for m in metrics]
    again = [{**r, "value": "123456", "quality": "Z", "regime": "x", "notes": "fast"} for r in once]
    assert predicted(*once) == pytest.approx(predicted(*again), rel=0)


def test_a_promised_rate_is_not_its_own_prediction() -> None:
    """Where the rate is the result (the highest that kept the limits), it does not enter."""
    base = row(load="open_loop", metric="output_tok_s", slo_ttft_ms="2000", slo_tpot_ms="200", tp="")
    assert predicted({**base, "request_rate": "10"}) == pytest.approx(predicted({**base, "request_rate": "90"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "an engine nobody knows"},
        {"weight_dtype": "bfp8/bfp4 mix (not stated)"},
        {"tp": "", "n_devices": "", "concurrency": "", "input_tokens": "", "output_tokens": "", "date": ""},
        {"config_file": "nobody__nothing.json", "model_id": "nobody/nothing", "params_b": "9"},
        {"concurrency": "nan", "tp": "-1", "max_num_seqs": "x"},
    ],
)
def test_what_is_unknown_is_guessed(changes: dict[str, str]) -> None:
    assert np.isfinite(predicted(row(**changes))).all()


def test_a_label_that_fits_several_devices_is_a_guess() -> None:
    found = read(row(device_id="", device_label="Nvidia A100 GPU"))
    assert found.device.id.startswith("nvidia-a100")
    assert found.assumed


def test_what_cannot_be_predicted_says_why() -> None:
    rows = [row(device_id="no-such-device"), row(load="siege"), row(metric="smiles"),
            row(config_file="", model_id="nobody/nothing")]  # fmt: skip
    ready = SERVING.prepare(rows, "serving")
    assert sorted(ready.unsupported) == [0, 1, 2, 3]
    assert all(ready.unsupported.values())


def test_keys_name_the_stack() -> None:
    arch, fmt = load("deepseek-ai/DeepSeek-R1"), weight_format("fp8")
    found = service_keys("sglang", device("amd-mi300x"), arch, fmt, Plan(fmt, 8.0), 2025)
    assert found["stack"] == "sglang|rocm"
    assert found["class"] == "moe-mla"
    assert found["cell"].startswith("amd-mi300x|sglang|rocm|")


def test_memory_holds_the_batch() -> None:
    """H100, Llama-3.1-8B in 16 bits, 8,192 tokens of 131,072 bytes each: about 49 sequences beside 16 GB."""
    arch, fmt, card = load("meta-llama/Llama-3.1-8B-Instruct"), weight_format("bf16"), device("nvidia-h100-sxm")
    plan = Plan(fmt, kv_bits=cache_bits("vllm", card, fmt, arch))
    held = capacity(arch, plan, 8192.0, memory_policy("vllm"), 80 * 2.0**30, True)
    assert float(held) == pytest.approx((0.9 * 80 * 2**30 - 16.06e9 - 5.77e9) / (8192 * 131072), rel=0.05)
    assert limits("vllm", card).sequences == 1024
    assert limits("vllm", device("nvidia-a100-sxm4-80gb")).sequences == 256


def test_what_is_said_to_run_has_room_for_a_cache() -> None:
    """Weights of 141 GB cannot lie on 80 GB: the row is wrong about the format, yet something ran."""
    arch, fmt = load("meta-llama/Llama-3.1-70B-Instruct"), weight_format("bf16")
    held = capacity(arch, Plan(fmt), 1000.0, memory_policy("vllm"), 80 * 2.0**30, True)
    assert float(held) == pytest.approx(0.03 * 80 * 2**30 / (1000 * 327_680), rel=0.05)


def test_the_roofline_knows_the_datasheet_alone() -> None:
    """A prompt of 8,192 tokens at the peak of the sheet: products, half the square of scores, and what passes through
    memory between them, about a twentieth."""
    small = {"model_id": "meta-llama/Llama-3.1-8B-Instruct", "config_file": "meta-llama__Llama-3.1-8B-Instruct.json"}
    alone = row(metric="ttft_ms", load="static_batch", batch="1", concurrency="", n_devices="1", tp="1",
                input_tokens="8192", output_tokens="2", **small)  # fmt: skip
    cases = SERVING.prepare([alone], "serving").cases[0]
    least = (2 * 6.98e9 * 8192 + 2 * 32 * 32 * 256 * 8192 * 8193 / 2) / 989e12 * 1e3
    assert least < float(np.exp(SERVING.roofline(cases))[0]) < 1.06 * least


def test_nearly_every_scored_row_is_predicted(shared: Path) -> None:
    rows = [r for r in read_table(shared / "truth/serving/dev.csv").rows if r["use"] == "score"][::7]
    ready = SERVING.prepare(rows, "serving")
    assert len(ready.unsupported) <= 0.05 * len(rows)
    cases = ready.cases[0]
    priors = {spec.name: np.full(len(cases.rows), spec.prior) for spec in SERVING.specs(cases.block)}
    found = SERVING.predict(cases, priors)
    assert np.isfinite(found).all()
    assert np.isfinite(SERVING.roofline(cases)).all()
    off = np.abs(found - np.log([float(r["value"]) for r in cases.rows]))
    assert np.median(off) < 0.5
