"""How fast this process may call each action, so that all the nodes of an account fit under its rates.

The cloud counts requests per second for each API, region and sub-account (document 652/121590), and every
node of every cluster draws on the same allowance. So each process takes a share of it, and goes quiet on an
action for a moment when the cloud says it is too fast.
"""

import threading
from collections.abc import Callable, Mapping

from ipamd.runtime.rate_limit import RateLimit

ALLOWANCE: Mapping[str, float] = {
    "AddBandwidthPackageResources": 20,
    "AllocateAddresses": 10,
    "AssignPrivateIpAddresses": 100,
    "AssociateAddress": 10,
    "AssociateNetworkInterfaceSecurityGroups": 20,
    "AttachNetworkInterface": 50,
    "CreateAndAttachNetworkInterface": 20,
    "CreateNetworkInterface": 100,
    "CreateReserveIpAddresses": 20,
    "DeleteNetworkInterface": 100,
    "DeleteReserveIpAddresses": 20,
    "DescribeAddressBandwidthRange": 10,
    "DescribeAddressQuota": 10,
    "DescribeAddresses": 20,
    "DescribeInstances": 40,
    "DescribeNetworkAccountType": 20,
    "DescribeNetworkInterfaceLimit": 20,
    "DescribeNetworkInterfaces": 100,
    "DescribeReserveIpAddresses": 20,
    "DescribeRouteTables": 100,
    "DescribeSubnets": 100,
    "DescribeTaskResult": 20,
    "DescribeUsedIpAddress": 20,
    "DescribeVpcTaskResult": 20,
    "DescribeVpcs": 100,
    "DetachNetworkInterface": 100,
    "DisassociateAddress": 10,
    "DisassociateNetworkInterfaceSecurityGroups": 20,
    "MigrateBandwidthPackageResources": 10,
    "ModifyAddressAttribute": 10,
    "ModifyAddressInternetChargeType": 10,
    "ModifyAddressesBandwidth": 20,
    "ReleaseAddresses": 10,
    "RemoveBandwidthPackageResources": 10,
    "UnassignPrivateIpAddresses": 100,
}
"""Requests per second of one account and region, from the page of each action (API documents 215 and 213).

No page tells the rate of DescribeAddressBandwidthRange, nor of leaving a package and moving between two.
"""

UNLISTED_ALLOWANCE = 10.0
"""The lowest rate that the actions in use have."""

_EIPS_OF_A_NODE = 9
"""The most that the Pods of a CVM may have beside its own public IP (document 1199/41648)."""


def node_limiter(clock: Callable[[], float]) -> "Limiter":
    """Return how fast an agent may call: the EIPs of all its Pods are bound at once, and so unbound."""
    writes = ("AssociateAddress", "DisassociateAddress")
    return Limiter(clock=clock, at_once=dict.fromkeys(writes, _EIPS_OF_A_NODE))


class Limiter:
    """A rate limit for each action.

    Thread safety: every method may be called from any thread; none of them waits.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        share: float = 0.25,
        shares: Mapping[str, float] | None = None,
        burst_seconds: float = 2.0,
        at_once: Mapping[str, int] | None = None,
        allowance: Mapping[str, float] = ALLOWANCE,
    ) -> None:
        """Take the share of the account's allowance that is ours, and the seconds of it that may be saved.

        `shares` are those of single actions, where they differ; `at_once` how many calls of an action may be
        saved at least, where a caller needs them together and then no more for long. No more is saved than
        the account admits at once: what comes beyond that is refused.
        """
        for part in (share, *(shares or {}).values()):
            if not 0 < part <= 1:
                msg = f"the share of the API rates must be above 0 and at most 1, not {part}"
                raise ValueError(msg)
        self._clock = clock
        self._share = share
        self._shares = dict(shares or {})
        self._burst_seconds = burst_seconds
        self._at_once = dict(at_once or {})
        self._allowance = allowance
        self._lock = threading.Lock()
        self._limits: dict[str, RateLimit] = {}

    def reserve(self, action: str, patience: float) -> float | None:
        """Take a turn and return the seconds to wait for it; None, and no turn, past `patience`."""
        return self._limit(action).reserve(patience)

    def quieten(self, action: str, seconds: float) -> None:
        """Start no further call of `action` for `seconds`: the cloud has just refused one as too many."""
        self._limit(action).pause(seconds)

    def _limit(self, action: str) -> RateLimit:
        with self._lock:
            if action not in self._limits:
                allowance = self._allowance.get(action, UNLISTED_ALLOWANCE)
                rate = allowance * self._shares.get(action, self._share)
                saved = max(rate * self._burst_seconds, self._at_once.get(action, 0))
                burst = max(1, int(min(saved, allowance)))
                self._limits[action] = RateLimit(rate=rate, burst=burst, clock=self._clock)
            return self._limits[action]
