"""Layouts side by side: what cannot be is left out, the best is the best, and laws hold whatever the numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.advise.failures import BETWEEN, RESTART, STORAGE, goodput
from ridgewise.hardware import Machine, device
from ridgewise.memory.training import OPTIMISERS, Method, Recompute
from ridgewise.models.read import load
from ridgewise.training.estimate import CHUNKED, memory_of, time_of
from ridgewise.training.layouts import NEAR, OFFLOADS, RECOMPUTED, SCHEDULES, Space
from ridgewise.training.planning import BOUNDS, Job, Layouts, best, evaluate, grid_of, job, plan_at, search

LLAMA, MIXTURE = load("Llama-3.1-8B"), load("Qwen/Qwen3-30B-A3B")
H100 = device("H100 SXM")
USABLE = Machine(H100).usable or 0.0


def run(name: str = "Llama-3.1-8B", sequences: float = 64.0, length: float = 4096.0, method: Method = "full",
        **settings: object) -> Job:  # fmt: skip
    return job(load(name), H100, method, length, sequences, USABLE, **settings)  # type: ignore[arg-type]


def everything(work: Job, count: int, space: Space | None = None) -> Layouts:
    return evaluate(work, count, grid_of(work, count, space))


# --- what is possible ---


@pytest.mark.parametrize(("name", "count"), [("Llama-3.1-8B", 64), ("Qwen/Qwen3-30B-A3B", 32), ("Llama-3.1-70B", 512)])
def test_every_layout_can_be(name: str, count: int) -> None:
    work = run(name, 512.0)
    grid, arch = grid_of(work, count), work.arch
    heads = max(group.mixer.heads for group in arch.kinds)
    experts = max(group.feed.experts for group in arch.kinds)
    assert len(grid["tp"]) > 50
    assert np.all(grid["tp"] * grid["pp"] * grid["cp"] * grid["shards"] == count)
    assert np.all(heads % grid["tp"] == 0)
    assert np.all(grid["pp"] <= arch.layers)
    pieces = grid["pp"] * grid["chunks"]  # embedding and head may stand for a layer each
    assert np.all((grid["chunks"] == 1) | (arch.layers % pieces == 0) | ((arch.layers + 2) % pieces == 0))
    assert np.all(grid["shards"] * grid["micro"] <= 512)
    assert np.all((grid["stage"] < 3) | (grid["pp"] == 1))
    assert np.all(grid["ep"] == 1) if not experts else np.all(experts % grid["ep"] == 0)


def test_parts_of_a_step_add_up() -> None:
    for name, count in (("Llama-3.1-8B", 16), ("Qwen/Qwen3-30B-A3B", 32)):
        found = everything(run(name), count)
        parts = sum(np.asarray(part) for part in found.step.parts.values())
        assert parts == pytest.approx(found.seconds, rel=1e-9)
        assert set(found.step.parts) == set(BOUNDS)


def test_columns_say_what_rows_say() -> None:
    found = everything(run("Qwen/Qwen3-30B-A3B"), 16)
    for row in range(0, len(found), max(len(found) // 40, 1)):
        one = {name: column[row : row + 1] for name, column in found.grid.items()}
        alone = evaluate(found.work, 16, one)
        assert float(alone.seconds[0]) == pytest.approx(float(found.seconds[row]), rel=1e-12)
        assert float(alone.total[0]) == pytest.approx(float(found.total[row]), rel=1e-12)


# --- the search against brute force ---


def brute(work: Job, count: int, degrees: tuple[int, ...], micros: tuple[int, ...]) -> list[tuple[float, float]]:
    """Seconds and bytes of every layout, one at a time, by three nested loops and the formulas for single numbers."""
    found = []
    for tp, pp, cp, micro, stage, again in product(degrees, degrees, degrees, micros, (1, 3), (0.0, 0.1, 1.0)):
        if count % (tp * pp * cp) or (stage == 3 and pp > 1) or cp > max(work.length / 4096, 1):
            continue
        dp = count // (tp * pp * cp)
        if dp * micro > work.sequences or (dp * cp == 1 and stage == 3):
            continue
        if work.arch.layers % pp or 32 % tp:
            continue
        grid = {"stage": float(stage), "repeated": again, "tp": float(tp), "pp": float(pp), "shards": float(dp),
                "micro": float(micro), "chunks": 1.0, "cp": float(cp), "ep": 1.0, "fullest": 1.0}  # fmt: skip
        if pp > 1:
            arch = work.arch
            each = (arch.parameters_total - arch.embedding - arch.head) / arch.layers
            first = arch.layers / pp * each + arch.embedding
            grid["fullest"] = max(first * pp / arch.parameters_total, 1.0)
        steps = -(-work.sequences // (dp * micro))
        step = time_of(work.need, work.arch.layers, work.rates, work.domain, work.known.coefficients, work.method,
                       work.length, steps * dp * micro, grid)  # fmt: skip
        held = memory_of(work.size, work.length, work.held, grid)
        found.append((float(step.total), float(sum(held.values()))))
    return found


@pytest.mark.parametrize(("count", "sequences", "length"), [(8, 32.0, 4096.0), (16, 64.0, 8192.0), (12, 48.0, 2048.0)])
def test_no_layout_is_better_than_the_one_found(count: int, sequences: float, length: float) -> None:
    work = run(sequences=sequences, length=length)
    space = Space((1, 2, 4), (1, 2, 4), (1,), None, (1,), None, (1, 2, 4), (1, 3))
    known = [row for row in brute(work, count, (1, 2, 4), (1, 2, 4)) if row[1] <= work.usable]
    fastest = min(seconds for seconds, _ in known)
    found = everything(work, count, space)
    assert float(found.seconds[found.fits].min()) == pytest.approx(fastest, rel=1e-9)
    assert best(found)[0].seconds <= NEAR * fastest * (1 + 1e-9)
    assert int(found.fits.sum()) == len(known)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from((1, 2, 4, 8, 16)), st.sampled_from((8.0, 48.0, 512.0)), st.sampled_from((2048.0, 16384.0)),
    st.sampled_from(("full", "lora", "qlora")),
)  # fmt: skip
def test_the_plan_chosen_is_as_good_as_fastest_or_tightest(
    count: int, sequences: float, length: float, method: Method
) -> None:
    found = everything(run(sequences=sequences, length=length, method=method), count)
    if not len(found):
        return
    chosen = best(found)[0]
    if found.fits.any():
        assert chosen.fits and chosen.seconds <= NEAR * float(found.seconds[found.fits].min()) * (1 + 1e-9)
    else:
        assert chosen.memory_total == pytest.approx(float(found.total.min()))


# --- laws ---


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(("Llama-3.1-8B", "Qwen/Qwen3-30B-A3B", "Llama-3.1-70B")), st.sampled_from((8, 16, 32, 64)),
    st.sampled_from(("full", "lora", "qlora")), st.sampled_from((2048.0, 8192.0)),
)  # fmt: skip
def test_more_devices_never_raise_the_least_memory_of_one(name: str, count: int, method: Method, length: float) -> None:
    work = run(name, 4096.0, length, method)
    few, many = everything(work, count), everything(work, 2 * count)
    assert float(many.total.min()) <= float(few.total.min()) * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(("Llama-3.1-8B", "Qwen/Qwen3-30B-A3B")), st.sampled_from((4, 16)), st.sampled_from((1, 4)))
def test_recomputation_never_raises_memory_and_never_saves_time(name: str, count: int, micro: int) -> None:
    order: tuple[Recompute, ...] = ("none", "selective", "full")
    work, kept = run(name), []
    for again in order:
        found = everything(work, count, Space(micro=(micro,), recompute=(again,)))
        kept.append(found)
    for less, more in pairwise(kept):
        assert np.all(more.total <= less.total * (1 + 1e-9))
        assert np.all(more.seconds >= less.seconds * (1 - 1e-9))


def test_more_replicas_share_more() -> None:
    """Doubling the replicas of one layout halves what ZeRO shares out and leaves the rest."""
    work = run(sequences=256.0)
    held = []
    for count in (8, 16, 32):
        one = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (3,), ("none",))
        held.append(plan_at(everything(work, count, one), 0).memory)
    for few, many in pairwise(held):
        for part in ("weights", "gradients", "optimiser"):
            assert many[part] == pytest.approx(few[part] / 2)
        assert many["activations"] == pytest.approx(few["activations"])


def test_optimisers_keep_what_their_papers_say() -> None:
    """8.03B parameters alone on one device: 96.4 GB of FP32 master and moments, 16.3 GB in 8 bits with their scales,
    32.1 GB for Adafactor, 64.2 GB for SGD with momentum; Muon trains embedding and head (1.05B) with AdamW."""
    wanted = {"adamw": 12.0, "adamw-bf16": 4.0, "adamw-8bit": 2.03125, "adamw-8bit-paged": 0.0, "adafactor": 4.0,
              "sgd": 8.0, "muon": 8.0 + 4.0 * 1050673152 / 8030261248}  # fmt: skip
    alone = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (1,), ("full",))
    for name, each in wanted.items():
        held = plan_at(everything(run(optimiser=name), 1, alone), 0).memory["optimiser"]
        assert held == pytest.approx(each * LLAMA.parameters_total * run().held.state, rel=1e-6), name
    assert set(wanted) | {"adamw-fp32", "adamw-8bit-fused"} == set(OPTIMISERS)


def test_a_paged_optimiser_crosses_the_host_link_twice() -> None:
    one = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (1,), ("full",))
    paged, kept = (plan_at(everything(run(optimiser=n), 1, one), 0) for n in ("adamw-8bit-paged", "adamw-8bit"))
    link = H100.number("host_bandwidth")
    assert link is not None
    assert kept.parts["host"] == 0
    assert paged.parts["host"] == pytest.approx(2 * 2.03125 * LLAMA.parameters_total / link, rel=1e-6)
    assert paged.hosted == pytest.approx(2.03125 * LLAMA.parameters_total)


# --- schedules, offload, routing ---


def test_weight_gradients_fill_two_thirds_of_the_gaps() -> None:
    """(p − 1)·(F + B − 2W) of (p − 1)·(F + B), where F, the inputs' and the weights' gradients take as long each."""
    one = Space((4,), (8,), (1,), (1,), (1,), None, (1,), (1,), ("none",), ("1f1b", "zero-bubble"))
    found = everything(run("Llama-3.1-70B", 512.0, 8192.0), 512, one)
    plain, filled = (plan_at(found, row) for row in np.argsort(found.grid["schedule"]))
    assert (plain.schedule, filled.schedule) == ("1f1b", "zero-bubble")
    assert filled.parts["bubble"] == pytest.approx(plain.parts["bubble"] / 3)
    assert filled.memory == plain.memory


def test_schedules_gain_what_was_measured() -> None:
    """Llama-2-7B in 8 stages on 8 MI300X (AMD Primus, pipeline blog): 10,057 tokens/s per GPU one forward and one
    backward in turn, 10,974 with two chunks, 11,411 and 11,347 without bubbles; the number of micro-batches, which is
    not printed, is that of the first two."""
    turn, chunked, filled = 10057.0, 10974.0, (11411.0, 11347.0)
    gained = chunked / turn
    waiting = (gained - 1.0) / (1.0 - gained / 2.0)  # (1 + b)/(1 + b/2)
    expected = (1.0 + waiting) / (1.0 + SCHEDULES["zero-bubble"].waits * waiting)
    assert all(abs(speed / turn / expected - 1.0) < 0.02 for speed in filled)


def test_a_pipeline_from_both_ends_hides_expert_messages_and_holds_its_weights_twice() -> None:
    one = Space((1,), (8,), (1,), (1,), (32,), None, (1,), (1,), ("full",), ("1f1b", "dualpipe"))
    found = everything(run("deepseek-ai/DeepSeek-V3", 8192.0), 1024, one)
    plain, both = (plan_at(found, row) for row in np.argsort(found.grid["schedule"]))
    assert plain.parts["experts"] > 0 and both.parts["experts"] == 0
    assert both.memory["weights"] == pytest.approx(2 * plain.memory["weights"])
    assert both.memory["activations"] > plain.memory["activations"]
    assert both.seconds < plain.seconds


@pytest.mark.parametrize("method", ["full", "lora"])
def test_offload_never_raises_memory_and_never_saves_time(method: Method) -> None:
    work = run(sequences=64.0, method=method)
    plain, *away = (everything(work, 8, Space(offload=(name,))) for name in OFFLOADS)
    for found in away:
        assert np.all(found.total <= plain.total * (1 + 1e-9))
        assert np.all(found.seconds >= plain.seconds * (1 - 1e-9))
    assert np.all(away[2].total <= away[0].total) and np.all(away[2].total <= away[1].total)


def test_states_in_the_host_by_hand() -> None:
    """One device: 2 bytes of gradient per parameter down in each of 8 micro-steps, behind the computation; 2 of weight
    back; the update at the pace of the processor's memory, a share of an EPYC 9654 whose 8 boards wait together."""
    one = Space((1,), (1,), (1,), (1,), (1,), None, (8,), (1,), ("full",))
    work = run(sequences=64.0)
    plain, away = (plan_at(everything(work, 1, replace(one, offload=(n,))), 0) for n in ("none", "optimizer"))
    link, memory = work.host_link, device("EPYC 9654").bandwidth
    assert memory is not None and H100.bandwidth is not None
    assert away.parts["host"] == pytest.approx(2.0 * LLAMA.parameters_total / link)
    assert away.parts["update"] == pytest.approx(plain.parts["update"] * H100.bandwidth / memory)
    assert away.memory["optimiser"] == 0 and away.memory["gradients"] < 0.05 * plain.memory["gradients"]
    assert away.hosted == pytest.approx(
        plain.memory["optimiser"] + plain.memory["gradients"] - away.memory["gradients"], rel=1e-9
    )


