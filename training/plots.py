"""Line charts as SVG, drawn without a plotting library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

WIDTH, HEIGHT, MARGIN = 480, 360, 56
COLOURS = ("#1f6fb2", "#c8511b", "#5b8c2a", "#7a4fa3")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    Attributes:
        title: with the unit.
        ticks: ascending values that get a label; the first and the last bound the axis.
        log: equal ratios are equally far apart.
    """

    title: str
    ticks: Sequence[float]
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, 0 to 1; what is beyond the axis is put on its end."""
        scale = log if self.log else float
        first, last = scale(self.ticks[0]), scale(self.ticks[-1])
        bounded = min(max(value, self.ticks[0]), self.ticks[-1])
        return (scale(bounded) - first) / (last - first)


def line_chart(title: str, x: Axis, y: Axis, lines: Mapping[str, Points]) -> str:
    """An SVG document with one line for each name."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 20, title, "middle", 13),
        _text(WIDTH / 2, HEIGHT - 12, x.title, "middle"),
        f'<g transform="rotate(-90 14 {HEIGHT / 2})">{_text(14, HEIGHT / 2, y.title, "middle")}</g>',
    ]
    parts += [_tick(_x(x, tick), _y(y, y.ticks[0]), _x(x, tick), _y(y, y.ticks[-1])) for tick in x.ticks]
    parts += [_tick(_x(x, x.ticks[0]), _y(y, tick), _x(x, x.ticks[-1]), _y(y, tick)) for tick in y.ticks]
    parts += [_text(_x(x, tick), HEIGHT - MARGIN + 16, f"{tick:g}", "middle") for tick in x.ticks]
    parts += [_text(MARGIN - 6, _y(y, tick) + 4, f"{tick:g}", "end") for tick in y.ticks]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{_x(x, a):.1f},{_y(y, b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts.append(_text(MARGIN + 10, MARGIN + 6 + 15 * number, name, "start", 11, colour))
    return "\n".join([*parts, "</svg>\n"])


def _x(axis: Axis, value: float) -> float:
    return MARGIN + axis.place(value) * (WIDTH - 2 * MARGIN)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - MARGIN - axis.place(value) * (HEIGHT - 2 * MARGIN)


def _tick(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, size: int = 11, colour: str = "#333") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escaped}</text>'
