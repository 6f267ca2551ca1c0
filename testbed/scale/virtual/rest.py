"""What all agents ask of account and API server while nothing happens."""

import itertools
from collections.abc import Generator
from dataclasses import dataclass

from ipamd.cloud.throttling import ALLOWANCE
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.poll_interval import LookPace
from ipamd.kube.watch import WatchPace
from testbed.scale.virtual.account import Account, Caller
from testbed.scale.virtual.timeline import Timeline

LOOK = "DescribeNetworkInterfaces"
LOOK_INTERVAL = 30.0
"""Default of --cloud-check-interval; checked by a test."""
WATCHES = 6
"""Of an agent: its Pods, EIPClaims, VpcIPClaims and Node, ConfigMap ip-masq-agent-config, ServiceCIDRs;
checked by a test."""
_CALL_SECONDS = 30.0
_SETTLED = 900.0
"""Seconds after which the agents have found their pace."""
_MEASURED = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What came of it."""

    nodes: int
    looks_per_s: float
    """Admitted by the account."""
    refused_per_s: float
    interval: float
    """Seconds between two looks of a node, on average."""
    longest: float
    """Seconds between two looks of the node that had to wait longest."""
    watches_per_s: float
    """Watches that are opened anew: all that an agent asks of the API server at rest."""


def wall_nodes() -> int:
    """Return from how many nodes on the looks of all use up the account's rate."""
    return int(ALLOWANCE[LOOK] * _look_seconds())


def look(nodes: int) -> Rest:
    """Let all agents look at their ENIs, again and again."""
    timeline = Timeline()
    account = Account(timeline)
    looks: list[list[float]] = [[] for _ in range(nodes)]
    for times in looks:
        timeline.start(_look(account, times), account.random.uniform(0, LOOK_INTERVAL))
    timeline.run(_SETTLED)
    asked, refused = account.asked[LOOK], account.refused[LOOK]
    timeline.run(_SETTLED + _MEASURED)
    made = (account.asked[LOOK] - asked) / _MEASURED
    gaps = [b - a for times in looks for a, b in itertools.pairwise(times) if a > _SETTLED]
    watch = WatchPace()
    return Rest(
        nodes=nodes,
        looks_per_s=made,
        refused_per_s=(account.refused[LOOK] - refused) / _MEASURED,
        interval=nodes / made,
        longest=max(gaps),
        watches_per_s=nodes * WATCHES / (1.5 * watch.lasts),
    )


def _look(account: Account, times: list[float]) -> Generator[float, None, None]:
    caller, pace = Caller(account), LookPace(interval=LOOK_INTERVAL)
    while True:
        if (yield from caller.call(LOOK, _CALL_SECONDS)):
            times.append(account.timeline.now)
            pace = pace.after(None)
        else:
            pace = pace.after(CloudErrorKind.THROTTLED)
        yield pace.seconds(account.random.random)


def _look_seconds() -> float:
    """Return the seconds between two looks of a node that is not refused, on average."""
    return LookPace(interval=LOOK_INTERVAL).seconds(lambda: 0.5)
