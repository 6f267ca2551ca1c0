"""How many free addresses the subnets have from which the node gets its own: metrics, and a warning in time.

Asked after each answer to who the node is, on that thread: minutes apart, and one call for all of them. What
orders addresses looks for itself, and is listened to, so that a node which grows fast warns early.
Thread safety: any thread may call any method.
"""

import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
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
    """Invariant: of each subnet the last answer of the cloud is shown; `_levels` is replaced as a whole."""

    def __init__(self, cloud: SubnetReader, subnet_ids: Callable[[], Iterable[str]], *, low: int) -> None:
        """Take whom to ask, what tells of which subnets, and below how many free addresses to warn."""
        self._cloud = cloud
        self._subnet_ids = subnet_ids
        self._low = low
        self._guard = threading.Lock()
        self._levels: dict[str, model.Subnet] = {}

    @property
    def known(self) -> Mapping[str, model.Subnet]:
        """The subnets of which the cloud has told, by id; empty before it has."""
        return self._levels

    def look(self) -> None:
        """Ask once; what the cloud refuses is only logged, as nobody waits for it."""
        wanted = sorted(set(self._subnet_ids()))
        if not wanted:
            return
        try:
            found = self._cloud.describe_subnets(wanted, Deadline.after(_SECONDS, time.monotonic))
        except CloudError as e:
            log.info("how many free addresses %s have is not known: %s", ", ".join(wanted), e)
            return
        with self._guard:
            self._levels = {subnet.subnet_id: subnet for subnet in found}

    def seen(self, subnets: Iterable[model.Subnet]) -> None:
        """Take in an answer that somebody else has got."""
        with self._guard:
            self._levels = {**self._levels, **{subnet.subnet_id: subnet for subnet in subnets}}

    def low(self, refusals: Iterable[IpamError] = ()) -> list[str]:
        """Return one sentence for each subnet that is nearly full.

        Those without any free address are left out while the cloud's `refusals` say so themselves.
        """
        is_told = any(
            isinstance(error, CloudError) and error.kind is CloudErrorKind.SUBNET_FULL for error in refusals
        )
        return [
            f"subnet {subnet.subnet_id} ({subnet.cidr}, {subnet.zone}) has {subnet.available_ips} free "
            f"addresses left, fewer than --subnet-free-warning={self._low}: name another subnet of the zone, "
            "or free addresses there"
            for subnet in self._levels.values()
            if subnet.available_ips < min(self._low, _size(subnet) // 4)
            and (subnet.available_ips or not is_told)
        ]

    def entries(self) -> list[NodeProblem]:
        """Return the same for the Node."""
        return [
            NodeProblem(reason=NodeReason.SUBNET_LOW.value, message=text, weight=Weight.WARNING)
            for text in self.low()
        ]

    def metrics(self) -> Iterator[Metric]:
        """Yield free and all addresses of each."""
        subnets = self._levels.values()
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
    return ipaddress.ip_network(subnet.cidr).num_addresses - _RESERVED
