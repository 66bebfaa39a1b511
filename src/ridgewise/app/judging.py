"""``ridgewise validate`` and ``ridgewise calibrate``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ridgewise.app.home import write_whole
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.evidence import Table
    from ridgewise.report.validation import ValidationDocument


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def validate(
    files: Sequence[Path], run: Path | None, configs: Path | None, rows_to: Path | None, kinds: Sequence[str],
    *, mine: bool = False, json: bool,
) -> int:  # fmt: skip
    """Predictions of the files' rows beside what was measured; without files, what withheld rows missed by.

    ``mine``: the rows of the user's own store, predicted as if they had not been measured.
    """
    from ridgewise.report.document import as_json
    from ridgewise.report.validation import table

    if configs is not None and not configs.is_dir():
        raise RequestError("is no folder of configurations", str(configs))
    if run is not None:
        if files:
            raise RequestError("is judged by itself, without files", "--run")
        return _run(run, configs, json=json)
    if mine and (files or run is not None or kinds):
        raise RequestError("judges your own store by itself", "--mine", ("ridgewise validate --mine",))
    if files and kinds:
        raise RequestError("chooses among the shipped measurements: leave it out with files", "--kind")
    if not files and rows_to is not None and not mine:
        raise RequestError("rows are written for files of measurements: name one", "--rows", ("validate FILE --rows",))
    judged = _mine(configs, rows_to) if mine else _files(files, configs, rows_to) if files else None
    found = judged or _withheld(kinds)
    if json:
        print(as_json(found))
    else:
        table(found)
    return 0


def _run(folder: Path, configs: Path | None, *, json: bool) -> int:
    from ridgewise.report.document import as_json
    from ridgewise.report.validation import RunDocument, run_table
    from ridgewise.validation.run import read_run, simulate

    run = read_run(folder)
    found = RunDocument(1, "validate", folder.resolve().name, len(run.requests), run.measured, simulate(run, configs))
    if json:
        print(as_json(found))
    else:
        run_table(found)
    return 0


def _files(files: Sequence[Path], configs: Path | None, rows_to: Path | None) -> ValidationDocument:
    from ridgewise.evidence import read_table

    if rows_to is not None and any(path.exists() and rows_to.exists() and path.samefile(rows_to) for path in files):
        raise RequestError("would overwrite the measurements", "--rows", (f"{rows_to.stem}-predicted.csv",))
    return _tables([read_table(path) for path in files], configs, rows_to)


def _mine(configs: Path | None, rows_to: Path | None) -> ValidationDocument:
    """The rows of the user's store by the shipped coefficients, on sheets of the user's own too."""
    from ridgewise.app.anchors import STORE
    from ridgewise.app.home import home, own
    from ridgewise.evidence.store import Store
    from ridgewise.hardware.sheets import also

    tables = [table for table in Store(home() / STORE).rows() if table.rows]
    if not tables:
        raise RequestError(
            "holds no measurements yet", str(home() / STORE), ("ridgewise bench", "ridgewise import FILE")
        )
    with also(own("hardware")):
        return _tables(tables, configs, rows_to)


def _tables(tables: Sequence[Table], configs: Path | None, rows_to: Path | None) -> ValidationDocument:
    from ridgewise.report.validation import ValidationDocument, regime_document, rows_text, totals
    from ridgewise.timing.coefficients import load_blocks
    from ridgewise.validation.predict import compared, predict

    blocks = load_blocks()
    known = {source for block in blocks.values() for source in block.sources}
    found, regimes = [], []
    for table in tables:
        rows = predict(table, blocks, configs)
        found += rows
        regimes += [regime_document(regime, table.kind.name) for regime in compared(rows)]
    if rows_to is not None:
        write_whole(rows_to, rows_text(found))
    seen = sum(
        row.get("use", "score") == "score" and row.get("source_key", "") in known for table in tables for row in table
    )
    return ValidationDocument(1, "validate", totals(len(found), regimes, seen), tuple(regimes))


def _withheld(kinds: Sequence[str]) -> ValidationDocument:
    from ridgewise.evidence.shipped import shipped
    from ridgewise.report.validation import ValidationDocument, regime_document, totals
    from ridgewise.validation.calibrate import fit_all, gathered
    from ridgewise.validation.domains import DOMAINS
    from ridgewise.validation.predict import withheld

    wrong = [kind for kind in kinds if kind not in DOMAINS]
    if wrong:
        raise RequestError(f"unknown kind {wrong[0]!r}", "--kind", tuple(DOMAINS))
    rows = gathered(shipped())
    regimes = []
    for fitted in fit_all(rows, _said, kinds):
        schemes = {part.scheme for part in fitted.withheld}
        for scheme, found in withheld(fitted.job, fitted.withheld).items():
            regimes += [regime_document(r, fitted.job.cases.block, scheme, "source" not in schemes) for r in found]
    return ValidationDocument(1, "validate", totals(sum(map(len, rows.values())), regimes), tuple(regimes))


def calibrate(extra: Path | None, out: Path | None, kinds: Sequence[str], check: Path | None, *, json: bool) -> int:
    """Refit every block and write its file; with ``check``, compare with the files of a folder instead."""
    from ridgewise.evidence.shipped import shipped
    from ridgewise.validation.calibrate import extra_tables, fit_all, gathered, written
    from ridgewise.validation.domains import DOMAINS

    wrong = [kind for kind in kinds if kind not in DOMAINS]
    if wrong:
        raise RequestError(f"unknown kind {wrong[0]!r}", "--kind", tuple(DOMAINS))
    if out is not None and check is not None:
        raise RequestError("writes or compares, not both", "--out, --check", ("--out DIR", "--check DIR"))
    if out is None and check is None:
        raise RequestError("say where the fit goes, or what it is compared with", "--out", ("--out DIR", "--check DIR"))
    if check is not None and not check.is_dir():
        raise RequestError("is no folder of a fit", str(check))
    tables = list(shipped()) + (extra_tables(extra, _said) if extra else [])
    made, moved = [], []
    for fitted in fit_all(gathered(tables), _said, kinds):
        text, name = written(fitted.block), f"{fitted.block.name}.toml"
        made.append({"block": fitted.block.name, "rows": fitted.block.rows, "data": fitted.block.data})
        if out is not None:
            write_whole(out / name, text, parents=True)
        elif check is not None:
            path = check / name
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                moved.append(name)
    if json:
        import json as jsonlib

        document = {"schema_version": 1, "command": "calibrate", "blocks": made, "differs": moved}
        print(jsonlib.dumps(document, ensure_ascii=False))
    elif check is not None:
        print(f"differs: {', '.join(moved)}" if moved else f"{len(made)} blocks, the same to the last digit")
    else:
        print(f"{len(made)} blocks written to {out}")
    return 1 if moved else 0
