"""The tables that `make bench` writes into pages, so that what they say is what was measured. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from testbed.bench import aims, start_up
from testbed.bench.part import Figures
from testbed.bench.spread import Spread

_PLACE: Final = re.compile(
    r"(?P<begin><!-- measured: (?P<name>[a-z ]+); by `make bench` -->\n)"
    r".*?"
    r"(?P<end><!-- end of (?P=name) -->)",
    re.DOTALL,
)


def places(text: str) -> tuple[str, ...]:
    """Return the names of a page's places, in order."""
    return tuple(found["name"] for found in _PLACE.finditer(text))


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Return the page with each table in its place; a place without a table keeps what it has."""

    def replaced(found: re.Match[str]) -> str:
        table = tables.get(found["name"])
        return found[0] if table is None else found["begin"] + table + found["end"]

    return _PLACE.sub(replaced, text)


def tables(figures: Figures, series: Mapping[str, Any], machine: Mapping[str, Any]) -> dict[str, str]:
    """Return the table for each place whose figures were measured."""
    made = {name: table(series) for name, (needed, table) in _OF_SERIES.items() if needed <= series.keys()}
    return {
        "machine": f"{machine['cores']} cores, Linux {machine['kernel']}.\n",
        "aims": _table(["figure", "measured", "aim"], [_short(row) for row in aims.rows(figures)]),
        "figures": _table(
            ["key", "what", "median", "quartiles", "n", "aim", "met"],
            [[f"`{row[0]}`", row[6], *row[1:6]] for row in aims.rows(figures)],
        ),
        **made,
    }


def _short(row: Sequence[str]) -> list[str]:
    name, value, _, _, aim, mark, meaning = row
    return [f"`{name}`: {meaning}", value, f"{aim} {mark}".strip()]


def _contestants(series: Mapping[str, Any]) -> str:
    head = ["plugin", "ADD, ms", "DEL, ms", "100 ADDs at once, ms", "CPU of the plugin for one, ms", "failed"]
    rows = []
    for name, adds in series["add_ms"].items():
        failed, tried = series["failed_adds"][name]["burst"]
        rows.append(
            [
                name,
                _with_quartiles(adds, 1),
                _with_quartiles(series["del_ms"][name], 1),
                _with_quartiles(series["burst_ms"][name], 0),
                f"{median(series['burst_plugin_cpu_ms'][name]):.1f}",
                f"{failed} of {tried}",
            ]
        )
    return _table(head, rows)


def _one_add(series: Mapping[str, Any]) -> str:
    processes = series["processes"]
    plugin = next(name for name in processes if name.endswith(start_up.ADD))
    alone = {
        "a process that does nothing": processes[start_up.NOTHING],
        "the plugin, the agent answers at once": processes[plugin],
    }
    rows = [
        [what, _with_quartiles(took["wall_ms"], 1), f"{median(took['cpu_ms']):.1f}"]
        for what, took in alone.items()
    ]
    rows.append(["plugin and agent", _with_quartiles(series["add_ms"]["tke-eni"], 1), ""])
    return _table(["one ADD", "wall, ms", "CPU, ms"], rows)


def _packets(series: Mapping[str, Any]) -> str:
    by_layout: Mapping[str, Mapping[str, float]] = series["packets_per_cpu_second"]
    pods = sorted({pods for values in by_layout.values() for pods in values}, key=int)
    rows = [
        [layout, *(f"{values[count] / 1000:.0f}" if count in values else "" for count in pods)]
        for layout, values in by_layout.items()
    ]
    picture = "![Packets per CPU second over the number of Pods](img/bench-packets.svg)\n\n"
    return picture + _table(["thousand packets per CPU second, Pods:", *pods], rows)


_OF_SERIES: Final[Mapping[str, tuple[frozenset[str], Callable[[Mapping[str, Any]], str]]]] = {
    "contestants": (
        frozenset({"add_ms", "del_ms", "burst_ms", "burst_plugin_cpu_ms", "failed_adds"}),
        _contestants,
    ),
    "packets": (frozenset({"packets_per_cpu_second"}), _packets),
    "one add": (frozenset({"processes", "add_ms"}), _one_add),
}


def _with_quartiles(values: Sequence[float], digits: int) -> str:
    spread = Spread.of(values)
    return f"{spread.median:.{digits}f} ({spread.low:.{digits}f} to {spread.high:.{digits}f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
