"""A real server on a free port of this machine, and a real browser before it where there is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., str]


@pytest.fixture(scope="session")
def start(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """``ridgewise serve`` with further flags, begun in a folder that holds a model; gives its address."""
    begun: list[subprocess.Popen[str]] = []
    folder = tmp_path_factory.mktemp("here")
    own = folder / "mine"
    own.mkdir()
    (own / "config.json").write_text('{"model_type": "llama", "hidden_size": 64}')

    def run(*flags: str) -> str:
        server = subprocess.Popen(
            [sys.executable, "-m", "ridgewise", "serve", "--port", "0", *flags], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        begun.append(server)
        assert server.stdout is not None
        for line in server.stdout:
            if found := re.search(r"http://[^ ?]+", line):
                return found[0].rstrip("/")
        raise AssertionError("the server did not start")

    yield run
    for server in begun:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session")
def server(start: Start) -> str:
    """The address of a server on this machine."""
    return start("--workers", "2", "--limit", "120")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright, whose loop runs in this thread until the module is done."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()
