"""``ridgewise sweep``: from a grid file to a folder of Parquet."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ridgewise.app.home import own
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.sweep.run import Progress


def run(
    path: Path, out: Path | None, on: str | None, workers: int | None, address: str, *, dry_run: bool, json: bool
) -> int:
    """Sweep a grid and say what came of it; 1 where not one row was kept."""
    from ridgewise.app.anchors import own_blocks
    from ridgewise.report.document import as_json
    from ridgewise.report.sweep import announced, document, show, show_plan
    from ridgewise.sweep import read_grid
    from ridgewise.sweep.run import computed, finished, opened

    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise RequestError(f"needs {error.name}", "ridgewise sweep", ("pip install 'ridgewise[sweep]'",)) from None
    grid = read_grid(path, {name: own(name) for name in ("hardware", "models")}, own_blocks())
    folder = out or path.with_suffix("")
    if dry_run:
        found = announced(grid, folder)
        if json:
            print(as_json(found))
        else:
            show_plan(found)
        return 0
    cores = workers or os.cpu_count() or 1
    chosen = on or ("processes" if grid.parts > 1 and cores > 1 else "serial")
    before = len(opened(grid, folder))
    began = time.perf_counter()
    with closing(computed(grid, folder, chosen, cores, address)) as going:
        for _ in _watched(going) if sys.stderr.isatty() and not json else going:
            pass
    elapsed = time.perf_counter() - began
    told = document(grid, finished(grid, folder, before), elapsed, chosen, cores)
    if json:
        print(as_json(told))
    else:
        show(told)
    return 0 if told.rows_kept else 1


def _watched(going: Iterable[Progress]) -> Iterator[Progress]:
    """A bar of parts done, with the time that is left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("parts"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("parts", total=None)
        for progress in going:
            bar.update(task, completed=progress.done, total=progress.of)
            yield progress
