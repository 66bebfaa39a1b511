"""Speculative decoding: a small model drafts, the large one checks all drafts in one pass.

Leviathan, Kalman, Matias (arXiv 2211.17192): with ``g`` drafted tokens, each accepted with probability ``α``, a
pass yields ``(1 − α^(g+1))/(1 − α)`` tokens. Whether it pays is arithmetic: checking g + 1 tokens costs little while
memory decides, and all of g + 1 tokens once compute does, as under many users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from ridgewise.models.architecture import Architecture
from ridgewise.units import Num, Tokens

if TYPE_CHECKING:
    from ridgewise.serving.setup import Setup


@dataclass(frozen=True, slots=True)
class Draft:
    """What drafts: a model of its own beside the large one, or that one's multi-token-prediction layer.

    setup       the drafting model on the same devices
    tokens      drafted tokens per pass
    acceptance  probability that a drafted token is taken, given those before it
    """

    setup: Setup
    tokens: Annotated[float, "tokens"]
    acceptance: Annotated[float, "ratio"]

    @property
    def gained(self) -> Tokens:
        """Tokens a pass yields."""
        return accepted(self.acceptance, self.tokens)


def accepted(acceptance: Num, drafted: Tokens) -> Tokens:
    """Expected tokens of one pass, the checking model's own one included."""
    sure = np.asarray(acceptance) >= 1.0
    rest = np.where(sure, 1.0, 1.0 - acceptance)
    return np.where(sure, drafted + 1.0, (1.0 - acceptance ** (drafted + 1.0)) / rest)[()]


def prediction_layer(arch: Architecture) -> Architecture | None:
    """The multi-token-prediction module as a model: one more layer of the last kind and the shared head (DeepSeek-V3,
    arXiv 2412.19437, section 2.2); None where the model has none."""
    if not arch.extra.get("mtp"):
        return None
    return replace(arch, name=f"{arch.name} (MTP)", groups=(replace(arch.groups[-1], count=1),), extra={})
