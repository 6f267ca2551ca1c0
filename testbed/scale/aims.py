"""The figures of `make scale`: what they are called, what they may be, and what is said of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

NEW_PODS = 40
DELETED_PODS = 50
ACCOUNT_RATE = 10.0
"""Orders that an account may send in a second, or releases (API pages of both)."""

Figures = Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One key of build/scale.json."""

    key: str
    meaning: str
    unit: str = ""
    most: float | None = None
    """What it may be; None: there is no aim, it is told."""

    @property
    def aim(self) -> str:
        """The aim in words."""
        return "" if self.most is None else f"<= {self.most:g}"

    def is_met(self, value: float | str) -> bool:
        """Whether a value is as it should be."""
        return self.most is None or (not isinstance(value, str) and value <= self.most)


FIGURES = (
    Figure(key="ready_s", meaning="controller: start until ready", unit="s", most=10.0),
    Figure(key="controller_rss_mib", meaning="controller: most memory", unit="MiB", most=256.0),
    Figure(key="claim_to_eip_p50_s", meaning=f"{NEW_PODS} new Pods: EIP in the claim, median", unit="s"),
    Figure(
        key="claim_to_eip_p99_s",
        meaning=f"{NEW_PODS} new Pods: EIP in the claim, p99",
        unit="s",
        most=2 * NEW_PODS / ACCOUNT_RATE,
    ),
    Figure(
        key="release_p99_s", meaning=f"{DELETED_PODS} deleted Pods: EIP released, claim gone, p99", unit="s"
    ),
    Figure(
        key="describe_per_eip",
        meaning="Describe calls of the controller per EIP, or release if more",
        most=2.0,
    ),
    Figure(
        key="kube_requests_per_s",
        meaning="API server: controller and all agents, nothing happens",
        unit="1/s",
    ),
    Figure(
        key="mass_rollout_s", meaning="30 Pods on each node, 2 with EIP: all run (virtual time)", unit="s"
    ),
    Figure(key="first_wall", meaning="what runs out first"),
)


def rows(figures: Figures) -> list[list[str]]:
    """Return a row for each figure: meaning, value, unit, aim, whether it is met."""
    table = []
    for figure in FIGURES:
        value = figures[figure.key]
        shown = value if isinstance(value, str) else f"{value:.2f}"
        mark = "" if figure.most is None else "✓" if figure.is_met(value) else "✗"
        table.append([figure.key, figure.meaning, shown, figure.unit, figure.aim, mark])
    return table


def missed(figures: Figures) -> list[str]:
    """Return the keys of the figures that are not as they should be."""
    return [figure.key for figure in FIGURES if not figure.is_met(figures[figure.key])]


def quantile(values: list[float], part: float) -> float:
    """Return the value that `part` of the values do not exceed; ValueError for no values."""
    if not values:
        raise ValueError("there are no values")
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]
