"""Which fixed addresses are to be on this node, and what is to be done about it.

Level-triggered, in the manner of `ipamd.core.eip.binding_plan`: `decide` compares ledger, VpcIPClaims, Pods
and ENIs and returns what is missing, whatever the history was. A Pod that comes back to its held address
needs no action at all. The rules:
- an address is assigned only for a claim that has it, is not being deleted, serves the Pod's very UID, and is
  bound nowhere else;
- it is assigned for a Pod that may get a sandbox here, and only if that has no other address yet;
- it is let go once its claim is for another node, is being deleted, or its hold is over without a Pod in
  sight; never under a Pod that has it, and on doubt only after a live look;
- it leaves the claim's `status.binding` last of all.
Where the claim has an ENI of its own, that is attached and detached instead.
What is to be done is named in `attach_actions`, what it depends on in `attach_facts`. Pure.
"""

from ipamd.core import model
from ipamd.core.claim.eipclaim import condition
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Cooling, Held, Unassigning, Unbinding, Warm
from ipamd.core.vpc_ip import attach_enis, placement
from ipamd.core.vpc_ip.attach_actions import (
    Action,
    AssignFixed,
    AttachEni,
    LetGo,
    MakeRoom,
    PublishAssigned,
    ReclaimFixed,
    TellMisplaced,
    UnassignFixed,
    WithdrawBinding,
)
from ipamd.core.vpc_ip.attach_facts import AttachFacts, claim_at, pod_here, pod_of
from ipamd.core.vpc_ip.attach_waits import elsewhere, keeps, waited_for
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, AddressBinding, VpcIpClaim

REASSIGN_AFTER = 5.0
"""Seconds for which lists have to leave out a Pod's address before it is assigned again: they may lag."""


def decide(facts: AttachFacts) -> list[Action]:
    """Return what is to be done; each action stands for itself, and there is one for a claim at most."""
    actions: dict[str, Action] = {}
    for address in facts.ledger.fixed:
        action = _for_address(facts, address)
        if action is not None:
            actions[address.fixed] = action
    here = {address.fixed for address in facts.ledger.fixed}
    for claim in facts.claims.values():
        if claim.uid in here:
            continue
        for_claim = attach_enis.for_claim if claim.exclusive else _for_claim
        if (action := for_claim(facts, claim)) is not None:
            actions[claim.uid] = action
    return attach_enis.within_places(facts, list(actions.values()))


def wanted_binding(address: Address, pod: model.PodRef, node: str) -> AddressBinding:
    """Return the `status.binding` that tells of this address."""
    return AddressBinding(node=node, eni_id=address.eni_id, pod_uid=pod.uid)


def is_here(ledger: Ledger, claim: VpcIpClaim) -> bool:
    """Whether this node has, or may have, an address of the claim, whatever the claim says."""
    return any(address.fixed == claim.uid for address in ledger.fixed)


def _for_address(facts: AttachFacts, address: Address) -> Action | None:
    match address.state:
        case Unbinding() | Unassigning() if address.moves_as_eni:
            return attach_enis.for_leaving(facts, address)
        case Unassigning():
            return UnassignFixed(address=address)
        case Held():
            return _for_held(facts, address, address.state)
        case Assigned(pod=pod):
            claim = claim_at(facts, address)
            return _upkeep(facts, address, claim, pod) if claim is not None else None
        case Cooling():
            claim = claim_at(facts, address)
            if claim is not None and (target := elsewhere(claim, facts.node)):
                # Found again, by a list older than its end here: the other node waits for the binding.
                return LetGo(address=address, why=f"its VpcIPClaim is for node {target}", certain=True)
            next_pod = pod_here(facts, claim) if claim is not None else None
            if claim is None or next_pod is None or waited_for(claim, next_pod, facts.node):
                return None
            return ReclaimFixed(claim=claim, pod=next_pod, ip=address.ip)
        case _:
            return None


def _for_held(facts: AttachFacts, address: Address, state: Held) -> Action | None:
    claim = facts.claims.get(str(state.pod))
    if claim is None:
        # Deleted, or moved to another node; or the watch is behind.
        return LetGo(address=address, why="its VpcIPClaim is not this node's", certain=False)
    if claim.uid != address.fixed or (claim.address is not None and claim.address.ip != address.ip):
        why = "it belongs to no VpcIPClaim of this node"
        return LetGo(address=address, why=why, certain=False, with_eip=False)
    if target := elsewhere(claim, facts.node):
        # Not certain: the first list after a restart may be older than what this node has done since.
        return LetGo(address=address, why=f"its VpcIPClaim is for node {target}", certain=False)
    if claim.deleting:
        # Deleted by hand under a Pod: that keeps it until it goes.
        why = "its VpcIPClaim is being deleted"
        kept = state.pod in facts.expected and keeps(address, state.pod)
        return None if kept else LetGo(address=address, why=why, certain=True, with_eip=False)
    pod = pod_here(facts, claim)
    if pod is not None:
        return _upkeep(facts, address, claim, pod)
    return None if facts.now < state.until else LetGo(address=address, why="its hold is over", certain=True)


