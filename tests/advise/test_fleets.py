"""A fleet is the cheapest that keeps every limit: what brute force finds, machine by machine, on small cases."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ridgewise.advise import Question
from ridgewise.advise.fleets import Column, Fleet, Kind, Period, Task, plan
from ridgewise.advise.fleets.columns import carries, columns, shared
from ridgewise.advise.fleets.plan import Use, _solve, _told
from ridgewise.advise.fleets.program import program_of, relaxed, solved
from ridgewise.advise.inference import Deployments
from ridgewise.app import fleets as app
from ridgewise.app.main import main
from ridgewise.errors import RequestError
from ridgewise.hardware.machine import configurations
from ridgewise.hardware.sheets import device

Pose = Callable[..., Question]
PERIODS = (Period("day", 10.0), Period("night", 14.0))
HOURS = 730.0


def task(pose: Pose, name: str, users: int, loads: tuple[float, ...]) -> Task:
    return Task(name, pose("Qwen3-0.6B", users=str(users)), loads)


def kind(count: int, price: float, **more: object) -> Kind:
    return Kind(f"{count} cards", device("L40S"), count, price=price, **more)  # type: ignore[arg-type]


# --------------------------------------------------------------------- brute force, without any mathematics of programs


def packs(sizes: Sequence[float], bins: Sequence[float]) -> bool:
    """Do pieces fit bins? Tried in every way."""
    if not sizes:
        return True
    tried = set()
    for i, room in enumerate(bins):
        if room >= sizes[0] - 1e-9 and room not in tried:
            tried.add(room)
            if packs(sizes[1:], [*bins[:i], room - sizes[0], *bins[i + 1 :]]):
                return True
    return False


def choices(fleet: Fleet, columns: Sequence[Column], t: int) -> Iterator[tuple[int, ...]]:
    """Numbers of replicas by column that carry every load of a period."""
    ranges = [
        range(math.ceil(fleet.tasks[c.task].amount * fleet.tasks[c.task].loads[t] / c.carries) + 1) for c in columns
    ]
    for count in itertools.product(*ranges):
        carried = [0.0] * len(fleet.tasks)
        for c, n in zip(columns, count, strict=True):
            carried[c.task] += n * c.carries
        if all(held >= task.amount * task.loads[t] for held, task in zip(carried, fleet.tasks, strict=True)):
            yield count


def least_energy(fleet: Fleet, columns: Sequence[Column], count: Sequence[int], t: int) -> float:
    """USD a month that work adds: every load goes to the replicas that take least for it."""
    total = 0.0
    for i, one in enumerate(fleet.tasks):
        left = one.amount * one.loads[t]
        ways = sorted((c.watts / c.carries, n * c.carries) for c, n in zip(columns, count, strict=True) if c.task == i)
        for each, room in ways:
            served = min(left, room)
            left -= served
            total += each * served / 1000 * fleet.periods[t].hours * HOURS / 24 * one.busy * fleet.tariff
    return total


def brute(fleet: Fleet, columns: Sequence[Column], most: int = 7) -> float | None:
    """The least month [USD] of all fleets of owned machines; None where none keeps the budget."""
    fitting = [list(choices(fleet, columns, t)) for t in range(len(fleet.periods))]
    best: float | None = None
    for machines in itertools.product(range(most + 1), repeat=len(fleet.kinds)):
        bought = [max(n - k.have, 0) for n, k in zip(machines, fleet.kinds, strict=True)]
        price = sum(n * (k.cost or 0.0) for n, k in zip(bought, fleet.kinds, strict=True))
        if price > fleet.limits.get("budget", math.inf):
            continue
        month = price / fleet.months + sum(
            n * k.idle / 1000 * HOURS * fleet.tariff for n, k in zip(machines, fleet.kinds, strict=True)
        )
        if best is not None and month >= best:
            continue
        for t, ways in enumerate(fitting):
            able = [
                least_energy(fleet, columns, count, t) for count in ways
                if all(
                    packs(
                        sorted((s for c, n in zip(columns, count, strict=True) if c.kind == k
                                for s in [c.devices] * n), reverse=True),
                        [float(fleet.kinds[k].count)] * max(n - fleet.spares, 0),
                    )
                    for k, n in enumerate(machines)
                )
            ]  # fmt: skip
            if not able:
                break
            month += min(able)
        else:
            best = month if best is None else min(best, month)
    return best


@pytest.mark.parametrize("seed", range(24))
def test_the_choice_costs_what_brute_force_finds(pose: Pose, seed: int) -> None:
    rng = random.Random(seed)
    tasks = (task(pose, "a", 100, (1.0, rng.choice([0.1, 0.6]))), task(pose, "b", 100, (rng.choice([0.3, 1.0]), 1.0)))
    kinds = (kind(2, rng.uniform(4e3, 9e3), have=rng.choice([0, 1])), kind(4, rng.uniform(7e3, 2e4)))
    made = [
        Column(i, k, size, rng.uniform(15, 90) * max(size, 0.5), rng.uniform(20, 200))
        for i in range(2) for k in range(2) for size in rng.sample([0.25, 0.5, 1.0, 2.0], 1)
    ]  # fmt: skip
    fleet = Fleet(tasks, kinds, PERIODS, {"budget": rng.uniform(1e4, 6e4)} if rng.random() < 0.6 else {},
                  spares=int(seed % 4 == 0))  # fmt: skip
    found, expected = _solve(fleet, made)[0], brute(fleet, made)
    if expected is None:
        assert found is None
    else:
        assert found is not None and found.proved
        assert found.cost == pytest.approx(expected, rel=1e-6)


def test_a_spare_machine_is_one_more_than_the_load_needs(pose: Pose) -> None:
    fleet = Fleet((task(pose, "a", 100, (1.0,)),), (kind(2, 5000.0),))
    made = [Column(0, 0, 1.0, 30.0, 50.0)]
    bought = []
    for spares in (0, 1, 2):
        asked = replace(fleet, spares=spares)
        solution, layout = _solve(asked, made)
        assert solution is not None
        bought.append(round(float(solution.values[layout.bought[0]])))
    assert bought == [2, 3, 4]  # four replicas of 30 users, two to a machine


def test_a_run_takes_the_devices_that_people_leave_at_night(pose: Pose) -> None:
    (run,) = (c for c in columns(_nightly(pose)) if c.task == 1 and c.devices == 1)
    chat = Column(0, 0, 1.0, 60.0, 100.0)
    fleet = _nightly(pose)
    shared_month = _solve(fleet, [chat, run])[0]
    always = replace(fleet, tasks=(replace(fleet.tasks[0], loads=(1.0, 1.0)), fleet.tasks[1]))
    apart_month = _solve(always, [chat, run])[0]
    assert shared_month is not None and apart_month is not None
    assert apart_month.cost - shared_month.cost > 100  # a further card's price over the months
    assert run.hours < 14


def _nightly(pose: Pose) -> Fleet:
    tune = Task("tune", pose("Qwen3-0.6B", goal="qlora", tokens="100M"), (0.0, 1.0), every=86400.0)
    return Fleet((task(pose, "chat", 100, (1.0, 0.1)), tune), (kind(1, 9000.0),), PERIODS)


def test_a_run_that_no_night_is_long_enough_for_cannot_be(pose: Pose) -> None:
    fleet = _nightly(pose)
    (run,) = (c for c in columns(fleet) if c.task == 1 and c.devices == 1)
    assert run.run is not None
    longer = replace(run, run=replace(run.run, seconds=15 * 3600.0))
    chat = Column(0, 0, 1.0, 60.0, 100.0)
    assert _solve(fleet, [chat, longer])[0] is None
    weekly = replace(fleet, tasks=(fleet.tasks[0], replace(fleet.tasks[1], every=7 * 86400.0)))
    assert _solve(weekly, [chat, longer])[0] is not None


def test_rented_machines_are_paid_for_the_periods_in_which_they_are_needed(pose: Pose) -> None:
    rented = Kind("cloud", device("L40S"), 1, rented=True, hourly=2.0)
    fleet = Fleet((task(pose, "a", 100, (1.0, 0.0)),), (rented,), PERIODS)
    solution = _solve(fleet, [Column(0, 0, 1.0, 60.0, 100.0)])[0]
    assert solution is not None
    assert solution.cost == pytest.approx(2 * 2.0 * 10 * 730 / 24)


def test_limits_in_watts_and_rack_units_hold(pose: Pose) -> None:
    one = kind(2, 5000.0, units=4.0)
    fleet = Fleet((task(pose, "a", 100, (1.0,)),), (one,))
    made = [Column(0, 0, 1.0, 30.0, 50.0)]
    watts = 2 * one.idle + 4 * 50  # four replicas of 30 users, each drawing as if it were full
    for limits, able in (
        ({"power": watts + 1}, True), ({"power": watts - 1}, False), ({"rack": 8.0}, True), ({"rack": 7.0}, False),
        ({"budget": 10_000.0}, True), ({"budget": 9_999.0}, False), ({"month": 1.0}, False),
    ):  # fmt: skip
        assert (_solve(replace(fleet, limits=limits), made)[0] is not None) is able, limits


def test_a_limit_that_binds_says_where_the_next_step_is(pose: Pose) -> None:
    """Two machines of 5,000 USD are wanted, a rented card does what the budget forbids."""
    kinds = (kind(2, 5000.0), Kind("cloud", device("L40S"), 1, rented=True, hourly=5.0))
    made = [Column(0, k, 1.0, 30.0, 50.0) for k in (0, 1)]
    for budget, step in ((4000.0, 5000.0), (7000.0, 10_000.0)):
        (use,) = _uses_of(Fleet((task(pose, "a", 100, (1.0,)),), kinds, limits={"budget": budget}), made)
        assert use.binds and use.step == pytest.approx(step, rel=1e-6)
        assert use.without > use.more == 0.0
    (use,) = _uses_of(Fleet((task(pose, "a", 100, (1.0,)),), kinds, limits={"budget": 10_000.0}), made)
    assert not use.binds and use.step is None


def _uses_of(fleet: Fleet, made: Sequence[Column]) -> list[Use]:
    solution, layout = _solve(fleet, made)
    assert solution is not None
    return [use for use in _told(fleet, made, solution, layout, 0).uses if use.limit == "budget"]


def test_the_dual_is_the_slope_of_the_relaxation(pose: Pose) -> None:
    """A dear machine that draws little against a cheap one that draws much: what a watt more is worth."""
    tasks, kinds = (task(pose, "a", 100, (1.0,)),), (kind(1, 9000.0), kind(2, 3000.0))
    made = [Column(0, 0, 1.0, 50.0, 10.0), Column(0, 1, 1.0, 25.0, 100.0)]

    def relaxation(most: float) -> float:
        from scipy.optimize import linprog

        program = program_of(Fleet(tasks, kinds, limits={"power": most}), made)[0]
        held = program.matrix()
        rows = held.A.toarray()
        upper, lower = (
            [i for i, v in enumerate(held.ub) if v < math.inf],
            [i for i, v in enumerate(held.lb) if v > -math.inf],
        )
        found = linprog(
            program.cost, A_ub=[*rows[upper], *(-rows[lower])], b_ub=[*held.ub[upper], *(-held.lb[lower])],
            bounds=[(0, most) for most in program.most],
        )  # fmt: skip
        return float(found.fun)

    most = 600.0
    slope = (relaxation(most) - relaxation(most + 1)) / 1
    dual = relaxed(program_of(Fleet(tasks, kinds, limits={"power": most}), made)[0])["power"] / most
    assert slope > 0
    assert dual == pytest.approx(slope, rel=1e-3)


# ------------------------------------------------------------------------------------------------------ what they carry


def test_a_replica_carries_its_load_and_not_much_more(pose: Pose) -> None:
    asked = pose("Llama-3.1-8B", users="400")
    table, _ = Deployments().of(asked, (device("RTX 4090"),))
    rows = [row for row in table.rows if row.setup.replicas == 1][:4]
    held, watts = carries(asked, rows, 5000.0)
    assert any(0 < load < 5000 for load in held)
    from ridgewise.advise.inference import again, candidates

    for row, load in zip(rows, held, strict=True):
        if not 0 < load < 5000:
            continue
        for users, able in ((load, True), (load * 1.07, False)):
            work = replace(asked.workload, users=float(users))
            one = replace(asked, workload=work, hardware=(device("RTX 4090"),))
            options = list(candidates(one, one.hardware, Deployments()))
            same = [replace(o, tp=int(row.setup.plan.tp), pp=int(row.setup.plan.pp), replicas=1, count=row.setup.count,
                            format=row.setup.plan.format.id) for o in options]  # fmt: skip
            assert again(one, same)[0].feasible is able, (row.setup.plan.format.id, users)
    assert all(w > 0 for w, load in zip(watts, held, strict=True) if load)


def test_shares_of_a_device_carry_no_more_than_the_device(pose: Pose) -> None:
    card = device("H100 SXM")
    fleet = Fleet((Task("a", pose("Llama-3.1-8B", users="2000"), (1.0,)),), (Kind("h100", card, 8),))
    by_size = {c.devices: c.carries for c in columns(fleet) if c.devices <= 1}
    assert set(by_size) == {0.25, 0.5, 1.0}  # an eighth of 80 GB holds no 8 billion weights of 8 bits
    assert by_size[0.25] * 4 < by_size[1.0] * 1.3  # what is shared is not more than what there is
    half = shared(card, 0.5)
    assert half.memory == card.memory / 2 and half.bandwidth == card.bandwidth / 2  # type: ignore[operator]


def test_coarse_weights_only_where_nothing_finer_does(pose: Pose) -> None:
    asked = Task("a", pose("Llama-3.3-70B-Instruct", users="20"), (1.0,))
    cards = (Kind("one", device("RTX PRO 6000 Blackwell Max-Q"), 1), Kind("4090", device("RTX 4090"), 2))
    both = columns(Fleet((asked,), cards))
    assert {c.setup.plan.format.id for c in both if c.setup} <= {"fp8", "bf16"}
    alone = columns(Fleet((asked,), cards[1:]))
    assert all(c.setup and c.setup.plan.format.default < 8 for c in alone)


def test_what_is_let_one_by_one_trains_alone(pose: Pose) -> None:
    run = Task("t", pose("Llama-3.1-8B", goal="train", tokens="1B"), (1.0,), every=30 * 86400.0)
    lone, server = (Kind(str(n), device("H100 SXM"), n, rented=True) for n in (1, 8))
    found = columns(Fleet((run,), (lone, server)))
    assert {c.devices for c in found if c.kind == 0} <= {1.0}
    assert max(c.devices for c in found if c.kind == 1) >= 8


def test_a_machine_is_priced_and_filled_by_the_same_memory(pose: Pose) -> None:
    """Macs and servers are sold with several: what is not named is the least, to serve, to train and to pay for."""
    for name in ("M3 Ultra", "EPYC 9654"):
        plain, least = (
            Kind("a", device(name), 1),
            Kind("b", device(name), 1, configuration=configurations(device(name))[0]),
        )
        assert plain.memory == least.memory and plain.cost == least.cost
        assert plain.cost is not None
    tasks = (
        Task("chat", pose("Qwen3-0.6B", users="5"), (1.0,)),
        Task("tune", pose("Qwen3-0.6B", goal="qlora"), (1.0,), every=30 * 86400.0),
    )
    mac = device("M3 Ultra")
    made = [columns(Fleet(tasks, (Kind("a", mac, 1, configuration=held),))) for held in (None, configurations(mac)[0])]
    assert [c.task for c in made[0]] == [0, 1]
    assert [(c.carries, c.run and c.run.memory_left) for c in made[0]] == [
        (c.carries, c.run and c.run.memory_left) for c in made[1]
    ]


# ------------------------------------------------------------------------------------------------------------- the file

FILE = """
tariff = 0.20
[limits]
budget = "90k"
[periods]
day = 10
night = 14
[workloads.chat]
team = "support"
model = "Llama-3.1-8B-Instruct"
users = 300
load = { day = 1.0, night = 0.1 }
[workloads.tuning]
model = "Qwen3-14B"
goal = "qlora"
tokens = "20M"
every = "1 day"
periods = ["night"]
[machines.card]
hardware = "L40S"
[machines.cloud]
hardware = "H100 SXM"
count = 1
rented = true
"""


def written(folder: Path, text: str = FILE) -> str:
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--fleet", written(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["proved"] and found["gap"] <= 1e-5
    parts = [found[f"{name}_usd_per_month"] for name in ("purchase", "rent", "energy")]
    assert sum(parts) == pytest.approx(found["cost_usd_per_month"])
    shares = sum(found["teams_usd_per_month"].values()) + found["spare_usd_per_month"]
    assert shares == pytest.approx(found["cost_usd_per_month"])
    assert found["cost_usd_per_month"] <= found["apart_usd_per_month"] + 1e-6
    card = next(kind for kind in found["machines"] if kind["device"] == "nvidia-l40s")
    assert card["bought"] * 8000 > found["purchase_usd"] / 3  # a card and a desktop around it
    for machine in card["machines"]:
        for period in ("day", "night"):
            assert sum(p["count"] * p["devices_each"] for p in machine["placements"] if p["period"] == period) <= 1
    assert main(["plan", "--fleet", written(tmp_path)]) == 0
    assert main(["plan", "--fleet", written(tmp_path), "--markdown"]) == 0


def test_what_cannot_be_says_by_how_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FILE.replace('"90k"', "500").replace("rented = true", "rented = true\nmost = 0")
    assert main(["plan", "--fleet", written(tmp_path, text), "--json"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    (budget,) = (one for one in found["passed"] if one["limit"] == "budget")
    wider = text.replace("budget = 500", f"budget = {math.ceil(budget['alone'])}")
    assert main(["plan", "--fleet", written(tmp_path, wider), "--json"]) == 0
    tighter = text.replace("budget = 500", f"budget = {math.floor(0.99 * budget['alone'])}")
    assert main(["plan", "--fleet", written(tmp_path, tighter), "--json"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "where", "near"),
    [
        ("night = 0.1", "nigth = 0.1", "workloads.chat.load", "night"),
        ("day = 1.0, night = 0.1", "day = 0, night = 0", "workloads.chat.load", ""),
        ("night = 0.1", "night = 1.5", "workloads.chat.load.night", ""),
        ('"L40S"', '"L41S"', "machines.card.hardware", "nvidia-l40s"),
        ("users = 300", 'users = "lots"', "workloads.chat", ""),
        ("users = 300", "usres = 300", "workloads.chat", "users"),
        ("day = 10", "day = 11", "periods", "24"),
        ("budget", "buget", "limits", "budget"),
        ("rented = true", "rented = true\nhave = 1", "machines.cloud.have", "rented = false"),
        ("rented = true", "rented = 1", "machines.cloud.rented", "true"),
        ('periods = ["night"]', 'periods = ["noon"]', "workloads.tuning.periods", "night"),
        ('every = "1 day"', "load = 0.5", "workloads.tuning.load", ""),
        ("count = 1", "count = 1.5", "machines.cloud.count", ""),
        ('model = "Qwen3-14B"', 'model = "Qwen3-41B"', "model", "Qwen3-14B"),
        ("tariff = 0.20", "tarif = 0.20", "fleet.toml", "tariff"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, where: str, near: str
) -> None:
    assert old in FILE
    with pytest.raises(RequestError) as raised:
        app.read(Path(written(tmp_path, FILE.replace(old, new))))
    assert where in raised.value.where
    assert any(near in choice for choice in raised.value.nearest) or not near


def test_flags_beside_a_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--fleet", written(tmp_path), "--users", "5"]) == 2
    assert "--users" in capsys.readouterr().err
    assert main(["plan", "--fleet", str(tmp_path / "none.toml")]) == 2


def test_percentiles_are_kept_in_a_simulation(pose: Pose) -> None:
    from ridgewise.simulation.metrics import limit

    promises = (limit("ttft", "p95=1s", ""), limit("tpot", "p95=60ms", ""))
    one = Task("a", pose("Llama-3.1-8B", users="200"), (1.0,), promises=promises)
    fleet = Fleet((one,), (Kind("card", device("L40S"), 1),))
    found = plan(fleet)
    assert found.feasible and found.simulations >= 1
    chosen = {found.columns[d].carries for d, _ in found.served or {}}
    hoped = {c.devices: c.carries for c in columns(fleet)}
    assert all(held <= max(hoped.values()) for held in chosen)
    assert solved(program_of(fleet, columns(fleet))[0]).cost <= found.solution.cost + 1e-6  # type: ignore[union-attr]
