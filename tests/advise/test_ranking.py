"""The order of the options: weights do what they say, prices and facts move what rests on them, and what an
answer claims about other questions is what those questions answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ridgewise.advise import PRIORITIES, Answer, Question, answer
from ridgewise.advise.inference import Deployments, Judged, _looked_at, again
from ridgewise.advise.rank import (
    FAST_ENOUGH,
    GAMES,
    WEIGHTS,
    points,
    quality_loss,
    ranked,
    slow_cost,
    total_cost,
    utility,
)
from ridgewise.economics import AMORTISATION_MONTHS
from ridgewise.economics.cost import sold
from ridgewise.hardware import Device, load_devices
from ridgewise.models.formats import weight_format
from ridgewise.report.document import plan_document

Ask = Callable[..., Answer]
MODEL = "Llama-3.1-8B"
CARDS = ("RTX 5090", "RTX 4090", "RTX 3060 12GB", "RTX 5060 Ti 16GB", "Strix Halo", "M3 Ultra")


# --- weights ---


def test_speed_buys_speed_and_cost_saves_cost(ask: Ask) -> None:
    picks = {priority: ask(MODEL, users="1", priority=priority).pick for priority in PRIORITIES}
    fast, cheap, frugal = picks["speed"], picks["cost"], picks["energy"]
    assert fast is not None and cheap is not None and frugal is not None
    assert fast.speed is not None and cheap.speed is not None
    assert fast.speed.each > 1.5 * cheap.speed.each
    assert total_cost(cheap) < total_cost(fast)  # type: ignore[operator]
    assert frugal.joules_per_token is not None and fast.joules_per_token is not None
    assert frugal.joules_per_token <= fast.joules_per_token
    assert len({pick.device.id for pick in picks.values() if pick}) >= 3


def test_each_priority_weighs_its_own_concern_most() -> None:
    assert max(WEIGHTS, key=lambda p: WEIGHTS[p].speed) == "speed"
    assert max(WEIGHTS, key=lambda p: WEIGHTS[p].cost) == "cost"
    assert max(WEIGHTS, key=lambda p: WEIGHTS[p].energy) == "energy"


def test_past_fast_enough_speed_counts_for_nothing_unless_asked_for(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    option = next(o for o in found.options if o.speed and o.speed.each > FAST_ENOUGH)
    assert option.speed is not None
    faster = replace(option, speed=replace(option.speed, tpot=option.speed.tpot / 2))
    balanced, speed = found.question, replace(found.question, priority="speed")
    assert utility(balanced, faster) == pytest.approx(utility(balanced, option))
    # A doubling is worth one point of speed under --priority speed, whose weight is one.
    assert utility(speed, faster) - utility(speed, option) == pytest.approx(1.0)


def test_a_halved_cost_is_worth_its_weight(ask: Ask) -> None:
    """Points are log2(1 + cost/$1,000): far above a thousand dollars a halving is one doubling."""
    found = ask(MODEL, users="1", hardware=CARDS)
    option = replace(found.options[0], cost=replace(found.options[0].cost, month=2e6 / AMORTISATION_MONTHS))
    half = replace(option, cost=replace(option.cost, month=1e6 / AMORTISATION_MONTHS))
    for priority in PRIORITIES:
        question = replace(found.question, priority=priority)
        gained = utility(question, half) - utility(question, option)
        assert gained == pytest.approx(WEIGHTS[priority].cost, rel=0.01)


def test_an_unpriced_option_counts_as_the_dearest_and_worse(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    option = found.options[0]
    unpriced = replace(option, cost=replace(option.cost, month=None))
    dear = replace(option, cost=replace(option.cost, month=1e5 / AMORTISATION_MONTHS))
    assert utility(found.question, unpriced, 1e5) < utility(found.question, dear, 1e5)


def test_coarser_weights_lose_points_and_published_ones_none(ask: Ask) -> None:
    question = ask(MODEL, users="1", hardware=CARDS).question
    losses = [quality_loss(question, weight_format(name)) for name in ("bf16", "q8_0", "q4_k_m", "q3_k_m", "q2_k")]
    assert losses[0] == losses[1] == 0
    assert losses == sorted(losses) and losses[2] < losses[3] < losses[4]
    oss = ask("gpt-oss-20b", users="1", hardware=CARDS).question
    assert quality_loss(oss, weight_format("gguf-mxfp4")) == 0  # published in four bits


def test_infeasible_options_never_stand_above_feasible_ones(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    broken = [replace(option, shortfalls=("memory: 1 GiB too little",)) for option in found.options[:2]]
    listed = ranked(found.question, [*broken, *found.options[2:]])
    assert [option.feasible for option in listed] == sorted((o.feasible for o in listed), reverse=True)


# --- prices ---


def test_an_own_price_moves_the_answer(ask: Ask, pose: Callable[..., Question]) -> None:
    """An RTX 5090 at half price of the others wins on speed at the same cost; at ten times the price it does not."""
    cards = ("RTX 5090", "RTX 4090")
    cheap = ask(MODEL, users="1", hardware=cards, priority="cost").question
    catalogue = tuple(load_devices().values())
    gift = answer(replace(cheap, prices={"nvidia-rtx-5090": 100.0, "nvidia-rtx-4090": 3000.0}), catalogue)
    gold = answer(replace(cheap, prices={"nvidia-rtx-5090": 30000.0, "nvidia-rtx-4090": 1500.0}), catalogue)
    assert gift.pick is not None and gold.pick is not None
    assert gift.pick.device.id == "nvidia-rtx-5090"
    assert gold.pick.device.id == "nvidia-rtx-4090"
    assert "your own price" in gift.pick.cost.basis


def test_an_own_price_moves_its_device_and_no_other(ask: Ask) -> None:
    before = ask(MODEL, users="1", hardware=CARDS)
    after = answer(replace(before.question, prices={"nvidia-rtx-4090": 1.0}), tuple(load_devices().values()))
    costs = [{(o.device.id, o.configuration): o.cost for o in found.options} for found in (before, after)]
    moved = {key[0] for key in costs[0] if costs[0][key] != costs[1][key]}
    assert moved == {"nvidia-rtx-4090"}


# --- facts ---


def halved(device: Device, figure: str) -> Device:
    old = device.figures[figure]
    return replace(device, figures={**device.figures, figure: replace(old, value=old.number / 2)})


def test_a_changed_fact_moves_the_answers_that_rest_on_it_and_no_others(ask: Ask) -> None:
    """The RTX 5060 Ti at half its bandwidth decodes at little more than half the speed; every other device answers
    as before, and the recommendation moves away from it where it stood on speed."""
    before = ask(MODEL, users="1")
    catalogue = dict(load_devices())
    changed = "nvidia-rtx-5060-ti-16gb"
    catalogue[changed] = halved(catalogue[changed], "bandwidth")
    after = answer(before.question, tuple(catalogue.values()))
    speeds = [{(o.device.id, o.configuration): o.speed for o in found.options} for found in (before, after)]
    moved = {key[0] for key in speeds[0] if speeds[0][key] != speeds[1][key]}
    assert moved == {changed}
    fast, slow = (found[changed, None] for found in speeds)
    assert fast is not None and slow is not None
    # Reading is over nine tenths of a step; launches and the head's compute do not slow down.
    assert 1.7 < fast.each / slow.each < 2.0
    memories = [{(o.device.id, o.configuration): o.memory for o in found.options} for found in (before, after)]
    assert memories[0] == memories[1]
    score = [next(o.score for o in found.options if o.device.id == changed) for found in (before, after)]
    assert score[1] <= score[0]


def test_a_halved_power_limit_moves_power_cost_and_prompts_and_no_answer(ask: Ask) -> None:
    before = ask(MODEL, users="1", hardware=CARDS)
    devices = tuple(halved(d, "board_power") if d.id == "nvidia-rtx-4090" else d for d in before.question.hardware)
    after = answer(replace(before.question, hardware=devices), ())
    was, now = (next(o for o in found.options if o.device.id == "nvidia-rtx-4090") for found in (before, after))
    assert was.speed is not None and now.speed is not None and was.memory == now.memory
    assert now.speed.tpot == pytest.approx(was.speed.tpot), "reading weights is not bound by power"
    assert was.speed.ttft is not None and now.speed.ttft is not None
    assert 1.0 < now.speed.ttft / was.speed.ttft < 2.0, "products are, and part of a wait is not products"
    assert was.draw is not None and now.draw is not None
    limit = now.device.number("board_power")
    assert limit is not None
    assert was.draw.board / 2 < now.draw.board < min(was.draw.board, limit)  # a byte costs what it did
    assert now.cost.energy_month < was.cost.energy_month  # type: ignore[operator]


# --- claims about other questions ---

BOARDS = ("H100 SXM", "H200 SXM", "A100 SXM4 80GB", "H100 PCIe", "RTX PRO 6000 Blackwell Workstation", "MI300X")
CLAIMING = [
    (MODEL, {"users": "1"}),
    ("Llama-3.1-70B-Instruct", {"users": "200", "slo_ttft": "1s", "hardware": BOARDS}),
    (MODEL, {"goal": "qlora"}),
    (MODEL, {"users": "1", "hardware": CARDS}),
]


@pytest.mark.parametrize(("model", "flags"), CLAIMING)
def test_what_another_priority_would_pick_is_what_it_picks(ask: Ask, model: str, flags: dict[str, object]) -> None:
    found = ask(model, **flags)
    claimed = {}
    for line in found.changes:
        if said := re.fullmatch(r"with --priority (\w+): (.+)", line):
            claimed[said[1]] = said[2]
    for priority in PRIORITIES:
        if priority == found.question.priority:
            continue
        pick = ask(model, priority=priority, **flags).pick
        assert pick is not None and found.pick is not None
        if priority in claimed:
            assert pick.name == claimed[priority]
        else:
            assert (pick.device.id, pick.count) == (found.pick.device.id, found.pick.count)


def test_the_context_it_claims_to_fit_fits_and_more_does_not(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=("RTX 3060 12GB",))
    assert found.pick is not None and found.pick.context_limit is not None
    assert any("it fits contexts up to" in line for line in found.changes)
    for context, holds in ((found.pick.context_limit, True), (found.pick.context_limit + 256, False)):
        work = replace(found.question.workload, context=context)
        assert again(replace(found.question, workload=work), [found.pick])[0].feasible == holds


def test_the_users_it_claims_to_carry_it_carries_and_more_it_does_not(ask: Ask) -> None:
    found = ask("Llama-3.1-70B-Instruct", users="200", slo_ttft="1s")
    line = next(line for line in found.changes if "users before a limit breaks" in line)
    users = float(re.search(r"about ([\d,]+) users", line)[1].replace(",", ""))  # type: ignore[index]
    assert users > 200 and found.pick is not None
    for load, holds in ((0.9 * users, True), (1.15 * users, False)):
        work = replace(found.question.workload, users=load)
        assert again(replace(found.question, workload=work), [found.pick])[0].feasible == holds


def test_the_multiple_of_its_cost_at_which_it_loses_is_right(ask: Ask) -> None:
    """ "If it cost f times as much, X would be first": with the pick's cost a little above f times, and a little
    below."""
    found = ask(MODEL, users="1", priority="speed", hardware=("RTX 4090", "RTX 3090", "Strix Halo"))
    line = next((line for line in found.changes if "times as much" in line), None)
    if line is None:
        found = ask(MODEL, users="1", hardware=("RTX 4090", "RTX 3090", "Strix Halo"))
        line = next(line for line in found.changes if "times as much" in line)
    said = re.match(r"if .+ cost ([\d.]+) times as much, (.+) would be first", line)
    assert said is not None and found.pick is not None and found.pick.cost.month is not None
    for factor, first in ((0.96 * float(said[1]), found.pick.name), (1.05 * float(said[1]), said[2])):
        month = found.pick.cost.month * factor
        options = [
            replace(o, cost=replace(o.cost, month=month)) if o.device.id == found.pick.device.id else o
            for o in found.options
        ]
        assert ranked(found.question, options)[0].name == first


# --- evidence ---


def test_what_nobody_measured_is_first_where_it_wins_even_at_its_slow_end(ask: Ask) -> None:
    """Two options alike but for their interval: the narrow one stands first; a mean so much better that its slow end
    still wins turns them round."""
    found = ask("Llama-3.1-70B", goal="train", tokens="2T")
    option = next(o for o in found.options if o.feasible and o.cost.tenure == "rent")
    assert option.run is not None and option.cost.month is not None and option.draw is not None
    day = 86400.0
    sure = replace(option, run=replace(option.run, seconds=40 * day, low=30 * day, high=52 * day))
    wide = replace(sure, run=replace(sure.run, seconds=40 * day, low=20 * day, high=80 * day))  # type: ignore[type-var]
    month = option.cost.month * 25 / 40
    better = replace(
        wide,
        run=replace(wide.run, seconds=25 * day, low=12.5 * day, high=50 * day),  # type: ignore[type-var]
        cost=replace(wide.cost, month=month),
    )
    score = {name: utility(found.question, o) for name, o in (("sure", sure), ("wide", wide), ("better", better))}
    assert score["wide"] < score["sure"] < score["better"]


def test_options_that_look_better_than_the_first_are_named_with_the_reason(ask: Ask) -> None:
    for model, flags in ((MODEL, {"goal": "qlora"}), ("Llama-3.1-70B", {"goal": "train", "tokens": "2T"})):
        found = ask(model, **flags)
        pick = found.pick
        assert pick is not None and pick.run is not None and pick.cost.month is not None
        for other in found.table[1:4]:
            assert other.run is not None
            if other.cost.month is None or other.run.seconds > pick.run.seconds or other.cost.month > pick.cost.month:
                continue
            if other.feasible:
                assert any(other.name in line for line in found.why), other.name


def test_a_first_choice_that_nobody_measured_says_so(ask: Ask) -> None:
    for flags in ({"goal": "qlora"}, {"goal": "train", "tokens": "2T"}, {"users": "1", "hardware": ("Jetson Thor",)}):
        found = ask("Llama-3.1-8B", **flags)
        if found.pick is not None and found.pick.tier in ("datasheet", "assumed"):
            assert any("nobody measured its speed" in line for line in found.why)


def test_the_rules_of_the_order_are_said(ask: Ask) -> None:
    said = " ".join(ask(MODEL, users="1").ranking)
    assert "slow end of its 80 % interval" in said and "40 tokens/s" in said and "points lost" in said
    assert "deadline" in " ".join(ask("Llama-3.1-70B", goal="train", tokens="2T").ranking)


def test_priority_cost_puts_the_cheaper_of_two_runs_first(ask: Ask) -> None:
    """A dollar against a dollar and a half: below what anybody minds, unless cost is what they asked for."""
    found = ask(MODEL, goal="qlora", priority="cost")
    able = [o for o in found.options if o.feasible and o.cost.month is not None]
    cheapest = sorted(slow_cost(o) or 0.0 for o in able)
    assert found.pick is not None and (slow_cost(found.pick) or 0.0) <= cheapest[1]


# --- what one owns already ---


def test_a_card_already_owned_costs_its_energy(ask: Ask, pose: Callable[..., Question]) -> None:
    """RTX 4090, QLoRA of 8B: about half a kilowatt for some hours at a quarter of a dollar, below a dollar."""
    question = pose(MODEL, goal="qlora", hardware=("RTX 4090",), prices={"RTX 4090": "0"}, host_price="0")
    pick = answer(question, ()).pick
    assert pick is not None and pick.run is not None and pick.draw is not None and pick.cost.month is not None
    assert pick.cost.month == pytest.approx(pick.draw.wall / 1000 * pick.run.seconds / 3600 * 0.25)
    assert pick.cost.month < 1
    dear = ask(MODEL, goal="qlora", hardware=("RTX 4090",))
    assert any("if you already own it" in line and "of energy" in line for line in dear.changes)
    assert any("1 of the 36 months" in line for line in dear.assumptions)


def test_an_owned_card_for_inference_is_priced_at_nothing(pose: Callable[..., Question]) -> None:
    found = answer(pose(MODEL, hardware=("RTX 4090", "H100 PCIe"), prices={"RTX 4090": "0"}, host_price="0"), ())
    assert found.pick is not None and found.pick.device.id == "nvidia-rtx-4090" and found.pick.cost.buy == 0


def test_cards_for_games_around_the_clock_lose_what_the_rules_of_the_order_say(ask: Ask) -> None:
    """An office that depends on it all day and one that is closed at night: the card warned of loses its points in the
    first alone."""
    always = ask("Llama-3.1-8B", users="25", hardware=("RTX 4090", "RTX PRO 4000 Blackwell"))
    closed = ask("Llama-3.1-8B", users="25", hours="10", hardware=("RTX 4090", "RTX PRO 4000 Blackwell"))
    lost = {}
    for found in (always, closed):
        for option in found.options:
            told = points(found.question, option)["caveats"]
            lost.setdefault(option.device.kind, []).append(told)
    assert lost["gpu-consumer"][1] - lost["gpu-consumer"][0] == pytest.approx(GAMES)
    assert lost["gpu-workstation"][0] == pytest.approx(lost["gpu-workstation"][1])
    assert [any("cards for games" in text for text in found.ranking) for found in (always, closed)] == [True, False]


def test_no_card_without_bf16_builds_a_model_unasked(ask: Ask) -> None:
    found = ask("Llama-3.1-8B", goal="train", tokens="100B")
    assert all(option.device.peak("bf16")[1] == "bf16" for option in found.options)
    named = ask("Llama-3.1-8B", goal="train", tokens="100B", hardware=("V100 32GB", "A100 SXM4 80GB"))
    assert any(f.rule == "no-bf16" and f.level == "warning" for f in named.findings)


def test_a_plan_says_that_its_limits_hold_means(ask: Ask) -> None:
    found = ask("Llama-3.1-70B", users="200", slo_ttft="1s")
    assert any("`ridgewise capacity` holds percentiles" in text for text in found.assumptions)
    assert any(s.startswith("TTFT") and "on average" in s for o in found.options for s in o.shortfalls)


# --- boards sold together ---


def test_boards_paid_for_and_not_used_are_said(ask: Ask) -> None:
    found = ask("DeepSeek-V3", users="50", hardware=("B300 SXM", "H200 SXM"))
    spare = [o for o in found.table if o.cost.buy is not None and sold(o.device, o.count) > o.count]
    line = [text for text in found.assumptions if "whole servers" in text]
    assert bool(spare) == bool(line)
    assert all(option.name in line[0] for option in spare)


def test_a_server_paid_for_whole_is_used_whole_where_that_is_better(ask: Ask) -> None:
    """Boards sold by the eight: with eight of them at the price of four, a service is laid out over both numbers and
    takes the better one."""
    found = ask("DeepSeek-V3", users="50", hardware=("MI300X",))
    pick = found.pick
    assert pick is not None and sold(pick.device, pick.count) % 8 == 0
    deployments = Deployments()
    table, ladders = deployments.of(found.question, [pick.device])
    judged = Judged(found.question, table, range(len(table.rows)), deployments)
    rows = list(_looked_at(judged, pick.device, ladders[pick.device][0]))
    other = [judged.option(row) for row in rows if judged.able[row]]
    assert {o.count for o in other} >= {8}
    assert all(utility(found.question, pick) >= utility(found.question, o) - 1e-9 for o in other)


def test_ranks_are_of_machines_and_the_runner_up_is_in_the_table(ask: Ask) -> None:
    document = plan_document(ask("gpt-oss-120b", users="1", budget="4000"))
    assert [option.rank for option in document.options[:2]] == [1, 2]
    assert any(document.options[1].name in line for line in document.why)
