"""How a fixed address comes free: taken off its ENI where no agent can, then given back to the VPC.

Rules in the manner of `state_machine`, which has the table. The order is always the same: binding gone, no
ENI shown to have the address for this claim, reservation released, line out of the book, finalizer dropped.
An ENI of the claim's own is detached where others' addresses are unassigned, and deleted where reservations
are released (`own_eni`). Pure.
"""

from ipamd.core.claim.actions import (
    ClearBinding,
    DropFinalizer,
    Idle,
    LookAtNode,
    LookAtPod,
    RedateOrder,
    SetNodeLabel,
    Wait,
)
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.claim.release import SETTLE, is_ahead
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.vpc_ip import own_eni
from ipamd.core.vpc_ip.actions import (
    DropLine,
    LookAtBook,
    LookAtReservations,
    LookAtUse,
    ReleaseReservation,
    UnassignAddress,
    VpcIpAction,
)
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, VpcIpClaim

_POLL = 1.0
_AGENT = 30.0
"""Seconds between looks while the agent of a living node is expected to act; its write wakes us before."""
_IN_USE = 10.0
"""Seconds between looks at an address that is to be given back and that somebody has."""


def home(claim: VpcIpClaim, pod_node: str) -> str:
    """Return the node whose agent has to do with the claim: the Pod's, but first the one that has to let go.

    An agent sees the claims with the label of its node only, so the label stays until its binding is gone.
    """
    bound = claim.binding.node if claim.binding else ""
    return bound or pod_node


def unassign(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction:
    """Take the address off its ENI for a node that is gone; leave it to the agent of one that is not.

    A node that is not ready for long may have a living agent, and the Pod a running container. Only a Pod
    that is gone from the API (by force, or by the out-of-service taint) is known to be wanted no more.
    """
    binding = claim.binding
    if binding is None:
        return Idle()
    if not binding.node:
        return ClearBinding(message="the binding named no node")
    if facts.node_fate is NodeState.UNKNOWN:
        return LookAtNode(node=binding.node)
    if facts.node_fate is NodeState.ALIVE:
        if claim.node != label_value(binding.node):
            return SetNodeLabel(node=binding.node)
        return Wait(reason=f"the agent of node {binding.node} unassigns the address", seconds=_AGENT)
    if facts.node_fate is NodeState.LOST:
        if facts.live_pod is None:
            return LookAtPod()
        if _may_run(binding, facts.live_pod):
            return Wait(reason=f"node {binding.node} is not ready, and its Pod not deleted", seconds=_AGENT)
    return _take_off(facts, claim, binding)


def _take_off(facts: VpcIpFacts, claim: VpcIpClaim, binding: AddressBinding) -> VpcIpAction:
    """Unassign only what the cloud shows to be there just as the binding says."""
    if claim.exclusive:
        return own_eni.take_off(facts, binding)
    gone = f"node {binding.node} is gone"
    if claim.address is None:
        return ClearBinding(message=gone)
    ip = claim.address.ip
    if facts.use is None:
        return LookAtUse(ip=ip, subnet_id=claim.address.subnet_id, eni_id=binding.eni_id)
    if facts.use.eni_id != binding.eni_id:
        return ClearBinding(message=f"{gone}, and {ip} is not at {binding.eni_id} any more")
    if facts.use.claim_uid not in ("", claim.uid):
        return ClearBinding(message=f"{gone}, and {ip} at {binding.eni_id} is another claim's")
    if facts.use.eip_id:
        return Wait(reason=f"{facts.use.eip_id} is still bound to {ip}; it is unbound first", seconds=_POLL)
    return UnassignAddress(eni_id=binding.eni_id, ip=ip)


def release(facts: VpcIpFacts) -> VpcIpAction:
    """Give back all that was reserved for a deleted claim without binding, then let the claim go."""
    claim = facts.claim
    if claim is None:
        raise ValueError("this rule is for a claim that exists")
    if facts.book is None:
        return LookAtBook()
    if claim.exclusive:
        return own_eni.give_back(facts, claim) or _settling(facts, claim) or _last(facts.book)
    if facts.reservations is None and facts.refusal is None:
        return LookAtReservations()
    return _blind(facts, claim) or _not_shown(facts, claim) or _reserved(facts, claim) or _last(facts.book)


def _blind(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Keep a claim for which something may be reserved while nobody may look."""
    refusal, recorded = facts.refusal, claim.address is not None and bool(claim.address.reservation_id)
    if refusal is None or not (recorded or claim.allocation.started is not None or claim.refused_ips):
        return None
    return Wait(reason=refusal.message, seconds=_AGENT, warning="ReservationNotReleased")


def _not_shown(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Deal with an address whose reservation is not shown: there is none, or the list is old.

    One that somebody else took meanwhile is let go.
    """
    address = claim.address
    if address is None or address.reservation_id in facts.released:
        return None
    if address.reservation_id in {found.reservation_id for found in facts.reservations or ()}:
        return None
    if facts.use is None:
        return LookAtUse(ip=address.ip, subnet_id=address.subnet_id)
    if facts.use.claim_uid == claim.uid:
        return _in_use(claim, address.ip, facts.use.place)
    return ReleaseReservation(reservation_id=address.reservation_id) if address.reservation_id else None


def _reserved(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    if facts.reservations:
        return _give_up(claim, facts.reservations[0])
    return _settling(facts, claim)


def _settling(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Wait while what was asked for may still turn up."""
    started = claim.allocation.started
    if is_ahead(started, facts.now):
        return RedateOrder()
    left = 0.0 if started is None else started + SETTLE - facts.now
    if left <= 0:
        return None
    made = "an ENI" if claim.exclusive else "a reservation"
    return Wait(reason=f"{made} that was asked for may still turn up", seconds=left)


def _last(book: tuple[VpcIp, ...]) -> VpcIpAction:
    return DropLine(line=book[0]) if book else DropFinalizer()


def _give_up(claim: VpcIpClaim, found: Reservation) -> VpcIpAction:
    if found.state is ReservationState.UNBIND:
        return ReleaseReservation(reservation_id=found.reservation_id, vpc_id=found.vpc_id)
    return _in_use(claim, found.ip, found.resource_id or "something that the cloud does not name")


def _in_use(claim: VpcIpClaim, ip: str, place: str) -> VpcIpAction:
    """Wait for an address that is at an ENI although no binding is recorded."""
    return Wait(
        reason=f"{ip} of the deleted VpcIPClaim {claim} is still at {place}: the agent of its node takes it "
        "off; if it was assigned by hand, unassign it in the console",
        seconds=_IN_USE,
        warning="AddressStillAssigned",
    )


def _may_run(binding: AddressBinding, live: LivePod) -> bool:
    """Whether the Pod that the address was assigned for may still be wanted; on doubt it is."""
    return not binding.pod_uid or (live.pod is not None and live.pod.ref.uid == binding.pod_uid)
