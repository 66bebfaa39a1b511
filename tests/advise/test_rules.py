"""Every rule speaks on a case that shows its mistake, is silent where there is none, and decides cases near the edge as
the catalogue and measurements do. The cases are hardware and models people buy and run, not numbers near a threshold of
the code; what a case rests on stands beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from ridgewise.advise import Answer
from ridgewise.advise.case import Case, best
from ridgewise.advise.field import Field
from ridgewise.advise.finding import Finding
from ridgewise.advise.option import Option
from ridgewise.advise.rank import ranked
from ridgewise.advise.rules import TOPICS, judged, load_rules
from ridgewise.app.request import from_flags, question
from ridgewise.hardware.sheets import device
from ridgewise.units import parse

Ask = Callable[..., Answer]
#: What else could be bought in these tests: one or two of every class.
SHOP = (
    "RTX 5070", "RTX 4090", "RTX PRO 6000 Blackwell Workstation", "RTX PRO 4000 Blackwell", "Strix Halo", "M3 Ultra",
    "L40S", "RTX 3090", "A100 SXM4 80GB", "H100 SXM", "MI300X",
)  # fmt: skip


@dataclass(frozen=True)
class Idea:
    """Somebody's idea, and why the rule speaks or is silent."""

    speaks: bool
    model: str
    hardware: str
    flags: tuple[tuple[str, object], ...]
    why: str


def yes(model: str, hardware: str, why: str = "", **flags: object) -> Idea:
    return Idea(True, model, hardware, tuple(flags.items()), why)


def no(model: str, hardware: str, why: str = "", **flags: object) -> Idea:
    return Idea(False, model, hardware, tuple(flags.items()), why)


