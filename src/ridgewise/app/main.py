"""The command's entry: the fast answers, and one place where errors become words and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (0 answered, 1 infeasible, 2 bad request)."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given in (["--version"], ["-V"]):
        from ridgewise import __version__

        print(f"ridgewise {__version__}")
        return 0
    try:
        return _run(given)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(given: list[str]) -> int:
    import typer

    from ridgewise.app.cli import build
    from ridgewise.errors import RequestError

    try:
        return int(build(given[0] if given else None)(args=given, prog_name="ridgewise", standalone_mode=False) or 0)
    except RequestError as error:
        return _refuse(error.what, error.where, error.nearest, given)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        # Typer carries its own copy of Click: its usage errors are known by their shape, not their type.
        if not hasattr(error, "format_message") or not hasattr(error, "exit_code"):
            raise
        context = getattr(error, "ctx", None)
        message = error.format_message()
        if message:
            return _refuse(message, context.command_path if context else "ridgewise", (), given)
        return 2


def _refuse(what: str, where: str, nearest: tuple[str, ...], given: list[str]) -> int:
    """One line on stderr and, with --json, the error document on stdout."""
    place = f"{where}: " if where else ""
    hint = f"\n  nearest: {', '.join(nearest)}" if nearest else ""
    print(f"ridgewise: {place}{what}{hint}", file=sys.stderr)
    if "--json" in given:
        import json

        error = {"what": what, "where": where, "nearest": list(nearest)}
        print(json.dumps({"schema_version": 1, "error": error}, ensure_ascii=False))
    return 2
