"""``python -m tests.fuzz.coverage_guided READER [-runs=N]``: the same promises under atheris, guided by coverage.

Needs atheris (``pip install atheris``), which no test extra installs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Fuzz one reader: config.json, GGUF or safetensors."""
    import atheris

    with atheris.instrument_imports(include=["ridgewise"]):
        from tests.fuzz.readers import readers

    if len(sys.argv) < 2 or sys.argv[1] not in ("config.json", "GGUF", "safetensors"):
        raise SystemExit(__doc__)
    name = sys.argv.pop(1)
    reader = next(reader for reader in readers() if reader.name == name)
    seeds = reader.seeds

    def one(data: bytes) -> None:
        """The first byte chooses a seed whose middle is kept; the rest overwrites its start and end."""
        if len(data) > 3 and data[0] & 1:
            seed = bytearray(seeds[data[1] % len(seeds)])
            at = data[2] * 16 % max(len(seed), 1)
            seed[at : at + len(data) - 3] = data[3:]
            data = bytes(seed)
        reader.check(data)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
