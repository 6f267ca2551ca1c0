"""A line chart as SVG: two axes from zero, a line for each series, a legend. Pure.

No plotting library: three charts of this kind do not need one, nor its thirty packages in the lock file.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from ipamd.page.markup import Element, tag

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 66, 48
_COLOURS: Final = ("#0a7d3c", "#b4540a", "#2457a6", "#7a3c8c", "#555f6b")
_LETTER = 7
"""Pixels, rather more than most letters need."""
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. Invariant: each series has at least one point, and no value is below zero."""

    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Points]
    """In the order of the legend, at most as many as there are colours."""
    x_most: float | None = None
    """Where the axis ends; what lies beyond is cut off."""
    marks: bool = False
    """A dot at each point: few values, measured there and nowhere between."""

    def svg(self) -> bytes:
        """Return the drawing as a file."""
        root = tag(
            "svg",
            tag("title", self.title),
            tag("rect", width=_WIDTH, height=_HEIGHT, fill="#fff"),
            tag("text", self.title, x=_LEFT, y=22, font_weight=600, font_size=15),
            *self._legend(),
            *self._axes(),
            *self._lines(),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            font_family="system-ui, sans-serif",
            font_size=12,
            fill="#223",
        )
        ET.indent(root)
        return ET.tostring(root) + b"\n"

    @property
    def _x_end(self) -> float:
        return self.x_most or max(x for points in self.series.values() for x, _ in points) or 1.0

    @property
    def _y_end(self) -> float:
        most = max(y for points in self.series.values() for _, y in points) or 1.0
        step = step_of(most)
        return step * math.ceil(most / step - 1e-9)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return _LEFT + wide * x / self._x_end, _TOP + high * (1 - y / self._y_end)

    def _legend(self) -> Iterator[Element]:
        left = _LEFT
        for name, colour in zip(self.series, _COLOURS, strict=False):
            yield tag("line", x1=left, x2=left + 18, y1=42, y2=42, stroke=colour, stroke_width=3)
            yield tag("text", name, x=left + 24, y=46)
            left += 48 + _LETTER * len(name)

    def _axes(self) -> Iterator[Element]:
        for y in ticks(self._y_end):
            at = self._at(0, y)[1]
            yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=_px(at), y2=_px(at), stroke="#d5dae1")
            yield tag("text", f"{y:g}", x=_LEFT - 8, y=_px(at + 4), text_anchor="end")
        for x in ticks(self._x_end):
            at, bottom = self._at(x, 0)
            yield tag("line", x1=_px(at), x2=_px(at), y1=_px(bottom), y2=_px(bottom + 5), stroke="#667")
            yield tag("text", f"{x:g}", x=_px(at), y=_px(bottom + 19), text_anchor="middle")
        middle, height = (_LEFT + _WIDTH - _RIGHT) // 2, (_TOP + _HEIGHT - _BOTTOM) // 2
        turned = f"rotate(-90 14 {height})"
        yield tag("text", self.x_label, x=middle, y=_HEIGHT - 10, text_anchor="middle")
        yield tag("text", self.y_label, x=14, y=height, transform=turned, text_anchor="middle")

    def _lines(self) -> Iterator[Element]:
        for (_, points), colour in zip(self.series.items(), _COLOURS, strict=False):
            shown = [self._at(x, y) for x, y in points if x <= self._x_end]
            path = " ".join(f"{_px(x)},{_px(y)}" for x, y in shown)
            yield tag("polyline", points=path, fill="none", stroke=colour, stroke_width="2")
            if self.marks:
                yield from (tag("circle", cx=_px(x), cy=_px(y), r=3, fill=colour) for x, y in shown)


def _px(value: float) -> str:
    return f"{value:.1f}"


def step_of(most: float) -> float:
    """Return a round distance of the marks on an axis up to `most`: four to ten of them."""
    rough = most / 6
    power: float = 10.0 ** math.floor(math.log10(rough))
    return power * next(step for step in _STEPS if step >= rough / power - 1e-9)


def ticks(most: float) -> list[float]:
    """Return the marks on an axis from zero to `most`."""
    step = step_of(most)
    return [step * number for number in range(int(most / step + 1e-9) + 1)]


def distribution(values: Sequence[float]) -> list[tuple[float, float]]:
    """Return which share of the values, in percent, is at most so large: stairs, a point at each edge."""
    ranked = sorted(values)
    points = []
    for number, value in enumerate(ranked):
        points += [(value, 100 * number / len(ranked)), (value, 100 * (number + 1) / len(ranked))]
    return points
