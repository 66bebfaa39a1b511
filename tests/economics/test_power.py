"""Watts: what boards draw by what they do, and what the host adds at the wall."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ridgewise.economics import Draw, wall_power
from ridgewise.economics.power import host_draw, power_range
from ridgewise.hardware import Device, device, load_devices
from ridgewise.timing import Rates
from ridgewise.timing.coefficients import Band, Block, Coefficient
from ridgewise.timing.power import LEAST_COMPUTING, LEAST_MOVING, Effort, asked, board_draw, board_watts, sustained
from ridgewise.work import Work

LIMITED = sorted(d.id for d in load_devices().values() if d.number("board_power") is not None and d.bandwidth)
#: A board of 100 W idle and 700 W at most, with 1 TB/s and 1 PFLOP/s at 16 bits.
RATES = Rates(1e15, 1e12)
COSTS = {"awake": 0.2, "moving": 300.0, "computing": 0.9}
BLOCK = Block(
    "energy",
    {name: Coefficient(name, value) for name, value in COSTS.items()},
    bands={"watts/": Band(0.8, 1.25)},
)


def drawn(card: Device, count: int, moved: float = 0.5, computed: float = 0.1) -> Draw | None:
    """Draw of devices that use these shares of their bandwidth and of their peak."""
    peak = card.peak("bf16")
    rates = Rates(peak[0] if peak else 150 * float(card.bandwidth or 1), float(card.bandwidth or 1))
    effort = Effort(moved * rates.bandwidth, computed * rates.peak)
    keys = {"device": card.id, "stack": "engine", "cell": "cell"}
    return wall_power(card, count, effort, rates, keys, blocks={"energy": BLOCK})


def test_a_board_by_hand() -> None:
    """0.5 TB/s at 600 pJ/B are 300 W, 100 TFLOP/s at 0.9 pJ 90 W, being awake 120 W: 0.85 of the range, bent."""
    costs = {"awake": 0.2, "moving": 600.0, "computing": 0.9}
    share = 0.2 + (300 + 90) / 600
    found = board_watts(Effort(0.5e12, 100e12), RATES, 100.0, 700.0, costs)
    assert found == pytest.approx(100 + 600 * share / (1 + share**4) ** 0.25) == pytest.approx(559.2, abs=0.1)


def test_no_board_is_built_for_power_it_cannot_use() -> None:
    """Costs that would leave half of the range unused give way to shares of the range."""
    busy = Effort(RATES.bandwidth, RATES.peak)
    least = 0.1 + LEAST_MOVING + LEAST_COMPUTING
    found = board_watts(busy, RATES, 100.0, 700.0, {"awake": 0.1, "moving": 1.0, "computing": 0.001})
    assert found == pytest.approx(board_draw(100.0, 700.0, least))


def test_work_in_fewer_bits_counts_by_its_rate() -> None:
    work = {"projections": Work(flops=4e12, weights=1e9, activations=1e8)}
    found = asked(work, Rates(2e15, 1e12, wide=1e15))
    assert found.moved == pytest.approx(1.1e9)
    assert found.computed == pytest.approx(2e12)


def test_effort_by_hand() -> None:
    """8 sequences yield 400 tokens/s: 50 rounds a second, each a decode step and 8/100 of a prompt."""
    decode, prompt = Effort(10e9, 1e12), Effort(20e9, 50e12)
    found = sustained(decode, prompt, 8.0, 100.0, 400.0)
    assert found.moved == pytest.approx(50 * (10e9 + 0.08 * 20e9))
    assert found.computed == pytest.approx(50 * (1e12 + 0.08 * 50e12))
    alone = sustained(decode, Effort(), 1.0, 100.0, 50.0, stages=4.0)
    assert alone.moved == pytest.approx(50 * 10e9 / 4), "a stage does a quarter of the one sequence's step"


def test_an_eight_board_server_by_hand() -> None:
    # 0.27 W per board watt and 300 W around them: 1,512 + 300 W. DGX H100 is specified at 10.2 kW at the most.
    draw = drawn(device("H100 SXM"), 8, 0.5, 0.6)
    assert draw is not None
    assert draw.wall == pytest.approx(draw.board + 1812)
    assert draw.wall < draw.high <= 8 * 700 + 1812 + 1e-6 < 10_200


def test_one_card_in_a_desktop() -> None:
    """Measured at the wall at the most: 464 W with an RTX 4090; a desktop adds 90 W."""
    draw = drawn(device("RTX 4090"), 1, 0.7, 0.0)
    assert draw is not None and host_draw(device("RTX 4090"), 1) == 90
    assert draw.low < draw.wall < 464 < draw.high


@pytest.mark.parametrize("name", LIMITED)
def test_every_device_draws_between_idle_and_limit(name: str) -> None:
    card = load_devices()[name]
    found = power_range(card)
    assert found is not None
    idle, limit = found
    draws = [drawn(card, 1, *use) for use in ((0.0, 0.0), (0.3, 0.0), (0.6, 0.1), (0.6, 0.6), (1.0, 1.0))]
    boards = [draw.board for draw in draws if draw]
    assert boards == sorted(boards) and idle < boards[0] and boards[-1] < limit
    for draw in draws:
        assert draw is not None
        around = draw.wall - draw.board
        assert (idle + around) * (1 - 1e-9) <= draw.low < draw.wall < draw.high <= (limit + around) * (1 + 1e-9)


def test_more_boards_draw_more() -> None:
    walls = [draw.wall for n in (1, 2, 4) if (draw := drawn(device("RTX 4090"), n))]
    assert walls == sorted(walls) and walls[0] < walls[-1]


def test_support_widens_the_interval() -> None:
    card = device("H100 SXM")
    known = replace(BLOCK, seen={"stack": frozenset({"engine"})})
    keys = {"device": card.id, "stack": "engine", "cell": "cell"}
    effort = Effort(1e12, 1e14)
    far, near = (
        wall_power(card, 1, effort, Rates(989e12, 3.35e12), keys, blocks={"energy": b}) for b in (BLOCK, known)
    )
    assert far is not None and near is not None
    assert (far.support, near.support) == ("none", "stack") and far.wall == near.wall
    assert far.low < near.low < near.high < far.high


def test_a_device_of_unknown_limit_has_no_draw() -> None:
    unknown = next(d for d in load_devices().values() if d.number("board_power") is None)
    assert drawn(unknown, 1) is None
