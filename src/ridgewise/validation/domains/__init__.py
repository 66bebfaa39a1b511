"""The kinds of measurement that can be predicted, one file each."""

from __future__ import annotations

from ridgewise.validation.domain import Domain

DOMAINS: dict[str, Domain] = {}