L8, L70, OSS = "Llama-3.1-8B", "Llama-3.1-70B", "gpt-oss-120b"
TRAIN = {"goal": "train", "tokens": "1T"}
#: Of every rule a case that shows it, one that does not, and one near the edge.
CASES: dict[str, tuple[Idea, Idea, Idea]] = {
    "does-not-fit": (
        yes(L70, "RTX 4090", "70.6B at 3.4 bits are 30 GB, 24 GiB are there"),
        no(L8, "RTX 4090"),
        no("Qwen2.5-32B-Instruct", "RTX 4090", "19.9 GB as Q4_K_M: people run it on 24 GiB"),
    ),
    "kv-cache": (
        yes(L8, "RTX 3060 12GB", "128k tokens of 128 KiB are 16 GiB", context="128k"),
        no(L8, "RTX 3060 12GB", context="8k"),
        no(L8, "RTX 3060 12GB", "32k are 4 GiB beside 4.6 GiB of weights", context="32k"),
    ),
    "active-parameters": (
        yes(OSS, "RTX 4090", "5.7B active are 3 GB, all 117B 58 GiB"),
        no(OSS, "Strix Halo", "96 of 128 GiB hold it, and people run it there"),
        no(L70, "RTX 4090", "dense: nothing is inactive"),
    ),
    "label-memory": (
        yes(OSS, "Strix Halo 64GB", "58 GiB of weights, a GPU may map 48 of 64"),
        no(OSS, "Strix Halo 128GB"),
        yes(L70, "2x RTX 3090", "fits two labels of 24 GiB, not 0.9 of them", users="20"),
    ),
    "pooled-memory": (
        yes(L70, "2x M4 Pro 24GB", "two Macs are no Mac of twice the memory"),
        no(L70, "2x RTX 3090", "llama.cpp splits it: 40 GiB over two cards is what people run"),
        yes(L70, "3x RTX 3090", "64 heads do not divide by 3", engine="vllm"),
    ),
    "tight-memory": (
        yes("Qwen2.5-32B-Instruct", "RTX 4090", "people lower the context to fit 24 GiB", context="20k"),
        no("Qwen2.5-32B-Instruct", "RTX 4090", context="4k"),
        no("Qwen2.5-32B-Instruct", "RTX 4090", "1 GiB less of cache than 20k", context="16k"),
    ),
    "reading-speed": (
        yes(L70, "Ryzen 9 9950X", "40 GB over 90 GB/s: two tokens a second at the very best"),
        no(L8, "Ryzen 9 9950X", "5 GB over 90 GB/s"),
        yes(L70, "Strix Halo", "measured by reviewers: 4 to 5 tokens/s"),
    ),
    "long-prompts": (
        yes(OSS, "Strix Halo", "measured: some hundred tokens/s of prompt", prompt="32k", context="40k"),
        no(OSS, "Strix Halo", prompt="512"),
        no(L8, "RTX 4090", "a card reads 7,000 tokens/s and more", prompt="32k", context="40k"),
    ),
    "offload-limit": (
        yes(L70, "RTX 4090", "11 GiB over two channels of DDR5 per token", slo_tpot="100ms"),
        no(L8, "RTX 4090", "nothing need be offloaded", slo_tpot="100ms"),
        no(OSS, "RTX 4090", "experts in RAM: 5 tokens/s and more, as people report", slo_tpot="200ms"),
    ),
    "compute-not-memory": (
        yes(L8, "L40S", "362 TFLOP/s and 864 GB/s against 71 and 936 of an RTX 3090", quant="q4_k_m"),
        no(L8, "RTX 3060 12GB", "fewer FLOP/s and fewer tokens"),
        no(L8, "L40S", "training is where FLOP/s count", goal="lora"),
    ),
    "quoted-flops": (
        yes(L8, "H100 SXM", "1,979 is the leaflet's figure with sparsity", peak="1979TFLOP/s", users="50"),
        no(L8, "H100 SXM", "989.4 dense", peak="989TFLOP/s", users="50"),
        yes(L8, "H100 SXM", "3,958 is FP8 with sparsity, training runs in BF16", peak="3958TFLOP/s", goal="train",
            tokens="1B"),
    ),
    "slow-format": (
        yes(L8, "A100 SXM4 80GB", "Ampere has no FP8 units", quant="fp8", users="50"),
        no(L8, "H100 SXM", quant="fp8", users="50"),
        no(L8, "A100 SXM4 80GB", "4 bits multiplied in 16: nothing else is claimed", quant="w4a16", users="50"),
    ),
    "finer-than-published": (
        yes("gpt-oss-20b", "H100 SXM", "published in MXFP4", quant="bf16", users="20"),
        no(L8, "H100 SXM", "published in BF16", quant="bf16", users="20"),
        no("DeepSeek-V3", "8x MI300X", "published in FP8", quant="fp8", users="20"),
    ),
    "coarse-weights": (
        yes(L70, "2x RTX 3090", "2.6 bits: perplexity of 70B rises visibly", quant="q2_k"),
        no(L70, "2x RTX 3090", quant="q4_k_m"),
        no("gpt-oss-20b", "RTX 4090", "4.25 bits, but as published"),
    ),
    "layer-split": (
        yes(L8, "2x RTX 3090", "llama.cpp on two cards: no faster than on one"),
        no(L8, "RTX 3090"),
        no(L70, "2x RTX 3090", "40 GiB need both"),
    ),
    "tensor-over-pcie": (
        yes(L70, "4x RTX 4090", "PCIe 4.0 without peer to peer", users="20"),
        no(L70, "4x A100 SXM4 80GB", "NVLink 3", users="20"),
        no(L8, "RTX 4090", "one card exchanges nothing", users="20"),
    ),
    "context-limit": (
        yes("Meta-Llama-3-8B-Instruct", "RTX 4090", "Llama 3 was made for 8,192", context="32k"),
        no(L8, "RTX 4090", "Llama 3.1 for 131,072", context="32k"),
        no("Meta-Llama-3-8B-Instruct", "RTX 4090", "exactly its limit", context="8192"),
    ),
    "npu": (
        yes(L70, "amd-xdna2-hx370", "70B over 120 GB/s, if it fits at all"),
        no("Llama-3.2-1B", "amd-xdna2-hx370", "AMD's own demonstrations"),
        no(L8, "amd-xdna2-hx370", "measured: ten tokens/s and more"),
    ),
    "no-engine": (
        yes(L8, "cerebras-wse3", "its maker serves it; nothing else runs there"),
        no(L8, "RTX 4090"),
        no(L70, "Hailo-10H", "an NPU: said by that rule"),
    ),
    "concurrency": (
        yes(L70, "DGX Spark", "273 GB/s: a desk machine", users="200", slo_ttft="1s"),
        no(L8, "H100 SXM", users="50"),
        no(L70, "RTX 3060 12GB", "not even one: memory", users="50"),
    ),
    "engine-slots": (
        yes(L8, "RTX 4090", "llama-server runs 16 by default here", users="400", engine="llama.cpp"),
        no(L8, "RTX 4090", users="20", engine="llama.cpp"),
        no(L8, "H100 SXM", "vLLM runs 1,024", users="400"),
    ),
    "engine-for-one": (
        yes(L8, "RTX 4090", "vLLM was measured several times faster", users="400", engine="llama.cpp"),
        no(L8, "RTX 4090", users="400", engine="vllm"),
        no(L8, "RTX 4090", "a handful of people: intervals meet", users="4", engine="llama.cpp"),
    ),
    "latency-limit": (
        yes(L70, "2x H100 SXM", "a prompt of 1,024 tokens is 1.4e14 FLOP", users="100", slo_ttft="100ms"),
        no(L8, "H100 SXM", users="20", slo_ttft="1s"),
        yes(L70, "DGX Spark", "no limit given: reading speed", users="200"),
    ),
    "latency-margin": (
        yes(L70, "2x H100 SXM", "200 ms, known to a factor of three", users="100", slo_ttft="500ms"),
        no(L70, "2x H100 SXM", users="100", slo_ttft="5s"),
        no(L70, "2x H100 SXM", "missed outright: another rule", users="100", slo_ttft="100ms"),
    ),
    "no-redundancy": (
        yes(L8, "L40S", "one card, a day of repair in 2,110: 99.95 %", users="20", availability="99.99%"),
        no(L8, "L40S", "in office hours nothing is promised", users="20", hours="10"),
        no(L8, "L40S", "four nines less than one repair asks", users="20", availability="99.9%"),
    ),
    "no-ecc": (
        yes(L8, "RTX 4090", users="50"),
        no(L8, "RTX PRO 6000 Blackwell Workstation", users="50"),
        no(L8, "RTX 4090", "in office hours", users="50", hours="10"),
    ),
    "overkill": (
        yes(L8, "H100 SXM", "sold in servers of eight for the price of a house"),
        no(L8, "RTX 4090"),
        no(L8, "H100 SXM", "2,000 people: dozens of requests in flight", users="2000"),
    ),
    "idle-devices": (
        yes(L8, "4x L40S", "one carries 50 people", users="50"),
        no(L70, "4x L40S", "140 GB in 16 bits, 70 in 8", users="50"),
        yes(L8, "2x M4 Pro 48GB", "two Macs serve one person no faster"),
    ),
    "idle-purchase": (
        yes(L8, "4x L40S", "three hours a day, let by the hour", users="50", hours="3"),
        no(L8, "4x L40S", "around the clock", users="50"),
        no(L8, "RTX 5070", "a card for a desk is not let", hours="1"),
    ),
    "impossible-training": (
        yes(L70, "4x RTX 4090", "1.13 TB of states against 96 GiB", goal="train", tokens="1B"),
        no(L8, "8x H100 SXM", "128 GB of states over 640", goal="train", tokens="1B"),
        no(L8, "RTX 4090", "QLoRA of 8B on 24 GiB is what people do", goal="qlora"),
    ),
    "no-training": (
        yes(L8, "Hailo-10H", "built for inference", goal="qlora"),
        no(L8, "RTX 4090", goal="qlora"),
        no(L8, "Strix Halo", "LoRA works there, slowly", goal="lora"),
    ),
    "passive-card": (
        yes(L70, "4x H100 PCIe", "no fan, in a computer for a desk", users="200"),
        no(L70, "4x RTX PRO 6000 Blackwell Max-Q", "a blower of its own", users="200"),
        no(L70, "4x H100 PCIe", "the price of a server given", users="200", host_price="12000"),
    ),
    "no-bf16": (
        yes("Qwen2.5-1.5B-Instruct", "8x V100 32GB", "FP16 alone", goal="train", tokens="20B"),
        no("Qwen2.5-1.5B-Instruct", "8x A100 SXM4 80GB", goal="train", tokens="20B"),
        no(L8, "V100 32GB", "adapters are trained in FP16 there every day", goal="qlora"),
    ),
    "endless-run": (
        yes(L70, "64x H100 SXM", "6.4e24 FLOP at 64 × 4e14: 8 years", goal="train", tokens="15T", deadline="10y"),
        no(L70, "512x H100 SXM", goal="train", tokens="2T"),
        no(L8, "64x H100 SXM", "5e22 FLOP: three weeks", **TRAIN),
    ),
    "deadline-missed": (
        yes(L8, "32x H100 SXM", "5e22 FLOP at 32 × 4.5e14: five weeks, a month was given", **TRAIN),
        no(L8, "256x H100 SXM", **TRAIN),
        no(L8, "64x H100 SXM", "half of that", **TRAIN),
    ),
    "no-margin": (
        yes(L8, "64x H100 SXM", "three weeks expected, failures and evaluations not", **TRAIN),
        no(L8, "256x H100 SXM", **TRAIN),
        no(L8, "32x H100 SXM", "late even without failures", **TRAIN),
    ),
    "no-checkpoint": (
        yes(L70, "1024x H100 SXM", "Llama 3: 419 interruptions in 54 days of 16,384", goal="train", tokens="2T"),
        no(L8, "8x H100 SXM", goal="train", tokens="1B"),
        no(L8, "64x H100 SXM", "64 × 500 h are less than 50,700 device-hours", **TRAIN),
    ),
    "single-machines": (
        yes(L8, "8x GH200", "let one by one, without a network", goal="train", tokens="10B"),
        no(L8, "8x H100 SXM", "a server of eight is let", goal="train", tokens="10B"),
        no(L8, "GH200", "one needs no other", goal="lora"),
    ),
    "over-budget": (
        yes(L8, "RTX 5090", "the card alone is above 2,000", budget="2000"),
        no(L8, "RTX 5070", budget="5000"),
        no(L8, "RTX 5090", "no budget, no breach"),
    ),
    "budget-margin": (
        yes(L8, "RTX 5070", "1,299 to 2,749 with its desktop", budget="2400"),
        no(L8, "RTX 5070", "above its highest price", budget="2800"),
        no(L8, "RTX 5070", "below its middle: over the budget outright", budget="1900"),
    ),
    "over-power": (
        yes(L8, "RTX 5090", "a card of 575 W", max_power="300W"),
        no(L8, "RTX 5070", max_power="600W"),
        no(L8, "RTX 5090", "575 W and its computer are the most it can draw", max_power="800W"),
    ),
    "circuit": (
        yes(L8, "8x H100 SXM", "10.2 kW on the plate of a DGX H100", goal="train", tokens="1B"),
        no(L8, "RTX 4090", "450 W and a desktop", goal="lora"),
        yes(L8, "4x RTX PRO 6000 Blackwell Workstation", "2.4 kW, 120 V and 20 A carry 1.9", goal="lora"),
    ),
    "too-many-for-one-box": (
        yes(L8, "8x RTX 4090", "boards with four slots", users="500"),
        no(L8, "2x RTX 4090", users="100"),
        no(L8, "8x H100 SXM", "a server of eight", users="500"),
    ),
    "sold-in-servers": (
        yes(L8, "MI300X", "a board without a slot", users="50"),
        no(L8, "L40S", "a card for a slot", users="50"),
        no(L8, "8x MI300X", "the whole server", users="500"),
    ),
    "stale-price": (
        yes(L8, "RTX 3060 12GB", "its price is that of the launch in 2021"),
        no(L8, "RTX 5070"),
        no(L8, "RTX 3060 12GB", "a price of one's own is of today", prices={"RTX 3060 12GB": "300"}),
    ),
    "no-price": (
        yes(L8, "MI250", users="10"),
        no(L8, "RTX 5070"),
        no(L8, "B200 SXM", "let by the hour", users="10"),
    ),
    "not-on-sale": (
        yes(L8, "MI455X", "announced", users="50"),
        no(L8, "MI300X", users="50"),
        yes(L8, "MI308X", "one market only", users="50"),
    ),
    "unmeasured": (
        yes(L8, "Gaudi 3", "no row of it under this load", users="50"),
        no(L8, "RTX 4090", "hundreds of rows"),
        no(L8, "RTX 5070 Ti", "others of its class were measured"),
    ),
}  # fmt: skip
PLACES = ("shows it", "does not", "near the edge")


