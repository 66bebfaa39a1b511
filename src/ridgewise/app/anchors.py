"""What a user's own measurements change: coefficients fitted to them, kept nowhere, made anew for each answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ridgewise.app.home import home, own

if TYPE_CHECKING:
    from ridgewise.timing.coefficients import Block

#: The store that ``import`` fills unless told otherwise.
STORE = "measurements.sqlite"


def own_blocks() -> Mapping[str, Block] | None:
    """The shipped coefficients moved by the user's stored measurements; None where there are none."""
    path = home() / STORE
    if not path.is_file():
        return None
    from ridgewise.evidence.store import Store
    from ridgewise.hardware.sheets import also
    from ridgewise.timing.coefficients import load_blocks
    from ridgewise.validation.anchor import anchored

    tables = [table for table in Store(path).rows() if table.rows]
    if not tables:
        return None
    with also(own("hardware")):
        return anchored(load_blocks(), tables)
