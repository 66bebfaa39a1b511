"""What stands beside a plan: the front, why not another, what it hangs on, softer limits, mixed use, and what hardware
that is there serves. What is claimed about other questions is what those questions answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ridgewise.advise import Answer, Question
from ridgewise.advise.contrast import tied, why_not
from ridgewise.advise.mixed import SIMPLER, Also, also, idle_hours, mixed
from ridgewise.advise.pareto import AXES, CLEAR, LEVEL, SLIGHT, standings
from ridgewise.advise.rank import points, ranked, utility, weights_of
from ridgewise.advise.reverse import served, upgrades
from ridgewise.advise.sensitivity import hinges
from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.hardware import load_devices
from ridgewise.hardware.sheets import device
from ridgewise.models.read import load
from ridgewise.workloads import FineTuning, SingleUser

Ask = Callable[..., Answer]
MODEL = "Llama-3.1-8B"
CARDS = ("RTX 5090", "RTX 4090", "RTX 3060 12GB", "RTX 5060 Ti 16GB", "Strix Halo", "M3 Ultra", "H100 SXM")


# --- the front ---


def test_nothing_on_the_front_is_beaten_and_what_is_dropped_is(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    rows = standings(found.question, found.options)
    assert len(rows) == len(CARDS)
    assert rows[0].by is None and "recommended" in rows[0].roles
    for row in rows:
        for other in rows:
            worse = any(other.values[a] > row.values[a] * (1 + LEVEL) + SLIGHT[a] for a in AXES)
            better = any(other.values[a] < row.values[a] * (1 - CLEAR) - SLIGHT[a] for a in AXES)
            assert row.by is not None or worse or not better
        assert (row.by is None) == (row.reason == "")


def test_roles_are_what_other_priorities_pick(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    rows = standings(found.question, found.options)
    cheap = next(row.option for row in rows if "best value" in row.roles)
    asked = replace(found.question, priority="cost")
    assert cheap.device.id == ranked(asked, found.options)[0].device.id


# --- weights ---


def test_weights_of_ones_own_take_the_place_of_the_prioritys(ask: Ask) -> None:
    question = ask(MODEL, users="1", hardware=CARDS).question
    assert weights_of(question).speed == 0.6
    assert weights_of(replace(question, weighing={"speed": 2.0})).speed == 2.0
    assert weights_of(replace(question, weighing={"speed": 2.0})).cost == 0.6


def test_points_add_up_and_a_weight_moves_its_own_alone(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    option, heavy = found.options[0], replace(found.question, weighing={"cost": 1.2})
    before, after = points(found.question, option), points(heavy, option)
    assert utility(found.question, option) == pytest.approx(sum(before.values()))
    assert {name for name in before if before[name] != after[name]} == {"cost"}
    assert after["cost"] == pytest.approx(2 * before["cost"])


# --- why not ---


def test_why_not_names_what_is_missing_in_figures(ask: Ask) -> None:
    found = ask("Llama-3.1-70B", users="1", hardware=("RTX 4090", "M3 Ultra"))
    why = why_not(found.question, found.options, device("RTX 3060 12GB"), 1)
    assert not why.feasible and re.search(r"memory: [\d.]+ GiB too little", why.reasons[0])
    assert why_not(found.question, found.options, device("Hailo-10H")).reasons[0]
    none = ask("Llama-3.1-405B", users="1", hardware=("RTX 4090",))
    assert none.pick is None
    assert "it does the job" in why_not(none.question, none.options, device("H100 SXM")).reasons[0]


def test_why_not_compares_speed_price_and_points(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=CARDS)
    pick = found.options[0]
    other = next(option for option in found.options if option.device.id == "nvidia-h100-sxm")
    text = " ".join(why_not(found.question, found.options, other.device).reasons)
    gap = utility(found.question, other) - utility(found.question, pick)
    assert "dearer" in text and "times faster" in text and f"{gap:+.2f} in all" in text
    assert why_not(found.question, found.options, pick.device).reasons == ("it is the recommendation",)


def test_a_tie_is_one_both_ways_and_only_where_intervals_meet(ask: Ask) -> None:
    options = ask(MODEL, users="1", hardware=CARDS).options
    for one in options:
        for other in options:
            assert tied(one, other) == tied(other, one)
    cheap, dear = (
        next(o for o in options if o.device.id == name) for name in ("nvidia-rtx-3060-12gb", "apple-m3-ultra")
    )
    assert not tied(cheap, dear)


# --- softer limits ---


def test_a_limit_that_costs_much_is_named_with_one_that_does_not(ask: Ask) -> None:
    found = ask("Llama-3.1-70B-Instruct", users="200", slo_ttft="1s")
    (line,) = [text for text in found.changes if text.startswith("TTFT")]
    softer = re.search(r"--slo-ttft (\d+)ms\): (.+), \$([\d,]+) less", line)
    assert softer is not None
    then = ask("Llama-3.1-70B-Instruct", users="200", slo_ttft=f"{softer[1]}ms")
    assert then.pick is not None and then.pick.name == softer[2]


def test_a_limit_that_costs_nothing_is_not_spoken_of(ask: Ask) -> None:
    found = ask(MODEL, users="20", slo_ttft="5s")
    assert not [text for text in found.changes if text.startswith("TTFT")]


# --- what it hangs on ---


def test_hinges_move_as_physics_and_money_do(ask: Ask) -> None:
    found = ask(MODEL, users="1", hardware=("RTX 4090", "RTX 3060 12GB", "Strix Halo"))
    rows = hinges(found.question, found.options)
    moved = {(row.what, row.factor > 1): row for row in rows}
    # A faster memory shortens the answer, at most by its factor; a price moves money alone.
    assert 1 / 1.2 <= moved["its bandwidth", True].time < 1.0 < moved["its bandwidth", False].time <= 1.2 + 1e-9
    assert moved["its price", True].cost > 1.0 and moved["its price", True].time == pytest.approx(1.0)
    assert 1.8 < moved["output", True].time < 2.2
    assert [row.moved for row in rows] == sorted((row.moved for row in rows), reverse=True)


# --- mixed use ---


def test_what_is_trained_besides_is_read_from_words() -> None:
    assert also("qlora monthly") == Also(FineTuning("qlora"), 1.0, "qlora monthly")
    assert also("lora 50M weekly").work.tokens == 50e6
    for text in ("qlora", "qlora sometimes", "dance weekly", "train weekly", "lora many weekly"):
        with pytest.raises(RequestError):
            also(text)


def test_one_system_for_both_needs_hours_in_which_nobody_uses_it(ask: Ask) -> None:
    always, office = (ask(MODEL, users="20", hours=hours, hardware=CARDS) for hours in ("24", "10"))
    catalogue = tuple(load_devices().values())
    busy = mixed(always.question, always.options, also("qlora weekly"), catalogue)
    assert busy.one is None and busy.two is not None and busy.better is busy.two
    free = mixed(office.question, office.options, also("qlora weekly"), catalogue)
    assert free.one is not None and free.two is not None
    assert free.one.training.run is not None
    assert 730 / 168 * free.one.training.run.high / 3600 <= idle_hours(office.question) == pytest.approx(14 / 24 * 730)
    assert free.better is (free.two if free.two.month < (1 - SIMPLER) * free.one.month else free.one)
    dear = replace(free.one, month=2 * free.two.month)
    assert replace(free, one=dear).better is free.two


# --- the other way round ---


def machine(name: str, count: int = 1) -> Question:
    arch = load("meta-llama/Llama-3.1-8B-Instruct")
    return Question(arch, SingleUser(), hardware=(device(name),), counts={device(name).id: count})


def test_what_a_machine_serves_is_what_plans_say(ask: Ask) -> None:
    names = ("meta-llama/Llama-3.1-8B-Instruct", "openai/gpt-oss-120b", "meta-llama/Llama-3.3-70B-Instruct")
    rows = list(served(machine("RTX 3090", 2), [load(name) for name in names]))
    assert [row.well for row in rows] == [True, False, True]
    plan = ask("Llama-3.1-8B-Instruct", users="1", hardware=("2x RTX 3090",)).pick
    assert plan is not None and plan.speed is not None and rows[0].option is not None and rows[0].option.speed
    assert rows[0].option.speed.each == pytest.approx(plan.speed.each)
    assert "too little" in rows[1].verdict and rows[1].users == 0 and rows[1].tunes == ""
    users = ask("Llama-3.1-8B-Instruct", users=str(int(rows[0].users)), hardware=("2x RTX 3090",))
    assert users.pick is not None


def test_an_upgrade_serves_what_the_machine_does_not() -> None:
    names = ("meta-llama/Llama-3.1-8B-Instruct", "openai/gpt-oss-120b")
    mine = machine("RTX 3090", 2)
    rows = list(served(mine, [load(name) for name in names]))
    (best, *_) = upgrades(mine, rows, (device("M3 Ultra"), device("RTX 3060 12GB")))
    assert best.gained == ("openai/gpt-oss-120b",)
    more = next(entry for entry in upgrades(mine, rows, ()) if entry.name.startswith("4 × "))
    assert more.price is not None and more.price < 6000  # two more cards and a larger computer, not four


def test_what_is_there_is_asked_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "Llama-3.1-8B-Instruct", "--have", "RTX 3060 12 GB"]) == 0
    assert "well" in capsys.readouterr().out
    assert main(["plan", "--have", "RTX 3090", "--users", "5"]) == 2
    assert "--users means nothing beside --have" in capsys.readouterr().err


def test_this_machine_is_asked_by_what_was_detected(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ridgewise.here import match

    monkeypatch.setattr(match, "detected", lambda extra: ())
    assert main(["plan", "--have", "here"]) == 2
    assert "knows nothing of this machine" in capsys.readouterr().err
    seen = match.Detected("NVIDIA GeForce RTX 3090", "nvidia-rtx-3090", "gpu", 2)
    monkeypatch.setattr(match, "detected", lambda extra: (seen,))
    assert main(["plan", "Llama-3.1-8B-Instruct", "--have", "here"]) == 0
    assert "2 × GeForce RTX 3090" in capsys.readouterr().out
