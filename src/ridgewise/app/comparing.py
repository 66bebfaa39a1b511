"""``ridgewise compare``: one model on several machines, and its two phases side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ridgewise.app.home import write_whole
from ridgewise.app.inspecting import deployment, given, number
from ridgewise.errors import RequestError

if TYPE_CHECKING:
    from ridgewise.advise.estimating import Estimation
    from ridgewise.report.comparison import ComparisonDocument
    from ridgewise.serving.outcome import Load

#: One machine of each class, where none is named.
USUAL = ("RTX 4090", "Ryzen AI Max+ 395", "M4 Max 40-core", "H100 SXM")
#: Devices that are tried until the model fits.
COUNTS = (1, 2, 4, 8)


def run(
    model: str, hardware: Sequence[str], flags: Mapping[str, Any], plot: Path | None, *, phases: bool, json: bool
) -> int:
    """Print the comparison; 1 where the model fits none of the machines."""
    from ridgewise.report.comparison import show, svg
    from ridgewise.report.document import as_json

    document = compared(model, hardware, flags, phases=phases)
    if plot is not None:
        drawn = svg(document)
        if not drawn:
            raise RequestError("the catalogue knows no peak rate of these devices", "--plot")
        write_whole(plot, drawn)
    if json:
        print(as_json(document))
    else:
        show(document)
    return 0 if any(machine.estimate.fits for machine in document.machines) else 1


def compared(
    model: str, hardware: Sequence[str], flags: Mapping[str, Any], *, phases: bool = False
) -> ComparisonDocument:
    """One model on several machines; ``flags`` are those of ``ridgewise compare``, with underscores."""
    from ridgewise.report.comparison import comparison
    from ridgewise.serving.outcome import Load

    load = Load(
        number(given(flags, "prompt", "1024"), "tokens", "--prompt", 1, 1e8),
        number(given(flags, "output", "512"), "tokens", "--output", 1, 1e8),
        number(given(flags, "concurrency", "1"), "1", "--concurrency", 1, 1e6),
    )
    return comparison([_smallest(model, name, flags, load) for name in hardware or USUAL], phases)


def _smallest(model: str, name: str, flags: Mapping[str, Any], load: Load) -> Estimation:
    """On the fewest devices that hold it, or on one where no number of them does."""
    from ridgewise.advise.estimating import estimation

    first: Estimation | None = None
    for devices in COUNTS:
        try:
            setup = deployment(model, name, {**flags, "tp": devices})
        except RequestError:
            if first is None:
                raise
            break
        found = estimation(setup, load)
        first = first or found
        if found.fits:
            return found
    assert first is not None
    return first
