"""The unit of a number is part of its type.

``Num`` is a float or a column of float64 with one value per row: every formula takes either.
The string in each alias is the SI (or byte) unit held inside; the glossary is generated from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Num: TypeAlias = float | NDArray[np.float64]
else:
    Num = Any  # keeps NumPy off the start-up path; the annotations still carry the units

Bytes = Annotated[Num, "B"]
BytesPerSecond = Annotated[Num, "B/s"]
Count = Annotated[Num, "1"]
Dollars = Annotated[Num, "USD"]
Flop = Annotated[Num, "FLOP"]
FlopPerSecond = Annotated[Num, "FLOP/s"]
Joules = Annotated[Num, "J"]
Ratio = Annotated[Num, "ratio"]
Seconds = Annotated[Num, "s"]
Tokens = Annotated[Num, "tokens"]
TokensPerSecond = Annotated[Num, "tokens/s"]
Watts = Annotated[Num, "W"]
