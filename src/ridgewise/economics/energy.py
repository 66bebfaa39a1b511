"""Energy of a month, its carbon, its heat, and the circuits it wants. Watts come from :mod:`ridgewise.economics.power`.

An hour on costs the idle draw; work adds the difference to the draw at work; the building multiplies both by its PUE
(ISO/IEC 30134-2: energy of the facility over energy of the computers).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ridgewise.units import Num, Ratio, Watts

KilowattHours = Annotated[Num, "kWh"]
Hours = Annotated[Num, "h"]

#: BTU per watt-hour.
BTU = 3.412142
#: Share of a breaker's rating that a load of three hours and more may take (NEC 210.19, 210.20).
CONTINUOUS = 0.8
#: Volts and amperes of the circuits of a desk in North America, of a desk elsewhere, of a rack: common sizes.
DESK_AMERICA, DESK, RACK = (120.0, 20.0), (230.0, 16.0), (230.0, 32.0)


def kilowatt_hours(working: Watts, waiting: Watts, busy: Ratio, hours: Hours, pue: Ratio = 1.0) -> KilowattHours:
    """Energy at the meter of what is on for ``hours`` and works for the share ``busy`` of them."""
    return (working * busy + waiting * (1.0 - busy)) * hours / 1000.0 * pue


def carbon_kg(energy: KilowattHours, intensity: Annotated[Num, "g/kWh"]) -> Annotated[Num, "kg"]:
    """CO₂ equivalent of electricity; what making the hardware emitted is not in it."""
    return energy * intensity / 1000.0


def heat(power: Watts) -> Annotated[Num, "BTU/h"]:
    """Heat that cooling must remove: all of it."""
    return power * BTU


def circuits(power: Watts, volts: float, amperes: float) -> Annotated[Num, "1"]:
    """Circuits that carry a load all day."""
    return np.ceil(power / (CONTINUOUS * volts * amperes))
