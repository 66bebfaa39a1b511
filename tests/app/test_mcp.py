"""An assistant's session over standard input and output, with the protocol's own client."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="mcp is not installed (extra 'mcp')")

from ridgewise.app.main import main
from ridgewise.app.mcp import server
from ridgewise.app.mcp.tools import allowed, tools
from ridgewise.errors import RequestError


def session(work: Callable[[Any], Awaitable[None]], *arguments: str) -> None:
    """Run ``work`` with a client of a server process of its own."""
    import anyio
    from mcp.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    async def talk() -> None:
        start = StdioServerParameters(command=sys.executable, args=["-m", "ridgewise", "mcp", *arguments])
        with anyio.fail_after(120):
            async with Client(stdio_client(start)) as client:
                await work(client)

    anyio.run(talk)


def test_an_assistant_answers_with_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """ "What do I need to serve Qwen3-30B to 100 people?": the name is looked up, the plan cites its figures."""
    seen: dict[str, Any] = {}

    async def work(client: Any) -> None:
        seen["tools"] = await client.list_tools()
        seen["vague"] = await client.call_tool("plan", {"model": "Qwen3-30B", "users": 100})
        seen["found"] = await client.call_tool("search_catalogue", {"search": "qwen3 30b", "what": "models"})
        name = seen["found"].structured_content["models"][0]["id"]
        seen["plan"] = await client.call_tool("plan", {"model": name, "users": 100})
        seen["wrong"] = await client.call_tool("plan", {"model": name, "usrs": 100})
        seen["file"] = await client.call_tool("fit", {"model": "/etc/hostname", "hardware": "L4"})
        seen["none"] = await client.call_tool("plann", {})

    session(work)
    names = {tool.name for tool in seen["tools"].tools}
    assert names == set(tools())
    assert seen["vague"].is_error and "Qwen/Qwen3-30B-A3B" in seen["vague"].content[0].text

    plan = seen["plan"].structured_content
    assert main(["plan", "Qwen/Qwen3-30B-A3B", "--users", "100", "--top", "3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {**plan, "sources": None} == {**printed, "sources": None}
    cited = {one["key"]: one for one in plan["sources"]}
    basis = plan["options"][0]["ttft_s"]["basis"]
    assert basis and all(key in cited for key in basis)
    assert any(source["url"].startswith("https://") for source in cited[basis[0]]["sources"])
    words = seen["plan"].content[0].text
    assert plan["pick"] in words and "## Sources" in words and "https://" in words

    error = seen["wrong"].structured_content["error"]
    assert seen["wrong"].is_error and "usrs" in error["what"] and "users" in error["nearest"]
    assert seen["file"].is_error and seen["file"].structured_content["error"]["where"] == "model"
    assert seen["none"].is_error


def test_inputs_and_outputs_are_typed() -> None:
    import jsonschema

    for tool in tools().values():
        jsonschema.Draft202012Validator.check_schema(tool.inputs)
        jsonschema.Draft202012Validator.check_schema(tool.outputs)
        assert tool.inputs["type"] == tool.outputs["type"] == "object"
        assert tool.inputs["additionalProperties"] is False
        assert len(tool.about) > 40


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("plan", {"model": "Llama-3.1-8B"}),
        ("fit", {"model": "Llama-3.1-8B", "hardware": "RTX 4090"}),
        ("estimate", {"model": "Llama-3.1-8B", "hardware": "L40S", "concurrency": 8}),
        ("check", {"model": "Llama-3.1-70B", "hardware": ["2x RTX 3090"], "users": 50}),
        ("compare", {"model": "Llama-3.1-8B", "hardware": ["RTX 4090", "L40S"]}),
        ("explain", {"model": "Llama-3.1-8B", "hardware": "L40S"}),
        ("cost", {"model": "Llama-3.1-8B", "users": 20}),
        ("train", {"model": "Llama-3.1-8B", "hardware": "H100 SXM", "goal": "lora", "tokens": "20M"}),
    ],
)
def test_every_answer_is_of_its_schema(name: str, given: dict[str, Any]) -> None:
    import jsonschema

    tool = tools()[name]
    jsonschema.validate(given, tool.inputs)
    told = tool.answer(given, None)
    jsonschema.validate(told.document, tool.outputs)
    assert told.document["sources"] and told.words


def test_files_are_read_under_the_root_alone(tmp_path: Path) -> None:
    inside = tmp_path / "models" / "config.json"
    inside.parent.mkdir()
    inside.write_text("{}")
    (tmp_path / "secret.json").write_text("{}")
    allowed("Llama-3.1-8B", "model", None)
    allowed("a" * 400, "model", None)  # no path at all: the catalogue says that it is unknown
    allowed(str(inside), "model", inside.parent)
    for name, root in ((str(inside), None), (str(tmp_path / "secret.json"), inside.parent),
                       (str(inside.parent / ".." / "secret.json"), inside.parent), ("hub:org/name", None),
                       ("../x", None), ("a\0b/../c", None), ("http://127.0.0.1/x", None)):  # fmt: skip
        with pytest.raises(RequestError):
            allowed(name, "model", root)


def test_http_stays_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--host", "0.0.0.0"]) == 2
    assert "127.0.0.1" in capsys.readouterr().err
    assert main(["mcp", "--root", "/nowhere/at/all"]) == 2


def test_http_answers() -> None:
    """The same server over streamable HTTP, through the client, in one process."""
    import anyio
    import httpx2
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    async def talk() -> None:
        app = server.made().streamable_http_app(json_response=True)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8322") as http:
                link = streamable_http_client("http://127.0.0.1:8322/mcp", http_client=http)
                async with Client(link) as client:
                    found = await client.call_tool("search_catalogue", {"search": "h100", "what": "hardware"})
                    assert any(one["id"] == "nvidia-h100-sxm" for one in found.structured_content["hardware"])

    anyio.run(talk)
