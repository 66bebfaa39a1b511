"""What every picture is made of: a sheet, scales, ticks and colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

#: Colours that stay apart for the colour-blind (Okabe & Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A7A7A")
#: Text, axes and grid: grey enough to read on white and on black.
INK, AXIS, GRID = "#6b6b6b", "#8a8a8a", "#8883"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass(frozen=True, slots=True)
class Scale:
    """From a figure to a place on the sheet, straight or logarithmic; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(max(value, 1e-300))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round figures along the scale: decades (with 2 and 5 where few), or steps of 1, 2 or 5."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            decades = [10.0**power for power in range(first, last + 1)]
            fine = [m * decade for decade in decades for m in (1, 2, 5)] if last - first <= 2 else decades
            inside = [t for t in fine if self.low * 0.999 <= t <= self.high * 1.001]
            return inside[:: max(1, math.ceil(len(inside) / most))]
        step = nice((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [step * n for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def nice(step: float) -> float:
    """The next round step: 1, 2 or 5 times a power of ten."""
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)


def around(values: Sequence[float], *, log: bool = False, room: float = 0.06) -> tuple[float, float]:
    """The least and the greatest of some figures with a little room at both ends; (0 …) where the scale is straight."""
    known = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not known:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = min(known), max(known)
    if log:
        wide = max(math.log10(high / low), 0.3)
        return low / 10 ** (room * wide), high * 10 ** (room * wide)
    return min(low, 0.0), high * (1 + room) if high > 0 else 1.0


@dataclass(slots=True)
class Sheet:
    """A picture being drawn: elements in order, and what it is called for those who do not see it."""

    title: str
    width: float
    height: float
    about: str = ""
    parts: list[str] = field(default_factory=list)

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", size: float = 12, bold: bool = False,
        name: str = "ink", colour: str = INK, turned: bool = False,
    ) -> None:  # fmt: skip
        """Words at a place; ``turned``: read upwards."""
        weight = ' font-weight="600"' if bold else ""
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        self.parts.append(
            f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" '
            f'fill="{colour}"{weight}{turn}>{escape(words)}</text>'
        )

    def heading(self, x: float, y: float, words: str) -> None:
        """What the picture shows, in letters small enough to end within its width."""
        self.text(x, y, words, size=round(min(13, (self.width - x - 8) / (0.64 * len(words))), 1), bold=True)

    def path(
        self, drawn: str, *, name: str = "axis", colour: str = AXIS, width: float = 1, dash: str = "",
        opacity: float = 1,
    ) -> None:  # fmt: skip
        """A line along SVG path commands."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
        self.parts.append(
            f'<path class="{name}" d="{drawn}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-linejoin="round" stroke-linecap="round"{dashed}{faint}/>'
        )

    def area(self, drawn: str, *, name: str = "band", colour: str = AXIS, opacity: float = 0.16) -> None:
        """A filled shape."""
        self.parts.append(f'<path class="{name}" d="{drawn}" fill="{colour}" opacity="{opacity:g}"/>')

    def box(
        self, x: float, y: float, width: float, height: float, *, name: str, colour: str, round_: float = 2,
        opacity: float = 1, line: str = "", about: str = "",
    ) -> None:  # fmt: skip
        """A rectangle; ``about`` is told when pointed at."""
        stroke = f' stroke="{line}"' if line else ""
        faint = f' opacity="{opacity:g}"' if opacity < 1 else ""
        head = (
            f'<rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" '
            f'rx="{round_:g}" fill="{colour}"{stroke}{faint}'
        )
        self.parts.append(f"{head}><title>{escape(about)}</title></rect>" if about else f"{head}/>")

    def dot(self, x: float, y: float, radius: float, *, name: str = "mark", colour: str, about: str = "") -> None:
        """A filled circle."""
        head = f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}"'
        self.parts.append(f"{head}><title>{escape(about)}</title></circle>" if about else f"{head}/>")

    def across(self, scale: Scale, top: float, bottom: float, write: Callable[[float], str], most: int = 6) -> None:
        """A horizontal axis: ticks with their words below, grid lines above."""
        for tick in scale.ticks(most):
            x = scale(tick)
            self.path(f"M{x:.1f} {top:.1f}V{bottom:.1f}", name="grid", colour=GRID)
            self.text(x, bottom + 16, write(tick), anchor="middle", size=11)

    def upwards(self, scale: Scale, left: float, right: float, write: Callable[[float], str], most: int = 5) -> None:
        """A vertical axis: ticks with their words to the left, grid lines to the right."""
        for tick in scale.ticks(most):
            y = scale(tick)
            self.path(f"M{left:.1f} {y:.1f}H{right:.1f}", name="grid", colour=GRID)
            self.text(left - 8, y + 4, write(tick), anchor="end", size=11)

    def svg(self) -> str:
        """The whole picture."""
        named = quoteattr(f"{self.title}. {self.about}" if self.about else self.title)
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label={named} font-family="{FONT}">',
            *self.parts, "</svg>",
        ]) + "\n"  # fmt: skip


def line(points: Sequence[tuple[float, float]]) -> str:
    """Path commands through points."""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


def ribbon(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]]) -> str:
    """Path commands around the area between two lines."""
    return line([*upper, *reversed(lower)]) + "Z" if upper else ""


def stacked(plots: Sequence[str], width: float, height: float) -> str:
    """Several pictures of one size under each other; nothing of nothing."""
    if len(plots) < 2:
        return "".join(plots)
    inner = [
        f'<svg y="{height * place:g}" width="{width:g}" height="{height:g}"{plot.removeprefix("<svg")}'
        for place, plot in enumerate(plots)
    ]
    box = f'viewBox="0 0 {width:g} {height * len(plots):g}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {box} role="img">', *inner, "</svg>"]) + "\n"


def spread(places: Sequence[float], gap: float) -> Iterator[float]:
    """Places in the same order, pushed down until each is at least ``gap`` below the one before: for labels."""
    last = -math.inf
    for place in places:
        last = max(place, last + gap)
        yield last
