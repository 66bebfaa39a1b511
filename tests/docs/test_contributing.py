"""The examples of CONTRIBUTING.md do what it says."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace

from pages import PAGES, console

from ridgewise.engines.engine import _engine
from ridgewise.hardware.sheets import device, device_from

TITLED = {block.title: block.body for block in console.blocks(PAGES["CONTRIBUTING.md"]) if block.title}


def _body(ending: str) -> str:
    return next(body for title, body in TITLED.items() if title.endswith(ending))


def test_the_sheet_would_pass_as_a_shipped_one() -> None:
    made = device_from(tomllib.loads(_body("example-card-32gb.toml")), "example", shipped=True)
    assert made.figures["idle_power"].kind == "assumed"


def test_the_engine_drives_what_it_says() -> None:
    made = _engine("example-engine", tomllib.loads(_body("example-engine.toml")), "example")
    assert made.backend(device("nvidia-h100-sxm"), asked=True) is not None
    assert made.backend(device("nvidia-h100-sxm")) is None
    assert made.backend(device("nvidia-rtx-4090"), asked=True) is None


def test_the_rule_finds_an_old_price() -> None:
    names: dict[str, object] = {}
    exec(_body("old_price.py"), names)
    check = names["check"]
    assert callable(check)
    old = SimpleNamespace(feasible=True, name="Card", cost=SimpleNamespace(stale=True, as_of="2020-01"))
    assert [finding.rule for finding in check(None, [old])] == ["old-price"]
