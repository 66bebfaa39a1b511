"""Errors, intervals and what is kept of a fit, on a domain small enough to follow."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ridgewise.evidence import Row
from ridgewise.timing.coefficients import Band, Block, read_block
from ridgewise.validation import judge
from ridgewise.validation.calibrate import written
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.pooling import Spec


class Toy:
    """Speed = bandwidth · share / size, with a share per device."""

    name = "toy"
    kinds = ("toy",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        keys = {
            "device": tuple(r["device_id"] for r in rows),
            "stack": ("engine",) * len(rows),
            "cell": tuple(f"{r['device_id']}|engine|{r['model_id']}" for r in rows),
        }
        size = np.array([float(r["size"]) for r in rows])
        return Prepared((Cases("toy", tuple(rows), np.arange(len(rows)), keys, ("r",) * len(rows), size),), {})

    def specs(self, block: str) -> Sequence[Spec]:
        return (Spec("share", 0.5, 0.5, {"device": 0.3}, high=1.0),)

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        found: np.ndarray = np.log(100.0 * coefficients["share"] / cases.data)
        return found

    def roofline(self, cases: Cases) -> np.ndarray:
        found: np.ndarray = np.log(100.0 / cases.data)
        return found


SHARES = {"fast": 0.8, "slow": 0.5, "odd": 0.6}


def rows() -> list[dict[str, str]]:
    noise = np.random.default_rng(3)
    made = []
    for source in ("s1", "s2", "s3"):
        for device, share in SHARES.items():
            for size in range(1, 13):
                value = 100 * share / size * float(np.exp(noise.normal(0, 0.05)))
                made.append(
                    {"source_key": source, "device_id": device, "model_id": f"m{size}", "size": str(size),
                     "metric": "speed", "value": repr(value), "use": "score"}
                )  # fmt: skip
    return made


def fitted(given: list[dict[str, str]]) -> tuple[judge.Fitting, Block]:
    job = judge.fitting(Toy(), Toy().prepare(given, "toy").cases[0])
    found = job.solve()
    return job, judge.block(job, found, judge.cross_validate(job))


def test_errors_by_hand() -> None:
    # Predicted 110, 90, 100 and 50 where 100 was measured: errors 10, 10, 0 and 50 %.
    ratio = np.log(100 / np.array([110.0, 90.0, 100.0, 50.0]))
    found = judge.score(ratio, ["a", "a", "b", "b"], np.full(4, np.log(0.8)), np.full(4, np.log(1.25)))
    assert found.ape_median == pytest.approx(0.10)
    assert found.ape_mean == pytest.approx(0.175)
    assert found.bias == pytest.approx(-0.05)
    assert found.macro == pytest.approx((0.10 + 0.25) / 2)
    assert found.coverage == 0.75  # the last is measured at twice the prediction
    assert found.width == pytest.approx(1.25 / 0.8)


def test_an_interval_is_the_middle_four_fifths() -> None:
    many = np.log(np.linspace(0.5, 1.5, 1001))
    low, high = np.exp(judge.quantiles(many, [str(i) for i in range(1001)]))
    assert low == pytest.approx(0.6, rel=0.01) and high == pytest.approx(1.4, rel=0.01)
    few = np.exp(judge.quantiles(np.log(np.linspace(0.5, 1.5, 11)), [str(i) for i in range(11)]))
    assert few[0] < low and few[1] > high
    # 900 copies of one group's miss do not outvote the others.
    low, _ = np.exp(judge.quantiles(np.append(many, np.zeros(9000)), [*map(str, range(1001)), *["copy"] * 9000]))
    assert low == pytest.approx(0.6, rel=0.03)


def test_withheld_devices_are_predicted_from_the_others() -> None:
    job, _ = fitted(rows())
    parts = {part.scheme: part for part in judge.cross_validate(job)}
    assert set(parts) == {"source", "device"}
    assert set(parts["device"].support) == {"stack"}
    assert set(parts["source"].support) == {"cell"}
    medians = {
        name: np.median(np.abs(part.ratio)) for name, part in parts.items()
    }  # what a source adds is noise; what a device is, the others cannot know
    assert medians["source"] < 0.06 < medians["device"]


def test_withheld_rows_say_nothing_about_themselves() -> None:
    """Other figures of one source move what is predicted for the others, and nothing of its own predictions."""

    def predictions(given: list[dict[str, str]]) -> dict[str, dict[str, np.ndarray]]:
        job = judge.fitting(Toy(), Toy().prepare(given, "toy").cases[0])
        found: dict[str, dict[str, np.ndarray]] = {}
        for part in judge.cross_validate(job):
            values = job.target[part.rows] - part.ratio
            names = np.array([given[i][f"{part.scheme}_key" if part.scheme == "source" else "device_id"]
                              for i in part.rows])  # fmt: skip
            found[part.scheme] = {name: values[names == name] for name in sorted(set(names))}
        return found

    given = rows()
    for column, name in (("source_key", "s2"), ("device_id", "odd")):
        other = [{**r, "value": str(2 * float(r["value"]))} if r[column] == name else r for r in given]
        scheme = column.split("_")[0]
        before, after = predictions(given)[scheme], predictions(other)[scheme]
        assert before[name] == pytest.approx(after[name], abs=1e-12)
        assert any(before[k] != pytest.approx(after[k], abs=1e-4) for k in before if k != name)


def test_coverage_of_withheld_rows_is_near_eighty_per_cent() -> None:
    job, _ = fitted(rows())
    part = next(p for p in judge.cross_validate(job) if p.scheme == "source")
    bands = judge.crossed(job.cases, part)
    inside = [np.log(b.low) <= r <= np.log(b.high) for b, r in zip(bands, part.ratio, strict=True)]
    assert 0.70 <= np.mean(inside) <= 0.92


def test_one_source_is_judged_by_models() -> None:
    job, _ = fitted([row for row in rows() if row["source_key"] == "s1"])
    assert {p.scheme for p in judge.cross_validate(job)} == {"model", "device"}


def test_context_rows_take_no_part() -> None:
    given = rows()
    wild = [{**row, "value": "1e9", "use": "context"} for row in given[:20]]
    assert fitted(given)[1].coefficients == fitted([*given, *wild])[1].coefficients


def test_what_is_written_is_read_back() -> None:
    _, block = fitted(rows())
    text = written(block)
    again = read_block("toy", tomllib.loads(text))
    assert written(again) == text
    assert again.at({"device": "fast"})["share"] == pytest.approx(0.8, rel=0.03)
    assert again.at({"device": "new"}) == again.at({})
    assert again.sources == {"s1": 36, "s2": 36, "s3": 36}


def test_a_changed_row_moves_the_hash_and_the_coefficients() -> None:
    given = rows()
    _, before = fitted(given)
    moved = [dict(row) for row in given]
    moved[0]["value"] = repr(2 * float(moved[0]["value"]))
    _, after = fitted(moved)
    assert before.data != after.data
    assert before.at({"device": "fast"}) != after.at({"device": "fast"})
    assert fitted(list(reversed(given)))[1].data == before.data


def test_a_thin_regime_takes_the_interval_of_the_wider_group() -> None:
    block = Block("b", {}, bands={"speed r/cell": Band(0.9, 1.1), "speed r/": Band(0.8, 1.2), "/": Band(0.5, 2.0)})
    assert block.band("speed", "r", "cell") == Band(0.9, 1.1)
    assert block.band("speed", "r", "device") == Band(0.8, 1.2)
    assert block.band("speed", "other", "device") == Band(0.5, 2.0)
    assert block.band("speed", "r", "none").high > 1.2
    assert replace(block, bands={}).band("speed", "r", "cell").high >= 2.0


def test_a_group_of_few_leans_on_the_wider_one() -> None:
    job, block = fitted(rows())
    whole, one = block.bands["speed/"], block.bands["speed r/cell"]
    assert block.bands["/"].rows == whole.rows >= one.rows > 0
    assert one.low <= 1 <= one.high
    assert list(block.bands) == sorted(block.bands)
    assert job.cases.block == block.name


def test_a_table_without_metrics_has_intervals_too() -> None:
    given = [{key: cell for key, cell in row.items() if key != "metric"} for row in rows()]
    _, block = fitted(given)
    assert {key.partition("/")[0] for key in block.bands} >= {"", "engine_total_gib"}
