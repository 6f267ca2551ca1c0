"""Whether an address that turned out to be somebody else's is replaced by another one. Pure.

Controller and agent go by the same word: what the one replaces the other does not ask the cloud for again.
"""

from ipamd.core.claim.eipclaim import condition
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, VpcIpClaim


def is_due(claim: VpcIpClaim) -> bool:
    """Whether another address is to be chosen: this one is in use, no Pod has had it, and nobody named it."""
    said = condition(claim.conditions, ASSIGNED)
    in_use = said.get("status") == "False" and said.get("reason") == VpcIpReason.ADDRESS_IN_USE.value
    return in_use and _may_be(claim)


def advice(claim: VpcIpClaim) -> str:
    """Return what a person does about the claim's address, which is in use by somebody else."""
    if _may_be(claim):
        return "another address is chosen for the Pod by itself"
    ip = claim.address.ip if claim.address else "the address"
    delete = f"kubectl delete vipc {claim.name} -n {claim.namespace}"
    free = f"take {ip} off its user (ENIs and addresses in the console)"
    if claim.request is not None and claim.request.nominated_ip:
        return f"{free}, or nominate another address and run {delete}"
    return f"{free}, or run {delete} and delete the Pod, which then gets another address"


def _may_be(claim: VpcIpClaim) -> bool:
    """Whether the claim may have another address: no Pod has had this one, and nobody named it."""
    if claim.address is None or claim.assigned_ip == claim.address.ip:
        return False
    return claim.request is None or not claim.request.nominated_ip
