"""Which EIP belongs to which address of this node, and what is to be done so that it is there.

Level-triggered: `decide` compares the ledger with the claims and returns what is missing, whatever the
history was; it is called again after every change, after every failure and now and then. A Pod that comes
back to its held address therefore needs no action at all. The rules:
- an EIP is associated only for a claim that has one, is not being deleted and serves the Pod's very UID;
- an EIP is at one place at a time: it leaves its old address before it goes to a new one;
- an EIP is not taken from a running Pod on doubt: such a step is marked, and looked into before it is made;
- one that is kept stays at an ENI that moves with its Pod (ADR 48), wherever its claim is just now.
Pure.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.claim.eipclaim import BOUND, PROVISIONED, Claim, ClaimBinding, condition
from ipamd.core.claim.reason import FAILURES
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Held, Occupied, Unbinding


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingFacts:
    """All that the decision depends on."""

    node: str
    ledger: Ledger
    claims: Mapping[str, Claim]
    """The claims that carry this node's label, by namespace/name."""
    expected: AbstractSet[model.PodRef] = frozenset()
    """Pods of this node that may get a sandbox (again)."""
    without_eip: AbstractSet[model.PodRef] = frozenset()
    """Pods that run here and ask for no EIP, of those whose ENI may have come with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Associate:
    """Bind the claim's EIP to the address, or find out whether it already is."""

    address: Address
    claim: Claim
    pod: model.PodRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Disassociate:
    """Unbind the EIP that is recorded at the address."""

    address: Address
    why: str
    certain: bool
    """Whether it is known that nobody wants it there; otherwise claim and EIP are looked at live first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleBinding:
    """Find out whether an EIP has come to an ENI that leaves, and goes with it if so; nothing is unbound."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishBinding:
    """Write into the claim what is already so in the cloud; no cloud call."""

    address: Address
    claim: Claim
    pod: model.PodRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearPublishedBinding:
    """Take this node's binding out of the claim: none of our addresses has its EIP."""

    claim: Claim


Action = Associate | Disassociate | SettleBinding | PublishBinding | ClearPublishedBinding


def decide(facts: BindingFacts) -> list[Action]:
    """Return what is to be done; the order is of no meaning, and each action stands for itself."""
    actions: list[Action] = []
    for address in facts.ledger.addresses.values():
        action = _for_recorded(facts, address) if address.eip else _for_bare(facts, address)
        if action is not None:
            actions.append(action)
    wanted = {str(action.claim) for action in actions if isinstance(action, Associate)}
    for claim in facts.claims.values():
        ours = claim.binding is not None and claim.binding.node == facts.node
        if ours and str(claim) not in wanted and not is_here(facts.ledger, claim):
            actions.append(ClearPublishedBinding(claim=claim))
    return actions


def about(action: Action) -> dict[str, str]:
    """Return what the log says that an action is about, by the log's names; empty what there is not."""
    if not isinstance(action, Disassociate | SettleBinding):
        claim = action.claim
        return {"claim": str(claim), "eip": claim.address.eip_id if claim.address else ""}
    eip, pod = action.address.eip, action.address.pod
    return {
        "eni": action.address.eni_id,
        "namespace": pod.namespace if pod else "",
        "pod": pod.name if pod else "",
        "eip": eip.eip_id if eip else "",
        "claim": eip.claim if eip else "",
    }


def waited_for(claim: Claim | None, pod: model.PodRef, node: str) -> str:
    """Say in words what the Pod's EIP waits for before it can be bound; empty when it waits for nothing.

    For errors and Events: "the Pod's EIP waits for ...".
    """
    if claim is None:
        return "the controller to create its EIPClaim or to bring it to this node"
    if claim.deleting:
        return "the controller to release the EIP of the EIPClaim that is being deleted"
    if claim.address is None:
        provisioned = condition(claim.conditions, PROVISIONED)
        said = f": {provisioned.get('reason')}: {provisioned.get('message')}" if provisioned else ""
        return f"the controller to provision its EIPClaim{said}"
    if claim.pod_uid != pod.uid:
        return f"the controller to give its EIPClaim, which serves Pod UID {claim.pod_uid}, to this Pod"
    if claim.node not in ("", label_value(node)):
        return f"the controller to move its EIPClaim from node {claim.node}"
    if claim.binding is not None and claim.binding.node != node:
        return f"the agent of node {claim.binding.node} to unbind {claim.address.eip_id}"
    return ""


def refusal(claim: Claim | None) -> str:
    """Return why the claim cannot be provisioned until a person acts; empty when it can."""
    if claim is None or claim.address is not None:
        return ""
    provisioned = condition(claim.conditions, PROVISIONED)
    hopeless = provisioned.get("reason") in {reason.value for reason in FAILURES}
    if provisioned.get("status") != "False" or not hopeless:
        return ""
    return f"{provisioned.get('reason')}: {provisioned.get('message')}"


def is_ready(address: Address, claim: Claim | None, pod: model.PodRef) -> bool:
    """Whether the Pod's EIP is bound to its address and the claim is the Pod's: what ADD waits for."""
    return (
        claim is not None
        and claim.address is not None
        and address.eip is not None
        and (address.eip.eip_id, address.eip.stage) == (claim.address.eip_id, BindStage.BOUND)
        and not claim.deleting
        and claim.pod_uid == pod.uid
    )


