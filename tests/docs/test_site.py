"""Links resolve, nothing of the machine it was written on leaks, and the site builds offline."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, ROOT

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)
OUTSIDE = {".git", ".venv", "site", "build", "dist", "__pycache__"}
#: Folders of one machine, addresses of package indexes.
LEAKS = re.compile(
    r"(?<![\w.\-~/:$}])/(?:home|Users|root|opt|mnt|srv|work|tmp)/[\w.\-]+"
    r"|\b(?:extra-)?index-url\s*=|/simple/[a-z]|files\.pythonhosted"
)
#: Marks of unfinished work.
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|lorem ipsum)\b")


def anchor(heading: str) -> str:
    plain = re.sub(r"[`*]|\(([^)]*)\)$", lambda found: found[1] or "", heading).lower()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-")


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_relative_links_resolve(page: str) -> None:
    path = ROOT / page
    for target, mark in LINK.findall(path.read_text(encoding="utf-8")):
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), f"{page}: {target}"
        if mark and found.suffix == ".md":
            anchors = {anchor(heading) for heading in HEADING.findall(found.read_text(encoding="utf-8"))}
            assert mark[1:] in anchors, f"{page}: {target}{mark}"


def texts() -> list[Path]:
    """Every text file of the repository that is not ignored."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\n")  # fmt: skip
        paths = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not OUTSIDE & set(path.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file() and path.suffix not in (".png", ".ico", ".gz")]


def test_no_file_holds_paths_of_one_machine_or_unfinished_work() -> None:
    here = re.escape(str(ROOT)) + r"(?![\w-])" if len(ROOT.parts) > 2 else r"(?!)"
    own = re.compile(here)
    leaks = []
    for path in texts():
        if path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="ignore")
        for pattern in (own, LEAKS, UNFINISHED):
            leaks += [f"{path.relative_to(ROOT)}: {found[0]}" for found in pattern.finditer(text)]
    assert not leaks


def test_the_site_builds_offline_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: make install brings it")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    home = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in home and "cdn." not in home
    assert not list((tmp_path / "site").rglob("*.py"))
