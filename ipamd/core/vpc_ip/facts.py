"""What the controller knows about one VpcIPClaim and its Pod when it decides, and how the two stand.

As for EIPClaims: what has not been looked at is None or UNKNOWN, never a guess, and a rule that needs it asks
for it by an action. What comes from watch caches may be old; what was looked at in this round is live. Pure.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from ipamd.core import model
from ipamd.core.annotations.vpc_ip import wants_fixed_ip
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.facts import ClaimStage, LivePod, NodeState, PodRelation
from ipamd.core.claim.placement import Obstacle
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.core.kubernetes.owners import Workload
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


class AddressRefusal(NamedTuple):
    """Why the VPC does not reserve an address, or makes no ENI with one."""

    reason: VpcIpReason
    message: str


class AddressHolder(NamedTuple):
    """Who has an address in the VPC, as the cloud says now."""

    place: str
    """In words; empty for nobody."""
    eni_id: str = ""
    claim_uid: str = ""
    """The claim that it was assigned for, by the description of the address."""
    eip_id: str = ""
    """An EIP that is bound to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcIpFacts:
    """Everything that a decision depends on."""

    now: float
    claim: VpcIpClaim | None
    pod: PodView | None
    """The Pod of the same name, from the watch cache."""
    node: NodeView | None = None
    """The Pod's, from the watch cache."""
    rules: ClusterRules = field(default_factory=ClusterRules)
    obstacle: Obstacle | None = None
    """Why the Pod can have no address of ours where it is."""
    obstructed_for: float = float("inf")
    """Seconds for which there was an obstacle at every look of this process."""
    absent_for: float = float("inf")
    """Seconds for which this process has seen the claim without its Pod at every look, by a steady clock."""
    clock_doubt: str = ""
    """Why the wall clock is not believed, which `now` is of."""
    line: VpcIp | None = None
    """The line of the book for the claim's address, from the watch cache."""
    foreign_ips: frozenset[str] = frozenset()
    """Addresses that other claims have by the book: from the watch cache, and as seen in this round."""
    taken_by: str = ""
    """Who has the address that the VPC has refused to reserve in this round, if that is no claim of ours."""
    crowded: frozenset[str] = frozenset()
    """Subnets in which the book has addresses that the VPC does not keep: it could reserve one of those."""
    reserve_again: bool = False
    """Whether it is time to ask once more for a reservation that was refused or lost."""
    live_pod: LivePod | None = None
    workload: Workload | None = None
    """What the Pod belongs to."""
    node_fate: NodeState = NodeState.UNKNOWN
    book: tuple[VpcIp, ...] | None = None
    """The lines that belong to the claim, by its UID."""
    reservations: tuple[model.Reservation, ...] | None = None
    """Those with the claim's tags, and that of its recorded address if it is ours."""
    enis: tuple[model.Eni, ...] | None = None
    """Those that were made for the claim alone, by its tags, and those that it records."""
    claimed_eips: frozenset[str] = frozenset()
    """EIPs at these ENIs that EIPClaims of the cluster have."""
    released: frozenset[str] = frozenset()
    """Reservations and ENIs that were given up in this round."""
    refusal: AddressRefusal | None = None
    """Why the VPC reserves nothing for the claim, if that was seen in this round."""
    eni_refusal: AddressRefusal | None = None
    """Why the cloud makes no ENI for the claim, if that was seen in this round."""
    subnets: tuple[model.Subnet, ...] | None = None
    """Where the claim may have its address: those of the node, those that the spec names, or the nominated
    address's."""
    node_zone: str = ""
    """Of the node's own subnets; known with `subnets`."""
    full: frozenset[str] = frozenset()
    """Subnets that were seen in this round to have no address left."""
    candidate: str = ""
    """A free address, by what the cloud said in this round."""
    use: AddressHolder | None = None
    """Who has the claim's address."""


def stage_of(claim: VpcIpClaim | None) -> ClaimStage:
    """Return how far the claim has come; BOUND stands for "at an ENI, or about to be"."""
    if claim is None:
        return ClaimStage.ABSENT
    if claim.deleting:
        if not claim.held:
            return ClaimStage.LEFT
        return ClaimStage.UNBINDING if claim.binding else ClaimStage.RELEASING
    if not claim.held:
        return ClaimStage.UNHELD
    if claim.address is None:
        return ClaimStage.PENDING
    return ClaimStage.BOUND if claim.binding else ClaimStage.PROVISIONED


def relation_of(claim: VpcIpClaim | None, pod: PodView | None) -> PodRelation:
    """Return what the Pod is to the claim."""
    if pod is None or pod.finished:
        return PodRelation.NONE
    if claim is not None and pod.ref.uid == claim.pod_uid:
        return PodRelation.SAME
    return PodRelation.NEXT if wants_fixed_ip(pod) and not pod.deleting else PodRelation.STRANGER
