"""Nothing of the server is reached through what is asked; others need a token; a page runs no foreign script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ridgewise.app.main import main

TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def web(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


PLACES = [
    "/etc/passwd", "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "mine", "./mine", "mine/config.json", ".", "~",
    "file:///etc/passwd", "http://127.0.0.1:1/config.json", "http://169.254.169.254/latest/meta-data", "hub:org/name",
    "ollama:llama3", "upload:../../etc", "upload:0000000000000000", "\\\\host\\share", "a\x00b", "C:\\config.json",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["/v1/plan?users=1&model=", "/?users=1&model=", "/v1/fit?hardware=L4&model=",
                                  "/v1/estimate?hardware=L4&model=Llama-3.1-8B&draft="])  # fmt: skip
def test_no_name_is_a_place_of_the_server(web: httpx.Client, path: str, place: str) -> None:
    head, _, name = path.rpartition("?")
    pairs = [tuple(pair.split("=", 1)) for pair in name.split("&")]
    said = web.get(head, params=[*pairs[:-1], (pairs[-1][0], place)])
    assert said.status_code == 422
    assert "root:" not in said.text and "hidden_size" not in said.text


@pytest.mark.parametrize("path", ["/v1/models/../../etc/passwd", "/v1/models/%2e%2e/%2e%2e/etc/passwd",
                                  "/models/mine", "/v1/hardware/..%2fsources",
                                  "/static/../site.py", "/static/%2e%2e/site.py", "/hardware/..%2f..%2fsite",
                                  "/pictures/..%2fsite.svg?model=Llama-3.1-8B"])  # fmt: skip
def test_no_path_leads_out(web: httpx.Client, path: str) -> None:
    said = web.get(path)
    assert said.status_code in (404, 422) and "import" not in said.text


def test_options_that_name_files_do_not_exist(web: httpx.Client) -> None:
    for name, option in (
        ("plan", "file"),
        ("plan", "save"),
        ("cost", "quotes"),
        ("simulate", "trace"),
        ("explain", "plot"),
    ):
        body = {"model": "Llama-3.1-8B", "hardware": "L4", option: "/etc/passwd"}
        said = web.post(f"/v1/{name}", json=body)
        assert said.status_code == 422 and option in said.json()["detail"]


def test_the_world_needs_a_token(start: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    told = capsys.readouterr().err
    assert "--host" in told and "--token" in told
    assert main(["serve", "--token", "short"]) == 2
    address = start("--token", TOKEN, "--workers", "1")
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/healthz").status_code == 200
        for path in ("/", "/v1/models", "/metrics", "/v1/openapi.json", "/static/app.js"):
            said = client.get(path)
            assert said.status_code == 401 and said.headers["www-authenticate"] == "Bearer", path
        assert client.get("/v1/models", headers={"Authorization": "Bearer nearly"}).status_code == 401
        assert client.get("/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        there = client.get(f"/hardware?token={TOKEN}&class=cpu")
        assert there.status_code == 303 and there.headers["location"] == "/hardware?class=cpu"
        cookie = there.headers["set-cookie"].casefold()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert client.get("/hardware?class=cpu").status_code == 200  # by the cookie


def test_other_names_and_other_sites_are_turned_away(web: httpx.Client) -> None:
    assert web.get("/v1/models", headers={"Host": "evil.example"}).status_code == 421
    body = {"model": "Llama-3.1-8B", "users": 1}
    assert web.post("/v1/plan", json=body, headers={"Origin": "https://evil.example"}).status_code == 403
    assert web.post("/v1/plan", json=body, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/?model=nope", "/look?model=Llama-3.1-8B&hardware=RTX 4090", "/compare",
                                  "/models",
                                  "/hardware", "/hardware/nvidia-l4", "/reference", "/models/Llama-3.1-8B",
                                  "/money?model=Llama-3.1-8B&users=20&hardware=L4"])  # fmt: skip
def test_pages_hold_no_inline_script_or_style(web: httpx.Client, path: str) -> None:
    said = web.get(path)
    policy = said.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert said.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", said.text)
    linked = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"', said.text)
    assert linked and all(one.startswith("/static/") for one in linked)


def test_what_is_typed_is_shown_as_text(web: httpx.Client) -> None:
    typed = '"><script>alert(1)</script>'
    for path in (
        "/?users=1&model=",
        "/models?search=",
        "/hardware?search=",
        "/look?hardware=L4&model=",
        "/find?search=",
    ):
        assert "<script>alert" not in web.get(path + typed).text, path


CONFIG = {
    "model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22,
    "num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}  # fmt: skip


def test_a_model_of_ones_own_is_handed_in(web: httpx.Client) -> None:
    sent = {"file": ("config.json", json.dumps(CONFIG).encode(), "application/json")}
    told = web.post("/v1/uploads", files=sent, data={"name": "tiny one"})
    assert told.status_code == 201 and told.json()["name"] == "tiny one", told.text
    model = told.json()["model"]
    assert web.post("/v1/uploads", files=sent, data={"name": "tiny one"}).json()["model"] == model  # the same link
    fit = web.get("/v1/fit", params={"model": model, "hardware": "L4"})
    assert fit.status_code == 200 and fit.json()["model"] == "tiny one"
    there = web.post("/upload", files=sent, data={"name": "tiny one", "back": "?users=20&model=x"})
    assert there.status_code == 303 and there.headers["location"] == f"/?users=20&model={model}"
    assert "tiny one" in web.get(there.headers["location"]).text


def test_the_header_of_a_gguf_is_enough(web: httpx.Client, tmp_path: Path) -> None:
    from tests.models.gguf_files import llama

    whole = llama(tmp_path / "small.gguf").read_bytes()
    header = whole[: len(whole) // 10]  # the weights are zeros, and nobody reads them
    told = web.post("/v1/uploads", files={"file": ("small.gguf", header)}, data={"size": str(len(whole))})
    assert told.status_code == 201, told.text
    assert told.json()["name"] == "small" and told.json()["parameters_total"] > 500_000
    assert web.get("/v1/fit", params={"model": told.json()["model"], "hardware": "L4"}).json()["engine"] == "llama.cpp"
    short = web.post("/v1/uploads", files={"file": ("small.gguf", header[:200])}, data={"size": str(len(whole))})
    assert short.status_code == 422


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"not json", b"GGUF", b"\x00" * 100, b"{" * 100_000])
def test_what_is_no_model_is_refused(web: httpx.Client, content: bytes) -> None:
    said = web.post("/v1/uploads", files={"file": ("../../etc/x.json", content)})
    assert said.status_code == 422 and "/tmp" not in said.text and str(Path.home()) not in said.text


def test_a_file_beyond_the_bound_is_refused(web: httpx.Client) -> None:
    said = web.post("/v1/uploads", files={"file": ("x.gguf", b"GGUF" + b"\x00" * (51 << 20))})
    assert said.status_code == 413
