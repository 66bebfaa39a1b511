"""Over HTTP the same questions get the same answers; what is refused says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import unescape
from re import findall
from typing import Any

import anyio
import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from ridgewise.app.main import main
from ridgewise.app.rest.desk import BusyError, Desk, TooLongError
from ridgewise.app.rest.questions import QUESTIONS

Out = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def web(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Out:
    """The JSON that the command line prints."""

    def run(*words: str) -> dict[str, Any]:
        main([*words, "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return run


SAME = [
    ("plan", {"model": "Llama-3.1-8B", "users": "20", "slo_ttft": "1s"}, ("--users", "20", "--slo-ttft", "1s")),
    ("fit", {"model": "Llama-3.1-8B", "hardware": "RTX 4090", "context": "32k"}, ("RTX 4090", "--context", "32k")),
    ("estimate", {"model": "Llama-3.1-8B", "hardware": "H100 SXM", "concurrency": 8},
     ("H100 SXM", "--concurrency", "8")),
    ("explain", {"model": "Llama-3.1-8B", "hardware": "RTX 4090"}, ("RTX 4090",)),
    ("compare", {"model": "Llama-3.1-8B", "hardware": ["RTX 4090", "M3 Ultra"]}, ("RTX 4090", "M3 Ultra")),
    ("cost", {"model": "Llama-3.1-8B", "users": 20, "hardware": "L4"}, ("L4", "--users", "20")),
    ("check", {"model": "Llama-3.1-8B", "hardware": ["H100 SXM"]}, ("--hardware", "H100 SXM")),
    ("train", {"model": "Llama-3.1-8B", "hardware": "H100 SXM", "goal": "qlora"},
     ("--hardware", "H100 SXM", "--goal", "qlora")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "body", "words"), SAME, ids=[name for name, _, _ in SAME])
def test_the_answer_is_that_of_the_command(
    web: httpx.Client, printed: Out, name: str, body: dict[str, Any], words: tuple[str, ...]
) -> None:
    told = printed(name, "meta-llama/Meta-Llama-3.1-8B", *words)
    posted = web.post(f"/v1/{name}", json=body)
    asked = web.get(f"/v1/{name}", params=body)
    assert posted.status_code == asked.status_code == 200, posted.text
    assert posted.json() == asked.json() == told


def test_options_come_from_the_command_line(web: httpx.Client) -> None:
    spec = web.get("/v1/openapi.json").json()
    assert spec["openapi"].startswith("3.1")
    for name in QUESTIONS:
        asked = {one["name"]: one for one in spec["paths"][f"/v1/{name}"]["get"]["parameters"]}
        assert "model" in asked and not {"file", "save", "plot", "trace", "report", "quotes", "json"} & set(asked)
    tp = {one["name"]: one for one in spec["paths"]["/v1/fit"]["get"]["parameters"]}["tp"]
    assert tp["schema"]["maximum"] == 1024 and "tensor parallel" in tp["schema"]["description"]


@pytest.mark.parametrize(
    ("path", "status", "field", "near"),
    [
        ("/v1/plan?model=Llama-3.1-9B&users=5", 422, "model", "meta-llama/Meta-Llama-3.1-8B"),
        ("/v1/plan?model=Llama-3.1-8B&user=5", 422, "plan", "users"),
        ("/v1/plan?users=5", 422, "model", None),
        ("/v1/plan?model=Llama-3.1-8B&users=-5", 422, "users", None),
        ("/v1/fit?model=Llama-3.1-8B&hardware=RTX 4091", 422, "hardware", "nvidia-rtx-4090"),
        ("/v1/fit?model=Llama-3.1-8B&hardware=RTX 4090&tp=0", 422, "tp", None),
        ("/v1/models/nothing-like-it", 404, "model", None),
        ("/v1/hardware?class=gpu-konsumer", 422, "class", "gpu-consumer"),
        ("/v1/models?limit=100000", 422, "limit", None),
        ("/v1/nowhere", 404, None, None),
    ],
)
def test_a_refusal_names_the_field_and_what_would_do(
    web: httpx.Client, path: str, status: int, field: str | None, near: str | None
) -> None:
    said = web.get(path)
    assert said.status_code == status
    assert said.headers["content-type"].startswith("application/problem+json")
    told = said.json()
    assert told["status"] == status and told["title"] and told["detail"]
    assert told["field"] == field
    assert near is None or near in told["nearest"]


def test_a_body_that_is_no_json_and_an_address_of_nothing_are_said_plainly(web: httpx.Client) -> None:
    said = web.post("/v1/plan", content=b"{bad", headers={"Content-Type": "application/json"})
    assert said.status_code == 422 and said.json()["field"] == "body" and said.json()["detail"].startswith("no JSON")
    lost = web.get("/nowhere", headers={"Accept": "text/html"})
    assert lost.status_code == 404 and "no page at /nowhere" in lost.text


def test_a_service_asks_for_its_rate_on_the_page(web: httpx.Client) -> None:
    said = web.get("/service?model=Llama-3.1-8B-Instruct&rate=2&hardware=H100 SXM").text
    assert 'name="rate" value="2"' in said and "to buy" in said and "2 requests/s" in said


def test_what_is_kept_of_a_closer_look_is_of_the_deployment_shown(web: httpx.Client) -> None:
    said = web.get("/look?model=Llama-3.1-8B&hardware=RTX 4090&concurrency=4&context=16k").text
    kept = [unescape(one) for one in findall(r'href="(/pictures/memory\.svg[^"]*)"', said)]
    assert len(kept) == 1
    assert web.get(kept[0]).text.strip() in said


def test_pages_of_a_list_follow_each_other(web: httpx.Client) -> None:
    seen: list[str] = []
    address: str | None = "/v1/hardware?class=cpu&limit=10"
    while address:
        said = web.get(address)
        page = said.json()
        seen += [one["id"] for one in page["hardware"]]
        address = page["next"]
        assert (f'<{address}>; rel="next"' == said.headers.get("link")) or address is None
    assert len(seen) == len(set(seen)) == page["total"] > 20
    models = web.get("/v1/models?search=llama 8b&limit=3").json()
    assert models["total"] > 3 and all("lama" in one["id"] for one in models["models"])
    assert models["models"][0]["parameters_total"] > 1e9


def test_an_answer_that_is_known_is_not_sent_again(web: httpx.Client) -> None:
    first = web.get("/v1/fit?model=Llama-3.1-8B&hardware=RTX 4090")
    again = web.get("/v1/fit?model=Llama-3.1-8B&hardware=RTX 4090", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content and again.headers["etag"] == first.headers["etag"]
    other = web.get("/v1/fit?model=Llama-3.1-8B&hardware=RTX 3090", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200 and other.headers["etag"] != first.headers["etag"]


def test_health_and_counts(web: httpx.Client) -> None:
    assert web.get("/healthz").text == "ok\n"
    web.get("/v1/fit?model=Llama-3.1-8B&hardware=L4")
    told = web.get("/metrics").text
    assert 'ridgewise_requests_total{method="GET",route="/v1/fit",status="200"}' in told
    assert "ridgewise_request_seconds_bucket" in told and "ridgewise_answers_computed" in told


def test_too_much_is_refused(web: httpx.Client) -> None:
    large = web.post("/v1/plan", content=b" " * (65 << 10), headers={"content-type": "application/json"})
    assert large.status_code == 413 and large.json()["status"] == 413
    many = web.post("/v1/simulate", json={**QUESTIONS["simulate"].example, "requests": 1_000_000})
    assert many.status_code == 422 and "requests" in many.json()["field"]
    wordy = web.get("/v1/plan", params={"model": "Llama-3.1-8B", "users": "9" * 500})
    assert wordy.status_code == 422 and wordy.json()["field"] == "users"


def test_what_takes_too_long_is_ended_and_others_are_answered() -> None:
    desk = Desk(workers=1, seconds=0.01)

    async def ask() -> None:
        with pytest.raises(TooLongError):
            await desk.ask("plan", {"model": "meta-llama/Llama-3.1-8B-Instruct"})
        desk.seconds = 120.0
        found = await desk.ask("fit", {"model": "meta-llama/Llama-3.1-8B-Instruct", "hardware": "L4"})
        assert found.document.fits and desk.queue == 0
        assert await desk.ask("fit", {"hardware": "L4", "model": "meta-llama/Llama-3.1-8B-Instruct"}) is found

    anyio.run(ask)
    assert desk.counts == {"kept": 1, "computed": 1, "refused": 0, "late": 1}


def test_a_full_desk_says_so() -> None:
    with pytest.raises(BusyError):
        anyio.run(Desk(workers=0, waiting=0).ask, "fit", {"model": "x", "hardware": "y"})


def test_examples_are_as_described(web: httpx.Client) -> None:
    spec = web.get("/v1/openapi.json").json()
    for name, question in QUESTIONS.items():
        if name == "capacity":  # seconds of simulation; its document has a test of its own
            continue
        said = web.post(f"/v1/{name}", json=question.example)
        assert said.status_code == 200, (name, said.text)
        schema = spec["paths"][f"/v1/{name}"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(said.json(), schema)


FEW = settings(max_examples=4, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def test_whatever_is_asked_is_answered_as_described(server: str) -> None:
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

    checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
    found = schemathesis.openapi.from_url(f"{server}/v1/openapi.json")
    seen = 0
    for result in found.get_all_operations():
        operation = result.ok()

        @FEW
        @given(case=operation.as_strategy())
        def asked(case: Any) -> None:
            case.call_and_validate(checks=checks)

        asked()
        seen += 1
    assert seen > 25
