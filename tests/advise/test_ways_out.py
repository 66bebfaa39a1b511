"""Nothing fits is an answer: by how much, and changes that really make it fit when they are made."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ridgewise.advise import Answer
from ridgewise.units import parse

Ask = Callable[..., Answer]
GIB = 2.0**30

IMPOSSIBLE: dict[str, tuple[str, dict[str, object]]] = {
    "405B on desktop cards": ("Llama-3.1-405B", {"users": "1", "hardware": ("RTX 4090",)}),
    "8B with a long context on 8 GiB": (
        "Llama-3.1-8B", {"users": "1", "context": "100k", "hardware": ("Jetson Orin Nano Super",)},
    ),
    "671B on a Mac": ("DeepSeek-V3", {"users": "1", "hardware": ("apple-m4-max-40c",)}),
    "120B for 200 dollars": ("gpt-oss-120b", {"users": "1", "budget": "200"}),
    "8B on 20 watts": ("Llama-3.1-8B", {"users": "1", "max_power": "20W", "hardware": ("RTX 4090", "Strix Halo")}),
    "8B in BF16 on 16 GiB": (
        "Llama-3.1-8B", {"users": "1", "quant": "bf16", "engine": "vllm", "hardware": ("Jetson Orin NX 16GB",)},
    ),
    "full tuning on a card": ("Llama-3.1-8B", {"goal": "finetune", "hardware": ("RTX 4090",)}),
    "70B trained in a day": (
        "Llama-3.1-70B", {"goal": "train", "tokens": "2T", "deadline": "1d", "hardware": ("H100 SXM",)},
    ),
    "a thousandth of a second on a card": (
        "Llama-3.1-70B", {"users": "200", "slo_ttft": "1ms", "hardware": ("RTX 4090",)},
    ),
    "an engine of another maker": ("Llama-3.1-8B", {"users": "1", "engine": "mlx", "hardware": ("RTX 4090",)}),
    "a thousand users on one board": (
        "Llama-3.1-70B", {"users": "1000", "slo_ttft": "300ms", "hardware": ("DGX Spark",)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(IMPOSSIBLE))
def test_what_is_short_is_said_with_an_amount(ask: Ask, name: str) -> None:
    model, flags = IMPOSSIBLE[name]
    found = ask(model, **flags)
    assert found.pick is None and found.why == () and (found.options or found.dropped)
    for option in found.options:
        assert option.shortfalls
        assert all(any(mark.isdigit() for mark in text) or "no " in text for text in option.shortfalls)
    assert found.fixes and (not found.options or found.fixes[0].startswith("nearest: "))


@pytest.mark.parametrize("name", list(IMPOSSIBLE))
def test_there_is_a_way_out_and_every_way_out_works(ask: Ask, name: str) -> None:
    """Each way out is made, alone, and the machine it names does the job."""
    model, flags = IMPOSSIBLE[name]
    ways = [way for way in ask(model, **flags).fixes if way.endswith(" would do")]
    assert ways
    for way in ways:
        what, _, device = way.removesuffix(" would do").rpartition(": ")
        changed = ask(model, **made(flags, what))
        assert changed.pick is not None, way
        assert changed.pick.name == device, way


def made(flags: dict[str, object], what: str) -> dict[str, object]:
    """The flags with one way out applied, or with two together."""
    if " and " in what:
        first, _, then = what.partition(" and ")
        return made(made(flags, first), then)
    if found := re.search(r"--quant (\S+)\)", what):
        return {**flags, "quant": found[1]}
    if found := re.search(r"--kv-bits (\S+)\)", what):
        return {**flags, "kv_bits": found[1]}
    if found := re.search(r"a context of ([\d,]+) tokens", what):
        return {**flags, "context": found[1]}
    if "QLoRA" in what:
        return {**flags, "goal": "qlora"}
    for flag in ("budget", "max-power", "slo-ttft", "slo-tpot", "users"):
        if found := re.search(rf"--{flag} (\S+)\)", what):
            return {**flags, flag.replace("-", "_"): found[1]}
    dropped = {"on other hardware": "hardware", "with another engine (drop --engine)": "engine"}
    if what in dropped:
        return {key: value for key, value in flags.items() if key != dropped[what]}
    if "deadline" in what:
        return {**flags, "deadline": "100 years"}
    raise AssertionError(f"a way out nobody can take: {what}")


def test_the_amount_missing_is_the_amount_missing(ask: Ask) -> None:
    found = ask("Llama-3.1-405B", users="1", hardware=("RTX 4090",))
    assert found.options
    for option in found.options:
        text = next(text for text in option.shortfalls if text.startswith("memory"))
        said = parse(re.search(r"memory: (.+) too little", text)[1], "B")  # type: ignore[index]
        assert said == pytest.approx(option.memory_total - option.usable, rel=0.01)


def test_a_split_between_card_and_ram_is_offered_where_a_card_is_short(ask: Ask) -> None:
    """405B in 3.4 bits is 190 GB: 177 GB (165 GiB) of it beside a card of 24 GiB. Two channels of DDR5 read them in
    two to four seconds per token."""
    found = ask("Llama-3.1-405B", users="1", hardware=("RTX 4090",))
    (offer,) = [way for way in found.fixes if "in RAM" in way]
    held, ngl, rate = re.search(r"with ([\d.]+) GiB .*-ngl (\d+)\).* about ([\d.]+) tokens/s", offer).groups()  # type: ignore[union-attr]
    assert 150 < float(held) < 240
    assert 5 < int(ngl) < 25  # a layer in 3.4 bits is 1.4 GiB
    assert 0.15 < float(rate) < 0.6


def test_a_limit_just_kept_is_not_missed(ask: Ask) -> None:
    """The pick's own price and power as limits leave it feasible; a dollar or a watt less does not."""
    alone = {"users": "1", "hardware": ("RTX 4090",), "engine": "llama.cpp", "quant": "q6_k"}  # others draw otherwise
    free = ask("Llama-3.1-8B", **alone)
    assert free.pick is not None and free.pick.cost.buy is not None and free.pick.draw is not None
    price, wall = free.pick.cost.buy, free.pick.draw.wall
    for flag, limit in (("budget", price), ("max_power", wall)):
        kept = ask("Llama-3.1-8B", **alone, **{flag: str(limit)})
        missed = ask("Llama-3.1-8B", **alone, **{flag: str(limit - 1)})
        assert kept.pick is not None and missed.pick is None
        assert flag.removeprefix("max_") in missed.options[0].shortfalls[0]


