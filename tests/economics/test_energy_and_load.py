"""Energy, carbon and load over time: published runs, cases by hand, laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ridgewise.economics import energy, interruptions, load


def test_the_energy_and_carbon_of_bloom() -> None:
    # Luccioni, Viguier, Ligozat (arXiv 2211.02001): 1,082,990 GPU hours at 400 W are 433,196 kWh, at 57 g/kWh 24.69 t.
    used = energy.kilowatt_hours(400.0, 0.0, 1.0, 1_082_990.0)
    assert used == pytest.approx(433_196)
    assert energy.carbon_kg(used, 57.0) == pytest.approx(24_690, rel=1e-3)


@pytest.mark.parametrize(
    ("hours", "watts", "tonnes"),
    [(184_320, 400, 31.22), (368_640, 400, 62.44), (1_038_336, 350, 153.90), (1_720_320, 400, 291.42)],
)
def test_the_carbon_of_llama_2(hours: float, watts: float, tonnes: float) -> None:
    # Touvron et al. (arXiv 2307.09288), table 2: four models, one grid of 423.5 g/kWh.
    assert energy.carbon_kg(energy.kilowatt_hours(watts, 0, 1, hours), 423.5) == pytest.approx(1000 * tonnes, rel=1e-3)


def test_the_facility_of_bert() -> None:
    # Strubell, Ganesh, McCallum (arXiv 1906.02243): BERT base draws 12,041.51 W for 79 h; at a PUE of 1.58 that is
    # 1,507 kWh (the hours are rounded).
    assert energy.kilowatt_hours(12_041.51, 0.0, 1.0, 79.0, 1.58) == pytest.approx(1507, rel=0.005)


def test_heat_and_circuits() -> None:
    # 1 kW is 3,412 BTU/h. A circuit of 230 V and 16 A carries 2,944 W all day; of 120 V and 20 A 1,920 W.
    assert energy.heat(1000.0) == pytest.approx(3412, rel=1e-3)
    assert energy.circuits(2944.0, 230, 16) == 1 and energy.circuits(2945.0, 230, 16) == 2
    assert energy.circuits(np.array([1920.0, 1921.0]), 120, 20) == pytest.approx([1, 2])


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1), st.floats(0, 744), st.floats(1, 2))
def test_energy_lies_between_waiting_and_working(
    low: float, more: float, busy: float, hours: float, pue: float
) -> None:
    used = energy.kilowatt_hours(low + more, low, busy, hours, pue)
    least, most = (energy.kilowatt_hours(low + more, low, share, hours, pue) for share in (0.0, 1.0))
    assert least - 1e-9 <= used <= most + 1e-9
    assert energy.kilowatt_hours(low + more, low, 0.0, hours) == pytest.approx(low * hours / 1000)


def test_ramp_and_growth_by_hand() -> None:
    # Half in month 1 of a ramp of two; then all; after a year a fifth more.
    path = load.path(13, growth=0.2, ramp=2.0)
    assert (
        path[0] == pytest.approx(0.5) and path[1] == pytest.approx(1.2 ** (1 / 12)) and path[12] == pytest.approx(1.2)
    )
    assert load.path(3) == pytest.approx([1, 1, 1])
    assert load.path(2, start=np.array([0.5, 2.0])) == pytest.approx(np.array([[0.5, 0.5], [2.0, 2.0]]))


def test_copies_by_hand() -> None:
    assert load.copies(np.array([0.0, 0.5, 1.0, 1.5, 2.01]), 10.0, 10.0) == pytest.approx([1, 1, 1, 2, 3])


@given(st.floats(0.01, 0.99))
def test_the_load_curve_keeps_its_mean(mean: float) -> None:
    # The mean of a load is the area under the time above each level.
    levels = (np.arange(20_000) + 0.5) / 20_000
    assert float(np.mean(load.time_above(levels, mean))) == pytest.approx(mean, abs=0.02)
    assert load.time_above(0.0, mean) == 1 and load.time_above(1.0, mean) == 0


def test_a_load_that_never_changes_is_above_every_level() -> None:
    assert load.time_above(np.array([0.0, 0.5, 0.99]), 1.0) == pytest.approx([1, 1, 1])


def test_a_profile_counts_its_spans() -> None:
    above = load.time_above_profile(np.array([0.0, 0.25, 0.5, 1.0]), (1.0, 2.0, 4.0, 4.0))
    assert above == pytest.approx([1.0, 0.75, 0.5, 0.0])


def test_interruptions_by_hand() -> None:
    # Once a day for 15 minutes: 1/96 of the hours do nothing.
    assert interruptions.useful_share(1 / 24, 0.25) == pytest.approx(1 - 1 / 96)
    assert interruptions.effective_price(1.0, 1 / 24, 0.25) == pytest.approx(96 / 95)
    assert interruptions.effective_price(1.0, 4.0, 0.25) == np.inf
    # Young 1974: checkpoints of 5 minutes, a failure a day: every two hours.
    assert interruptions.checkpoint_interval(5 / 60, 24.0) == pytest.approx(2.0)
    # Lost per failure: an hour since the last checkpoint, the restart, and 12 checkpoints of 5 minutes.
    assert interruptions.checkpoint_loss(2.0, 5 / 60, 24.0, 0.5) == pytest.approx(1.0 + 0.5 + 1.0)


@given(st.floats(0.001, 1.0), st.floats(1.0, 1e4), st.floats(0.1, 10.0))
def test_no_interval_beats_youngs(write: float, between: float, factor: float) -> None:
    best = float(interruptions.checkpoint_interval(write, between))
    least = float(interruptions.checkpoint_loss(best, write, between, 0.1))
    assert float(interruptions.checkpoint_loss(best * factor, write, between, 0.1)) >= least - 1e-9
