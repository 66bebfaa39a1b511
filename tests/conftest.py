"""Shared fixtures, and the rule that a complete run skips nothing but GPU parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
_skipped: list[str] = []


@pytest.fixture(scope="session")
def shared() -> Path:
    """Reference material beside the checkout; tests that use it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("reference material is not beside the checkout")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user without sheets of their own, whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("RIDGEWISE_HOME", str(folder))
        yield folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "GPU" not in reason and "reference material" not in reason:
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With RIDGEWISE_COMPLETE set (continuous integration), a skipped part is a failure."""
    if os.environ.get("RIDGEWISE_COMPLETE") and _skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nskipped in a run that must be complete:", *_skipped, sep="\n  ")
