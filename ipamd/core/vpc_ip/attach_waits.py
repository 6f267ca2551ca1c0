"""What a Pod's fixed address waits for before it is at the Pod's node, and what stands in its way. Pure."""

from ipamd.core import model
from ipamd.core.annotations import networks
from ipamd.core.claim.eipclaim import condition
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address
from ipamd.core.vpc_ip import replacement
from ipamd.core.vpc_ip.reason import ADDRESS_FAILURES, VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, PROVISIONED, VpcIpClaim


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
    if claim.exclusive and not claim.address.eni_id:
        return "the controller to make the ENI of its VpcIPClaim"
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
        return claim.address.ip if known and known.fixed == claim.uid and keeps(known, pod) else ""
    return claim.address.ip if claim.pod_uid == pod.uid else ""


def other_network(claim: VpcIpClaim, *, exclusive: bool) -> str:
    """Return in words that claim and Pod are on two networks, if they are; `exclusive` is the Pod's.

    A claim does not change its network: the address is kept by an ENI of its own, or on shared ENIs.
    """
    if claim.exclusive == exclusive:
        return ""
    has, asks = (networks.DIRECT_ENI, networks.ROUTE_ENI)[:: 1 if claim.exclusive else -1]
    return (
        f"the Pod asks for {asks}, and its VpcIPClaim {claim} is of {has}: ask for {has} in the Pod's "
        "annotation, or delete the claim to have another address"
    )


def keeps(address: Address, pod: model.PodRef) -> bool:
    """Whether the address is the Pod's, also between two of its sandboxes, and the cloud lists it."""
    return address.pod == pod and not address.quarantined
