"""What the cloud says about the way out of each ENI: its subnet, the subnet's route table, the verdict on it.

One request serves a hundred ENIs, subnets or tables, whatever the number of claims. An ENI stays in its
subnet for life, so that is asked once; a subnet's table and the table's routes change at any time.
Thread safety: for one thread.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ipamd.core import egress, model
from ipamd.core.deadline import Deadline
from ipamd.core.egress import Verdict

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
    """Invariant: `_verdicts` holds for each subnet when its routes were read, and what they amount to."""

    def __init__(self, cloud: RouteReader, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._cloud = cloud
        self._monotonic = monotonic
        self._subnets: dict[str, str] = {}
        self._verdicts: dict[str, tuple[float, Verdict]] = {}

    def look(self, eni_ids: frozenset[str], *, most_age: float) -> dict[str, Verdict]:
        """Return the verdict for each ENI that exists; what is known is used up to `most_age` seconds.

        Errors: CloudError.
        """
        deadline = Deadline.after(_PATIENCE, self._monotonic)
        for eni in self._cloud.describe_enis_by_id(sorted(eni_ids - self._subnets.keys()), deadline):
            self._subnets[eni.eni_id] = eni.subnet_id
        places = {eni_id: self._subnets[eni_id] for eni_id in eni_ids if eni_id in self._subnets}
        now = self._monotonic()
        old = [s for s in sorted(set(places.values())) if now - self._read_at(s) >= most_age]
        subnets = self._cloud.describe_subnets(old, deadline) if old else []
        wanted = sorted({subnet.route_table_id for subnet in subnets})
        tables = {t.route_table_id: t for t in self._cloud.describe_route_tables(wanted, deadline)}
        for subnet in subnets:
            if table := tables.get(subnet.route_table_id):
                self._verdicts[subnet.subnet_id] = (now, egress.judge(subnet.subnet_id, table))
        return {
            eni_id: self._verdicts[subnet_id][1]
            for eni_id, subnet_id in places.items()
            if subnet_id in self._verdicts
        }

    def forget_others(self, eni_ids: frozenset[str]) -> None:
        """Forget all ENIs but these: nodes come and go."""
        self._subnets = {eni_id: s for eni_id, s in self._subnets.items() if eni_id in eni_ids}

    def _read_at(self, subnet_id: str) -> float:
        return self._verdicts[subnet_id][0] if subnet_id in self._verdicts else float("-inf")
