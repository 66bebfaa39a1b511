"""Pictures show the figures they are given, and hold nothing but shapes and words."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from ridgewise.advise.explaining import Mark
from ridgewise.app.planning import planned
from ridgewise.report.charts.canvas import Scale, around, nice, spread, stacked
from ridgewise.report.charts.field import field
from ridgewise.report.charts.roofline import roofline
from ridgewise.report.charts.topology import topology
from ridgewise.report.charts.waterfall import waterfall

GIB = 2.0**30


def shapes(svg: str, kind: str, name: str) -> list[ET.Element]:
    root = ET.fromstring(svg)
    return [one for one in root.iter() if one.tag.endswith(kind) and name in one.get("class", "").split()]


def test_scales_place_figures_in_proportion() -> None:
    straight, log = Scale(0, 10, 100, 200), Scale(1, 100, 0, 50, True)
    assert straight(5) == 150 and straight(-3) == 100 and straight(99) == 200
    assert log(10) == pytest.approx(25) and log(0) == 0
    assert straight.ticks(5) == [0, 2, 4, 6, 8, 10] and log.ticks(9) == [1, 2, 5, 10, 20, 50, 100]
    assert [nice(x) for x in (0.7, 1.0, 1.3, 3.0, 7.0)] == [1.0, 1.0, 2.0, 5.0, 10.0]
    low, high = around([3.0, 300.0, math.inf], log=True)
    assert low < 3 and 300 < high < 1000
    assert list(spread([10, 12, 40], 8)) == [10, 18, 40]


def test_a_waterfall_adds_up() -> None:
    drawn = waterfall("memory", 24 * GIB, {"weights": 8 * GIB, "KV cache": 4 * GIB, "engine": 0.0}, 1 * GIB)
    drawn_bars = [one for one in ET.fromstring(drawn).iter() if one.tag.endswith("rect")]
    bars = {one.get("class"): (float(one.get("x", 0)), float(one.get("width", 0))) for one in drawn_bars}
    whole = bars["part usable-memory"]
    parts = [bars[f"part {name}"] for name in ("reserved", "weights", "KV-cache", "left")]
    for (x, wide), (after, _) in pairwise(parts):
        assert x + wide == pytest.approx(after, abs=0.11)
    assert sum(wide for _, wide in parts) == pytest.approx(whole[1], abs=0.3)
    assert bars["part weights"][1] == pytest.approx(whole[1] / 3, abs=0.2)
    assert "11 GiB" in drawn and "part engine" not in drawn
    assert "missing" in waterfall("memory", 8 * GIB, {"weights": 9 * GIB}) and "1 GiB" in drawn


def test_a_roofline_puts_the_phases_under_the_roof() -> None:
    marks = [Mark("prefill", 500.0, 50e12), Mark("decode", 2.0, 1.5e12)]
    drawn = roofline("a model on a card", marks, 100e12, "bf16", 1e12)
    (roof,) = shapes(drawn, "path", "roof")
    dots = shapes(drawn, "circle", "mark")
    assert len(dots) == 2 and "ridge point 100 FLOP/B" in drawn
    assert "prefill: 50 % of the roof" in drawn and "decode: 75 % of the roof" in drawn
    top = min(float(pair.split()[1]) for pair in roof.get("d", "")[1:].split("L"))
    assert all(float(dot.get("cy", 0)) > top for dot in dots)


@pytest.mark.parametrize(("tp", "pp", "replicas", "chips"), [(1, 1, 1, 1), (4, 2, 2, 16), (8, 1, 1, 8), (64, 1, 1, 8)])
def test_every_device_is_drawn_up_to_a_bound(tp: int, pp: int, replicas: int, chips: int) -> None:
    drawn = topology("a system", tp, pp, replicas, {"weights": 10 * GIB}, 20 * GIB)
    assert len(shapes(drawn, "rect", "chip")) == chips
    assert ("drawn" in drawn) == (chips < tp * pp * replicas)


def test_the_field_has_every_option_with_its_interval() -> None:
    document = planned({"model": "Llama-3.1-8B", "users": "1"}).document
    drawn = field("hardware", document.options)
    assert all(option.name.split(" (")[0][:28] in drawn for option in document.options)
    speeds = [o for o in document.options if o.decode_tokens_per_s]
    assert len(shapes(drawn, "rect", "interval")) >= len(speeds)
    assert field("nothing", ()) == ""
    for text in (drawn, stacked([drawn, drawn], 760, 300)):
        root = ET.fromstring(text)
        assert root.get("role") == "img"
        kinds = {one.tag.rpartition("}")[2] for one in root.iter()}
        assert kinds <= {"svg", "path", "rect", "circle", "text", "title"}
        assert not any(name in one.attrib for one in root.iter() for name in ("style", "onload", "href"))
