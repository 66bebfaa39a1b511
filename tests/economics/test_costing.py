"""``ridgewise cost``: what a finance owner asks of it, and what it refuses."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ridgewise
from ridgewise.app.costing import FLAGS, amount, offer_rows, read_quotes
from ridgewise.errors import RequestError
from ridgewise.hardware import load_devices
from ridgewise.report.cost import CostDocument, InfeasibleDocument
from ridgewise.report.document import as_json, schema

Answer = Callable[..., dict[str, Any]]
Run = Callable[..., tuple[int, str, str]]
SERVICE = ("Llama-3.3-70B-Instruct", "H100 SXM", "--users", "2000", "--country", "DE", "--horizon", "3y")


def way(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(w for w in found["ways"] if w["way"] == name)


@pytest.mark.parametrize(
    "flags",
    [SERVICE, ("Llama-3.1-8B", "RTX 4090"), ("Llama-3.1-8B", "H100 SXM", "--goal", "lora", "--runs", "52"),
     ("Llama-3.1-8B", "TPU v5e", "--users", "20"), ("Llama-3.1-8B", "M3 Ultra", "--rate", "8%", "--growth", "20%")],
)  # fmt: skip
def test_the_document_keeps_its_schema_and_adds_up(answer: Answer, flags: tuple[str, ...]) -> None:
    found = answer(*flags)
    jsonschema.validate(found, schema(CostDocument), jsonschema.Draft202012Validator)
    assert found["ways"] and found["cheapest"] == min(found["ways"], key=lambda w: w["cost_usd"]["value"])["way"]
    assert sum(w["cheapest_share"] for w in found["ways"]) == pytest.approx(1.0)
    for one in found["ways"]:
        assert one["cost_usd"]["low"] <= one["cost_usd"]["value"] <= one["cost_usd"]["high"]
        assert len(one["cumulated_usd"]) == found["horizon_months"] + 1
        assert one["cumulated_usd"][-1] == pytest.approx(one["cost_usd"]["value"])
        if one["cost_usd_per_million_tokens"] is not None and found["rate_per_year"] == 0 and not found["cached_share"]:
            tokens = found["input_tokens_per_month"] + found["output_tokens_per_month"]
            if "--growth" not in flags:
                each = one["cost_usd_per_month"] / tokens * 1e6
                assert one["cost_usd_per_million_tokens"] == pytest.approx(each)
    given = {w["way"] for w in found["ways"]}
    missing = {line.partition(":")[0].lower() for line in found["missing"]}
    assert {"buy", "rent"} - given <= missing


def test_every_price_is_dated_and_sourced_or_says_that_it_is_assumed(answer: Answer) -> None:
    for flags in (SERVICE, ("Llama-3.1-8B", "RTX 4090"), ("gpt-oss-120b", "--users", "100")):
        for price in answer(*flags)["prices"]:
            sourced = price["as_of"] and price["sources"] and all(source["title"] for source in price["sources"])
            assert sourced or price["tier"] == "assumed", price
            assert price["value"] > 0 or price["tier"] == "assumed"


def test_one_quote_moves_the_answer(answer: Answer) -> None:
    before, after = answer(*SERVICE), answer(*SERVICE, "--price", "H100 SXM=15000")
    assert way(after, "buy")["upfront_usd"] < way(before, "buy")["upfront_usd"]
    assert way(after, "rent")["cost_usd"] == way(before, "rent")["cost_usd"]
    months = [next(b["month"] for b in found["break_even"] if b["against"] == "rent" and b["load_ratio"] == 1.0)
              for found in (before, after)]  # fmt: skip
    assert months[1] < months[0]
    bought = next(p for p in after["prices"] if p["what"] == "purchase")
    assert bought["tier"] == "measured" and bought["value"] == 15000


@pytest.mark.parametrize(
    ("flag", "value", "which"),
    [("--rent", "H100 SXM=1.00", "rent"), ("--api", "0.01/0.02", "api"), ("--tariff", "0.05", "buy"),
     ("--hosting", "1", "buy"), ("--pue", "1.01", "buy"), ("--resale", "90%", "buy")],
)  # fmt: skip
def test_own_figures_override_the_catalogues(answer: Answer, flag: str, value: str, which: str) -> None:
    before, after = answer(*SERVICE), answer(*SERVICE, flag, value)
    for name in ("buy", "rent", "api"):
        one, other = (way(found, name)["cost_usd"]["value"] for found in (before, after))
        assert other < one if name == which else other == pytest.approx(one), name


def test_quotes_of_a_file_are_the_answers_sources(answer: Answer, tmp_path: Path) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(
        "kind,name,price,currency,as_of,source\n"
        "purchase,H100 SXM,20000,EUR,2026-11-20,offer 4711\n"
        "on-demand,H100 SXM,1.90,USD,2026-11,a provider's page\n"
        "electricity,,0.21,EUR,2026-01,our contract\n"
        "api-input,,0.50,USD,2026-11,\napi-output,,1.50,USD,2026-11,\n"
    )
    found = answer(*SERVICE, "--quotes", str(path))
    prices = {price["what"]: price for price in found["prices"]}
    assert prices["purchase"]["value"] == pytest.approx(20000 * 1.1172) and prices["purchase"]["as_of"] == "2026-11-20"
    assert [source["key"] for source in prices["purchase"]["sources"]] == ["offer 4711", "ecb-reference-rates"]
    assert prices["electricity"]["value"] == pytest.approx(0.21 * 1.1172)
    assert prices["API output"]["value"] == pytest.approx(1.5) and way(found, "api")["cost_usd"]["tier"] == "measured"
    over = answer(*SERVICE, "--quotes", str(path), "--price", "H100 SXM=10000", "--tariff", "0.1")
    prices = {price["what"]: price["value"] for price in over["prices"]}
    assert prices["purchase"] == 10000 and prices["electricity"] == 0.1  # a flag over a file


def test_a_flag_in_another_currency_names_its_rate(answer: Answer) -> None:
    found = answer(*SERVICE, "--price", "H100 SXM=20000 EUR", "--tariff", "0.18 EUR@1.2", "--rent", "H100 SXM=2 EUR")
    prices = {price["what"]: price for price in found["prices"]}
    assert prices["purchase"]["value"] == pytest.approx(22_344) and prices["purchase"]["as_of"] == "2026-10-30"
    assert prices["purchase"]["sources"][-1]["key"] == "ecb-reference-rates"
    assert prices["electricity"]["value"] == pytest.approx(0.216)
    assert "your rate of 1.2" in prices["electricity"]["sources"][-1]["key"]
    assert prices["rent, on-demand"]["value"] == pytest.approx(2.2344)


def test_kept_quotes_always_count(answer: Answer, tmp_path: Path) -> None:
    kept = tmp_path / "home" / "prices"
    kept.mkdir(parents=True)
    (kept / "quotes.csv").write_text("kind,name,price,currency,as_of\nreserved-1y,H100 SXM,1.5,USD,2026-11\n")
    found = answer(*SERVICE)
    assert found["rents"][0]["terms"] == "reserved-1y" and way(found, "rent")["cost_usd"]["tier"] == "measured"


def test_more_load_turns_towards_owning(answer: Answer) -> None:
    found = answer("Llama-3.3-70B-Instruct", "RTX PRO 6000", "--users", "200")
    evens = {b["load_ratio"]: b["month"] or 1e9 for b in found["break_even"] if b["against"] == "api"}
    assert evens[0.5] >= evens[1.0] >= evens[1.5]
    assert found["cheapest_by_load"][0]["way"] == "api"  # nobody buys for a thousandth of the load


def test_base_load_is_held_and_peaks_are_rented(answer: Answer) -> None:
    few = ("Llama-3.1-8B", "L40S", "--users", "20000")
    found = answer(*few, "--rent", "L40S=1.0", "--rent", "reserved-1y:L40S=0.6", "--profile", "1,1,1,1,1,1,1,4")
    mix, copies = found["mix"], found["copies"]
    assert mix is not None and 1 <= mix["held_copies"] < copies and mix["rented_h_per_month"] > 0
    rents = {rent["terms"]: rent["cost_usd_per_month"] for rent in found["rents"]}
    assert mix["cost_usd_per_month"] <= min(rents["on-demand"], rents["reserved-1y"]) + 1e-6


def test_a_spot_hour_of_work_costs_more_than_the_spot_price(answer: Answer) -> None:
    hours = [
        next(
            rent["usd_per_h"] for rent in answer(*SERVICE, "--interruptions", often)["rents"] if rent["terms"] == "spot"
        )
        for often in ("0", "1", "8")
    ]
    assert hours == sorted(hours) and hours[0] < hours[2]
    assert hours[2] == pytest.approx(hours[0] / (1 - 8 / 24 * 0.25))


def test_a_profile_says_how_busy_it_is(answer: Answer) -> None:
    one, other = answer(*SERVICE, "--profile", "1,2,4,1"), answer(*SERVICE, "--busy", "0.5")
    assert one["requests_per_month"] == pytest.approx(other["requests_per_month"])
    assert one["energy_kwh_per_month"] == pytest.approx(other["energy_kwh_per_month"])


def test_the_command_is_a_function(answer: Answer) -> None:
    said = answer("Llama-3.1-8B", "RTX 4090", "--price", "RTX 4090=1500", "--horizon", "2y", "--busy", "0.3")
    found = ridgewise.cost("Llama-3.1-8B", "RTX 4090", price={"RTX 4090": 1500}, horizon="2y", busy=0.3)
    assert json.loads(as_json(found)) == said
    with pytest.raises(RequestError, match="unknown flag 'bussy'"):
        ridgewise.cost("Llama-3.1-8B", bussy=0.3)


def test_the_same_question_gets_the_same_answer(answer: Answer) -> None:
    assert answer(*SERVICE) == answer(*SERVICE)


def test_plan_puts_the_three_ways_side_by_side(run: Run) -> None:
    flags = ("plan", "Llama-3.1-70B-Instruct", "--users", "200", "--country", "DE", "--horizon", "3y")
    code, out, _ = run(*flags, "--json")
    found = json.loads(out.rstrip("\n").rpartition("\n")[2])["cost"]
    jsonschema.validate(found, schema(CostDocument), jsonschema.Draft202012Validator)
    assert code == 0 and {w["way"] for w in found["ways"]} == {"buy", "rent", "api"} and found["country"] == "DE"
    assert {b["against"] for b in found["break_even"]} >= {"rent", "api"}
    code, out, _ = run(*flags)
    assert code == 0 and "Money over 36 months" in out and "breaks even with" in out and "Germany, business" in out
    code, out, _ = run(*flags, "--markdown")
    assert code == 0 and "## Money over 36 months" in out and "| buy |" in out
    code, out, _ = run(*flags[:4], "--json")
    assert "cost" not in json.loads(out.rstrip("\n").rpartition("\n")[2])


def test_a_plan_file_keeps_country_and_horizon(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    code, *_ = run(
        "plan", "Llama-3.1-8B", "--hardware", "RTX 4090", "--country", "FR", "--horizon", "2y", "--save", str(path)
    )
    assert code == 0 and 'country = "FR"' in path.read_text()
    for place in (("--file", str(path)), (str(path),)):
        code, out, _ = run("cost", *place, "--json")
        found = json.loads(out)
        assert code == 0 and (found["country"], found["horizon_months"]) == ("FR", 24)
    code, out, _ = run("cost", str(tmp_path / "absent.toml"), "--json")
    assert code == 2 and "no such file" in json.loads(out)["error"]["what"]


def test_what_does_not_do_the_job_has_no_price(run: Run) -> None:
    code, out, _ = run("cost", "Llama-3.1-70B", "RTX 3060", "--users", "500", "--json")
    found = json.loads(out)
    assert code == 1 and not found["feasible"] and found["shortfalls"]
    jsonschema.validate(found, schema(InfeasibleDocument), jsonschema.Draft202012Validator)
    code, out, _ = run("cost", "Llama-3.1-70B", "RTX 3060", "--users", "500")
    assert code == 1 and "does not do the job" in out


def test_books_by_hand(answer: Answer) -> None:
    # $240,000 and a host of $60,000 over the five years in the middle of 4 to 6: $5,000 a month, $120,000 after three.
    found = answer(*SERVICE, "--price", "H100 SXM=30000", "--host-price", "60000", "--resale", "25%")
    count = way(found, "buy")["upfront_usd"] / 300_000
    assert found["depreciation_years"] == 5 and found["depreciation_usd_per_month"] == pytest.approx(count * 5000)
    assert found["book_value_usd"] == pytest.approx(count * 120_000)
    assert found["resale_usd"] == pytest.approx(count * 75_000)
    assert found["capital_usd_per_month"] == pytest.approx(count * 225_000 / 36)


def test_a_single_price_is_no_comparison(answer: Answer) -> None:
    found = answer("Qwen3-8B", "Instinct MI325X", "--users", "20")
    assert [one["way"] for one in found["ways"]] == ["api"] and found["sentence"].startswith("Only the API has a price")
    assert len(found["missing"]) == 2 and not found["sensitivity"]


def test_help_shows_every_flag_of_money(run: Run) -> None:
    code, out, _ = run("cost", "--help")
    assert code == 0
    for name in FLAGS:
        assert f"--{name.replace('_', '-')}" in out, name
    code, out, _ = run("cost", "--json")
    assert code == 2 and "no model given" in json.loads(out)["error"]["what"]


def test_the_picture(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "cost.svg"
    code, out, _ = run("cost", *SERVICE, "--plot", str(path))
    assert code == 0 and "month 36" in out
    root = ET.fromstring(path.read_text())
    assert root.tag.endswith("svg") and "breaks" not in root.attrib
    assert len([line for line in root.iter() if line.get("stroke-width") == "2"]) == 3


@pytest.mark.parametrize(
    ("flags", "where", "text"),
    [
        (("--price", "RTX 4090=-5"), "--price", "negative"),
        (("--price", "RTX 4090=1500 XYZ"), "--price", "no dated rate of currency"),
        (("--price", "RTX 4091=1500"), "--hardware", "unknown device"),
        (("--country", "Narnia"), "--country", "unknown country"),
        (("--country", "AU"), "--country", "no electricity price of Australia"),
        (("--horizon", "36"), "--horizon", "no unit"),
        (("--horizon", "300y"), "--horizon", "outside"),
        (("--busy", "1.5"), "--busy", "less than or equal to 1"),
        (("--cached", "2"), "--cached", "outside"),
        (("--rate", "-1"), "--rate", "outside"),
        (("--api", "1"), "--api", "IN/OUT"),
        (("--api", "1/-2"), "--api", "negative"),
        (("--api-model", "gpt-6"), "--api-model", "no price"),
        (("--rent", "RTX 4090"), "--rent", "NAME=USD"),
        (("--rent", "weekly:RTX 4090=2"), "--rent", "NAME=USD"),
        (("--tariff", "0.2 DOGE"), "--tariff", "no dated rate"),
        (("--pue", "0.9"), "--pue", "outside"),
        (("--resale", "150%"), "--resale", "outside"),
        (("--profile", "1,2", "--busy", "0.5"), "--busy, --profile", "how busy"),
        (("--api", "1/2", "--api-model", "gpt-5.5"), "--api, --api-model", "not both"),
        (("--runs", "3"), "--runs", "means nothing for inference"),
        (("--goal", "lora", "--cached", "0.5"), "--cached", "means nothing for training"),
        (("--goal", "lora", "--api", "1/2"), "--api", "means nothing for training"),
        (("--profile", "0,0"), "--profile", "without load"),
        (("--profile", "1,x"), "--profile", "not a number"),
        (("--quotes", "absent.csv"), "absent.csv", "no such file"),
    ],
)
def test_bad_input_is_named(run: Run, flags: tuple[str, ...], where: str, text: str) -> None:
    code, out, err = run("cost", "Llama-3.1-8B", "RTX 4090", *flags, "--json")
    error = json.loads(out)["error"]
    assert code == 2 and text in error["what"] and where in error["where"] and text in err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("purchase,RTX 4090,,EUR,2026-11", "price is missing"),
        ("purchase,RTX 4090,5,EUR,", "without a date"),
        ("purchase,RTX 4090,5,EUR,yesterday", "without a date"),
        ("purchase,RTX 4090,5,EUR,2026-13", "without a date"),
        ("purchase,RTX 4090,-5,EUR,2026", "negative"),
        ("purchase,RTX 4090,5,EUX,2026", "no dated rate"),
        ("purchase,RTX 4091,5,EUR,2026", "unknown device"),
        ("lease,RTX 4090,5,EUR,2026", "unknown kind"),
        ("electricity,,free,EUR,2026", "not a number"),
    ],
)
def test_a_bad_quote_is_named_with_its_line(run: Run, tmp_path: Path, line: str, text: str) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(f"kind,name,price,currency,as_of\n{line}\n")
    code, out, _ = run("cost", "Llama-3.1-8B", "RTX 4090", "--quotes", str(path), "--json")
    error = json.loads(out)["error"]
    assert code == 2 and text in error["what"] and "line 2" in error["where"]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"kind,name,price,currency\n"])
def test_a_file_that_holds_no_quotes_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "quotes.csv"
    path.write_bytes(content)
    code, *_ = run("cost", "Llama-3.1-8B", "RTX 4090", "--quotes", str(path))
    assert code == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(st.text(max_size=12) | st.sampled_from(["purchase", "RTX 4090", "5", "EUR", "2026-11"]),
                         max_size=7), max_size=4))  # fmt: skip
def test_any_table_is_read_or_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "quotes.csv"
    body = "\n".join(",".join(cells) for cells in rows)
    path.write_text(f"kind,name,price,currency,as_of\n{body}\n", encoding="utf-8", errors="ignore")
    try:
        found = read_quotes(path)
    except RequestError as error:
        assert error.what and str(path) in error.where
    else:
        assert all(price >= 0 for price in found.devices.values())


@pytest.mark.parametrize("flags", [("--interruptions", "500"), ("--rent", "H100 SXM=0", "--api", "0/0")])
def test_extreme_terms_have_answers(answer: Answer, tmp_path: Path, flags: tuple[str, ...]) -> None:
    found = answer(*SERVICE, *flags, "--plot", str(tmp_path / "cost.svg"))
    jsonschema.validate(found, schema(CostDocument), jsonschema.Draft202012Validator)
    assert "spot" not in {rent["terms"] for rent in found["rents"]} or flags[0] != "--interruptions"


@pytest.mark.parametrize("question", [("Llama-3.1-8B", "--users", "20000"), ("Llama-3.1-70B", "--users", "200")])
def test_what_is_paid_today_is_the_plans_price(run: Run, question: tuple[str, ...]) -> None:
    found = json.loads(run("plan", *question, "--horizon", "3y", "--json")[1].rstrip("\n").rpartition("\n")[2])
    pick, money = found["options"][0], found["cost"]
    assert way(money, "buy")["upfront_usd"] == pytest.approx(pick["purchase_usd"]["value"])
    assert money["copies"] == pick["layout"]["replicas"]


PEOPLE = ("Llama-3.1-70B-Instruct", "--users", "200", "--country", "DE", "--horizon", "3y")


@pytest.mark.parametrize(
    ("flags", "rate"),
    [
        ((), 50 / (512 / 6 + 30)),  # a quarter of 200 people read 512 tokens at 6 a second, and think for 30 s
        (("--active", "0.5", "--think", "60s"), 100 / (512 / 6 + 60)),
        (("--slo-tpot", "500ms"), 50 / (512 / 2 + 30)),  # an answer is not read before it may be written
        (("--slo-tpot", "60ms"), 50 / (512 / 6 + 30)),  # and not faster because it could be
    ],
)
def test_the_load_is_the_peoples_and_not_the_machines(answer: Answer, flags: tuple[str, ...], rate: float) -> None:
    found = [answer(PEOPLE[0], name, *PEOPLE[1:], *flags) for name in ("RTX 5090", "A100", "H100 SXM")]
    for one in found:
        assert one["requests_per_month"] == pytest.approx(rate * 0.3 * 730 * 3600)
        assert way(one, "api")["cost_usd"] == way(found[0], "api")["cost_usd"]
        assert any("the same load for every machine and the API" in line for line in one["assumptions"])
    shares = [one["work_ratio"] for one in found]
    assert all(0 < one < 0.3 for one in shares)
    if not flags:  # as many boards as were planned for the default limits: the faster, the less at work
        assert shares[0] > shares[1] > shares[2]


def test_the_load_of_requests_in_flight_and_of_one_person(answer: Answer) -> None:
    for load, rate in ((("--concurrency", "20"), 20 * 6 / 512 * 0.3 * 730), ((), 6 / 512 * 0.1 * 8 / 24 * 730)):
        found = [answer("Llama-3.1-8B-Instruct", name, *load) for name in ("RTX 4090", "H100 SXM")]
        assert [one["requests_per_month"] for one in found] == pytest.approx([rate * 3600] * 2)
        assert found[0]["work_ratio"] > found[1]["work_ratio"] > 0


def test_a_server_that_is_paid_for_whole_is_named(run: Run, answer: Answer) -> None:
    asked = ("gpt-oss-120b", "H100 SXM", "--users", "300", "--country", "DE", "--horizon", "3y")
    found = answer(*asked)
    assert found["devices"] == 2 and "2 × H100" in way(found, "buy")["what"] and "for 8" in way(found, "buy")["what"]
    assert "for 8" not in way(found, "rent")["what"]
    assert "for 8" not in way(answer(PEOPLE[0], "RTX 5090", *PEOPLE[1:]), "buy")["what"]
    _, out, _ = run("cost", *asked)
    assert "for 8" in out


def test_a_range_without_width_is_one_amount(run: Run) -> None:
    for flags in ((), ("--markdown",)):
        verb = "plan" if flags else "cost"
        asked = ("--hardware", "H100 SXM") if flags else ("H100 SXM",)
        _, out, _ = run(verb, PEOPLE[0], *asked, *PEOPLE[1:], *flags)
        ranges = re.findall(r"\$?([\d.,]+[kM]?)–\$?([\d.,]+[kM]?)", out)
        assert ranges and all(low != high for low, high in ranges), ranges
    _, out, _ = run("cost", PEOPLE[0], "H100 SXM", *PEOPLE[1:], "--api", "0.60/1.70")
    line = next(line for line in out.splitlines() if line.startswith("api "))
    assert "–" not in line and line.split()[-1].startswith("$")


def test_amounts_in_other_currencies() -> None:
    assert amount("25,000", "x") == (25_000, "", "")
    assert amount("4k", "x")[0] == 4000 and amount("1.5 kUSD", "x")[0] == 1500
    value, day, source = amount("100 EUR", "x")
    assert (value, day, source) == (pytest.approx(111.72), "2026-10-30", "ecb-reference-rates")
    assert amount("100 eur@1.2", "x")[0] == pytest.approx(120)  # the user's own rate
    with pytest.raises(RequestError, match="not a number"):
        amount("EUR", "x")


def test_prices_are_listed_with_date_and_source(run: Run) -> None:
    code, out, _ = run("hardware", "prices", "H100 SXM", "--json")
    rows = json.loads(out)["prices"]["nvidia-h100-sxm"]
    assert code == 0 and {row["what"] for row in rows} >= {"purchase, street", "rent, on-demand", "rent, reserved-1y"}
    assert all(row["as_of"] and row["sources"] and row["value"] > 0 for row in rows)
    code, out, _ = run("hardware", "prices", "H100 SXM")
    assert code == 0 and "skypilot" in out.casefold() and "2026" in out
    assert run("hardware", "prices", "H1000")[0] == 2


def test_offline_nothing_is_fetched_and_nothing_changes(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Catalog:
        def query(self, **_: object) -> list[object]:
            raise OSError("Name or service not known")

    monkeypatch.setitem(__import__("sys").modules, "gpuhunt", SimpleNamespace(Catalog=Catalog))
    code, out, _ = run("hardware", "prices", "--refresh", "--json")
    assert code == 2 and "no offers could be fetched" in json.loads(out)["error"]["what"]
    assert not (tmp_path / "home").exists()
    monkeypatch.setitem(__import__("sys").modules, "gpuhunt", None)
    code, out, _ = run("hardware", "prices", "--refresh", "--json")
    assert code == 2 and "extra 'prices'" in json.loads(out)["error"]["what"]


def offer(
    name: str, gib: float, instance: str = "i", provider: str = "x", price: float = 1.0, spot: bool = False
) -> Any:
    return SimpleNamespace(provider=provider, instance_name=instance, gpu_name=name, gpu_memory=gib, gpu_count=1,
                           location="eu", price=price, spot=spot)  # fmt: skip


def test_fetched_offers_move_the_rent(run: Run, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Catalog:
        def query(self, **_: object) -> list[object]:
            return [offer("RTX4090", 24, price=0.34), offer("RTX4090", 24, price=0.2, spot=True), offer("H100", 80)]

    monkeypatch.setitem(__import__("sys").modules, "gpuhunt", SimpleNamespace(Catalog=Catalog))
    assert "rent" in " ".join(answer("Llama-3.1-8B", "RTX 4090")["missing"])
    code, out, _ = run("hardware", "prices", "RTX 4090", "--refresh", "--json")
    assert code == 0 and json.loads(out)["fetched_offers"] == 2  # an H100 of no known form is left out
    rents = {rent["terms"]: rent["usd_per_h"] for rent in answer("Llama-3.1-8B", "RTX 4090")["rents"]}
    assert rents["on-demand"] == 0.34 and rents["spot"] > 0.2


@pytest.mark.parametrize(
    ("item", "meant"),
    [
        (offer("H100", 80), None), (offer("H100", 80, "gpu_1x_h100_pcie"), "nvidia-h100-pcie"),
        (offer("H100", 80, "p5.48xlarge", "aws"), "nvidia-h100-sxm"), (offer("H100NVL", 94), "nvidia-h100-nvl"),
        (offer("L40", 48), "nvidia-l40"), (offer("L40S", 48), "nvidia-l40s"), (offer("RTX5090", 32), "nvidia-rtx-5090"),
        (offer("MI300X", 192), "amd-mi300x"), (offer("Quantum", 8), None), (offer("L40S", 24), None),
        (offer("L40S", 48, price=0.0), None), (offer("L40S", 48, price=-1.0), None),
    ],
)  # fmt: skip
def test_an_offer_is_of_one_device_or_left_out(item: Any, meant: str | None) -> None:
    rows = offer_rows([item], load_devices(), "2026-11-25")
    assert [row["device"] for row in rows] == ([meant] if meant else [])
