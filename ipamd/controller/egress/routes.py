"""What the cloud says about the way out of each ENI: its subnet, the subnet's route table, the verdict on it.

One request serves a hundred ENIs, subnets or tables, whatever the number of claims. An ENI stays in its
subnet for life, so that is asked once; a subnet's table and the table's routes change at any time.
Thread safety: for one thread.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ipamd.core import model
from ipamd.core.eip import egress
from ipamd.core.eip.egress import EgressVerdict
from ipamd.core.timing.deadline import Deadline

_PATIENCE = 15.0
"""Seconds for all requests of one look, their waiting for the API's rates included."""


class RouteReader(Protocol):
    """What is asked of the cloud: `TencentCloud`. All methods raise CloudError."""

    def describe_enis_by_id(
        self, eni_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Eni]:
        """Return those of the ENIs that exist."""

    def describe_subnets(
        self, subnet_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return the subnets."""

    def describe_route_tables(
        self, route_table_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.RouteTable]:
        """Return the route tables."""


class EgressRoutes:
    """Invariant: `_subnets` has only ENIs that existed when they were asked for."""

    def __init__(self, cloud: RouteReader, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cloud = cloud
        self._monotonic = monotonic
        self._subnets: dict[str, str] = {}

    def look(self, eni_ids: frozenset[str]) -> dict[str, EgressVerdict]:
        """Return the verdict for each of the ENIs that exists; other ENIs are forgotten.

        Raises: CloudError.
        """
        deadline = Deadline.after(_PATIENCE, self._monotonic)
        self._subnets = {eni_id: s for eni_id, s in self._subnets.items() if eni_id in eni_ids}
        for eni in self._cloud.describe_enis_by_id(sorted(eni_ids - self._subnets.keys()), deadline):
            self._subnets[eni.eni_id] = eni.subnet_id
        subnets = self._cloud.describe_subnets(sorted(set(self._subnets.values())), deadline)
        wanted = sorted({subnet.route_table_id for subnet in subnets})
        tables = {t.route_table_id: t for t in self._cloud.describe_route_tables(wanted, deadline)}
        verdicts = {
            subnet.subnet_id: egress.judge(subnet.subnet_id, tables[subnet.route_table_id])
            for subnet in subnets
            if subnet.route_table_id in tables
        }
        return {
            eni_id: verdicts[subnet_id]
            for eni_id, subnet_id in self._subnets.items()
            if subnet_id in verdicts
        }
