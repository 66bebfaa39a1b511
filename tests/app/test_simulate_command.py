"""``ridgewise simulate`` and ``ridgewise capacity`` as people call them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import ridgewise
from ridgewise.errors import RequestError
from ridgewise.report.capacity import CapacityDocument
from ridgewise.report.document import schema
from ridgewise.report.simulation import SimulationDocument

Run = Callable[..., Any]
CHAT = ("simulate", "Llama-3.1-8B", "H100 SXM")


def test_the_answer_keeps_its_schema_and_its_word(run: Run) -> None:
    said = run(*CHAT, "--rate", "5", "--requests", "400", "--slo-ttft", "p95=2s", "--slo-tpot", "100ms", "--json")
    assert said.code == 0
    found = said.document
    jsonschema.validate(found, schema(SimulationDocument), jsonschema.Draft202012Validator)
    for name in ("ttft_s", "tpot_s", "itl_s", "e2e_s", "wait_s"):
        order = [found[name][statistic]["value"] for statistic in ("p50", "p90", "p95", "p99")]
        assert order == sorted(order), name
        for one in found[name].values():
            assert 0 <= one["low"] <= one["value"] <= one["high"], name
    assert found["requests"] == found["counted"] == 400
    assert [one["statistic"] for one in found["limits"]] == ["p95", "p95"]
    assert found["energy_j"] == pytest.approx(found["power_w"] * found["replica_s"])


def test_one_seed_is_one_answer(run: Run) -> None:
    def figures(*more: str) -> dict[str, Any]:
        found: dict[str, Any] = run(*CHAT, "--rate", "5", "--requests", "300", "--json", *more).document
        return {key: value for key, value in found.items() if key != "elapsed_s"}

    assert figures() == figures("--seed", "0")
    assert figures()["ttft_s"] != figures("--seed", "1")["ttft_s"]


def test_more_load_is_felt(run: Run) -> None:
    few, many = (run(*CHAT, "--rate", rate, "--requests", "500", "--json").document for rate in ("2", "12"))
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        assert many[name]["p95"]["value"] > few[name]["p95"]["value"]
    assert many["energy_j_per_token"]["value"] < few["energy_j_per_token"]["value"]


def test_people_see_what_was_assumed_of_them(run: Run) -> None:
    said = run(*CHAT, "--users", "80", "--turns", "4", "--requests", "300", "--slo-tpot", "p99=1ms")
    assert said.code == 1  # nobody makes a token in a millisecond
    for word in ("--users, --active", "--think", "--turns", "✗ TPOT p99", "KV cache", "found in it", "J a token"):
        assert word in said.out


def test_a_trace_becomes_a_table_and_a_timeline(run: Run, tmp_path: Path) -> None:
    trace, table, line = (tmp_path / name for name in ("trace.csv", "out.csv", "out.json"))
    rows = ["arrival_s,input_tokens,output_tokens"] + [f"{i * 0.3},{200 + 7 * i},{20 + i}" for i in range(40)]
    trace.write_text("\n".join([*rows, "99,400000,20"]), encoding="utf-8")
    said = run(*CHAT, "--trace", str(trace), "--table", str(table), "--perfetto", str(line))
    assert said.code == 0
    assert "1 request can never fit: needs 400020 tokens" in said.out
    with table.open(encoding="utf-8") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == 41
    assert [row["outcome"] for row in written[-2:]] == ["answered", "refused"]
    assert json.loads(line.read_text(encoding="utf-8"))["traceEvents"]


@pytest.mark.parametrize(
    "more",
    [
        ("--rate", "6", "--replicas", "2", "--router", "prefix-affine"),
        ("--rate", "6", "--replicas", "2", "--decode-replicas", "2", "--link", "12.5GB/s"),
        ("--rate", "9", "--replicas", "3", "--scale-from", "1", "--scale-target", "10"),
        ("--rate", "6", "--replicas", "2", "--fail", "1@20s", "--repair", "20s"),
        ("--users", "120", "--replicas", "3", "--fail", "1@20s", "--repair", "20s"),
        ("--rate", "3", "--engine", "sglang", "--arrivals", "bursty:2"),
        ("--rate", "3", "--engine", "tensorrt-llm", "--policy", "max_num_seqs=32"),
        ("--rate", "0.3", "--engine", "llama.cpp", "--quant", "q4_k_m", "--policy", "slots=8"),
        ("--rate", "1", "--policy", "static"),
        ("--rate", "3", "--draft", "Llama-3.2-1B", "--acceptance", "80%"),
    ],
    ids=lambda more: " ".join(more[2:6]),
)
def test_every_kind_of_system_runs(run: Run, more: tuple[str, ...]) -> None:
    said = run(*CHAT, "--requests", "250", *more, "--json")
    assert said.code == 0
    assert said.document["unfinished"] == said.document["refused"] == 0


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ((), "say what is asked"),
        (("--rate", "5", "--users", "9"), "means nothing beside"),
        (("--rate", "5", "--think", "3s"), "--think means nothing with --rate"),
        (("--rate", "-1"), "outside"),
        (("--rate", "2", "--prompt", "gauss:4"), "no length or distribution"),
        (("--rate", "2", "--arrivals", "sometimes"), "unknown arrivals"),
        (("--rate", "2", "--slo-ttft", "p42=1s"), "unknown statistic"),
        (("--rate", "2", "--policy", "max_seqs=3"), "unknown setting"),
        (("--rate", "2", "--policy", "vlm"), "unknown policy"),
        (("--rate", "2", "--router", "random"), "unknown router"),
        (("--rate", "2", "--fail", "7@3s"), "outside"),
        (("--rate", "2", "--speed", "2"), "scales the times of a trace"),
        (("--users", "20", "--decode-replicas", "1"), "open arrivals"),
        (("--trace", "no-such-file"), "is no file"),
    ],
)
def test_what_cannot_be_asked_is_named(run: Run, flags: tuple[str, ...], says: str) -> None:
    said = run(*CHAT, *flags)
    assert said.code == 2
    assert says in said.err


def test_what_does_not_fit_is_an_answer(run: Run) -> None:
    said = run("simulate", "Llama-3.1-70B", "RTX 4090", "--engine", "vllm", "--rate", "1", "--json")
    assert said.code == 1
    assert said.document["fits"] is False
    assert said.document["missing_bytes"] > 50 * 2**30
    assert "are missing" in run("simulate", "Llama-3.1-70B", "RTX 4090", "--engine", "vllm", "--rate", "1").out


def test_capacity_keeps_its_schema_and_its_limits(run: Run) -> None:
    said = run(
        "capacity", "Llama-3.1-8B", "--users", "400", "--slo-ttft", "p95=1s", "--slo-tpot", "p95=50ms", "--hardware",
        "H100 SXM, L40S", "--json",
    )  # fmt: skip
    assert said.code == 0
    found = said.document
    jsonschema.validate(found, schema(CapacityDocument), jsonschema.Draft202012Validator)
    costs = [one["cost_usd_per_month"] for one in found["systems"]]
    assert costs == sorted(costs)
    for one in found["systems"]:
        assert one["ttft_s"]["high"] <= 1.0
        assert one["tpot_s"]["high"] <= 0.050
        assert one["replicas"] * one["load_per_replica"] >= 400 - 1e-6
    assert found["most_as_expected"] >= found["most_when_slow"] >= 400
    loads = [point["load"] for point in found["curve"]]
    assert loads == sorted(loads)
    assert found["curve"][0]["ttft_s"]["value"] < found["curve"][-1]["ttft_s"]["value"]
    assert [g["replicas"] for g in found["growth"]] == list(range(found["systems"][0]["replicas"],
                                                                  found["systems"][0]["replicas"] + 4))  # fmt: skip
    assert found["breaks_first"]


@pytest.mark.parametrize(
    ("model", "load", "hardware"),
    [
        ("Llama-3.1-8B", ("--users", "400"), "L40S"),
        ("Llama-3.1-8B", ("--rate", "12"), "L40S"),
        ("Llama-3.1-70B-Instruct", ("--users", "200", "--seed", "3"), "MI300X"),
        ("Llama-3.1-8B", ("--users", "300", "--turns", "4"), "RTX 5090"),
    ],
)
def test_what_capacity_recommends_keeps_its_limits_when_simulated(
    run: Run, model: str, load: tuple[str, ...], hardware: str
) -> None:
    asked = (*load, "--slo-ttft", "p95=1500ms", "--slo-tpot", "p95=80ms", "--json")
    best = run("capacity", model, *asked, "--hardware", hardware).document["systems"][0]
    said = run(
        "simulate", model, hardware, *asked, "--engine", best["engine"], "--quant", best["format"],
        "--tp", str(best["layout"]["tp"]), "--replicas", str(best["replicas"]),
    )  # fmt: skip
    assert said.code == 0
    assert all(one["kept_when_slow"] for one in said.document["limits"])
    for one in said.document["limits"]:
        for end in ("value", "low", "high"):
            assert best[f"{one['latency']}_s"][end] == pytest.approx(one["value_s"][end], rel=1e-9)


def test_one_replica_says_what_it_carries_beyond_what_was_asked(run: Run) -> None:
    asked = ("--users", "300", "--slo-ttft", "p95=2s", "--slo-tpot", "p95=60ms", "--hardware", "RTX 5090", "--json")
    found = run("capacity", "Llama-3.1-8B", *asked).document
    best = found["systems"][0]
    assert best["replicas"] == 1
    assert best["load_per_replica"] == pytest.approx(found["most_when_slow"])
    assert best["headroom"] == pytest.approx(found["most_when_slow"] / 300 - 1)
    assert best["headroom"] > 0.1


def test_more_people_need_no_less(run: Run) -> None:
    def needed(users: str) -> int:
        found = run("capacity", "Llama-3.1-8B", "--users", users, "--hardware", "L40S", "--json").document
        return int(found["systems"][0]["devices"])

    assert needed("100") <= needed("1000") < needed("5000")


def test_a_limit_that_nobody_keeps_is_an_answer(run: Run) -> None:
    said = run("capacity", "Llama-3.1-70B", "--rate", "1", "--slo-tpot", "p99=100us", "--hardware", "H100 SXM")
    assert said.code == 1
    assert "No system of the candidates keeps these limits" in said.out


def test_capacity_is_drawn_for_people(run: Run) -> None:
    said = run("capacity", "Llama-3.1-8B", "--rate", "8", "--hardware", "H100 SXM")
    assert said.code == 0
    for word in ("●", "─ the limit", "carries:", "breaks first:", "growth: up to", "N+1:", "one fails:", "a month"):
        assert word in said.out


def test_the_same_from_python(run: Run) -> None:
    told = run(*CHAT, "--rate", "3", "--requests", "200", "--slo-ttft", "p95=1s", "--json").document
    found = ridgewise.simulate("Llama-3.1-8B", "H100 SXM", rate=3, requests=200, slo_ttft="p95=1s")
    assert found.ttft_s["p95"].value == told["ttft_s"]["p95"]["value"]
    sized = ridgewise.capacity("Llama-3.1-8B", rate=8, hardware="H100 SXM")
    assert sized.feasible
    with pytest.raises(RequestError, match="unknown flag 'rates'"):
        ridgewise.simulate("Llama-3.1-8B", "H100 SXM", rates=3)


def test_what_cannot_keep_up_says_so(run: Run) -> None:
    said = run(*CHAT, "--rate", "60", "--requests", "1500")
    assert "overload" in said.out
    assert "overload" not in run(*CHAT, "--rate", "4", "--requests", "40").out
    found = run(*CHAT, "--rate", "60", "--requests", "1500", "--json").document
    assert found["requests_per_s"]["value"] < 0.9 * found["offered_requests_per_s"]


def test_one_request_that_can_never_fit_is_refused_by_itself(run: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n0,50,5\n1,3000000,5\n2,60,5\n", encoding="utf-8")
    found = run(*CHAT, "--trace", str(trace), "--json").document
    assert (found["fits"], found["counted"], found["refused"]) == (True, 2, 1)
    assert "3000005 tokens" in found["refused_reason"]


def test_people_and_answers_balance_at_both_ends(run: Run) -> None:
    """Little's law: conversations = requests per second × (answer + thinking), of the slow and of the quick run."""
    found = run(*CHAT, "--users", "40", "--active", "1", "--think", "4s", "--requests", "3000", "--json").document
    rate, whole = found["requests_per_s"], found["e2e_s"]["mean"]
    for end, other in (("value", "value"), ("low", "high"), ("high", "low")):
        assert rate[end] * (whole[other] + 4.0) == pytest.approx(40, rel=0.06), end


def test_a_softer_limit_that_saves_much_is_named(run: Run) -> None:
    said = run("capacity", "Llama-3.1-8B", "--users", "300", "--slo-ttft", "p95=1s", "--slo-tpot", "p95=14ms",
               "--country", "DE", "--json")  # fmt: skip
    found = said.document
    best = found["systems"][0]["cost_usd_per_month"]
    assert found["softer"]
    for one in found["softer"]:
        assert one["cost_usd_per_month"] <= 0.8 * best
        assert one["cost_usd_per_month"] + one["saved_usd_per_month"] == pytest.approx(best)
        assert one["limits"]
        for promise in one["limits"]:
            limit = {"ttft": 1.0, "tpot": 0.014}[promise["latency"]]
            assert limit < promise["limit_s"] <= 2.0 * limit * 1.1
    assert any("Germany" in line for line in found["assumptions"])
