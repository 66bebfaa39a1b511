"""The shipped coefficients: within their bounds, and resting on sources and devices that exist."""

from __future__ import annotations

import dataclasses

import pytest

from ridgewise.engines import load_engines
from ridgewise.facts import catalog_path, source
from ridgewise.facts.catalog import read_toml
from ridgewise.hardware import DEVICE_KINDS, load_devices
from ridgewise.hardware.device import WIDER
from ridgewise.timing import Fitted, load_calibration
from ridgewise.training.estimate import TrainingEfficiency, load_training_calibration

TIMING = sorted(load_calibration().values(), key=lambda fit: fit.key)
TRAINING = sorted(load_training_calibration().items())
SHARES = ("weight_read", "cache_read", "compute", "attention")


@pytest.mark.parametrize("fit", TIMING, ids=lambda fit: fit.key)
def test_coefficients_are_physical(fit: Fitted) -> None:
    """Shares of what a datasheet promises; overheads that a person would not wait for."""
    for name in SHARES:
        assert 0 < getattr(fit.efficiency, name) <= 1, name
    assert fit.efficiency.half_rows > 0
    for name in ("layer_overhead", "expert_overhead", "step_overhead", "request_overhead"):
        assert 0 <= getattr(fit.efficiency, name) < 1, name
    assert fit.decode_spread >= 1 and fit.prefill_spread >= 1
    assert fit.peak == "" or fit.peak in WIDER


@pytest.mark.parametrize("fit", TIMING, ids=lambda fit: fit.key)
def test_a_fit_names_its_evidence(fit: Fitted) -> None:
    devices = load_devices()
    for name in fit.devices:
        assert name in devices
    for key in fit.sources:
        assert source(key).title
    measured = fit.kind == "measured"
    assert measured == bool(fit.rows) == bool(fit.devices) == bool(fit.sources), "evidence and kind must agree"
    assert fit.note


@pytest.mark.parametrize("fit", TIMING, ids=lambda fit: fit.key)
def test_a_fit_belongs_to_an_engine_and_its_back_end(fit: Fitted) -> None:
    engine, *rest = fit.key.split("/")
    if engine == "prior":
        assert rest[0] in DEVICE_KINDS
        return
    backends = {backend.id: backend for backend in load_engines()[engine].backends}
    assert rest[0] in backends
    if len(rest) > 1:
        assert rest[1] in backends[rest[0]].kinds


@pytest.mark.parametrize("fit", TIMING, ids=lambda fit: fit.key)
def test_a_guess_is_wider_than_a_measured_class(fit: Fitted) -> None:
    if fit.kind == "assumed":
        measured = sorted(other.decode_spread for other in TIMING if other.kind == "measured")
        assert fit.decode_spread >= measured[len(measured) // 2]


@pytest.mark.parametrize(("key", "eff"), TRAINING, ids=[key for key, _ in TRAINING])
def test_training_coefficients_are_physical_and_name_their_evidence(key: str, eff: TrainingEfficiency) -> None:
    assert 0 < eff.compute < 0.8  # no published run reaches four fifths of the peak
    assert eff.spread > 1
    assert set(eff.methods) <= {"full", "lora", "qlora"} and eff.methods
    for name in eff.devices:
        assert name in load_devices()
    for cited in eff.sources:
        assert source(cited).title
    assert bool(eff.rows) == bool(eff.devices) == bool(eff.sources)
    assert eff.note


def test_training_classes_are_architectures_or_kinds_of_the_catalogue() -> None:
    devices = load_devices().values()
    makers = {f"{d.vendor}/{d.kind}" for d in devices}
    known = {f"{d.vendor}/{d.kind}/{d.architecture}" for d in devices} | makers | set(DEVICE_KINDS)
    assert {key for key, _ in TRAINING} <= known


def test_power_shares_are_ordered_and_cited() -> None:
    table = read_toml(catalog_path("calibration", "power.toml"))
    for activity in ("decode", "serve", "train"):
        entry = table[activity]
        assert 0 < entry["low"] < entry["share"] < entry["high"] <= 1
        assert [source(key) for key in entry["sources"]]
    assert table["decode"]["share"] < table["serve"]["share"] < table["train"]["share"]


def test_every_coefficient_is_explained_where_it_is_defined() -> None:
    from ridgewise.timing import Efficiency

    for kind in (Efficiency, TrainingEfficiency):
        text = kind.__doc__ or ""
        for one in dataclasses.fields(kind):
            if one.name not in ("rows", "devices", "sources", "note"):
                assert one.name in text, f"{kind.__name__}.{one.name}"
