"""Counts by an independent library, to the last integer.

``oracle_totals.json`` holds what transformers and diffusers count for the catalogue (``make_oracle.py``
writes it); every record is compared here. Where transformers is installed, one model per architecture is
counted anew, so the records themselves are checked.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ridgewise.models.read import load

RECORD: dict[str, Any] = json.loads(Path(__file__).with_name("oracle_totals.json").read_text("utf-8"))
TOTALS: dict[str, dict[str, Any]] = RECORD["totals"]

# The library differs from the published model, and why.
EXCEPTIONS = {
    "meituan-longcat/LongCat-Flash-Chat": (
        180_388_626_432,  # 28 layers × 256 zero-computation experts × 2 × 6144 × 2048
        "the library gives zero-computation experts gate and up weights, which they do not have",
    ),
}


def ours(name: str) -> int:
    arch = load(name)
    return arch.parameters_total + arch.extra.get("vision", 0) + arch.extra.get("audio", 0)


@pytest.mark.parametrize("name", sorted(TOTALS))
def test_recorded_count(name: str) -> None:
    record = TOTALS[name]
    expected = record["total"] + record["router_bias"] - EXCEPTIONS.get(name, (0, ""))[0]
    assert ours(name) == expected


def test_the_record_is_broad() -> None:
    assert len(TOTALS) >= 300
    assert len({record["architecture"] for record in TOTALS.values()}) >= 100
    assert len(EXCEPTIONS) <= 5
    assert set(RECORD["versions"]) >= {"torch", "transformers"}


PIPELINES = {name for name, record in TOTALS.items() if record["architecture"].endswith("Pipeline")}
SAMPLE = {
    record["architecture"]: name for name, record in sorted(TOTALS.items(), reverse=True) if name not in PIPELINES
}


@pytest.mark.parametrize("architecture", sorted(SAMPLE))
def test_counted_anew(architecture: str) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: recorded counts are compared alone")
    pytest.importorskip("torch", reason="torch is not installed: recorded counts are compared alone")
    import oracle

    name = SAMPLE[architecture]
    config = oracle.configurations()[name]
    if oracle.supported(config):  # an older release may not know the newest architectures
        counted = oracle.count(config)
        assert counted == {key: TOTALS[name][key] for key in counted}
