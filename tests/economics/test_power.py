"""Watts: shares of the board limit within the measured bands, and what the host adds at the wall."""

from __future__ import annotations

import pytest

from ridgewise.economics import wall_power
from ridgewise.economics.power import host_kind
from ridgewise.hardware import device, load_devices

LIMITED = sorted(d.id for d in load_devices().values() if d.number("board_power") is not None)


def test_one_card_decoding_in_a_desktop_by_hand() -> None:
    # RTX 4090: 0.65 of 450 W = 292.5 W; a desktop adds 90 W. Measured at the wall: 464 W at the most.
    draw = wall_power(device("RTX 4090"), 1, "decode")
    assert draw is not None
    assert draw.board == pytest.approx(292.5) and draw.wall == pytest.approx(382.5)
    assert draw.low < draw.wall < draw.high
    assert draw.high > 464


def test_an_eight_board_server_by_hand() -> None:
    # 8 × 700 W training at 0.94: 5,264 W, and 0.27 W per board watt and 300 W around them: 7,076 W. DGX H100
    # is specified at 10.2 kW at the most.
    draw = wall_power(device("H100 SXM"), 8, "train")
    assert draw is not None
    assert draw.board == pytest.approx(5264) and draw.wall == pytest.approx(5264 + 1512 + 300)
    assert draw.high < 10_200


@pytest.mark.parametrize("name", LIMITED)
def test_every_device_draws_within_the_measured_bands(name: str) -> None:
    card = load_devices()[name]
    limit = card.number("board_power")
    assert limit is not None
    kind = host_kind(card, 1)
    draws = [wall_power(card, 1, activity) for activity in ("decode", "serve", "train")]  # type: ignore[arg-type]
    for draw, (low, high) in zip(draws, ((0.41, 0.87), (0.54, 0.99), (0.89, 0.99)), strict=True):
        assert draw is not None
        assert 0 < draw.low < draw.wall < draw.high
        assert draw.board <= draw.wall
        if kind != "complete":
            assert low <= draw.board / limit <= high
    assert draws[0].wall <= draws[1].wall <= draws[2].wall  # type: ignore[union-attr]


def test_more_boards_draw_more() -> None:
    for activity in ("decode", "serve", "train"):
        walls = [wall_power(device("RTX 4090"), n, activity).wall for n in (1, 2, 4)]  # type: ignore[union-attr, arg-type]
        assert walls == sorted(walls) and walls[0] < walls[-1]


def test_a_device_of_unknown_limit_has_no_draw() -> None:
    unknown = next(d for d in load_devices().values() if d.number("board_power") is None)
    assert wall_power(unknown, 1, "decode") is None
