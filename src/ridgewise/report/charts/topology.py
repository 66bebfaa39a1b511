"""A deployment as a picture: copies, pipeline stages, and the devices that share each stage."""

from __future__ import annotations

from collections.abc import Mapping

from ridgewise.report.charts.canvas import AXIS, Scale, Sheet
from ridgewise.report.charts.waterfall import OTHER, PARTS
from ridgewise.units import share, whole

WIDTH, CHIP, HIGH, PAD, LABEL, BETWEEN = 520, 44, 56, 12, 20, 8
#: Copies and devices of one that are drawn; of more the number is told.
COPIES, DEVICES, STAGES = 6, 8, 4


def topology(title: str, tp: int, pp: int, replicas: int, parts: Mapping[str, float], usable: float) -> str:
    """Each device is a chip filled with what its memory holds (``parts`` of ``usable`` [B]); devices of a stage stand
    side by side, stages below one another, copies in frames of their own."""
    across, down = min(tp, DEVICES), min(pp, STAGES)
    inner_w: float = across * (CHIP + BETWEEN) - BETWEEN
    inner_h = down * (HIGH + 14) - 14
    frame_w, frame_h = max(inner_w + 2 * PAD, 110), inner_h + 2 * PAD + LABEL
    per_row = max(1, int((WIDTH + 12) // (frame_w + 12)))
    shown = min(replicas, COPIES if per_row > 1 else 3)
    rows = -(-shown // per_row)
    height = rows * (frame_h + 12) - 12 + 24
    held = sum(parts.values()) / usable if usable else 0.0
    words = f"{whole(tp * pp * replicas)} devices: {tp} share each layer, {pp} stages, {replicas} copies"
    sheet = Sheet(title, WIDTH, height, f"{words}; memory {share(min(held, 1.0))} full")
    for copy in range(shown):
        left, top = (copy % per_row) * (frame_w + 12), (copy // per_row) * (frame_h + 12)
        sheet.box(left + 0.5, top + 0.5, frame_w - 1, frame_h - 1, name="frame", colour="none", round_=8, line=AXIS,
                  opacity=0.8)  # fmt: skip
        name = f"copy {copy + 1} of {replicas}" if replicas > 1 else "one copy"
        sheet.text(left + PAD, top + 15, name, size=11)
        x: float
        for stage in range(down):
            y = top + LABEL + PAD + stage * (HIGH + 14)
            middle = y + HIGH / 2
            for gap in range(across - 1):
                x = left + PAD + CHIP + gap * (CHIP + BETWEEN)
                sheet.path(f"M{x:.1f} {middle:.1f}h{BETWEEN}", name="link", colour=AXIS, width=3)
            if stage:
                x = left + PAD + inner_w / 2
                sheet.path(f"M{x:.1f} {y - 14:.1f}v14", name="link", colour=AXIS, width=2, dash="3 3")
            for place in range(across):
                _chip(sheet, left + PAD + place * (CHIP + BETWEEN), y, parts, usable)
    told = []
    if tp > 1:
        told.append(f"{tp} devices share every layer" + (f" ({DEVICES} drawn)" if tp > across else ""))
    if pp > 1:
        told.append(f"{pp} stages in turn" + (f" ({STAGES} drawn)" if pp > down else ""))
    if replicas > shown:
        told.append(f"{shown} of {replicas} copies drawn")
    sheet.text(0, height - 5, "; ".join(told) or "the whole model on one device", size=11.5)
    return sheet.svg()


def _chip(sheet: Sheet, x: float, y: float, parts: Mapping[str, float], usable: float) -> None:
    """One device, filled from below in proportion to what it holds."""
    level = Scale(0.0, max(usable, sum(parts.values()), 1.0), y + HIGH - 3, y + 3)
    for edge in (y - 3, y + HIGH):
        for pin in range(4):
            sheet.box(x + 6 + pin * 9, edge, 4, 3, name="pin", colour=AXIS, round_=1, opacity=0.6)
    sheet.box(x, y, CHIP, HIGH, name="chip", colour="#8881", round_=5, line=AXIS)
    at = 0.0
    for name, amount in parts.items():
        top, bottom = level(at + amount), level(at)
        sheet.box(x + 3, top, CHIP - 6, bottom - top, name=f"part {name.replace(' ', '-')}",
                  colour=PARTS.get(name, OTHER), round_=1.5, about=name)  # fmt: skip
        at += amount
