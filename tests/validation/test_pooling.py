"""The fit: it finds what was put in, borrows where evidence is thin, and shrugs off a wild row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ridgewise.validation.pooling import Found, Spec, fit, layout

RNG = np.random.default_rng(7)
SIZE = 240
WORK = RNG.uniform(1.0, 100.0, SIZE)
FIXED = RNG.uniform(1.0, 50.0, SIZE)
GROUP = (*RNG.choice(["a", "b", "c"], SIZE - 2).tolist(), "thin", "thin")
FACTORS = {"a": 1.3, "b": 0.8, "c": 1.0, "thin": 2.0}

SPECS = (
    Spec("rate", 2.0, 0.5, {"group": 0.4}, high=10.0),
    Spec("cost", 0.1, 0.7),
)


def formula(coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
    """A roofline in small: work over a rate, and a fixed cost."""
    return np.log(WORK / coefficients["rate"] + FIXED * coefficients["cost"])


def truth(noise: float = 0.02) -> np.ndarray:
    rate = 3.0 * np.array([FACTORS[g] for g in GROUP])
    clean = np.log(WORK / rate + FIXED * 0.05)
    return clean + np.random.default_rng(11).normal(0, noise, SIZE)


def solved(target: np.ndarray, weight: np.ndarray | None = None, specs: Sequence[Spec] = SPECS) -> Found:
    plan = layout(specs, {"group": GROUP}, SIZE)
    return fit(formula, target, np.ones(SIZE) if weight is None else weight, plan)


def rates(found: Found) -> dict[str, float]:
    column = found.coefficients()["rate"]
    return {name: float(column[GROUP.index(name)]) for name in FACTORS}


def test_it_finds_the_coefficients_that_made_the_data() -> None:
    found = solved(truth())
    for name in ("a", "b", "c"):
        assert rates(found)[name] == pytest.approx(3.0 * FACTORS[name], rel=0.03)
    assert float(found.coefficients()["cost"][0]) == pytest.approx(0.05, rel=0.05)


def test_a_thin_group_stays_nearer_to_the_others_and_is_less_sure() -> None:
    found = solved(truth())
    place = {name: i for i, name in enumerate(found.layout.names)}
    whole = rates(found)
    middle = float(np.mean([whole[name] for name in ("a", "b", "c")]))
    assert middle < whole["thin"] < 3.0 * FACTORS["thin"]
    doubts = {name: found.doubts[place["rate", "group", name]] for name in FACTORS}
    assert doubts["thin"] > doubts["a"]


def test_a_group_without_evidence_is_the_block_s_own() -> None:
    weight = np.array([0.0 if g == "thin" else 1.0 for g in GROUP])
    kept = solved(truth(), weight).written(weight)
    assert "thin" not in kept["rate"].levels["group"]
    assert kept["rate"].at({"group": "thin"}) == kept["rate"].value == kept["rate"].at({})


def test_one_wild_row_hardly_moves_it() -> None:
    wild = truth()
    wild[5] += 3.0
    for name, value in rates(solved(wild)).items():
        assert value == pytest.approx(rates(solved(truth()))[name], rel=0.02)


def test_the_same_rows_give_the_same_numbers() -> None:
    one, two = (solved(truth()).written(np.ones(SIZE)) for _ in range(2))
    assert one == two


def test_bounds_hold() -> None:
    tight = (Spec("rate", 2.0, 0.5, {"group": 0.4}, high=2.5), SPECS[1])
    assert float(solved(truth(), specs=tight).coefficients()["rate"].max()) <= 2.5


def test_a_coefficient_without_doubt_stays() -> None:
    held = (SPECS[0], Spec("cost", 0.07, 0.0))
    assert set(solved(truth(), specs=held).coefficients()["cost"]) == {0.07}


@given(st.integers(0, SIZE - 1), st.floats(-1.0, 1.0))
@settings(deadline=None, max_examples=15)
def test_moving_a_row_of_no_weight_moves_nothing(row: int, by: float) -> None:
    weight = np.ones(SIZE)
    weight[row] = 0.0
    moved = truth()
    moved[row] += by
    assert solved(truth(), weight).written(weight) == solved(moved, weight).written(weight)
