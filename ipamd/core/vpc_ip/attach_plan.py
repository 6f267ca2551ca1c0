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
Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.claim.eipclaim import condition
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Cooling, Held, Occupied, Unassigning, Warm
from ipamd.core.pool import EniCapacity
from ipamd.core.timing.boottime import Boottime
from ipamd.core.vpc_ip import placement, replacement
from ipamd.core.vpc_ip.placement import WrongZoneError
from ipamd.core.vpc_ip.reason import ADDRESS_FAILURES, VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, PROVISIONED, AddressBinding, VpcIpClaim

REASSIGN_AFTER = 5.0
"""Seconds for which lists have to leave out a Pod's address before it is assigned again: they may lag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachFacts:
    """All that the decision depends on."""

    node: str
    zone: str = ""
    """Where the node is; empty while nobody knows."""
    ledger: Ledger
    claims: Mapping[str, VpcIpClaim]
    """The claims that carry this node's label, by namespace/name."""
    expected: AbstractSet[model.PodRef] = frozenset()
    """Pods of this node that may get a sandbox (again)."""
    enis: tuple[EniCapacity, ...] = ()
    per_eni: int = 0
    """Secondary addresses that an ENI may have."""
    now: Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignFixed:
    """Have the cloud assign the claim's address to the ENI, or find out that it is there."""

    claim: VpcIpClaim
    pod: model.PodRef
    ip: str
    eni_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeRoom:
    """Have room on an ENI of this subnet for the claim's address."""

    claim: VpcIpClaim
    subnet_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellMisplaced:
    """Tell claim and Pod that the address cannot be at this node; no cloud call."""

    claim: VpcIpClaim
    why: WrongZoneError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReclaimFixed:
    """Hold an address that is on the node, and that nobody has, for the claim's Pod; no cloud call."""

    claim: VpcIpClaim
    pod: model.PodRef
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishAssigned:
    """Write into the claim what is already so in the cloud; no cloud call."""

    claim: VpcIpClaim
    pod: model.PodRef
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Give up an address that is held."""

    address: Address
    why: str
    certain: bool
    """Whether it is known that nobody wants it here; otherwise the claim is looked at live first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnassignFixed:
    """Take an address that was let go off its ENI."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawBinding:
    """Take this node's binding out of the claim: its address is at none of our ENIs."""

    claim: VpcIpClaim


Action = (
    AssignFixed
    | MakeRoom
    | TellMisplaced
    | ReclaimFixed
    | PublishAssigned
    | LetGo
    | UnassignFixed
    | WithdrawBinding
)


def decide(facts: AttachFacts) -> list[Action]:
    """Return what is to be done; each action stands for itself, and there is one for a claim at most."""
    actions: dict[str, Action] = {}
    for address in facts.ledger.fixed:
        action = _for_address(facts, address)
        if action is not None:
            actions[address.fixed] = action
    here = {address.fixed for address in facts.ledger.fixed}
    for claim in facts.claims.values():
        if claim.uid not in here and (action := _for_claim(facts, claim)) is not None:
            actions[claim.uid] = action
    return list(actions.values())


def demand(actions: Iterable[Action], ledger: Ledger) -> Counter[str]:
    """Return for how many addresses that are to come there has to be room, by subnet."""
    return Counter(
        action.claim.address.subnet_id
        for action in actions
        if isinstance(action, AssignFixed | MakeRoom)
        and action.claim.address is not None
        and action.claim.address.ip not in ledger.addresses
    )


def claim_uid_of(action: Action) -> str:
    """Return which claim an action is about, by its UID."""
    return action.address.fixed if isinstance(action, LetGo | UnassignFixed) else action.claim.uid


def needs_no_claim(action: Action) -> bool:
    """Whether an action is right whatever the claims say."""
    return isinstance(action, UnassignFixed)


def waited_for(claim: VpcIpClaim | None, pod: model.PodRef, node: str) -> str:
    """Say in words what the Pod's address waits for before it can be assigned here; empty for nothing.

    For errors and Events: "its fixed address waits for ...".
    """
    if claim is None:
        return "the controller to create its VpcIPClaim or to bring it to this node"
    if claim.deleting:
        return "the controller to give back the address of the VpcIPClaim that is being deleted"
    if claim.address is None:
        said = condition(claim.conditions, PROVISIONED)
        why = f": {said.get('reason')}: {said.get('message')}" if said else ""
        return f"the controller to choose an address for its VpcIPClaim{why}"
    if claim.pod_uid != pod.uid:
        return f"the controller to give its VpcIPClaim, which serves Pod UID {claim.pod_uid}, to this Pod"
    if claim.node not in ("", label_value(node)):
        return f"the controller to move its VpcIPClaim from node {claim.node}"
    if claim.binding is not None and claim.binding.node != node:
        return f"the agent of node {claim.binding.node} to give back {claim.address.ip}"
    if replacement.is_due(claim):
        return f"the controller to choose another address than {claim.address.ip}, which somebody else has"
    return ""


def refusal(claim: VpcIpClaim | None) -> str:
    """Return why the claim gets no address, or no node can have it, until a person acts; empty if one can."""
    if claim is None or replacement.is_due(claim):
        return ""
    said = condition(claim.conditions, PROVISIONED if claim.address is None else ASSIGNED)
    # WrongSubnet was said of one node, and the Pod may be on another one now: `placement` tells.
    hopeless = said.get("reason") in {r.value for r in ADDRESS_FAILURES - {VpcIpReason.WRONG_SUBNET}}
    return (
        f"{said.get('reason')}: {said.get('message')}" if said.get("status") == "False" and hopeless else ""
    )