def test_a_fuller_expert_group_holds_everybody_up() -> None:
    even, hot = (everything(run("Qwen/Qwen3-30B-A3B", hot=hot), 16) for hot in (1.0, 1.25))
    assert np.all(hot.seconds > even.seconds) and np.all(hot.total > even.total)
    assert np.all(hot.seconds < 1.25 * even.seconds)
    assert np.asarray(hot.step.experts) == pytest.approx(1.25 * np.asarray(even.step.experts))


def test_a_loss_in_chunks_keeps_an_eighth_of_the_logits() -> None:
    one = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (1,), ("full",))
    whole, chunks = (plan_at(everything(run(chunked=c), 1, one), 0).memory["logits"] for c in (False, True))
    assert chunks == pytest.approx(CHUNKED * whole)


def test_a_reference_model_costs_a_forward_pass_and_its_weights() -> None:
    """DPO: 4 passes instead of 3 over the products; the reference's 16-bit weights are shared like the model's own."""
    one = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (3,), ("none",))
    plain = plan_at(everything(run(), 8, one), 0)
    dpo = plan_at(everything(run(extra=1.0, reference=2.0 * LLAMA.parameters_total), 8, one), 0)
    assert dpo.parts["products"] == pytest.approx(plain.parts["products"] * 4 / 3)
    assert dpo.memory["reference weights"] == pytest.approx(2.0 * LLAMA.parameters_total / 8)