@cache
def options(model: str, flags: tuple[tuple[str, object], ...]) -> tuple[Option, ...]:
    """What the shop has to offer for a question, whatever hardware, engine and format were named."""
    free = {name: value for name, value in flags if name not in ("engine", "quant", "peak")}
    asked = question(from_flags(None, {"model": model, **free}), lenient=True)
    return tuple(ranked(asked, Field().options(asked, tuple(device(name) for name in SHOP))))


def case_of(model: str, hardware: str, flags: tuple[tuple[str, object], ...]) -> Case:
    given = {"model": model, "hardware": [hardware], **dict(flags)}
    asked = question(from_flags(None, given), lenient=True)
    (named,) = asked.hardware
    count = asked.counts.get(named.id, 1)
    return Case(asked, named, count, best(asked, named, count), lambda: options(model, tuple(sorted(flags, key=str))))


def found(rule: str, idea: Idea) -> list[Finding]:
    shop = tuple((name, value) for name, value in idea.flags if not isinstance(value, dict))
    case = case_of(idea.model, idea.hardware, idea.flags)
    return list(load_rules()[rule].findings(replace(case, rivals_of=lambda: options(idea.model, shop))))


def test_every_rule_has_its_cases_and_there_are_enough() -> None:
    assert set(CASES) == set(load_rules())
    assert len(load_rules()) >= 25
    assert {rule.topic for rule in load_rules().values()} == set(TOPICS)
    for cases in CASES.values():
        assert [case.speaks for case in cases[:2]] == [True, False]


