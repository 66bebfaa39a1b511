"""Power and energy rows: the draw by hand, and what enters a prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ridgewise.economics.power import host_draw
from ridgewise.evidence import read_table
from ridgewise.hardware import device
from ridgewise.timing.power import board_draw
from ridgewise.validation.domains.energy import ENERGY
from ridgewise.validation.domains.serving import SERVING

BASE = {
    "row_id": "1", "source_key": "somebody", "date": "2026-01", "device_id": "nvidia-h100-sxm", "n_devices": "2",
    "tp": "2", "engine": "vllm", "config_file": "meta-llama__Llama-3.1-70B-Instruct.json", "weight_dtype": "fp8",
    "load": "closed_loop", "concurrency": "32", "input_tokens": "512", "output_tokens": "512", "lengths": "fixed",
    "power_scope": "gpus_total", "metric": "watts", "stat": "mean", "value": "900", "unit": "W", "use": "score",
}  # fmt: skip


def predicted(*rows: dict[str, str]) -> np.ndarray:
    ready = ENERGY.prepare(rows, "energy")
    assert not ready.unsupported, ready.unsupported
    cases = ready.cases[0]
    coefficients = {s.name: np.full(len(rows), s.prior) for s in ENERGY.specs(cases.block)}
    return np.asarray(np.exp(ENERGY.predict(cases, coefficients)))


def test_a_board_by_hand() -> None:
    """Idle 70 W, limit 700 W: half of the range is 385 W, nearly reached; past the limit it slows down instead."""
    assert board_draw(70.0, 700.0, 0.5) == pytest.approx(70 + 630 * 0.5 / 1.0625**0.25)
    assert 0.97 * 385 < board_draw(70.0, 700.0, 0.5) < 385
    assert 0.97 * 700 < board_draw(70.0, 700.0, 1.7) < 700


def test_energy_is_power_over_rate() -> None:
    watts, joules = predicted(BASE, {**BASE, "metric": "joules_per_token"})
    cases = SERVING.prepare([{**BASE, "metric": "output_tok_s"}], "serving").cases[0]
    rate = np.exp(SERVING.predict(cases, {s.name: np.full(1, s.prior) for s in SERVING.specs("serving")}))
    assert joules == pytest.approx(float(watts / rate[0]))


def test_draw_lies_between_idle_and_limit() -> None:
    few, many = predicted({**BASE, "concurrency": "1"}, {**BASE, "concurrency": "256"})
    assert 2 * 71.5 < few < many <= 2 * 700


def test_more_users_share_the_energy() -> None:
    one, many = (predicted({**BASE, "metric": "joules_per_token", "concurrency": c})[0] for c in ("8", "256"))
    assert one > 4 * many


def test_the_wall_adds_the_host_and_a_lower_limit_counts() -> None:
    board, wall, lowered = predicted(
        BASE, {**BASE, "power_scope": "system_wall"}, {**BASE, "power_limit_w": "350", "concurrency": "256"}
    )
    assert wall == pytest.approx(board + host_draw(device("nvidia-h100-sxm"), 2))
    assert lowered <= 2 * 350


def test_the_measured_value_is_not_read() -> None:
    assert predicted(BASE) == pytest.approx(predicted({**BASE, "value": "1", "notes": "task x"}), rel=0)


def test_an_unknown_limit_is_said() -> None:
    ready = ENERGY.prepare([{**BASE, "device_id": "aws-inferentia2"}], "energy")
    assert "power limit" in ready.unsupported[0]


def test_nearly_every_scored_row_is_predicted(shared: Path) -> None:
    rows = [r for r in read_table(shared / "truth/serving/dev_energy.csv").rows if r["use"] == "score"][::3]
    ready = ENERGY.prepare(rows, "energy")
    assert len(ready.unsupported) <= 0.05 * len(rows)
    cases = ready.cases[0]
    found = ENERGY.predict(cases, {s.name: np.full(len(cases.rows), s.prior) for s in ENERGY.specs(cases.block)})
    assert np.median(np.abs(found - np.log([float(r["value"]) for r in cases.rows]))) < 0.5