def _upkeep(
    facts: AttachFacts, address: Address, claim: VpcIpClaim, pod: model.PodRef
) -> AssignFixed | AttachEni | PublishAssigned | None:
    """Return what a claim needs that has its address here: the cloud's word again, or its own."""
    if waited_for(claim, pod, facts.node) or claim.address is None:
        return None
    if address.missing_since is not None:
        is_new = isinstance(address.state, Held)
        due = is_new or facts.now - address.missing_since >= REASSIGN_AFTER
        if address.exclusive:
            attach = AttachEni(claim=claim, pod=pod, ip=address.ip, eni_id=address.eni_id)
            return attach if due and facts.gives_enis else None
        usable = any(eni.eni_id == address.eni_id and not eni.broken for eni in facts.enis)
        again = AssignFixed(claim=claim, pod=pod, ip=address.ip, eni_id=address.eni_id)
        return again if due and usable else None
    if isinstance(address.state, Held):
        # Told when the next sandbox has come: a hold is nobody's business but this node's.
        is_told = claim.binding is not None and claim.assigned_ip == address.ip
    else:
        is_told = claim.binding == wanted_binding(address, pod, facts.node)
    said = condition(claim.conditions, ASSIGNED).get("status") == "True"
    return None if is_told and said else PublishAssigned(claim=claim, pod=pod, address=address)


def _for_claim(facts: AttachFacts, claim: VpcIpClaim) -> Action | None:
    """Decide for a claim that none of the node's addresses is known to belong to."""
    pod = pod_here(facts, claim)
    ours = claim.binding is not None and claim.binding.node == facts.node
    known = facts.ledger.addresses.get(claim.address.ip) if claim.address is not None else None
    wanted = pod is not None and not waited_for(claim, pod, facts.node)
    if known is not None and not known.exclusive and (wanted or ours):
        # After the store was lost, where the cloud does not show what an address was assigned for.
        free = isinstance(known.state, Warm | Cooling)
        return ReclaimFixed(claim=claim, pod=pod_of(claim), ip=known.ip) if free else None
    if ours and not _is_at_eni_of(facts, claim):
        # Of a CVM that had this node's name, or of an ENI that was taken away: that is looked at first.
        return WithdrawBinding(claim=claim)
    if wanted and pod is not None and claim.address is not None:
        misplaced = placement.misplaced(claim, facts.node, facts.zone)
        why = misplaced or placement.runs_with_another(claim, facts.ledger, pod)
        if why is not None:
            return WithdrawBinding(claim=claim) if ours else TellMisplaced(claim=claim, why=why)
        return _assign(facts, claim, pod, claim.address.ip, claim.address.subnet_id)
    return WithdrawBinding(claim=claim) if ours else None


def _assign(
    facts: AttachFacts, claim: VpcIpClaim, pod: model.PodRef, ip: str, subnet_id: str
) -> AssignFixed | MakeRoom | None:
    there = [eni for eni in facts.enis if eni.subnet_id == subnet_id]
    # One that may have been asked already goes first; a busy one is waited for if there is no other.
    asked = claim.binding.eni_id if claim.binding is not None else ""
    if any(eni.eni_id == asked and eni.broken for eni in there):
        return None  # it may have the address, and does not show it
    with_room = [eni for eni in there if not eni.broken and eni.addresses < facts.per_eni]
    best = min(
        with_room, key=lambda eni: (eni.eni_id != asked, eni.busy, -eni.addresses, eni.eni_id), default=None
    )
    if best is None:
        return MakeRoom(claim=claim, subnet_id=subnet_id)
    return AssignFixed(claim=claim, pod=pod, ip=ip, eni_id=best.eni_id)


def _is_at_eni_of(facts: AttachFacts, claim: VpcIpClaim) -> bool:
    """Whether the ENI that the claim's binding names is one of this node."""
    return claim.binding is not None and any(eni.eni_id == claim.binding.eni_id for eni in facts.enis)
