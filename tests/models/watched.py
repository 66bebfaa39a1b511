"""A file that remembers how far it was read."""

from __future__ import annotations

import io


class Watched(io.BytesIO):
    """Bytes with a mark: ``reached`` is the end of the furthest byte read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reached = 0

    def read(self, count: int | None = -1) -> bytes:
        data = super().read(count)
        self.reached = max(self.reached, self.tell()) if data else self.reached
        return data
