"""Whether an address that turned out to be somebody else's is replaced by another one. Pure.

Controller and agent go by the same word: what the one replaces the other does not ask the cloud for again.
"""

from ipamd.core.claim.eipclaim import condition
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, VpcIpClaim


def is_due(claim: VpcIpClaim) -> bool:
    """Whether another address is to be chosen: this one is in use, no Pod has had it, and nobody named it."""
    if claim.address is None or claim.assigned_ip == claim.address.ip:
        return False
    if claim.request is not None and claim.request.nominated_ip:
        return False
    said = condition(claim.conditions, ASSIGNED)
    return said.get("status") == "False" and said.get("reason") == VpcIpReason.ADDRESS_IN_USE.value