def test_fp8_is_faster_and_not_twice() -> None:
    """Attention, the head and what moves bytes stay: public runs gain 1.15 to 1.5 times."""
    work = run("Llama-3.1-70B", 512.0, 8192.0)
    (wide,), (narrow,) = (
        search(work, 512),
        search(job(work.arch, H100, "full", 8192.0, 512.0, USABLE, precision="fp8"), 512),
    )
    assert 1.1 < wide.seconds / narrow.seconds < 1.8


def test_mfu_by_hand() -> None:
    """tokens/s · model FLOPs per token over all peaks; HFU adds the forward pass that full recomputation repeats."""
    found = plan_at(everything(run(), 8, Space(recompute=("full",))), 0)
    flops = found.work.flops * found.tokens_per_second / (8 * found.work.peak)
    assert found.mfu == pytest.approx(flops)
    assert found.hfu == pytest.approx(found.mfu * 4 / 3)
    assert found.full_mfu > found.mfu
    assert RECOMPUTED["full"] == 1.0


# --- failures ---


def test_goodput_by_hand() -> None:
    """16,384 H100 fail every 3.1 hours (419 in 54 days). A checkpoint of 14 bytes per parameter at 1 GB/s and node."""
    (plan,) = search(run("Llama-3.1-70B", 4096.0, 8192.0), 16384) or (None,)
    assert plan is not None
    found = goodput(plan)
    assert found.between == pytest.approx(54 * 24 / 419, rel=1e-9)
    assert pytest.approx(50677, rel=1e-4) == BETWEEN
    written = 14 * load("Llama-3.1-70B").parameters_total
    assert found.checkpoint == pytest.approx(written)
    assert found.write == pytest.approx(written / (2048 * STORAGE) / 3600)
    best_gap = (2 * found.write * found.between) ** 0.5
    assert found.interval == pytest.approx(best_gap)
    lost = best_gap / 2 + RESTART + found.write * found.between / best_gap
    assert found.useful == pytest.approx(1 - lost / found.between)


