"""The figures of the bench: what they are called, what they mean, what they are to be. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from testbed.aws_vpc_cni import AWS_VPC_CNI, AWS_VPC_CNI_BEFORE
from testbed.bench.part import Figures
from testbed.bench.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One figure of build/bench.json, at one size if it has several."""

    key: str
    meaning: str
    limit: float | None = None
    """None: it is told, without an aim."""
    at_least: bool = False
    """Otherwise at most."""
    size: str = ""
    digits: int = 2

    @property
    def name(self) -> str:
        """Key and size."""
        return f"{self.key} {self.size}".rstrip()

    @property
    def words(self) -> str:
        """The aim in words."""
        return "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g}"

    def is_met(self, spread: Spread) -> bool:
        """Whether the median is as it should be, as exactly as it is shown."""
        value = round(spread.median, self.digits)
        if self.limit is None:
            return True
        return value >= self.limit if self.at_least else value <= self.limit

    def of(self, figures: Figures) -> Spread | None:
        """Return what was measured for it; None if nothing was."""
        found = figures.get(self.key)
        if isinstance(found, Mapping):
            return found.get(self.size)
        return found


AIMS = (
    Aim(key="add_vs_ptp", meaning="one ADD, of that of ptp", limit=0.9),
    Aim(key="burst_vs_ptp", meaning="100 ADDs at once until the last, of that of ptp", limit=0.7),
    Aim(key="del_vs_ptp", meaning="one DEL, of that of ptp", limit=0.4),
    Aim(key="plugin_cpu_ms", meaning="CPU of the plugin for one ADD of the 100, ms", limit=4.2),
    Aim(key="agent_cpu_ms", meaning="CPU of the agent for one ADD of the 100, ms", limit=2.5),
    Aim(key="add_vs_aws", meaning=f"one ADD, of that of the {AWS_VPC_CNI_BEFORE.title}", limit=0.35),
    Aim(
        key="burst_vs_aws", meaning=f"100 ADDs at once, of that of the {AWS_VPC_CNI_BEFORE.title}", limit=0.25
    ),
    Aim(key="add_vs_aws_newest", meaning=f"one ADD, of that of the {AWS_VPC_CNI.title}"),
    Aim(key="burst_vs_aws_newest", meaning=f"100 ADDs at once, of that of the {AWS_VPC_CNI.title}"),
    *(
        Aim(
            key="pps_vs_conntrack",
            size=pods,
            meaning=f"packets per CPU second, Pods on the node: {pods}, of bare forwarding with conntrack",
            limit=0.82,
            at_least=True,
        )
        for pods in ("1", "250")
    ),
    *(
        Aim(
            key="pps_vs_two_rules",
            size=pods,
            meaning=f"packets per CPU second, Pods on the node: {pods}, of two policy rules for each Pod",
            limit=1.0,
            at_least=True,
        )
        for pods in ("1", "10", "50", "250")
    ),
    Aim(
        key="rr_vs_bare",
        meaning="TCP requests and responses per CPU second, of bare forwarding",
        limit=0.85,
        at_least=True,
    ),
    Aim(key="agent_rss_mib", meaning="the agent with 250 Pods after ten repairs, MiB", limit=48, digits=1),
    Aim(key="repair_cpu_ms", meaning="CPU of one repair round, 250 Pods, ms", limit=60, digits=0),
    Aim(key="ready_s", meaning="start of the agent until it serves, 250 Pods in the store, s", limit=1.0),
    Aim(
        key="eip_ready_vs_cloud",
        size="1",
        meaning="Pod with EIP created until its ADD ends, of the cloud's own time",
        limit=1.3,
    ),
    Aim(key="eip_ready_vs_cloud", size="9", meaning="the same for the last of 9 at once", limit=2.0),
    Aim(key="calls_per_eip_pod", meaning="calls of the cloud in the life of a Pod's EIP", limit=8, digits=0),
)


def rows(figures: Figures) -> list[list[str]]:
    """Return for each aim: name, median, quartiles, how many, the aim, a mark, the meaning."""
    return [_row(aim, aim.of(figures)) for aim in AIMS]


def _row(aim: Aim, spread: Spread | None) -> list[str]:
    if spread is None:
        return [aim.name, "-", "", "", aim.words, "-", aim.meaning]
    quartiles = f"{spread.low:.{aim.digits}f} to {spread.high:.{aim.digits}f}" if spread.n > 1 else ""
    mark = "" if aim.limit is None else "✓" if aim.is_met(spread) else "✗"
    return [
        aim.name,
        f"{spread.median:.{aim.digits}f}",
        quartiles,
        str(spread.n),
        aim.words,
        mark,
        aim.meaning,
    ]
