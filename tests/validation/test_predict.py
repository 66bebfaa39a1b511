"""Predictions of whole tables: what enters them, what does not, what they say of rows that cannot be predicted."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from ridgewise.evidence import Row, Table
from ridgewise.evidence.shipped import shipped
from ridgewise.timing.coefficients import load_blocks
from ridgewise.validation.calibrate import fit_all, gathered, written
from ridgewise.validation.predict import Prediction, predict

#: Every how many rows of a shipped table are looked at.
EVERY = 7


@cache
def tables() -> dict[str, Table]:
    """A part of every shipped table, by kind."""
    return {table.kind.name: replace(table, rows=table.rows[::EVERY]) for table in shipped()}


def told(rows: list[Prediction]) -> list[tuple[str, ...]]:
    """Everything that is written of predictions but the measured figure."""
    return [(p.row_id, repr(p.predicted), repr(p.low), repr(p.high), p.tier, p.reason) for p in rows]


@pytest.mark.parametrize("kind", sorted(tables()))
def test_no_measured_column_enters_a_prediction(kind: str) -> None:
    """The figures of all rows change places, and are then senseless: every prediction stays as it is."""
    table = tables()[kind]
    before = told(predict(table, load_blocks()))
    assert any(line[4] for line in before), "nothing was predicted"
    turned = [*table.rows[1:], table.rows[0]]
    others = {column: [row.get(column, "") for row in turned] for column in table.kind.figures}
    for change in (others, {column: ["12345.6"] * len(turned) for column in table.kind.figures}):
        rows = tuple(
            {**row, **{column: cells[i] for column, cells in change.items() if column in row}}
            for i, row in enumerate(table.rows)
        )
        assert told(predict(replace(table, rows=rows), load_blocks())) == before


@pytest.mark.parametrize("kind", sorted(tables()))
def test_every_row_has_its_line_and_an_interval_around_its_prediction(kind: str) -> None:
    table = tables()[kind]
    found = predict(table, load_blocks())
    assert [p.row_id for p in found] == [table.row_id(i) for i in range(len(table.rows))]
    for p in found:
        if p.reason:
            assert p.reason.startswith("unsupported: ") and math.isnan(p.predicted) and not p.tier
        else:
            assert 0 < p.low <= p.predicted <= p.high and p.tier


@pytest.mark.parametrize("kind", sorted(tables()))
def test_nearly_every_scored_row_is_predicted(kind: str) -> None:
    scored = [p for p in predict(tables()[kind], load_blocks()) if p.scored]
    assert sum(not p.reason for p in scored) >= 0.95 * len(scored)


CLASSIC: Row = {
    "row_id": "1", "metric": "samples_s", "value": "20000", "unit": "samples/s total", "device_id": "nvidia-h100-sxm",
    "n_devices": "8", "framework": "mlperf", "family": "vision", "calibration": "relative", "use": "score",
    "model_id": "microsoft/resnet-50", "method": "pretrain", "precision": "fp16", "micro_batch": "256",
    "flops_convention_id": "", "params_b": "0.3",
}  # fmt: skip


def test_relative_work_needs_an_anchor() -> None:
    """A model whose work per sample no row tells is predicted where it was measured, and nowhere else."""
    table = replace(tables()["training"], rows=(CLASSIC, {**CLASSIC, "model_id": "somebody/new-vision-net"}))
    known, unknown = predict(table, load_blocks())
    assert known.predicted > 0 and not known.reason
    assert unknown.reason.startswith("unsupported: no run of somebody/new-vision-net was measured")
    assert math.isnan(unknown.predicted)
    shape = {**CLASSIC, "model_id": "somebody/new-vision-net", "calibration": ""}
    (guess,) = predict(replace(table, rows=(shape,)), load_blocks())
    assert guess.tier == "assumed"


def test_weights_that_cannot_fit_are_no_measurement() -> None:
    """106 billion parameters in 16 bits take 212 GB: a row that has them on two cards of 80 GB is not believed."""
    row = {
        "row_id": "1", "source_key": "gpustack", "device_id": "nvidia-h100-sxm", "n_devices": "2", "tp": "2",
        "engine": "sglang", "model_id": "zai-org/GLM-4.5-Air", "config_file": "zai-org__GLM-4.5-Air.json",
        "weight_dtype": "bf16", "load": "closed_loop", "concurrency": "8", "input_tokens": "200",
        "output_tokens": "200", "lengths": "fixed", "metric": "tpot_ms", "stat": "mean", "value": "20", "unit": "ms",
        "use": "score",
    }  # fmt: skip
    table = replace(tables()["serving"], rows=(row, {**row, "n_devices": "4", "tp": "4"}))
    two, four = predict(table, load_blocks())
    assert two.tier == "assumed" and four.tier != "assumed"


def test_a_changed_row_moves_its_own_block_alone() -> None:
    """NPUs and processors stand in one table and in two blocks: a processor's row moves the processors' block."""
    everything = {kind: rows for kind, rows in gathered(shipped()).items() if kind == "local"}
    rows = [r for r in everything["local"] if r.get("compute_unit") in ("cpu", "npu")]
    changed = next(i for i, r in enumerate(rows) if r["compute_unit"] == "cpu" and r["use"] == "score")
    other = [*rows]
    other[changed] = {**rows[changed], "value": str(3 * float(rows[changed]["value"]))}
    before, after = (
        {made.block.name: made.block for made in fit_all({"local": table}, cross=False)} for table in (rows, other)
    )
    assert set(before) == {"local-cpu", "local-npu"}
    assert written(before["local-npu"]) == written(after["local-npu"])
    assert before["local-cpu"].data != after["local-cpu"].data
    moved = before["local-cpu"].coefficients["weight_read"] != after["local-cpu"].coefficients["weight_read"]
    assert moved or before["local-cpu"].coefficients["compute"] != after["local-cpu"].coefficients["compute"]