def test_fewer_devices_fail_less() -> None:
    useful = [goodput(search(run(sequences=1024.0), count)[0]).useful for count in (8, 64, 512)]
    assert useful == sorted(useful, reverse=True) and useful[0] < 1


def test_what_the_least_memory_is() -> None:
    tight = replace(run(), usable=1e9)
    (plan,) = search(tight, 8)
    assert not plan.fits and plan.memory_total == pytest.approx(plan.least)


def test_packed_weights_are_never_smaller_than_their_bits() -> None:
    """70B in NF4 with tables in 16 bits are 36.8 GiB, however little a fit found."""
    alone = Space((1,), (1,), (1,), (1,), (1,), None, (1,), (1,), ("full",))
    for program in ("torchtune", "hf-trainer"):
        held = plan_at(everything(run("Llama-3.1-70B", method="qlora", program=program), 1, alone), 0).memory
        assert held["weights"] > 36.7 * 2**30 and held["overhead"] > 0


def test_a_pipeline_whose_ends_count_as_layers() -> None:
    """126 layers and two ends make 16 stages of 8 chunks of one layer each, as Llama 3 405B was trained."""
    work = run("Llama-3.1-405B", 2048.0, 8192.0)
    grid = grid_of(work, 16384)
    assert np.any((grid["pp"] == 16) & (grid["chunks"] == 8))


