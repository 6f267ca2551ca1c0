"""In which subnet a new ENI is: of those that the configuration names, by id, by tag or by range.

In the zone of the CVM only, the one with the most free addresses first; one that was refused as full is left
out for a while. An ENI that exists stays where it is, whatever the configuration says later.
Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Callable, Sequence

from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, pool
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.node_config.in_force import Places
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)


class SubnetChoice:
    """Invariant: `ids` are those of the last answer, or those that are named."""

    def __init__(
        self,
        cloud: TencentCloud,
        instance: Callable[[], model.Instance],
        places: Callable[[], Places],
        seen: Callable[[list[model.Subnet]], None],
    ) -> None:
        """Take whom to ask, where the node is, what is configured, and who hears of what was seen."""
        self._cloud = cloud
        self._instance = instance
        self._places = places
        self._seen = seen
        self._found: tuple[Places, tuple[str, ...]] | None = None
        self._told: set[str] = set()

    @property
    def ids(self) -> tuple[str, ...]:
        """Where new ENIs may be, as far as it is known without asking."""
        places = self._places()
        if not places.is_search:
            return places.subnets or (self._instance().subnet_id,)
        found = self._found
        return found[1] if found is not None and found[0] == places else ()

    @property
    def places(self) -> Places:
        """What is configured."""
        return self._places()

    @property
    def is_found(self) -> bool:
        """Whether `ids` are what the configuration means; not before a search has been answered."""
        places = self._places()
        return not places.is_search or (self._found is not None and self._found[0] == places)

    def look(self, subnet_ids: Sequence[str], deadline: Deadline) -> list[model.Subnet]:
        """Return how full these subnets are. Raises: CloudError."""
        subnets = self._cloud.describe_subnets(subnet_ids, deadline)
        self._seen(subnets)
        return subnets

    def find(self, deadline: Deadline) -> list[model.Subnet]:
        """Ask for the subnets where ENIs of this node may be, in whatever zone. Raises: CloudError."""
        places, instance = self._places(), self._instance()
        if places.is_search:
            subnets = self._cloud.find_subnets(instance.vpc_id, places.tags, places.cidr, deadline)
            self._found = (places, tuple(subnet.subnet_id for subnet in subnets))
        else:
            subnets = self._existing(self.ids, deadline)
            self._tell_unusable(subnets)
        self._seen(subnets)
        return subnets

    def best(self, closed: frozenset[str], deadline: Deadline) -> model.Subnet:
        """Return the subnet for a new ENI. Raises: CloudError; TryAgainError when none can take it."""
        zone, places = self._instance().zone, self._places()
        subnets = self.find(deadline)
        subnet = pool.choose_subnet(subnets, zone, closed)
        if subnet is None:
            named = str(places) if places.is_search else f"the subnets {', '.join(self.ids)}"
            raise TryAgainError(
                f"none of {named} can take another ENI in zone {zone}: {_described(subnets, closed)}",
                advice="free addresses there, or name another subnet of this zone with --pod-subnets or a "
                "NodeENIConfig",
            )
        return subnet

    def named(self, subnet_id: str, deadline: Deadline) -> model.Subnet:
        """Return this subnet, for an ENI that a fixed address needs. Raises: CloudError; TryAgainError."""
        zone = self._instance().zone
        found = self._existing((subnet_id,), deadline)
        self._seen(found)
        if pool.choose_subnet(found, zone, frozenset()) is None:
            raise TryAgainError(
                f"{subnet_id} cannot take another ENI of this node in zone {zone}: "
                f"{_described(found, frozenset())}",
                advice="free addresses there, or let the Pod run on a node that has an ENI there",
            )
        return found[0]

    def _existing(self, subnet_ids: tuple[str, ...], deadline: Deadline) -> list[model.Subnet]:
        """Ask for the subnets; the cloud refuses the whole question for one that does not exist."""
        try:
            return self._cloud.describe_subnets(subnet_ids, deadline)
        except CloudError as e:
            if e.kind is not CloudErrorKind.NOT_FOUND:
                raise
            if len(subnet_ids) == 1:
                return []
        return [subnet for one in subnet_ids for subnet in self._existing((one,), deadline)]

    def _tell_unusable(self, subnets: list[model.Subnet]) -> None:
        """Say once of each named subnet that no ENI of this node can be in it."""
        zone, source = self._instance().zone, self._places().source or "the primary ENI"
        for subnet_id in self.ids:
            found = next((s for s in subnets if s.subnet_id == subnet_id), None)
            if found is None:
                why = "does not exist in this region"
            elif found.zone != zone:
                why = f"is in zone {found.zone}, and an ENI has to be in that of its CVM, {zone}"
            else:
                continue
            if subnet_id not in self._told:
                self._told.add(subnet_id)
                log.warning("%s names %s, which %s: this node does not use it", source, subnet_id, why)


def _described(subnets: list[model.Subnet], closed: frozenset[str]) -> str:
    return (
        ", ".join(
            f"{s.subnet_id} in {s.zone} has {s.available_ips} free addresses"
            f"{' and was refused as full' if s.subnet_id in closed else ''}"
            for s in subnets
        )
        or "none of them exists"
    )