def wanted_binding(address: Address, pod: model.PodRef, node: str) -> ClaimBinding:
    """Return the `status.binding` that tells of this address."""
    sandbox = address.state.key.container_id if isinstance(address.state, Assigned | Held) else ""
    return ClaimBinding(
        node=node, eni_id=address.eni_id, private_ip=address.ip, pod_uid=pod.uid, sandbox=sandbox
    )


def wanted_elsewhere(claim: Claim, node: str) -> str:
    """Return the other node where the claim wants its EIP, that of the Pod it serves; empty for this or any.

    The label follows only when the EIP has left the node that had it, so that its agent sees the claim.
    """
    if claim.pod and claim.pod.node:
        return claim.pod.node if claim.pod.node != node else ""
    return claim.node if claim.node != label_value(node) else ""


def is_here(ledger: Ledger, claim: Claim) -> bool:
    """Whether an address of this node has, or may have, the EIP of the claim, whatever the claim says."""
    known = any(a.eip is not None and a.eip.claim == str(claim) for a in ledger.addresses.values())
    return known or _recorded(ledger, claim) is not None


def _for_recorded(facts: BindingFacts, address: Address) -> Action | None:
    """Decide for an address at which an EIP is recorded."""
    if address.eip is None or address.eip.stage is BindStage.UNBINDING:
        return Disassociate(address=address, why="it was being unbound", certain=True)
    if isinstance(address.state, Unbinding):
        return _for_leaving(address, address.eip)
    pod = address.pod
    if pod is None:
        return None
    claim = facts.claims.get(str(pod))
    unwanted = _unwanted(facts, address, pod, claim)
    if unwanted is not None:
        return unwanted
    if claim is None or claim.address is None or claim.pod_uid != pod.uid:
        return None
    if address.eip.stage is BindStage.BINDING:
        ready = not waited_for(claim, pod, facts.node)
        return Associate(address=address, claim=claim, pod=pod) if ready else None
    if isinstance(address.state, Held) and not _came_along(address):
        # Told when the next sandbox has come: a hold is nobody's business but this node's.
        return None
    told = claim.binding == wanted_binding(address, pod, facts.node)
    if told and condition(claim.conditions, BOUND).get("status") == "True":
        return None
    return PublishBinding(address=address, claim=claim, pod=pod)


def _for_leaving(address: Address, eip: Binding) -> Action | None:
    """Decide for an EIP at an address that is nobody's any more."""
    if address.keeps_eip:
        return None  # it leaves with its ENI
    if address.may_keep_eip:
        return SettleBinding(address=address)
    # An EIP that nobody here has bound may be an operator's: it is looked at before it is touched.
    return Disassociate(address=address, why="its Pod is gone", certain=bool(eip.claim))


def _unwanted(
    facts: BindingFacts, address: Address, pod: model.PodRef, claim: Claim | None
) -> Disassociate | None:
    """Return the unbind if the Pod's claim does not want this EIP here."""
    recorded = address.eip.eip_id if address.eip else ""
    # One that was found there, and not bound by this agent, may be an operator's.
    ours = address.eip is not None and bool(address.eip.claim)
    if claim is None:
        # Deleted, or moved to another node; or the cache is behind.
        return Disassociate(address=address, why="its EIPClaim is not this node's", certain=False)
    if claim.deleting:
        return Disassociate(address=address, why="its EIPClaim is being deleted", certain=ours)
    elsewhere = wanted_elsewhere(claim, facts.node)
    if elsewhere and not (address.moves_as_eni and claim.retained):
        why = f"its EIPClaim is for node {elsewhere}"
        # Not certain: the first list after a restart may be older than what this node has bound since.
        return Disassociate(address=address, why=why, certain=False)
    if claim.address is not None and claim.address.eip_id != recorded:
        why = f"its EIPClaim has {claim.address.eip_id}"
        return Disassociate(address=address, why=why, certain=False)
    if claim.pod_uid != pod.uid and address.moves_as_eni and pod in facts.without_eip:
        return Disassociate(address=address, why="its Pod asks for no EIP", certain=False)
    if claim.pod_uid not in ("", pod.uid) and not claim.retained:
        return Disassociate(address=address, why="its EIPClaim serves another Pod", certain=ours)
    return None


def _came_along(address: Address) -> bool:
    """Whether the EIP was found at an ENI that has just come, and is in no claim yet as being here."""
    return address.moves_as_eni and address.eip is not None and not address.eip.claim


def _for_bare(facts: BindingFacts, address: Address) -> Action | None:
    """Decide for an address without EIP."""
    pod = address.pod
    due = isinstance(address.state, Assigned | Occupied) or (
        isinstance(address.state, Held) and pod in facts.expected
    )
    if pod is None or not due or address.quarantined:
        return None
    claim = facts.claims.get(str(pod))
    if claim is None or waited_for(claim, pod, facts.node) or _recorded(facts.ledger, claim) is not None:
        return None
    return Associate(address=address, claim=claim, pod=pod)


def _recorded(ledger: Ledger, claim: Claim) -> Address | None:
    return ledger.with_eip(claim.address.eip_id) if claim.address is not None else None
