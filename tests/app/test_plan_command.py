"""``ridgewise plan``: documents, plan files, exit codes, and what it refuses."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from ridgewise.app.request import plan_schema
from ridgewise.report.document import PlanDocument, schema
from ridgewise.report.text import options_table

Run = Callable[..., Any]
SMALL = ("Llama-3.1-8B", "--hardware", "RTX 4090,Strix Halo")


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    found = schema(PlanDocument)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


ANSWERED = [
    (0, SMALL),
    (0, ("Llama-3.1-8B", "--users", "20", "--hardware", "H100 SXM")),
    (0, ("Llama-3.1-8B", "--goal", "qlora", "--hardware", "RTX 4090, H100 SXM")),
    (0, ("Llama-3.1-8B", "--goal", "train", "--tokens", "1B", "--hardware", "H100 SXM")),
    (0, ("Llama-3.1-8B", "--users", "1")),
    (1, ("DeepSeek-V3", "--hardware", "RTX 4090")),
    (1, ("Llama-3.1-8B", "--hardware", "RTX 4090", "--budget", "100")),
    (1, ("Llama-3.1-70B", "--goal", "train", "--tokens", "1B", "--hardware", "RTX 4090")),
    (1, ("Llama-3.1-8B", "--users", "20", "--hardware", "Quadro RTX 8000")),
    (1, ("Llama-3.1-8B", "--goal", "train", "--tokens", "1B", "--hardware", "EPYC 9654")),
]


@pytest.mark.parametrize(("code", "flags"), ANSWERED)
def test_an_answer_is_one_valid_document(
    run: Run, published: dict[str, Any], code: int, flags: tuple[str, ...]
) -> None:
    said = run("plan", *flags, "--json")
    assert said.code == code
    assert said.err == ""
    assert said.out.count("\n") == 1
    document = said.document
    jsonschema.validate(document, published, jsonschema.Draft202012Validator)
    assert document["schema_version"] == 1 and document["command"] == "plan"
    assert document["feasible"] == (document["pick"] is not None)
    assert (code == 0) == (document["feasible"] and all(f["level"] != "error" for f in document["findings"]))


def test_units_stand_in_the_keys(run: Run) -> None:
    option = run("plan", *SMALL, "--json").document["options"][0]
    for key in ("ttft_s", "tpot_s", "memory_bytes", "decode_tokens_per_s", "power_w", "purchase_usd"):
        assert set(option[key]) == {"value", "low", "high", "tier", "basis"}
        assert option[key]["low"] <= option[key]["value"] <= option[key]["high"]
    assert option["cost_usd_per_month"] > 0
    assert any(key.startswith("calibration.") for key in option["ttft_s"]["basis"])
    assert f"{option['device']}.bandwidth" in option["decode_tokens_per_s"]["basis"]
    assert option["tpot_s"]["value"] == pytest.approx(1 / option["decode_tokens_per_s"]["value"])


def test_the_answer_for_people_comes_in_the_order_they_ask(run: Run) -> None:
    out = run("plan", *SMALL).out
    marks = ["This is inference for one user", "rank", "Why ", "What would change the answer", "Assumed", "ranked"]
    places = [out.index(mark) for mark in marks]
    assert places == sorted(places)
    assert "GeForce RTX 4090" in out and "GiB" in out and "tokens/s" in out


def test_markdown_is_a_table_and_sections(run: Run) -> None:
    said = run("plan", *SMALL, "--markdown")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("## ")
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) >= 4 and len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert any(line.startswith("### Why ") for line in lines)


def test_the_same_question_gives_the_same_answer(run: Run) -> None:
    assert run("plan", *SMALL, "--json").out == run("plan", *SMALL, "--json").out


# --- plan files ---


def test_a_saved_plan_answers_the_same(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    flags = ("Llama-3.1-8B", "--users", "30", "--prompt", "2k", "--slo-ttft", "2s", "--priority", "cost",
             "--budget", "90k", "--hardware", "RTX 4090", "--hardware", "H100 SXM", "--price", "RTX 4090=1500",
             "--tariff", "0.3", "--kv-bits", "8", "--think", "1 min", "--active", "10%")  # fmt: skip
    first = run("plan", *flags, "--save", str(path), "--json")
    again = run("plan", "--file", str(path), "--json")
    assert first.code in (0, 1)
    assert again.document == first.document
    written = tomllib.loads(path.read_text())
    assert written["workload"]["think"] == 60 and written["budget"] == 90000
    assert not list(tmp_path.glob("*.part"))


def test_a_saved_plan_is_valid_by_its_published_schema(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    run("plan", "Llama-3.1-8B", "--goal", "qlora", "--tokens", "5M", "--hardware", "RTX 4090", "--save", str(path))
    jsonschema.validate(tomllib.loads(path.read_text()), plan_schema(), jsonschema.Draft202012Validator)


def test_flags_override_the_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        'model = "Llama-3.1-8B"\npriority = "cost"\n[workload]\nusers = 5\n[candidates]\nhardware = ["RTX 4090"]\n'
    )
    plain = run("plan", "--file", str(path), "--json").document
    over = run("plan", "--file", str(path), "--users", "1", "--priority", "speed", "--json").document
    assert plain["workload"]["users"] == 5 and plain["priority"] == "cost"
    assert "users" not in over["workload"] and over["priority"] == "speed"
    assert over["options"][0]["device"] == "nvidia-rtx-4090"


@pytest.mark.parametrize(
    ("text", "what", "near"),
    [
        ('modle = "Llama-3.1-8B"\n', "modle", "model"),
        ('model = "Llama-3.1-8B"\n[workload]\nuser = 3\n', "user", "users"),
        ('model = "Llama-3.1-8B"\n[workload]\ngoal = "inference"\n', "inference", "infer"),
        ('model = "Llama-3.1-8B"\npriority = "fast"\n', "fast", "speed"),
    ],
)
def test_an_unknown_key_names_the_nearest(run: Run, tmp_path: Path, text: str, what: str, near: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    said = run("plan", "--file", str(path), "--json")
    assert said.code == 2
    error = said.document["error"]
    assert what in error["what"] and near in error["nearest"]
    assert "plan.toml" in error["where"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model = 3\n",
        'model = ""\n',
        'workload = "infer"\n',
        'model = "Llama-3.1-8B"\n[workload]\nusers = -1\n',
        'model = "Llama-3.1-8B"\n[workload]\nusers = nan\n',
        'model = "Llama-3.1-8B"\n[workload]\nusers = [1]\n',
        'model = "Llama-3.1-8B"\n[workload]\ntokens = ' + "9" * 400 + "\n",
        'model = "Llama-3.1-8B"\n[prices]\n"RTX 4090" = "cheap"\n',
        'model = "Llama-3.1-8B"\n[prices]\n"RTX 409" = 5\n',
        'model = "Llama-3.1-8B"\nbudget = true\n',
        "= broken",
        'model = "\\ud800"',
    ],
)
def test_a_file_that_makes_no_sense_is_refused(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    said = run("plan", "--file", str(path), "--json")
    assert said.code == 2
    assert said.document["error"]["what"]


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    said = run("plan", "--file", str(tmp_path / "none.toml"))
    assert said.code == 2 and "none.toml" in said.err and said.out == ""


def test_an_unwritable_path_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    said = run("plan", *SMALL, "--save", str(tmp_path / "absent" / "plan.toml"))
    assert said.code == 2 and "cannot be written" in said.err
    assert list(tmp_path.iterdir()) == []


# --- refusals ---

REFUSED = [
    (("Llama-3.1-9B",), "Llama"),
    (("Llama-3.1-8B", "--hardware", "RTX 4091"), "RTX 4091"),
    (("Llama-3.1-8B", "--hardware", "RTX"), "RTX"),
    (("Llama-3.1-8B", "--quant", "q4"), "q4"),
    (("Llama-3.1-8B", "--engine", "vlm"), "vlm"),
    (("Llama-3.1-8B", "--goal", "tune"), "tune"),
    (("Llama-3.1-8B", "--priority", "fast"), "fast"),
    (("Llama-3.1-8B", "--users", "-3"), "users"),
    (("Llama-3.1-8B", "--users", "0"), "users"),
    (("Llama-3.1-8B", "--users", "nan"), "users"),
    (("Llama-3.1-8B", "--users", "1e40"), "users"),
    (("Llama-3.1-8B", "--budget", "0"), "budget"),
    (("Llama-3.1-8B", "--budget", "lots"), "budget"),
    (("Llama-3.1-8B", "--slo-ttft", "fast"), "slo"),
    (("Llama-3.1-8B", "--slo-ttft", "0s"), "slo"),
    (("Llama-3.1-8B", "--active", "150%"), "active"),
    (("Llama-3.1-8B", "--kv-bits", "1"), "kv"),
    (("Llama-3.1-8B", "--tokens", "1B"), "--tokens"),
    (("Llama-3.1-8B", "--goal", "train"), "--tokens"),
    (("Llama-3.1-8B", "--goal", "train", "--tokens", "1B", "--users", "3"), "--users"),
    (("Llama-3.1-8B", "--goal", "train", "--tokens", "1B", "--rank", "8"), "--rank"),
    (("Llama-3.1-8B", "--goal", "qlora", "--slo-ttft", "1s"), "--slo-ttft"),
    (("Llama-3.1-8B", "--prompt", "8k", "--output", "1k", "--context", "4k"), "--context"),
    (("Llama-3.1-8B", "--prompt", "1M"), "--prompt"),
    (("Llama-3.1-8B", "--context", "10M"), "131,072"),
    (("Llama-3.1-8B", "--context", "200k"), "--context"),
    (("Llama-3.1-8B", "--price", "RTX 4090"), "--price"),
    (("Llama-3.1-8B", "--price", "RTX 4090=free"), "free"),
    (("Llama-3.1-8B", "--price", "=3"), "--price"),
    (("Llama-3.1-8B", "--markdown", "--json"), "--markdown"),
    (("Llama-3.1-8B", "--colour", "red"), "--colour"),
    (("Llama-3.1-8B", "extra"), "extra"),
    (("Llama-3.1-8B", "--users"), "--users"),
]


@pytest.mark.parametrize(("flags", "named"), REFUSED)
def test_a_bad_request_is_one_line_naming_the_thing(run: Run, flags: tuple[str, ...], named: str) -> None:
    said = run("plan", *flags)
    assert said.code == 2
    assert said.out == "" or "--json" in flags
    lines = said.err.rstrip("\n").split("\n")
    assert lines[0].startswith("ridgewise: ") and named in lines[0]
    assert len(lines) <= 2 and all(line.startswith("  nearest: ") for line in lines[1:])


@pytest.mark.parametrize(("flags", "named"), REFUSED)
def test_with_json_a_bad_request_is_a_document_too(run: Run, flags: tuple[str, ...], named: str) -> None:
    said = run("plan", *flags, "--json") if flags[-1] != "--users" else run("plan", "--json", *flags)
    assert said.code == 2
    document = said.document
    assert set(document) == {"schema_version", "error"}
    assert set(document["error"]) == {"what", "where", "nearest"}
    assert named in document["error"]["what"] + document["error"]["where"]


@pytest.mark.parametrize(
    ("flags", "near"),
    [
        (("Llama-3.1-8", ), "Llama-3.1-8B"),
        (("Llama-3.1-8B", "--hardware", "RTX 4091"), "nvidia-rtx-4090"),
        (("Llama-3.1-8B", "--quant", "q4_km"), "q4_k_m"),
        (("Llama-3.1-8B", "--engine", "vlm"), "vllm"),
        (("Llama-3.1-8B", "--hardware", "M4 Max"), "apple-m4-max-40c"),
    ],
)  # fmt: skip
def test_a_wrong_name_names_the_nearest_right_one(run: Run, flags: tuple[str, ...], near: str) -> None:
    nearest = run("plan", *flags, "--json").document["error"]["nearest"]
    assert any(near in name for name in nearest), nearest


def test_no_model_is_asked_for_where_nobody_can_answer(run: Run) -> None:
    said = run("plan", "--users", "3")
    assert said.code == 2 and "model" in said.err


# --- limits and prices in the answer ---


def test_a_price_of_ones_own_enters_and_is_said(run: Run) -> None:
    plain = run("plan", *SMALL, "--json").document["options"]
    own = run("plan", *SMALL, "--price", "RTX 4090=500", "--json").document["options"]
    before, after = (next(o for o in found if o["device"] == "nvidia-rtx-4090") for found in (plain, own))
    assert after["purchase_usd"]["value"] < before["purchase_usd"]["value"]
    assert "your own price" in after["purchase_usd"]["basis"]
    others = [[o["purchase_usd"] for o in found if o["device"] != "nvidia-rtx-4090"] for found in (plain, own)]
    assert others[0] == others[1]


def test_what_does_not_fit_is_said_with_ways_out(run: Run) -> None:
    said = run("plan", "DeepSeek-V3", "--hardware", "RTX 4090")
    assert said.code == 1
    assert "Nothing fits. The nearest ways out" in said.out and "By how much" in said.out
    assert re.search(r"[\d.]+ GiB too little per device", said.out)


def test_names_may_be_repeated_or_separated_by_commas(run: Run) -> None:
    commas = run("plan", "Llama-3.1-8B", "--hardware", "RTX 4090, Strix Halo ,", "--json").document
    repeated = run("plan", "Llama-3.1-8B", "--hardware", "Strix Halo", "--hardware", "RTX 4090", "--json").document
    assert {o["device"] for o in commas["options"]} == {o["device"] for o in repeated["options"]}
    assert len(json.dumps(commas)) > 1000


def test_a_model_of_ones_own_is_read_from_its_folder(run: Run, tmp_path: Path) -> None:
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 1024, "intermediate_size": 2816,
        "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 32000,
        "max_position_embeddings": 4096, "torch_dtype": "bfloat16", "tie_word_embeddings": False,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    # Embedding and head 2 · 32,000 · 1,024 = 65.5M; per layer q, o 2 · 1,024², k, v 2 · 1,024 · 256, three of
    # 1,024 · 2,816 = 11.27M; 16 of them 180.4M: 245.9M and norms.
    document = run("plan", str(tmp_path), "--hardware", "RTX 4090", "--context", "4k", "--json").document
    assert document["parameters_total"] == pytest.approx(245.9e6, rel=0.001)


# --- what a terminal shows ---

SHOWN = [
    ("Llama-3.1-8B",),
    ("Llama-3.1-70B", "--goal", "train", "--tokens", "2T"),
    ("Llama-3.1-8B", "--goal", "qlora"),
    ("DeepSeek-V3", "--users", "50"),
    ("DeepSeek-V3", "--hardware", "RTX 4090, H200 SXM"),
]


@pytest.mark.parametrize("flags", SHOWN)
@pytest.mark.parametrize("width", [40, 80, 100, 120, 160])
def test_no_number_is_cropped_at_any_width(
    run: Run, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], width: int
) -> None:
    """Every figure of every cell stands whole on one line, and no line is longer than the terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    out = run("plan", *flags).out
    lines = out.split("\n")
    assert max(map(len, lines)) <= width
    document = TypeAdapter(PlanDocument).validate_python(run("plan", *flags, "--json").document)
    for row in options_table(document).rows:
        for cell in row[2:]:
            for figure in cell.split("\n"):
                assert any(figure in line for line in lines) or (width < 50 and _spread(figure, out)), figure


