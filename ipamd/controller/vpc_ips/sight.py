"""What a decision about a fixed address is made on: what copies and clocks say, and what a look shows.

Thread safety: one object serves all workers.
"""

from collections.abc import Callable
from dataclasses import replace

from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.address_book import AddressBook
from ipamd.controller.vpc_ips.live_reader import VpcIpLiveReader
from ipamd.controller.vpc_ips.pauses import Pauses
from ipamd.core.claim import actions as shared
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.facts import PodRelation
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import own_reservation
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts, relation_of
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube.watch import Key


class VpcIpSight:
    """All that is known about fixed addresses, and how more is found out."""

    def __init__(
        self,
        cluster: ClusterView,
        book: AddressBook,
        live: VpcIpLiveReader,
        *,
        pauses: Pauses,
        ports: Ports,
        rules: ClusterRules,
    ) -> None:
        self._cluster = cluster
        self.book = book
        self.live = live
        self.pauses = pauses
        self._ports = ports
        self._rules = rules

    def begin(self, claim: VpcIpClaim | None, key: Key) -> VpcIpFacts:
        """Return what is known of the key when a round begins: by copies and clocks."""
        pod = self._cluster.pod(key)
        absent = claim is not None and relation_of(claim, pod) not in (PodRelation.SAME, PodRelation.NEXT)
        obstacle = self._cluster.obstacle(pod, early=False) if pod else None
        waits = obstacle is not None and (claim is None or claim.address is None)
        mark = claim.uid if claim else "no claim"
        chooses = claim is None or claim.address is None  # one that is created in this round chooses in it
        unreserved = claim is not None and claim.address is not None and not claim.address.is_reserved
        again = unreserved and self.pauses.may_reserve(mark)
        return VpcIpFacts(
            now=self._ports.clock(),
            claim=claim,
            pod=pod,
            node=self._cluster.node(pod.node) if pod and pod.node else None,
            rules=self._rules,
            obstacle=obstacle,
            obstructed_for=self.pauses.obstacles.looked(key, mark, absent=waits),
            absent_for=self.pauses.absences.looked(key, mark, absent=absent),
            clock_doubt=self._ports.clock_doubt() if absent else "",
            line=self.book.line(claim.address.ip) if claim and claim.address else None,
            foreign_ips=self.book.foreign_ips(claim.uid if claim else "") if chooses else frozenset(),
            crowded=self.book.crowded() if chooses else frozenset(),
            reserve_again=again,
            refusal=self._refusal(claim) if chooses or again else None,
        )

    def _refusal(self, claim: VpcIpClaim | None) -> AddressRefusal | None:
        """Return why nothing is to be reserved for a claim, if it lives and nothing is on its way for it."""
        if claim is not None and (claim.deleting or claim.allocation.started is not None):
            return None
        return own_reservation.met_by(self.book.claims())

    def look(self, action: do.VpcIpAction, facts: VpcIpFacts) -> VpcIpFacts | None:
        """Return the facts with what the action looks at; None for an action that does not look.

        Raises: KubeError, CloudError.
        """
        if isinstance(action, shared.LookAtNode):
            return replace(facts, node_fate=self.live.at_node(action.node))
        if isinstance(action, shared.LookAtOwners):
            return replace(facts, workload=self.live.at_owners(action.pod))
        if isinstance(action, do.LookAtUse):
            return replace(facts, use=self.live.at_use(action))
        if isinstance(action, do.LookForAddress):
            return self._look_for_address(action, facts)
        look = self._looks.get(type(action))
        return look(facts.claim, facts) if look is not None and facts.claim is not None else None

    @property
    def _looks(self) -> dict[type, Callable[[VpcIpClaim, VpcIpFacts], VpcIpFacts]]:
        return {
            shared.LookAtPod: lambda claim, facts: replace(facts, live_pod=self.live.at_pod(claim)),
            do.LookAtBook: lambda claim, facts: replace(facts, book=self.live.lines_of(claim.uid)),
            do.LookAtReservations: self.live.at_reservations,
            do.LookAtEnis: self._look_at_enis,
            do.LookAtSubnets: self.live.at_subnets,
        }

    def _look_at_enis(self, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        enis = self.live.at_enis(claim)
        eips = {address.eip_id for eni in enis for address in eni.addresses} - {""}
        claimed = frozenset(eip_id for eip_id in eips if self._cluster.holders(eip_id))
        return replace(facts, enis=enis, claimed_eips=claimed)

    def _look_for_address(self, action: do.LookForAddress, facts: VpcIpFacts) -> VpcIpFacts:
        subnet = next(s for s in facts.subnets or () if s.subnet_id == action.subnet_id)
        refused = facts.claim.refused_ips if facts.claim else ()
        found = self.live.find_address(subnet, facts.foreign_ips | set(refused))
        if found:
            return replace(facts, candidate=found)
        return replace(facts, full=facts.full | {action.subnet_id})
