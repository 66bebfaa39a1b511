"""Axes and boxes: every row once, in order; the same draws however they are shared out."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.errors import RequestError
from ridgewise.sweep.axes import boxes, columns, read_axes

KNOWN = {"prompt": (1024.0, 1.0, 1e8), "output": (512.0, 1.0, 1e8), "tariff": (0.25, 0.0, 100.0)}


@given(st.data(), st.lists(st.integers(1, 7), max_size=4), st.integers(1, 40))
def test_boxes_hold_every_row_once_in_order(data: st.DataObject, sizes: list[int], most: int) -> None:
    shape = tuple(sizes)
    begin = data.draw(st.integers(0, prod(shape)))
    end = data.draw(st.integers(begin, prod(shape)))
    grid = np.arange(prod(shape)).reshape(shape)
    found = list(boxes(shape, begin, end, most))
    rows = [row for box in found for row in grid[box.slices].ravel().tolist()]
    assert rows == list(range(begin, end))
    assert all(box.rows <= most for box in found)
    assert [box.begin for box in found] == [int(grid[box.slices].ravel()[0]) for box in found]


def test_whole_grids_are_few_boxes() -> None:
    found = list(boxes((100, 50, 200), 0, 1_000_000, 16_384))
    assert len(found) == 100, "of 10,000 rows, the most that whole axes make below 16,384"


def test_columns_broadcast_to_the_rows_they_stand_for() -> None:
    axes = read_axes(
        {"prompt": [1, 2, 3], "output": {"from": 1, "to": 100, "points": 3, "scale": "log"}}, KNOWN, 0, "g"
    )
    assert [axis.size for axis in axes] == [3, 3, 1]
    (box,) = boxes(tuple(axis.size for axis in axes), 0, 9)
    found = columns(axes, box)
    assert found["prompt"].shape == (3, 1, 1) and found["output"].ravel() == pytest.approx([1, 10, 100])
    assert np.broadcast_to(found["prompt"], box.shape).ravel().tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_draws_follow_seed_and_name_alone() -> None:
    table: dict[str, Any] = {"prompt": {"lognormal": [1024, 0.9]}, "draws": 5000}
    (one,) = [axis for axis in read_axes(table, KNOWN, 7, "g") if axis.name == "draw"]
    beside = {**table, "output": {"uniform": [10, 20]}}
    (both,) = [axis for axis in read_axes(beside, KNOWN, 7, "g") if axis.name == "draw"]
    (other,) = [axis for axis in read_axes(table, KNOWN, 8, "g") if axis.name == "draw"]
    assert np.array_equal(one.columns["prompt"], both.columns["prompt"])
    assert not np.array_equal(one.columns["prompt"], other.columns["prompt"])
    assert np.median(one.columns["prompt"]) == pytest.approx(1024, rel=0.05)
    assert np.log(one.columns["prompt"]).std() == pytest.approx(0.9, rel=0.05)
    assert both.columns["output"].min() >= 10 and both.columns["output"].max() <= 20


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        ({"promt": 1}, "g", "unknown number"),
        ({"prompt": []}, "g.prompt", "no value"),
        ({"prompt": "many"}, "g.prompt", "no number"),
        ({"prompt": 0}, "g.prompt", "outside"),
        ({"prompt": float("nan")}, "g.prompt", "outside"),
        ({"prompt": {"from": 1, "to": 8}}, "g.prompt", "points"),
        ({"prompt": {"from": 0, "to": 8, "points": 3, "scale": "log"}}, "g.prompt.from", "above 0"),
        ({"prompt": {"from": 1, "to": 8, "points": 10**9}}, "g.prompt.points", "whole number"),
        ({"prompt": {"from": 1, "to": 8, "points": 3, "scale": "cubic"}}, "g.prompt.scale", "unknown scale"),
        ({"prompt": {"lognormal": [1024, 1]}}, "g.draws", "not said"),
        ({"draws": 10}, "g.draws", "nothing is drawn"),
        ({"prompt": {"zipf": [1, 2]}, "draws": 10}, "g.prompt", "unknown distribution"),
        ({"prompt": {"normal": [1]}, "draws": 10}, "g.prompt", "is given by"),
        ({"prompt": {"normal": [0, 100]}, "draws": 100}, "g.prompt", "outside"),
    ],
)
def test_what_is_no_axis_is_named(table: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        read_axes(table, KNOWN, 0, "g")
    assert caught.value.where == where