def _spread(figure: str, out: str) -> bool:
    """On the narrowest terminals a figure may break between its words."""
    return " ".join(figure.split()) in " ".join(out.split())


def test_narrow_terminals_keep_what_bounds_the_speed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "bound by memory" in run("plan", "Llama-3.1-8B").out


# --- the model's own limit ---


def test_a_context_up_to_the_limit_is_answered_in_thousands_or_binary(run: Run) -> None:
    kilo = run("plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--context", "128k", "--json").document
    binary = run("plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--context", "128Ki", "--json").document
    assert (kilo["workload"]["context_tokens"], binary["workload"]["context_tokens"]) == (128000, 131072)


def test_the_usual_context_is_no_longer_than_the_model_reads(run: Run) -> None:
    found = run("plan", "TinyLlama", "--hardware", "RTX 4090", "--json").document
    assert found["workload"]["context_tokens"] == 2048


def test_fit_refuses_what_plan_refuses(run: Run) -> None:
    said = run("fit", "Llama-3.1-8B", "RTX 4090", "--context", "200k")
    assert said.code != 0 and "131,072" in said.err + said.out


def test_a_price_of_nothing_is_a_card_one_owns(run: Run) -> None:
    said = run("plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--price", "RTX 4090=0", "--host-price", "0", "--json")
    assert said.code == 0 and said.document["options"][0]["purchase_usd"]["value"] == 0
