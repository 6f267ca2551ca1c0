"""What `make bench` writes into pages and draws: tables in their places, charts that show the values."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from testbed.bench import aims, page, plots
from testbed.bench.chart import Chart, distribution, step_of, ticks
from testbed.bench.spread import Spread

SVG = {"svg": "http://www.w3.org/2000/svg"}
PAGES = (Path("README.md"), Path("docs/performance.md"))
MACHINE = {"cores": 2, "kernel": "6.1"}
SERIES = {
    "add_ms": {"tke-eni": [9.0, 8.0, 10.0], "ptp": [20.0]},
    "del_ms": {"tke-eni": [5.0], "ptp": [15.0]},
    "burst_ms": {"tke-eni": [700.0], "ptp": [1000.0]},
    "burst_plugin_cpu_ms": {"tke-eni": [3.84], "ptp": [9.0]},
    "failed_adds": {
        "tke-eni": {"single": [0, 3], "burst": [0, 500], "said": []},
        "ptp": {"single": [0, 3], "burst": [44, 500], "said": ["no MAC"]},
    },
    "packets_per_cpu_second": {"bare": {"10": 250_000, "1": 260_400}, "tke-eni": {"1": 190_000}},
    "processes": {
        "/bin/true": {"wall_ms": [0.7], "cpu_ms": [0.5]},
        "tke-route-eni ADD": {"wall_ms": [4.6], "cpu_ms": [3.8]},
    },
}


def drawn(chart):
    return ET.fromstring(chart.svg())


def points(root):
    return [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in root.findall("svg:polyline", SVG)
    ]


def test_a_table_replaces_what_stood_in_its_place_and_nothing_else():
    text = "a\n<!-- measured: one add; by `make bench` -->\nold\n<!-- end of one add -->\nb\n"

    assert page.filled(text, {"one add": "new\n", "other": "?"}) == text.replace("old", "new")


def test_what_was_not_measured_keeps_its_table():
    text = "<!-- measured: one add; by `make bench` -->\nold\n<!-- end of one add -->\n"

    assert page.filled(text, page.tables({}, {}, MACHINE)) == text


def test_every_place_of_the_pages_has_a_table_and_every_table_a_place():
    places = [place for path in PAGES for place in page.places(path.read_text(encoding="utf-8"))]

    assert sorted(places) == sorted(page.tables({}, SERIES, MACHINE))


def test_the_tables_say_what_was_measured():
    figures = {"add_vs_ptp": Spread.of([0.8, 0.84, 0.88])}

    made = page.tables(figures, SERIES, MACHINE)

    assert made["machine"] == "2 cores, Linux 6.1.\n"
    assert (
        "| `add_vs_ptp` | one ADD, of that of ptp | 0.84 | 0.82 to 0.86 | 3 | <= 0.9 | ✓ |\n"
        in made["figures"]
    )
    assert "| `add_vs_ptp`: one ADD, of that of ptp | 0.84 | <= 0.9 ✓ |\n" in made["aims"]
    assert (
        "| tke-eni | 9.0 (8.5 to 9.5) | 5.0 (5.0 to 5.0) | 700 (700 to 700) | 3.8 | 0 of 500 |"
        in made["contestants"]
    )
    assert "| bare | 260 | 250 |\n| tke-eni | 190 |  |\n" in made["packets"]
    assert "| 44 of 500 |" in made["contestants"]
    assert "| the plugin, the agent answers at once | 4.6 (4.6 to 4.6) | 3.8 |" in made["one add"]


@pytest.mark.parametrize("table", ["figures", "contestants", "one add", "aims"])
def test_each_row_of_a_table_has_a_cell_for_each_column(table):
    lines = page.tables({}, SERIES, MACHINE)[table].splitlines()

    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) >= 4


def test_the_rows_of_the_figures_are_the_aims():
    rows = page.tables({}, {}, MACHINE)["figures"].splitlines()[2:]

    assert [re.findall("`(.+?)`", row)[0] for row in rows] == [aim.name for aim in aims.AIMS]


def test_a_line_goes_through_its_values_between_round_marks():
    chart = Chart(
        title="t", x_label="x", y_label="y", series={"one": [(0, 0), (50, 100), (100, 50)]}, marks=True
    )

    (left, bottom), (middle, top), (right, half) = points(drawn(chart))[0]

    assert left < middle < right
    assert middle == (left + right) / 2
    assert top < half < bottom
    assert half == pytest.approx((top + bottom) / 2, abs=0.1)
    assert len(drawn(chart).findall("svg:circle", SVG)) == 3


def test_what_lies_beyond_the_axis_is_left_out():
    chart = Chart(title="t", x_label="x", y_label="y", series={"one": [(1, 1), (2, 1), (9, 1)]}, x_most=2)

    assert len(points(drawn(chart))[0]) == 2


def test_each_series_has_its_colour_and_its_name():
    chart = Chart(
        title="t", x_label="x", y_label="y", series={name: [(1, 1)] for name in ("a <b>", "c", "d")}
    )

    root = drawn(chart)

    colours = [line.attrib["stroke"] for line in root.findall("svg:polyline", SVG)]
    assert len(set(colours)) == 3
    assert {"a <b>", "c", "d"} <= {text.text for text in root.findall("svg:text", SVG)}


@pytest.mark.parametrize("most", [0.3, 1, 7, 48, 250, 265_000])
def test_an_axis_has_a_few_round_marks(most):
    marks = ticks(most)

    assert 4 <= len(marks) <= 11
    assert marks[0] == 0
    assert marks[-1] <= most + 1e-9
    assert marks[-1] + step_of(most) > most


def test_a_distribution_goes_from_none_to_all():
    assert distribution([3, 1]) == [(1, 0), (1, 50), (3, 50), (3, 100)]


def test_a_picture_is_drawn_where_its_series_was_measured():
    assert plots.drawn({}) == {}

    made = plots.drawn(SERIES | {"agent_rss_mib_by_pods": {"250": 50.0, "0": 40.0, "10": 41.0}})

    assert set(made) == {"bench-add.svg", "bench-memory.svg", "bench-packets.svg"}
    line = points(ET.fromstring(made["bench-memory.svg"]))[0]
    assert line == sorted(line)


def test_the_pictures_that_the_page_shows_are_those_that_are_drawn():
    shown = re.findall(r"\(img/(bench-[a-z]+\.svg)\)", PAGES[1].read_text(encoding="utf-8"))

    assert set(shown) <= set(plots.PLOTS)
    assert len(shown) >= 2
