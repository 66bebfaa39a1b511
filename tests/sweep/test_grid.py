"""Grid files: what they mean, and what is wrong with them."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ridgewise.errors import RequestError
from ridgewise.sweep.grid import grid, read_grid

from .conftest import NONE, TABLE


def test_cases_are_the_product_of_names() -> None:
    found = grid({"names": {**TABLE["names"], "tp": [1, 2], "quant": ["fp8", "bf16"]}}, NONE)
    assert found.cases == 8 and found.per_case == 1
    every = [dict(zip(found.names, values, strict=True)) for values in product(*found.names.values())]
    assert [found.case(place) for place in range(8)] == every


def test_patterns_mean_what_the_catalogue_holds() -> None:
    found = grid({"names": {"model": "qwen/*", "hardware": ["kind:unified", "nvidia-rtx-30*"]}}, NONE)
    assert len(found.names["model"]) > 5 and all(name.casefold().startswith("qwen/") for name in found.names["model"])
    assert any(name.startswith("apple-") for name in found.names["hardware"])
    assert "nvidia-rtx-3090" in found.names["hardware"] and len(set(found.names["hardware"])) == len(
        found.names["hardware"]
    )


def test_what_changes_an_answer_changes_the_hash() -> None:
    one = grid(TABLE, NONE)
    assert one.hash == grid(TABLE, NONE).hash
    others = [{**TABLE, "numbers": {"prompt": 7}}, {**TABLE, "seed": 1}, {**TABLE, "keep": {"where": ["fits"]}}]
    assert len({one.hash, *(grid(other, NONE).hash for other in others)}) == 4


@pytest.mark.parametrize(
    ("table", "where", "what"),
    [
        ({"nmes": {}}, "grid", "unknown field"),
        ({"names": []}, "grid: names", "no table"),
        ({"kind": "guess"}, "grid: kind", "unknown kind"),
        ({"seed": -1}, "grid: seed", "whole number"),
        ({"names": {"hardware": "H100 SXM"}}, "grid: names.model", "not said"),
        ({"names": {**TABLE["names"], "colour": "red"}}, "grid: names", "unknown name"),
        ({"names": {**TABLE["names"], "tp": [0]}}, "grid: names.tp", "whole number"),
        ({"names": {**TABLE["names"], "hardware": "kind:toaster"}}, "grid: names.hardware", "no hardware of kind"),
        ({"names": {**TABLE["names"], "hardware": "zx-*"}}, "grid: names.hardware", "no hardware"),
        ({"names": {**TABLE["names"], "model": "nobody/*"}}, "grid: names.model", "no model"),
        ({**TABLE, "numbers": {"prompt": {"from": 1, "to": 9, "points": 9_000_000},
                               "output": {"from": 1, "to": 9, "points": 9_000_000}}}, "grid", "rows"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_named(table: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        grid(table, NONE)
    assert caught.value.where == where


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[names", b"x" * (2 << 20)])
def test_a_file_that_is_no_grid_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "grid.toml"
    path.write_bytes(content)
    with pytest.raises(RequestError) as caught:
        read_grid(path, NONE)
    assert caught.value.where == str(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="No such file"):
        read_grid(tmp_path / "none.toml", NONE)
