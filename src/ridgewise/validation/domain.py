"""What a kind of measurement must offer to be predicted, fitted and judged."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ridgewise.evidence import Row
from ridgewise.validation.pooling import Spec


@dataclass(frozen=True, slots=True)
class Cases:
    """Rows of one block, ready to be predicted.

    block      the calibration block they use
    rows       the rows as measured
    place      position of each in the table it came from
    keys       level → group of each row. Besides the levels of the coefficients: "device", "stack" (engine and
               back end) and "cell" (device, stack and model), which tell how well a row is supported
    regimes    regime of each row, as the report and the intervals group them
    data       whatever the domain's formula reads: columns, one value per row
    assumed    rows in which a figure that enters has no source or the model's shape was guessed
    anchor     what must have been measured for a row to be predicted at all (a model whose work no row tells);
               empty: nothing
    """

    block: str
    rows: tuple[Row, ...]
    place: np.ndarray
    keys: Mapping[str, tuple[str, ...]]
    regimes: tuple[str, ...]
    data: Any
    assumed: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    anchor: tuple[str, ...] = ()

    def held(self, seen: Container[str]) -> np.ndarray:
        """Rows that have their anchor among those seen."""
        if not self.anchor:
            return np.ones(len(self.rows), dtype=bool)
        return np.array([not name or name in seen for name in self.anchor])


@dataclass(frozen=True, slots=True)
class Prepared:
    """Every row of a table: those that can be predicted, by block, and why the others cannot."""

    cases: tuple[Cases, ...]
    unsupported: Mapping[int, str]


def predicted(domain: Domain, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
    """Logarithms of what is said of every row: a domain's formula, or, where it has more than one way, the one that it
    would not be fitted by (``predicted``: a simulation)."""
    made = getattr(domain, "predicted", domain.predict)(cases, coefficients)
    return np.asarray(made, dtype=float)


class Domain(Protocol):
    """One kind of measurement."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of tables whose rows it predicts."""

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        """Read what a prediction needs, never what was measured."""

    def specs(self, block: str) -> Sequence[Spec]:
        """The coefficients of a block; none where the prediction is arithmetic."""

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logarithms of the predicted values, in each row's own unit."""

    def roofline(self, cases: Cases) -> np.ndarray:
        """The same from the datasheet alone: the baseline."""
