"""The dashboard as a page: each panel drawn from what its own queries answer."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from ipamd.page.markup import Element, document, tag
from testbed.monitoring.prometheus import Prometheus

_COLUMN, _ROW, _GAP = 50, 32, 8
"""Pixels of a unit of Grafana's grid, of which a page has 24 columns."""
WIDTH: Final = 24 * _COLUMN + 2 * _GAP
_COLOURS: Final = (
    "#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d", "#ffb357"
)  # fmt: skip
_LEGEND: Final = re.compile(r"{{(\w+)}}")
_STYLE: Final = """
body { background: #111217; color: #d0d1d6; font: 12px sans-serif; margin: 0; position: relative; }
.panel { background: #181b1f; border: 1px solid #2a2d33; border-radius: 3px; position: absolute;
  overflow: hidden; box-sizing: border-box; padding: 4px 8px; }
.row { position: absolute; font-weight: bold; padding: 8px 2px; }
.title { font-weight: bold; } .value { font-size: 30px; text-align: center; padding-top: 14px; }
.key { margin-right: 10px; white-space: nowrap; } .legend { font-size: 11px; line-height: 14px; }
text { fill: #8e9099; font: 10px sans-serif; }
"""


def page(dashboard: dict[str, Any], answers: Prometheus, seconds: float) -> tuple[bytes, int]:
    """Return the page over the last so many seconds, and its height."""
    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * _ROW + 2 * _GAP
    style = tag("style")
    style.text = _STYLE
    body = tag(
        "body",
        *(_panel(panel, answers, seconds) for panel in panels),
        style=f"width:{WIDTH}px;height:{height}px",
    )
    return document(tag("html", tag("head", tag("meta", charset="utf-8"), style), body)), height


def _panel(panel: dict[str, Any], answers: Prometheus, seconds: float) -> Element:
    at = panel["gridPos"]
    width, height = at["w"] * _COLUMN - _GAP, at["h"] * _ROW - _GAP
    place = (
        f"left:{at['x'] * _COLUMN + _GAP}px;top:{at['y'] * _ROW + _GAP}px;width:{width}px;height:{height}px"
    )
    if panel["type"] == "row":
        return tag("div", panel["title"], class_="row", style=place)
    title = tag("div", panel["title"], class_="title")
    if panel["type"] == "stat":
        value = answers.now(_query(panel["targets"][0]["expr"]))
        colour = _colour(panel, value)
        shown = tag(
            "div", "no data" if value is None else f"{value:g}", class_="value", style=f"color:{colour}"
        )
        return tag("div", title, shown, class_="panel", style=place)
    series = [
        (_named(target["legendFormat"], labels), values)
        for target in panel["targets"]
        for labels, values in answers.over(_query(target["expr"]), seconds)
    ]
    chart = _chart(series, panel["fieldConfig"]["defaults"], width - 18, height - 42, seconds)
    return tag("div", title, chart, _legend([name for name, _ in series]), class_="panel", style=place)


def _query(text: str) -> str:
    """Return a query with values for the dashboard's variables."""
    return text.replace("$__rate_interval", "20s").replace("$node", ".*")


def _named(form: str, labels: dict[str, str]) -> str:
    return _LEGEND.sub(lambda found: labels.get(found[1], ""), form)


def _colour(panel: dict[str, Any], value: float | None) -> str:
    chosen = "grey"
    for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
        if value is not None and (step["value"] is None or value >= step["value"]):
            chosen = {"green": "#73bf69", "red": "#f2495c", "orange": "#ff9830"}[step["color"]]
    return chosen


def _chart(
    series: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    looks: dict[str, Any],
    width: int,
    height: int,
    seconds: float,
) -> Element:
    left, bottom = 44, 14
    known = [(name, [(at, value) for at, value in values if math.isfinite(value)]) for name, values in series]
    stacked = "stacking" in looks["custom"]
    lines = _stacked(known) if stacked else [values for _, values in known]
    top = max((value for values in lines for _, value in values), default=0.0) * 1.05 or 1.0

    def point(at: float, value: float) -> str:
        x = left + at / seconds * (width - left)
        return f"{x:.1f},{(height - bottom) * (1 - value / top) + 2:.1f}"

    grid = [
        part
        for share in (0.0, 0.5, 1.0)
        for y in [(height - bottom) * (1 - share) + 2]
        for part in (
            tag("line", x1=left, x2=width, y1=f"{y:.0f}", y2=f"{y:.0f}", stroke="#2a2d33"),
            tag("text", _told(share * top, looks["unit"]), x=0, y=f"{min(height - bottom, y + 8):.0f}"),
        )
    ]
    drawn = [
        tag(
            "polyline",
            points=" ".join(point(at, value) for at, value in values),
            fill="none",
            stroke=_COLOURS[index % len(_COLOURS)],
            stroke_width="1.5",
        )
        for index, values in enumerate(lines)
    ]
    return tag("svg", *grid, *drawn, width=width, height=height, viewBox=f"0 0 {width} {height}")


def _stacked(series: Sequence[tuple[str, list[tuple[float, float]]]]) -> list[list[tuple[float, float]]]:
    below: dict[int, float] = {}
    lines = []
    for _, values in series:
        line = []
        for at, value in values:
            below[round(at)] = below.get(round(at), 0.0) + value
            line.append((at, below[round(at)]))
        lines.append(line)
    return lines


def _legend(names: Sequence[str]) -> Element:
    keys = [
        tag("span", tag("b", "— ", style=f"color:{_COLOURS[index % len(_COLOURS)]}"), name, class_="key")
        for index, name in enumerate(names)
    ]
    return tag("div", *keys, class_="legend")


def _told(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{value:.0%}"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "s":
            return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
        case _:
            return f"{value:.2g}" if value < 10 else f"{value:.0f}"