def elsewhere(claim: VpcIpClaim, node: str) -> str:
    """Return the other node where the claim wants its address; empty for this one or any.

    The label follows only when the address has left the node that had it, so that its agent sees the claim.
    """
    if claim.pod and claim.pod.node:
        return claim.pod.node if claim.pod.node != node else ""
    return claim.node if claim.node != label_value(node) else ""


def fixed_ip(claim: VpcIpClaim | None, pod: model.PodRef, ledger: Ledger) -> str:
    """Return the address that the Pod may have by its claim; empty while there is none.

    A Pod that has the address of a claim which is being deleted keeps it, also for its next sandbox.
    """
    if claim is None or claim.address is None:
        return ""
    known = ledger.addresses.get(claim.address.ip)
    if claim.deleting:
        return claim.address.ip if known and known.fixed == claim.uid and _keeps(known, pod) else ""
    return claim.address.ip if claim.pod_uid == pod.uid else ""


def wanted_binding(address: Address, pod: model.PodRef, node: str) -> AddressBinding:
    """Return the `status.binding` that tells of this address."""
    return AddressBinding(node=node, eni_id=address.eni_id, pod_uid=pod.uid)


def is_here(ledger: Ledger, claim: VpcIpClaim) -> bool:
    """Whether this node has, or may have, an address of the claim, whatever the claim says."""
    return any(address.fixed == claim.uid for address in ledger.fixed)


def _for_address(facts: AttachFacts, address: Address) -> Action | None:
    match address.state:
        case Unassigning():
            return UnassignFixed(address=address)
        case Held():
            return _for_held(facts, address, address.state)
        case Assigned(pod=pod):
            claim = _claim_at(facts, address)
            return _upkeep(facts, address, claim, pod) if claim is not None else None
        case Cooling():
            claim = _claim_at(facts, address)
            pod_here = _pod_here(facts, claim) if claim is not None else None
            if claim is None or pod_here is None or waited_for(claim, pod_here, facts.node):
                return None
            return ReclaimFixed(claim=claim, pod=pod_here, ip=address.ip)
        case _:
            return None


def _for_held(facts: AttachFacts, address: Address, state: Held) -> Action | None:
    claim = facts.claims.get(str(state.pod))
    if claim is None:
        # Deleted, or moved to another node; or the watch is behind.
        return LetGo(address=address, why="its VpcIPClaim is not this node's", certain=False)
    if claim.uid != address.fixed or (claim.address is not None and claim.address.ip != address.ip):
        return LetGo(address=address, why="it belongs to no VpcIPClaim of this node", certain=False)
    if target := elsewhere(claim, facts.node):
        # Not certain: the first list after a restart may be older than what this node has done since.
        return LetGo(address=address, why=f"its VpcIPClaim is for node {target}", certain=False)
    if claim.deleting:
        # Deleted by hand under a Pod: that keeps it until it goes.
        why = "its VpcIPClaim is being deleted"
        kept = state.pod in facts.expected and _keeps(address, state.pod)
        return None if kept else LetGo(address=address, why=why, certain=True)
    pod = _pod_here(facts, claim)
    if pod is not None:
        return _upkeep(facts, address, claim, pod)
    return None if facts.now < state.until else LetGo(address=address, why="its hold is over", certain=True)


def _upkeep(
    facts: AttachFacts, address: Address, claim: VpcIpClaim, pod: model.PodRef
) -> AssignFixed | PublishAssigned | None:
    """Return what a claim needs that has its address here: the cloud's word again, or its own."""
    if waited_for(claim, pod, facts.node) or claim.address is None:
        return None
    if address.missing_since is not None:
        is_new = isinstance(address.state, Held)
        due = is_new or facts.now - address.missing_since >= REASSIGN_AFTER
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
    pod = _pod_here(facts, claim)
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
    if wanted and pod is not None and claim.address is not None and not _has_another(facts.ledger, pod):
        why = placement.misplaced(claim, facts.node, facts.zone)
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


def _claim_at(facts: AttachFacts, address: Address) -> VpcIpClaim | None:
    """Return the claim of this node that the address belongs to."""
    return next(
        (
            claim
            for claim in facts.claims.values()
            if claim.uid == address.fixed and claim.address is not None and claim.address.ip == address.ip
        ),
        None,
    )


def _pod_here(facts: AttachFacts, claim: VpcIpClaim) -> model.PodRef | None:
    """Return the Pod that the claim serves, if it may get a sandbox on this node."""
    pod = pod_of(claim)
    return pod if pod in facts.expected else None


def pod_of(claim: VpcIpClaim) -> model.PodRef:
    """Return the Pod that the claim serves."""
    return model.PodRef(namespace=claim.namespace, name=claim.name, uid=claim.pod_uid)


def _is_at_eni_of(facts: AttachFacts, claim: VpcIpClaim) -> bool:
    """Whether the ENI that the claim's binding names is one of this node."""
    return claim.binding is not None and any(eni.eni_id == claim.binding.eni_id for eni in facts.enis)


def _keeps(address: Address, pod: model.PodRef) -> bool:
    """Whether the address is the Pod's, also between two of its sandboxes, and the cloud lists it."""
    return address.pod == pod and not address.quarantined


def _has_another(ledger: Ledger, pod: model.PodRef) -> bool:
    """Whether the Pod runs with an address that is not fixed: it keeps what it has."""
    return any(a.pod == pod and isinstance(a.state, Assigned | Occupied) for a in ledger.of_name(pod))