@pytest.mark.parametrize("place", range(3), ids=PLACES)
@pytest.mark.parametrize("rule", list(CASES))
def test_a_rule_decides_as_reality_does(rule: str, place: int) -> None:
    idea = CASES[rule][place]
    spoken = found(rule, idea)
    assert bool(spoken) == idea.speaks, (idea, [f.text for f in spoken])
    for finding in spoken:
        assert finding.rule == rule and finding.title and finding.subject
        assert finding.cost and (finding.number is None or finding.number.value != finding.number.limit)
        assert finding.level in ("error", "warning", "note")


@pytest.mark.parametrize("rule", list(CASES))
def test_the_change_it_names_cures_it(rule: str) -> None:
    """A change as data, applied to the question, leaves nothing for the rule to say."""
    idea = CASES[rule][0]
    changes = [finding.cure.change for finding in found(rule, idea) if finding.cure and finding.cure.change]
    for change in changes:
        flags = dict(idea.flags)
        flags |= {key: value for key, value in change.items() if key != "hardware"}
        hardware = change.get("hardware") or idea.hardware
        cured = Idea(False, idea.model, hardware, tuple((k, v) for k, v in flags.items() if v is not None), "")
        assert [finding.text for finding in found(rule, cured)] == [], change


def test_most_errors_name_a_change_that_a_page_can_make() -> None:
    errors = [rule for rule in load_rules().values() if rule.level == "error"]
    curable = [rule.id for rule in errors if any(f.cure and f.cure.change for f in found(rule.id, CASES[rule.id][0]))]
    assert len(curable) >= 0.8 * len(errors), {rule.id for rule in errors} - set(curable)


