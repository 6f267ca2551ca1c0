"""The pictures of docs/performance.md, drawn from the series of build/bench.json. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from testbed.bench.chart import Chart, distribution


def add_distribution(series: Mapping[str, Any]) -> Chart:
    """How long single ADDs took, of each contestant."""
    times: Mapping[str, list[float]] = series["add_ms"]
    # The slowest few of a busy machine would press all the others to the left.
    most = max(sorted(values)[int(0.95 * (len(values) - 1))] for values in times.values())
    return Chart(
        title="One ADD, from the start of the process to its end",
        x_label="milliseconds",
        y_label="% of ADDs that took no longer",
        series={name: distribution(values) for name, values in times.items()},
        x_most=most,
    )


def packets(series: Mapping[str, Any]) -> Chart:
    """Packets per CPU second by the number of Pods, of each layout."""
    return Chart(
        title="64-byte UDP from a Pod with EIP to the internet",
        x_label="Pods on the node",
        y_label="thousand packets per CPU second",
        series={name: _by_number(values, 1000) for name, values in series["packets_per_cpu_second"].items()},
        marks=True,
    )


def memory(series: Mapping[str, Any]) -> Chart:
    """Memory of the agent by the number of Pods."""
    return Chart(
        title="Memory of the agent",
        x_label="Pods on the node",
        y_label="resident MiB",
        series={"tke-eni": _by_number(series["agent_rss_mib_by_pods"], 1)},
        marks=True,
    )


PLOTS: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Chart]]]] = {
    "bench-add.svg": ("add_ms", add_distribution),
    "bench-packets.svg": ("packets_per_cpu_second", packets),
    "bench-memory.svg": ("agent_rss_mib_by_pods", memory),
}
"""By file name: the series that it needs, and how it is drawn."""


def drawn(series: Mapping[str, Any]) -> dict[str, bytes]:
    """Return each picture whose series was measured, by file name."""
    return {name: draw(series).svg() for name, (needed, draw) in PLOTS.items() if needed in series}


def _by_number(values: Mapping[str, float], unit: float) -> list[tuple[float, float]]:
    return sorted((float(pods), value / unit) for pods, value in values.items())
