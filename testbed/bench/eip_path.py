"""How long a Pod with an EIP waits for its network, and what its EIP's life costs in calls of the cloud.

The time is from the creation of the Pod until its ADD is answered, as a part of what the simulated cloud
itself takes to make the EIP and to bind it: 1 would be a product that adds nothing. The calls are those of
agent and controller from the order to the release, for a Pod that lives by itself: what several share counts
in full.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cloud.config import Latencies
from testbed.bed import Bed
from testbed.bench.part import Measured, Part, Scene
from testbed.bench.spread import Spread
from testbed.runtime import Sandbox

AT_ONCE = 9
"""EIPs that a CVM of 48 vCPUs or more may have beside its own public IP (document 1199/41648)."""
_CLOUD_SECONDS = Latencies().eip_create + Latencies().eip_bind
_WARM_UP = 2
"""Rounds in which agent and controller learn how long the cloud takes."""
_REGION: Mapping[str, Any] = {
    "instances": [{"instance_type": "S5.16XLARGE256", "public_ip": True}],
    "quotas": {"total_eips": 100, "daily_eip_applications": 10_000},
}
"""A CVM that has room for them all, in an account that may order as often as the rounds need."""
_EIP_ACTIONS = frozenset(
    {
        "AllocateAddresses",
        "AssociateAddress",
        "DescribeAddresses",
        "DescribeTaskResult",
        "DisassociateAddress",
        "ReleaseAddresses",
    }
)


_AGENT_OPTIONS = ("--ip-min-warm-target", "12", "--ip-max-warm-target", "20", "--ip-cooldown", "1s")


def measure(scene: Scene) -> Measured:
    """Rounds on one node, after a few that are not counted."""
    with Bed(scene.directory) as bed:
        with scene.progress.step(f"a node that may have {AT_ONCE} EIPs"):
            bed.start_region(_REGION)
            bed.start_controller()
            bed.start_agent(options=_AGENT_OPTIONS)
            bed.wait_until_ready(warm=AT_ONCE)
        path = EipPath(bed)
        with scene.progress.step(f"{scene.effort.repeats} rounds of 1 Pod and {AT_ONCE} Pods with EIPs"):
            for _ in range(_WARM_UP):
                path.round()
            rounds = [path.round() for _ in range(scene.effort.repeats)]
    return Measured(
        figures={
            "eip_ready_vs_cloud": {
                "1": Spread.of([one.alone / _CLOUD_SECONDS for one in rounds]),
                str(AT_ONCE): Spread.of([one.slowest / _CLOUD_SECONDS for one in rounds]),
            },
            "calls_per_eip_pod": Spread.of([sum(one.calls.values()) for one in rounds]),
            "calls_per_eip_pod_of_9": Spread.of([one.calls_at_once / AT_ONCE for one in rounds]),
        }
    )


PART = Part(name="EIP path", keys=("eip_ready_vs_cloud", "calls_per_eip_pod"), measure=measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One Pod alone from its creation to the release of its EIP, then several at once."""

    alone: float
    """Seconds from its creation until its ADD was answered."""
    slowest: float
    """The same for the last of those at once."""
    calls: Mapping[str, int]
    """Of the one alone, by action, from the order to the release."""
    calls_at_once: int
    """Of all those at once."""


class EipPath:
    """Pods with EIPs on one node. Invariant: between two rounds the account has no EIP."""

    def __init__(self, bed: Bed) -> None:
        """Take a bed whose agent and controller are up."""
        self._bed = bed
        self._created = 0

    def round(self) -> Round:
        """Measure once; EIPs are gone and addresses warm afterwards."""
        before = self._calls()
        alone, sandboxes = self._add(1)
        self._remove(sandboxes)
        calls = self._calls() - before
        before = self._calls()
        slowest, sandboxes = self._add(AT_ONCE)
        self._remove(sandboxes)
        at_once = (self._calls() - before).total()
        return Round(alone=alone, slowest=slowest, calls=calls, calls_at_once=at_once)

    def _add(self, count: int) -> tuple[float, list[Sandbox]]:
        """Create Pods, execute their ADDs at once; return the seconds from the first creation to the end."""
        bed, runtime = self._bed, self._bed.runtime
        names = [f"eip-{self._created + number}" for number in range(count)]
        self._created += count
        began = time.perf_counter()
        pods = [bed.workloads.create_pod(name, node=bed.node.name, eip=True) for name in names]
        sandboxes = [runtime.new_sandbox(pod=pod) for pod in pods]
        outcomes, _ = runtime.run_all("ADD", sandboxes)
        seconds = time.perf_counter() - began
        for outcome in outcomes:
            outcome.result()
        return seconds, sandboxes

    def _remove(self, sandboxes: list[Sandbox]) -> None:
        for sandbox in sandboxes:
            self._bed.delete_pod(sandbox)
        self._bed.wait_until("the EIPs' release", self._is_empty, seconds=60)
        self._bed.wait_until("warm addresses", self._is_warm, seconds=60)

    def _is_empty(self) -> bool:
        eips = [eip for eip in self._bed.cloud_state()["eips"] if eip["AddressType"] == "EIP"]
        return not eips and not self._bed.workloads.claims()

    def _is_warm(self) -> bool:
        return int(self._bed.status()["pool"].get("warm", 0)) >= AT_ONCE

    def _calls(self) -> Counter[str]:
        calls: Mapping[str, int] = self._bed.admin.get("/audit")["calls"]
        return Counter({action: count for action, count in calls.items() if action in _EIP_ACTIONS})
