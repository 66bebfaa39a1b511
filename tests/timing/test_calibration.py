"""The shipped coefficients: within their bounds, and resting on sources and devices that exist."""

from __future__ import annotations

import dataclasses

import pytest

from ridgewise.facts import catalog_path, source
from ridgewise.facts.catalog import read_toml
from ridgewise.hardware import DEVICE_KINDS, load_devices
from ridgewise.timing import load_blocks
from ridgewise.timing.coefficients import Block
from ridgewise.training.estimate import TrainingEfficiency, load_training_calibration

BLOCKS = load_blocks()
TRAINING = sorted(load_training_calibration().items())
SHARES = ("weight_read", "cache_read", "compute", "attention")


@pytest.mark.parametrize("name", BLOCKS)
def test_coefficients_are_physical(name: str) -> None:
    """Shares of what a datasheet promises; overheads that a person would not wait for; factors within reason."""
    for key, coefficient in BLOCKS[name].coefficients.items():
        assert coefficient.low <= coefficient.value <= coefficient.high, key
        if key in SHARES and not name.startswith("training"):  # there shares bend below a ceiling of their own
            assert coefficient.high <= 1, key
        if key.endswith("overhead"):
            assert 0 <= coefficient.value < 1, key
        for groups in coefficient.levels.values():
            for group, found in groups.items():
                assert 0.02 < found.factor < 50 and found.rows > 0, (key, group)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_names_its_evidence(name: str) -> None:
    block = BLOCKS[name]
    assert block.rows == sum(block.sources.values()) > 0
    for key in block.sources:
        assert source(f"m-{key}").title
    assert block.data and block.errors and "/" in block.bands


@pytest.mark.parametrize("name", BLOCKS)
def test_devices_of_a_block_are_in_the_catalogue(name: str) -> None:
    devices = {pair.partition("|")[0].partition("/")[0] for pair in BLOCKS[name].seen["device"]} - {""}
    if name not in ("local-memory", "vllm-memory"):
        assert devices <= set(load_devices())


@pytest.mark.parametrize("name", BLOCKS)
def test_intervals_hold_the_value_or_a_known_bias_and_are_not_absurd(name: str) -> None:
    for key, band in BLOCKS[name].bands.items():
        assert 0 < band.low < band.high, key
        assert band.high / band.low < 100, key


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


def test_hosts_are_cited() -> None:
    for kind, entry in read_toml(catalog_path("calibration", "power.toml"))["host"].items():
        assert entry["active"] >= 0, kind
        assert entry["sources"] or entry["kind"] == "assumed", kind
        assert all(source(key).title for key in entry["sources"]), kind


def test_every_coefficient_is_explained_where_it_is_defined() -> None:
    from ridgewise.timing import Efficiency

    for kind in (Efficiency, TrainingEfficiency):
        text = kind.__doc__ or ""
        for one in dataclasses.fields(kind):
            if one.name not in ("rows", "devices", "sources", "note"):
                assert one.name in text, f"{kind.__name__}.{one.name}"


def test_evidence_of_answers_is_none_of_prompts() -> None:
    seen = {"stack": {"s"}, "device": {"d|s"}, "cell": {"d|s|m"}, "answer stack": {"s"}, "answer device": {"d|s"},
            "answer cell": {"d|s|m"}, "prompt stack": {"s"}, "prompt device": set(), "prompt cell": set()}  # fmt: skip
    block = Block("b", {}, {level: frozenset(groups) for level, groups in seen.items()})
    keys = {"device": "d", "stack": "s", "cell": "d|s|m"}
    assert block.support(keys, "decode_tok_s") == block.support(keys, "tpot_ms") == "cell"
    assert block.support(keys, "prefill_tok_s") == block.support(keys, "ttft_ms") == "stack"