def test_stages_of_two_layers_and_a_half_are_left_out() -> None:
    """80 layers make 16 even stages and no 32: every stage would wait for those with three layers."""
    work = run("Llama-3.1-70B", 512.0, 8192.0)
    stages = set(grid_of(work, 512)["pp"].tolist())
    assert 16 in stages and 32 not in stages
    assert set(grid_of(work, 512, Space(pp=(32,)))["pp"].tolist()) == {32}


def test_a_step_fused_into_the_backward_pass_keeps_no_gradient_and_accumulates_none() -> None:
    """Full fine-tuning of 8B on 24 GiB: torchtune's recipe for one device prints 18.9 GiB on an RTX 4090."""
    card = device("RTX 4090")
    usable = Machine(card).usable
    assert usable is not None
    many, one = (
        job(LLAMA, card, "full", 2048.0, n, usable, optimiser="adamw-8bit-fused", program="torchtune")
        for n in (64.0, 1.0)
    )
    assert not search(many, 1)
    (plan,) = search(one, 1)
    assert plan.fits and plan.memory["gradients"] == 0 and plan.micro_steps == 1
    assert 16 * 2**30 < plan.memory_total < 24 * 2**30


def test_gradients_are_shared_out_where_one_micro_step_makes_them() -> None:
    grid = grid_of(run(sequences=64.0), 16, Space(stage=(2,)))
    assert len(grid["tp"]) and np.all(grid["shards"] * grid["micro"] == 64)


@pytest.mark.parametrize("count", [8, 16, 64])
def test_devices_hold_every_expert_between_them(count: int) -> None:
    """However degrees combine, all devices together hold no less than one copy of weights and optimiser."""
    work = job(load("Qwen/Qwen3-235B-A22B"), device("H100 SXM"), "full", 2048.0, 256.0, 80e9)
    found = evaluate(work, count, grid_of(work, count))
    held = sum(found.memory[name] for name in ("weights", "gradients", "optimiser")) * count
    states = work.need.trained * (work.how.weight + work.how.gradient + work.how.state)
    assert (found.grid["ep"] > found.grid["shards"] * found.grid["cp"]).any()
    assert held.min() >= 0.99 * states * work.held.state
