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

from testbed.bed import Bed
from testbed.runtime import Sandbox

AT_ONCE = 9
"""EIPs that a CVM of 48 vCPUs or more may have beside its own public IP (document 1199/41648)."""
CLOUD_SECONDS = 0.05 + 0.15
"""What the simulator takes to make an EIP and to bind it (`Latencies`); a test compares them."""
REGION: Mapping[str, Any] = {
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One Pod alone from its creation to the release of its EIP, then several at once."""

    alone: float
    """Seconds from its creation until its ADD was answered."""
    slowest: float
    """The same for the last of those at once."""
    calls: Mapping[str, int]
    """Of the one alone, by action, from the order to the release."""


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
        slowest, sandboxes = self._add(AT_ONCE)
        self._remove(sandboxes)
        return Round(alone=alone, slowest=slowest, calls=calls)

    def _add(self, count: int) -> tuple[float, list[Sandbox]]:
        """Create Pods and execute their ADDs at once; return the seconds from the first creation to the end."""
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