# --- numbers by hand ---


def test_sparse_flops_are_named_for_what_they_are() -> None:
    (finding,) = found("quoted-flops", CASES["quoted-flops"][0])
    assert "BF16 with 2:4 sparsity" in finding.text
    assert finding.number is not None and finding.number.value / finding.number.limit == pytest.approx(2.0, rel=0.01)


def test_the_cache_that_does_not_fit_is_that_of_the_context() -> None:
    # 32 layers, 8 KV heads of 128, keys and values, two bytes: 131,072 bytes a token.
    (finding,) = found("kv-cache", CASES["kv-cache"][0])
    assert "15.6 GiB" in finding.text  # 128,000 × 131,072 bytes


def test_availability_is_that_of_one_repair_in_so_many_days() -> None:
    (finding,) = found("no-redundancy", CASES["no-redundancy"][0])
    assert finding.number is not None
    between = 16384 * 54 * 24 / 419  # device-hours, Llama 3
    assert finding.number.value == pytest.approx(between / (between + 24.0), rel=1e-6)


def test_two_copies_of_one_machine_keep_what_one_does_not() -> None:
    promise = {"users": "20", "availability": "99.99%"}
    one, two = (case_of(L8, hardware, tuple(promise.items())) for hardware in ("H100 SXM", "16x H100 SXM"))
    assert [f.rule for f in judged(one) if f.level == "error"] == ["no-redundancy"]
    assert "no-redundancy" not in [f.rule for f in judged(two)]


