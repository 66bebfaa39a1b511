"""The fit of the shipped measurements comes out again, and is no worse than it was.

Every block is fitted anew and every source and device left out once: minutes, and the longest part of the suite.
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from pathlib import Path

import pytest

from ridgewise.evidence.shipped import shipped
from ridgewise.timing.coefficients import read_block
from ridgewise.validation.calibrate import Fitted, fit_all, gathered, written

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))

import make_report

BUDGET = make_report.BUDGET
#: How far above its budget an error may be before it counts: where a refit stops depends on the last digit.
ROUNDING = 4e-3


@pytest.fixture(scope="module")
def fits() -> list[Fitted]:
    return make_report.fits()


@pytest.fixture(scope="module")
def files(fits: list[Fitted]) -> dict[Path, str]:
    return make_report.files(fits)


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def same(text: str, other: str) -> bool:
    """Equal but for the last digits of numbers: kernels are pinned, but processors of another make may round anew."""
    if NUMBER.sub("#", text) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(text), NUMBER.findall(other), strict=True)
    return all(a == b or math.isclose(float(a), float(b), rel_tol=2e-3, abs_tol=2e-3) for a, b in pairs)


def test_the_shipped_fit_is_rebuilt(files: dict[Path, str]) -> None:
    blocks = {path: text for path, text in files.items() if path.suffix == ".toml"}
    assert {path.name for path in blocks} == {path.name for path in make_report.SHIPPED.glob("*.toml")}
    for path, text in blocks.items():
        assert same(path.read_text(encoding="utf-8"), text), f"{path.name}: run python docs/make_report.py"


def test_a_fit_is_the_same_bit_for_bit(files: dict[Path, str]) -> None:
    """Once more, on the same measurements, in another process."""
    for fitted in fit_all(gathered(shipped()), only=["energy", "training-memory"]):
        assert written(fitted.block) == files[make_report.SHIPPED / f"{fitted.block.name}.toml"]


def test_the_report_and_its_plots_are_current(files: dict[Path, str]) -> None:
    for path, text in files.items():
        if path.suffix != ".toml":
            assert same(path.read_text(encoding="utf-8"), text), f"{path.name}: run python docs/make_report.py"


def test_another_number_or_word_is_not_the_same() -> None:
    assert same("a = [1.2345, 3]", "a = [1.2346, 3]")
    assert not same("a = [1.2345, 3]", "a = [1.2445, 3]")
    assert not same("a = [1.2345, 3]", "b = [1.2345, 3]")
    assert not same("a = 1 2", "a = 1")


def test_no_error_is_above_its_budget(fits: list[Fitted]) -> None:
    """Budgets are keyed by the hash of the measurements: other data need a new one, and it may only shrink."""
    budget = tomllib.loads(BUDGET.read_text(encoding="utf-8"))
    for fitted in fits:
        block = fitted.block
        assert block.name in budget, f"{block.name} has no budget: add its errors to {BUDGET.name}"
        assert budget[block.name]["data"] == block.data, f"{block.name}: other measurements need another budget"
        for key, most in budget[block.name]["errors"].items():
            assert block.errors[key][1] <= most + ROUNDING, f"{block.name}, {key}"


def test_withheld_measurements_fall_into_the_intervals(fits: list[Fitted]) -> None:
    """Over all blocks: near 80 %, whether sources or devices are left out."""
    for scheme in ("source", "device"):
        held = [
            numbers
            for fitted in fits
            for key, numbers in fitted.block.errors.items()
            if key.startswith(f"{scheme} ") and key.endswith(" all") and fitted.block.coefficients
        ]
        rows = sum(numbers[0] for numbers in held)
        assert 0.65 <= sum(numbers[0] * numbers[3] for numbers in held) / rows <= 0.90, scheme


def test_predictions_beat_the_datasheet_everywhere(fits: list[Fitted]) -> None:
    for fitted in fits:
        for key, (n, median, *_, roofline, _constant) in fitted.block.errors.items():
            if key.endswith(" all") and n >= 20 and fitted.block.coefficients:
                assert median < roofline, f"{fitted.block.name}, {key}"


def test_the_budget_names_every_block_once() -> None:
    budget = tomllib.loads(BUDGET.read_text(encoding="utf-8"))
    shipped = {path.stem for path in make_report.SHIPPED.glob("*.toml")}
    assert set(budget) == shipped
    for name in shipped:
        text = (make_report.SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
        assert read_block(name, tomllib.loads(text)).data == budget[name]["data"]
