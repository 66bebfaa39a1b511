"""Rewrites everything in the documentation that is computed: run it after any change of answers.

python docs/refresh.py            console blocks, tables, glossary, schemas
python docs/refresh.py --check    change nothing; exit 1 if something is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import console
import make_glossary
import make_schemas
import make_tables


def with_outputs(text: str) -> str:
    """A page with the outputs of its console blocks as they are today."""
    made, done = "", 0
    with console.scratch() as place:
        for block in console.blocks(text):
            if block.title:
                console.lay(block, place)
            if block.language != "console":
                continue
            made += text[done : block.start]
            for written, _ in console.commands(block.body):
                output = console.shown(console.run(written, place), block.show)
                made += written + "\n" + (output + "\n" if output else "")
            done = block.end
    return made + text[done:]


def refreshed(text: str) -> str:
    """A page with its outputs, generated tables and comparisons brought up to date."""
    return make_tables.filled(with_outputs(text))


def main() -> int:
    check = "--check" in sys.argv[1:]
    wanted = {path: refreshed(path.read_text(encoding="utf-8")) for path in console.pages()}
    wanted[make_glossary.PAGE] = make_glossary.page()
    wanted |= make_schemas.files()
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(("out of date: " if check else "rewritten: ") + str(path.relative_to(console.ROOT)))
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
    if not stale:
        print("everything is up to date")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
