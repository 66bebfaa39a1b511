"""The best matrix-multiply rate of a device: the share of the datasheet's peak that libraries reach.

The fewer watts per FLOP a board may draw, the further its clock falls below the datasheet's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ridgewise.errors import RequestError
from ridgewise.evidence import Row
from ridgewise.hardware.device import Device
from ridgewise.validation.domain import Cases, Prepared
from ridgewise.validation.domains.classic import positive
from ridgewise.validation.domains.training import the_device
from ridgewise.validation.pooling import Spec

#: Printed precision → the peak it is held against.
DTYPES = {"fp8": "fp8", "fp4": "fp4", "nvfp4": "fp4", "mxfp8": "fp8", "fp32": "fp32", "tf32": "tf32", "int8": "int8"}


#: Watts per TFLOP/s of the datasheet at which the share stands: an H100 in BF16.
USUAL = 0.7


def read(row: Row) -> tuple[Device, str, float, float]:
    """Device, dtype, datasheet peak [TFLOP/s] of a row, and watts allowed per TFLOP/s over the usual."""
    device = the_device(row)
    name = row.get("precision", "").casefold()
    dtype = DTYPES.get(name, "fp16" if name == "fp16" else "bf16")
    peak = device.number(f"peak_{dtype}")
    if peak is None:
        found = device.peak(dtype)
        if found is None:
            raise RequestError(f"no {dtype} peak of {device.id} is known", "device_id")
        peak = found[0]
    watts = positive(row, "power_limit_w") or device.number("board_power") or USUAL * peak / 1e12
    return device, dtype, peak / 1e12, watts / (peak / 1e12) / USUAL


class Matmul:
    """Best matrix-multiply rates."""

    name = "matmul"
    kinds = ("matmul",)

    def prepare(self, rows: Sequence[Row], kind: str, configs: Path | None = None) -> Prepared:
        found: list[tuple[int, Device, str, float, float]] = []
        unsupported: dict[int, str] = {}
        for place, row in enumerate(rows):
            try:
                found.append((place, *read(row)))
            except (RequestError, ArithmeticError, ValueError, KeyError) as error:
                unsupported[place] = str(error)
        if not found:
            return Prepared((), unsupported)
        keys = {
            "vendor": tuple(device.vendor for _, device, *_ in found),
            "architecture": tuple(device.architecture for _, device, *_ in found),
            "device": tuple(device.id for _, device, *_ in found),
            "precision": tuple(dtype for _, _, dtype, *_ in found),
            "stack": tuple(dtype for _, _, dtype, *_ in found),
            "cell": tuple(f"{device.id}|{dtype}" for _, device, dtype, *_ in found),
        }
        places = np.array([place for place, *_ in found])
        cases = Cases(
            "matmul", tuple(rows[p] for p in places), places, keys, tuple(dtype for _, _, dtype, *_ in found),
            np.array([[peak, power] for *_, peak, power in found]), np.zeros(len(found), dtype=bool),
        )  # fmt: skip
        return Prepared((cases,), unsupported)

    def specs(self, block: str) -> Sequence[Spec]:
        return SPECS

    def predict(self, cases: Cases, coefficients: Mapping[str, np.ndarray]) -> np.ndarray:
        peak, power = cases.data[:, 0], cases.data[:, 1]
        share = np.minimum(coefficients["share"] * power ** coefficients["throttling"], 1.0)
        return np.asarray(np.log(peak * share))

    def roofline(self, cases: Cases) -> np.ndarray:
        return np.asarray(np.log(cases.data[:, 0]))


SPECS = (
    Spec("share", 0.78, 0.15, {"vendor": 0.15, "architecture": 0.1, "device": 0.03, "precision": 0.07}, 0.0, 1.0),
    Spec("throttling", 0.15, 0.5),
)

MATMUL = Matmul()
