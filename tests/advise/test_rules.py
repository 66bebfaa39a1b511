"""The four mistakes: each rule speaks on a case made for it and is silent where there is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ridgewise.advise import Answer

Ask = Callable[..., Answer]


def caught(found: Answer, rule: str) -> list[str]:
    return [finding.level for finding in found.findings if finding.rule == rule]


# --- overkill ---


def test_a_named_training_board_for_one_user_is_warned_of(ask: Ask) -> None:
    assert caught(ask("Llama-3.1-8B", users="1", hardware=("H100 SXM", "RTX 4090")), "overkill") == ["warning"]


def test_unasked_it_is_a_note(ask: Ask) -> None:
    assert caught(ask("Llama-3.1-8B", users="1"), "overkill") == ["note"]


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        # nothing to compare it with
        ("Llama-3.1-8B", {"users": "1", "hardware": ("H100 SXM",)}),
        # no training-class board among them
        ("Llama-3.1-8B", {"users": "1", "hardware": ("RTX 4090", "RTX 3060 12GB")}),
        # it is a training question
        ("Llama-3.1-8B", {"goal": "qlora", "hardware": ("H100 SXM", "RTX 4090")}),
        # two thousand users: a server board is no luxury
        ("Llama-3.1-8B", {"users": "2000", "hardware": ("H100 SXM", "RTX PRO 6000 Blackwell Workstation")}),
        # the card does not do the job
        ("Llama-3.1-70B", {"users": "1", "hardware": ("H100 SXM", "RTX 3060 12GB")}),
    ],
)
def test_overkill_is_silent_where_it_is_none(ask: Ask, model: str, flags: dict[str, object]) -> None:
    assert caught(ask(model, **flags), "overkill") == []


# --- impossible training ---


def test_a_card_that_cannot_hold_the_states_is_an_error_when_alone(ask: Ask) -> None:
    # 70B in full: 1.13 TB of states against 4 × 24 GiB.
    found = ask("Llama-3.1-70B", goal="train", tokens="1B", hardware=("RTX 4090",))
    assert caught(found, "impossible-training") == ["error"]
    assert found.pick is None


def test_beside_one_that_can_it_is_a_warning(ask: Ask) -> None:
    found = ask("Llama-3.1-8B", goal="train", tokens="10B", hardware=("RTX 4090", "H100 SXM"))
    assert caught(found, "impossible-training") == ["warning"]
    assert found.pick is not None


def test_a_run_of_centuries_is_no_run(ask: Ask) -> None:
    # 6 · 70.6e9 · 15e12 = 6.4e24 FLOP on eight A100s at 1e15 FLOP/s: two centuries.
    found = ask("Llama-3.1-70B", goal="train", tokens="15T", hardware=("RTX 6000 Ada",), deadline="3y")
    assert caught(found, "impossible-training") == ["error"]


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("Llama-3.1-8B", {"goal": "qlora", "hardware": ("RTX 4090",)}),
        ("Llama-3.1-8B", {"goal": "train", "tokens": "10B", "hardware": ("H100 SXM",)}),
        ("Llama-3.1-70B", {"users": "1", "hardware": ("RTX 4090",)}),
        # nobody named the desktop cards of the catalogue
        ("Llama-3.1-70B", {"goal": "train", "tokens": "2T"}),
    ],
)
def test_impossible_training_is_silent_where_it_is_possible(ask: Ask, model: str, flags: dict[str, object]) -> None:
    assert caught(ask(model, **flags), "impossible-training") == []


# --- compute, not memory ---


def test_more_flops_and_fewer_tokens_is_pointed_out(ask: Ask) -> None:
    # L40S: 362 TFLOP/s and 864 GB/s; RTX 3090: 71 TFLOP/s (FP32 accumulation) and 936 GB/s. The same file on both.
    found = ask("Llama-3.1-8B", users="1", quant="q4_k_m", hardware=("L40S", "RTX 3090"))
    assert caught(found, "compute-not-memory") == ["note"]
    text = next(f.text for f in found.findings if f.rule == "compute-not-memory")
    assert text.startswith("L40S has 5.1 times the FLOP/s of GeForce RTX 3090")
    assert "864 GB/s" in text and "936 GB/s" in text


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        # more FLOP/s and more tokens: no paradox
        ("Llama-3.1-8B", {"users": "1", "hardware": ("RTX 4090", "RTX 3060 12GB")}),
        ("Llama-3.1-8B", {"users": "1", "hardware": ("L40S",)}),
        # training is where FLOP/s count
        ("Llama-3.1-8B", {"goal": "qlora", "hardware": ("L40S", "RTX 3090")}),
    ],
)
def test_compute_is_left_alone_where_it_counts(ask: Ask, model: str, flags: dict[str, object]) -> None:
    assert caught(ask(model, **flags), "compute-not-memory") == []


# --- concurrency ---


def test_a_machine_for_one_that_breaks_under_many_is_warned_of(ask: Ask) -> None:
    found = ask("Llama-3.1-70B", users="200", slo_ttft="1s", hardware=("DGX Spark", "H100 SXM"))
    assert caught(found, "concurrency") == ["warning"]
    text = next(f.text for f in found.findings if f.rule == "concurrency")
    assert "DGX Spark" in text and "200 users" in text


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("Llama-3.1-8B", {"users": "1"}),
        ("Llama-3.1-8B", {"users": "1", "hardware": ("Strix Halo",)}),
        ("Llama-3.1-8B", {"users": "50", "hardware": ("H100 SXM",)}),
        ("Llama-3.1-8B", {"goal": "qlora", "hardware": ("RTX 4090",)}),
        # what does not fit at all is a matter of memory, not of load
        ("Llama-3.1-70B", {"users": "50", "hardware": ("RTX 3060 12GB",)}),
    ],
)
def test_concurrency_is_silent_where_nothing_breaks(ask: Ask, model: str, flags: dict[str, object]) -> None:
    assert caught(ask(model, **flags), "concurrency") == []


def test_every_finding_says_what_to_do_instead(ask: Ask) -> None:
    found = [
        *ask("Llama-3.1-8B", users="1", hardware=("H100 SXM", "RTX 4090")).findings,
        *ask("Llama-3.1-70B", goal="train", tokens="1B", hardware=("RTX 4090",)).findings,
        *ask("Llama-3.1-8B", users="1", quant="q4_k_m", hardware=("L40S", "RTX 3090")).findings,
        *ask("Llama-3.1-70B", users="200", slo_ttft="1s", hardware=("DGX Spark", "H100 SXM")).findings,
    ]
    assert {finding.rule for finding in found} == {
        "overkill", "impossible-training", "compute-not-memory", "concurrency",
    }  # fmt: skip
    assert all(finding.remedy and any(mark.isdigit() for mark in finding.text) for finding in found)
