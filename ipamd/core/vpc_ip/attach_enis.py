"""The part of `attach_plan` that is about ENIs which belong to claims and move with their Pods (ADR 48).

- an ENI is attached on the terms on which an address is assigned, and where the node has a place for it;
- it is detached once its address was let go; an EIP that stays at it is no reason to wait;
- the binding leaves the VpcIPClaim after that of the Pod's EIPClaim: who has the first may write the second.
Pure.
"""

from collections.abc import Sequence

from ipamd.core.errors import IpamError
from ipamd.core.ledger.cloud_listing import FOUND_SECONDS
from ipamd.core.ledger.states import Address, Unassigning, Unbinding
from ipamd.core.vpc_ip import placement
from ipamd.core.vpc_ip.attach_actions import (
    Action,
    AttachEni,
    DetachEni,
    LetGo,
    MakeEniRoom,
    ReclaimFixed,
    TellMisplaced,
    WithdrawBinding,
)
from ipamd.core.vpc_ip.attach_facts import AttachFacts, claim_at, pod_here
from ipamd.core.vpc_ip.attach_waits import elsewhere, waited_for
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


class NoOwnEnisError(IpamError):
    """The node gives no Pod an ENI of its own."""


def for_claim(facts: AttachFacts, claim: VpcIpClaim) -> Action | None:
    """Decide for a claim whose ENI is not known to be at this node."""
    pod = pod_here(facts, claim)
    ours = claim.binding is not None and claim.binding.node == facts.node
    wanted = pod is not None and not waited_for(claim, pod, facts.node)
    if wanted and pod is not None and claim.address is not None:
        obstacle = _obstacle(facts, claim) or placement.runs_with_another(claim, facts.ledger, pod)
        if obstacle is None:
            address = claim.address
            return AttachEni(claim=claim, pod=pod, ip=address.ip, eni_id=address.eni_id)
        if not ours:
            return TellMisplaced(claim=claim, why=obstacle)
    return WithdrawBinding(claim=claim) if ours and str(claim) not in facts.eips_told else None


def for_leaving(facts: AttachFacts, address: Address) -> Action | None:
    """Decide for the address of a claim's ENI that is nobody's any more."""
    state, eip = address.state, address.eip
    if isinstance(state, Unassigning) or eip is None:
        return DetachEni(address=address)
    if not address.keeps_eip or not isinstance(state, Unbinding):
        return None  # unbound first, as `ipamd.core.eip.binding_plan` has it
    claim = claim_at(facts, address)
    if eip.claim:
        if claim is None or not claim.deleting:
            return DetachEni(address=address)
        return LetGo(address=address, why="its VpcIPClaim is being deleted", certain=True, with_eip=False)
    # Found with its EIP after the store was lost, as a rule: its claim may want it here.
    pod = pod_here(facts, claim) if claim is not None else None
    if claim is not None and pod is not None and not waited_for(claim, pod, facts.node):
        return ReclaimFixed(claim=claim, pod=pod, ip=address.ip)
    if claim is not None and elsewhere(claim, facts.node):
        # As after a list that was older than its detach: the other node waits for the claim's binding.
        return DetachEni(address=address)
    return DetachEni(address=address) if facts.now - state.since >= FOUND_SECONDS else None


def within_places(facts: AttachFacts, actions: Sequence[Action]) -> list[Action]:
    """Return the actions with room asked for, first of all, where an ENI has no place on the node."""
    places = facts.eni_places
    decided: list[Action] = []
    for action in actions:
        if _is_new(facts, action) and isinstance(action, AttachEni):
            places -= 1
            decided.append(action if places >= 0 else MakeEniRoom(claim=action.claim))
        else:
            decided.append(action)
    return decided


def coming(facts: AttachFacts, actions: Sequence[Action]) -> int:
    """Return how many ENIs are to come that the node does not have yet."""
    return sum(_is_new(facts, action) for action in actions)


def _is_new(facts: AttachFacts, action: Action) -> bool:
    is_attach = isinstance(action, AttachEni) and action.eni_id not in facts.own_enis
    return is_attach or isinstance(action, MakeEniRoom)


def _obstacle(facts: AttachFacts, claim: VpcIpClaim) -> IpamError | None:
    """Return why the claim's ENI can never be at this node as it is."""
    if not facts.gives_enis:
        return NoOwnEnisError(
            f"node {facts.node} gives no Pod an ENI of its own, as that of VpcIPClaim {claim} is",
            advice="start the agents with --direct-eni, or let the Pod request "
            "tke.cloud.tencent.com/direct-eni, so that it is scheduled to a node that does",
        )
    return placement.misplaced(claim, facts.node, facts.zone)
