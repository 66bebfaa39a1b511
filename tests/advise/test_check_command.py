"""``ridgewise check``: exit codes, what may be ignored and where, and the formats that other tools read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ridgewise.app.main import main

#: What SARIF 2.1.0 demands of a log with results (OASIS, sections 3.13 to 3.27): names, types, enumerations, minima.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "properties": {
                                                "id": {"type": "string", "minLength": 1},
                                                "shortDescription": {"$ref": "#/$defs/message"},
                                                "fullDescription": {"$ref": "#/$defs/message"},
                                                "help": {"$ref": "#/$defs/message"},
                                                "defaultConfiguration": {
                                                    "type": "object", "properties": {"level": {"$ref": "#/$defs/level"}}
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "properties": {
                                "message": {"$ref": "#/$defs/message"},
                                "level": {"$ref": "#/$defs/level"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "locations": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "physicalLocation": {
                                                "type": "object",
                                                "required": ["artifactLocation"],
                                                "properties": {
                                                    "region": {
                                                        "type": "object",
                                                        "properties": {"startLine": {"type": "integer", "minimum": 1}},
                                                    }
                                                },
                                            }
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "$defs": {
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}},
    },
}  # fmt: skip
PLAN = """
model = "Llama-3.1-70B"
{extra}
[candidates]
hardware = ["RTX 4090"]
"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["check", *words])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_an_error_is_exit_one_and_none_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "Llama-3.1-70B", "--hardware", "RTX 4090")
    assert code == 1 and "[does-not-fit]" in out and "2x nvidia-rtx-4090" in out
    code, out, _ = run(capsys, "Llama-3.1-8B", "--hardware", "RTX 4090")
    assert code == 0 and "nothing found against it" in out


def test_a_rule_is_ignored_by_flag_and_by_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(extra=""))
    code, out, _ = run(capsys, str(plan))
    assert code == 1 and "[does-not-fit]" in out
    code, out, _ = run(capsys, str(plan), "--ignore", "does-not-fit")
    assert code == 0 and "[does-not-fit]" not in out and "1 ignored" in out
    plan.write_text(PLAN.format(extra='ignore = ["does-not-fit"]'))
    assert run(capsys, str(plan))[0] == 0


def test_a_plan_file_keeps_its_ignored_rules(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('model = "Llama-3.1-8B"\nignore = ["layer-split"]\n[candidates]\nhardware = ["2x RTX 3090"]\n')
    assert main(["plan", "-f", str(plan), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["findings"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Llama-3.1-8B",), "name the hardware"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090", "--ignore", "layer-splits"), "layer-split"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090", "--format", "xml"), "sarif"),
        (("nothing.toml",), "no such file"),
        (("Llama-3.1-8B", "--hardware", "0x RTX 4090"), "0 devices"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090 13GB"), "not sold with 13 GB"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090", "--peak", "fast"), "--peak"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090", "--users", "9", "--availability", "120%"), "--availability"),
        (("Llama-3.1-8B", "--hardware", "RTX 4090", "--goal", "lora", "--availability", "99%"), "--availability"),
    ],
)
def test_a_bad_request_is_named(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and said in err and "Traceback" not in err


def test_the_document_has_the_number_its_cost_and_the_change(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "Llama-3.1-70B", "--hardware", "RTX 4090", "--json")
    found = json.loads(out)
    (idea,) = found["ideas"]
    finding = next(f for f in idea["findings"] if f["rule"] == "does-not-fit")
    assert code == 1 and found["feasible"] is False and idea["passed"] is False
    assert finding["number"]["value"] > finding["number"]["limit"] > 0 and finding["number"]["unit"] == "B"
    assert finding["change"] == {"hardware": "2x nvidia-rtx-4090"} and finding["cost"]


def test_sarif_keeps_the_essentials_of_its_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(extra=""))
    for words in (
        (str(plan),),
        ("Llama-3.1-70B", "--hardware", "RTX 4090"),
        ("Llama-3.1-8B", "--hardware", "RTX 4090"),
    ):
        code, out, _ = run(capsys, *words, "--format", "sarif")
        log = json.loads(out)
        jsonschema.validate(log, SARIF)
        (made,) = log["runs"]
        ids = [rule["id"] for rule in made["tool"]["driver"]["rules"]]
        assert len(ids) == len(set(ids)) >= 25
        assert all(ids[result["ruleIndex"]] == result["ruleId"] for result in made["results"])
        assert any(result["level"] == "error" for result in made["results"]) == (code == 1)


def test_annotations_are_one_escaped_line_each(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(extra=""))
    _, out, _ = run(capsys, str(plan), "--format", "github")
    lines = out.splitlines()
    assert lines and all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    assert all(f"file={plan.as_posix()}" in line and "title=" in line for line in lines)
    _, out, _ = run(capsys, "Llama-3.1-8B", "--users", "9", "--hardware", "L40S", "--availability", "99.99%",
                    "--format", "github")  # fmt: skip
    assert "99.99 %25" in out and " %," not in out


def test_the_rules_are_listed_with_their_questions(capsys: pytest.CaptureFixture[str]) -> None:
    from ridgewise.advise.rules import load_rules

    code, out, _ = run(capsys, "--rules")
    assert code == 0 and all(rule.id in out for rule in load_rules().values())
    _, out, _ = run(capsys, "--rules", "--json")
    listed = json.loads(out)["rules"]
    assert [rule["rule"] for rule in listed] == list(load_rules()) and all(rule["about"] for rule in listed)