def test_a_rule_can_be_told_to_say_nothing() -> None:
    case = case_of(L8, "2x RTX 3090", ())
    assert "layer-split" in [f.rule for f in judged(case)]
    assert "layer-split" not in [f.rule for f in judged(case, ["layer-split"])]


# --- in a plan ---


def levels(found: Answer, rule: str) -> list[str]:
    return [finding.level for finding in found.findings if finding.rule == rule]


def test_in_a_plan_what_stops_one_of_several_is_a_warning_and_of_the_only_one_an_error(ask: Ask) -> None:
    alone = ask(L70, goal="train", tokens="1B", hardware=("RTX 4090",))
    assert levels(alone, "impossible-training") == ["error"] and alone.pick is None
    both = ask(L8, goal="train", tokens="10B", hardware=("RTX 4090", "H100 SXM"))
    assert levels(both, "impossible-training") == ["warning"] and both.pick is not None


def test_in_a_plan_hardware_nobody_named_gets_notes_alone(ask: Ask) -> None:
    found = ask(L8, users="1")
    assert levels(found, "overkill") == ["note"]
    assert all(f.level == "note" for f in found.findings if f.subject != (found.pick and found.pick.name))


def test_a_server_that_costs_many_times_what_does_the_job_is_overkill_for_many_too() -> None:
    spoken = found("overkill", yes(OSS, "8x B200 SXM", users="500"))
    assert [f.level for f in spoken] == ["warning"] and "a month" in spoken[0].text
    assert found("overkill", no(L70, "8x H100 SXM", users="2000")) == []


def test_in_a_plan_the_named_training_board_is_warned_of(ask: Ask) -> None:
    assert levels(ask(L8, users="1", hardware=("H100 SXM", "RTX 4090")), "overkill") == ["warning"]


def test_the_same_said_of_several_stands_once(ask: Ask) -> None:
    found = ask(L70, users="200", slo_ttft="1s", hardware=("DGX Spark", "H100 SXM", "Strix Halo"))
    rules = [finding.rule for finding in found.findings]
    assert len(rules) == len(set(rules))


def test_a_plan_reads_deadlines_as_the_rule_does() -> None:
    idea = CASES["deadline-missed"][0]
    (finding,) = found("deadline-missed", idea)
    assert finding.number is not None and finding.number.limit == parse("30d", "s")