def test_a_power_limit_holds_for_every_feasible_option(ask: Ask) -> None:
    found = ask("Llama-3.1-8B", users="1", max_power="150W")
    able = [option for option in found.options if option.feasible]
    assert able
    for option in able:
        assert option.draw is None or option.draw.wall <= 150


def test_a_named_device_that_can_do_nothing_is_named_with_the_reason(ask: Ask) -> None:
    found = ask("Llama-3.1-8B", goal="train", tokens="1B", hardware=("EPYC 9654", "H100 SXM"))
    assert len(found.dropped) == 1 and "EPYC 9654" in found.dropped[0]
    assert found.pick is not None and found.pick.device.id == "nvidia-h100-sxm"


def test_the_smallest_budget_that_works_is_named_and_a_smaller_one_does_not(ask: Ask) -> None:
    """671B parameters in three bits are 300 GB: one machine of 512 GiB unified memory holds them, at a tenth of
    the price of eight boards."""
    found = ask("DeepSeek-V3", users="1", budget="3000")
    (way,) = [way for way in found.fixes if "--budget" in way]
    amount = float(re.search(r"--budget (\d+)", way)[1])  # type: ignore[index]
    assert 3000 < amount <= 12000
    enough = ask("DeepSeek-V3", users="1", budget=f"{amount:.0f}")
    assert enough.pick is not None and enough.pick.cost.buy is not None
    assert 0.9 * amount < enough.pick.cost.buy <= amount
    assert ask("DeepSeek-V3", users="1", budget=f"{0.9 * amount:.0f}").pick is None


def test_a_limit_nothing_holds_is_moved_as_far_as_needed(ask: Ask) -> None:
    found = ask("Llama-3.1-70B", users="200", slo_ttft="1ms", hardware=("RTX 4090",))
    assert any("--slo-ttft" in way and way.endswith("GeForce RTX 4090 would do") for way in found.fixes)


def test_where_no_single_change_will_do_two_together_are_named(ask: Ask) -> None:
    found = ask("Llama-3.1-405B", users="1", budget="500", hardware=("RTX 4090",))
    assert any(" and with a budget of " in way and way.endswith(" would do") for way in found.fixes)
