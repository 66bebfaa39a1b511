"""The examples of CONTRIBUTING.md do what it says."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace
from typing import Any

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


def test_the_rule_finds_old_silicon() -> None:
    names: dict[str, Any] = {}
    exec(_body("old_silicon.py"), names)
    rule = names["RULE"]
    old, new = (SimpleNamespace(device=device(name), name=name) for name in ("nvidia-p100-pcie", "nvidia-rtx-4090"))
    (finding,) = rule.findings(old)
    assert finding.rule == "old-silicon" and finding.title == "Drivers will drop it" and "2016" in finding.text
    assert list(rule.findings(new)) == []
