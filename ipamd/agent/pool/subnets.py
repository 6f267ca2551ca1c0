"""How many free addresses the subnets have from which the node gets its own, for the metrics.

Asked after each answer to who the node is, on that thread: minutes apart, and one call for all of them. What
orders addresses looks for itself.
Thread safety: `look` is for one thread, `metrics` for any.
"""

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.metric import Metric, gauges

log = logging.getLogger(__name__)

_SECONDS: Final = 10.0
_RESERVED: Final = 3
"""Addresses that nobody can have: the network's, the gateway's and the broadcast address."""


class SubnetReader(Protocol):
    """What tells the free addresses of subnets: `TencentCloud`."""

    def describe_subnets(
        self, subnet_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return those of the subnets that exist. Raises: CloudError."""


class SubnetLevels:
    """Invariant: what is shown is one answer of the cloud, the last good one."""

    def __init__(self, cloud: SubnetReader, subnet_ids: Callable[[], Iterable[str]]) -> None:
        """Take whom to ask, and what tells of which subnets."""
        self._cloud = cloud
        self._subnet_ids = subnet_ids
        self._subnets: list[model.Subnet] = []

    def look(self) -> None:
        """Ask once; what the cloud refuses is only logged, as nobody waits for it."""
        wanted = sorted(set(self._subnet_ids()))
        try:
            self._subnets = self._cloud.describe_subnets(wanted, Deadline.after(_SECONDS, time.monotonic))
        except CloudError as e:
            log.info("how many free addresses %s have is not known: %s", ", ".join(wanted), e)

    def metrics(self) -> Iterator[Metric]:
        """Yield free and all addresses of each."""
        subnets = self._subnets
        yield gauges(
            "tke_eni_subnet_free_addresses",
            "Free addresses of the subnets from which the node gets its own, as of the last look.",
            "subnet",
            {subnet.subnet_id: subnet.available_ips for subnet in subnets},
        )
        yield gauges(
            "tke_eni_subnet_addresses",
            "Addresses that these subnets can give to somebody.",
            "subnet",
            {subnet.subnet_id: _size(subnet) for subnet in subnets},
        )


def _size(subnet: model.Subnet) -> int:
    return ipaddress.ip_network(subnet.cidr, strict=False).num_addresses - _RESERVED
