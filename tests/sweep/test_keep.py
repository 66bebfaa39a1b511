"""What is kept of parts is what is kept of the whole, and what brute force keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ridgewise.errors import RequestError
from ridgewise.sweep.keep import Columns, Keep, read_keep, unbeaten

KNOWN = ("row", "model", "tpot_s", "buy_usd", "rate", "fits")


def some(rows: int = 400, seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    price = random.integers(1, 30, rows).astype(float)
    price[::17] = np.nan
    return {
        "row": np.arange(rows), "model": random.integers(0, 3, rows), "tpot_s": random.integers(1, 40, rows) / 100,
        "buy_usd": price, "rate": random.random(rows), "fits": random.random(rows) < 0.8,
    }  # fmt: skip


def in_parts(keep: Keep, rows: Columns, parts: int) -> Columns:
    cuts = [keep.reduced(dict(zip(rows, each, strict=True))) for each in _cut(rows, parts)]
    joined = {name: np.concatenate([cut[name] for cut in cuts]) for name in cuts[0]}
    return keep.finished(joined)


def _cut(rows: Columns, parts: int) -> list[tuple[np.ndarray, ...]]:
    return list(zip(*(np.array_split(column, parts) for column in rows.values()), strict=True))


@pytest.mark.parametrize(
    "keep",
    [
        Keep(top=5, order="tpot_s"),
        Keep(top=3, order="-rate", by=("model",)),
        Keep(front=("tpot_s", "buy_usd")),
        Keep(front=("tpot_s", "buy_usd", "-rate"), by=("model",)),
        Keep(groups=True, by=("model", "fits"), of=("tpot_s", "buy_usd")),
    ],
)
@pytest.mark.parametrize("parts", [1, 4, 37])
def test_parts_give_what_the_whole_gives(keep: Keep, parts: int) -> None:
    rows = some()
    whole, shared = keep.finished(keep.reduced(rows)), in_parts(keep, rows, parts)
    assert whole.keys() == shared.keys() and len(next(iter(whole.values()))) > 0
    for name in whole:
        assert shared[name] == pytest.approx(whole[name], nan_ok=True), name


def test_the_first_are_the_least_and_ties_go_by_row() -> None:
    rows = some()
    found = Keep(top=7, order="tpot_s").reduced(rows)
    order = sorted(range(400), key=lambda at: (rows["tpot_s"][at], at))
    assert found["row"].tolist() == order[:7]


def test_the_front_is_what_nothing_beats() -> None:
    rows = some()
    goals = np.column_stack([rows["tpot_s"], np.nan_to_num(rows["buy_usd"], nan=np.inf), -rows["rate"]])
    beaten = [any((b <= a).all() and (b < a).any() for b in goals) for a in goals]
    assert sorted(unbeaten(goals).tolist()) == [at for at in range(400) if not beaten[at]]


def test_groups_count_and_sum_what_is_known() -> None:
    rows = some()
    found = Keep(groups=True, by=("model",), of=("buy_usd",))
    told = found.finished(found.reduced(rows))
    for place, model in enumerate(told["model"]):
        prices = rows["buy_usd"][rows["model"] == model]
        assert told["rows"][place] == prices.size
        assert told["buy_usd_mean"][place] == pytest.approx(np.nanmean(prices))
        assert (told["buy_usd_min"][place], told["buy_usd_max"][place]) == (np.nanmin(prices), np.nanmax(prices))


def test_conditions_hold_of_columns() -> None:
    keep = read_keep({"where": ["fits", "tpot_s < 0.2", "buy_usd >= 3"]}, KNOWN, ("model",), "g")
    rows = some()
    passing = keep.passing(rows)
    assert passing is not None
    assert passing.tolist() == (rows["fits"] & (rows["tpot_s"] < 0.2) & (rows["buy_usd"] >= 3)).tolist()


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        ({"whre": []}, "g", "unknown field"),
        ({"where": ["tpot < 1"]}, "g.where", "unknown column"),
        ({"where": ["tpot_s < soon"]}, "g.where", "no number"),
        ({"where": ["model < 3"]}, "g.where", "words"),
        ({"columns": ["tpot"]}, "g.columns", "unknown column"),
        ({"columns": [3]}, "g.columns", "list of words"),
        ({"top": 10}, "g.top", "no table"),
        ({"top": {"first": 3}}, "g.top.order", "no column"),
        ({"top": {"order": "tpot_s", "first": 0}}, "g.top.first", "whole number"),
        ({"front": {"of": ["tpot_s"]}}, "g.front.of", "two to six"),
        ({"groups": {"of": ["tpot_s"]}}, "g.groups.by", "nothing"),
        ({"groups": {"by": ["model"], "of": ["model"]}}, "g.groups.of", "no order"),
        ({"groups": {"by": ["model"]}, "top": {"order": "tpot_s"}}, "g", "at once"),
    ],
)
def test_what_cannot_be_kept_is_named(table: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        read_keep(table, KNOWN, ("model",), "g")
    assert caught.value.where == where
