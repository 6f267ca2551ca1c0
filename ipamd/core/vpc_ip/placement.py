"""Whether a fixed address can be at a node: it is one of its subnet, and a subnet is in one zone. Pure."""

from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.vpc_ip.attach_facts import other_address
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


class WrongZoneError(IpamError):
    """The address can never be at the node: an ENI is in the zone of its CVM, and so are its addresses."""


def misplaced(claim: VpcIpClaim, node: str, zone: str) -> WrongZoneError | None:
    """Return why the claim's address cannot be at this node in this zone; None if it can, or nobody knows."""
    address = claim.address
    if address is None or not address.zone or not zone or address.zone == zone:
        return None
    return WrongZoneError(
        f"its fixed address {address.ip} is in {address.subnet_id} in zone {address.zone}, and node {node} "
        f"is in zone {zone}",
        advice=f"delete the Pod, so that it is scheduled to a node in {address.zone} (tke-eni's webhook sees "
        f"to that), or delete its VpcIPClaim {claim} to have another address",
    )


def runs_with_another(claim: VpcIpClaim, ledger: Ledger, pod: model.PodRef) -> IpamError | None:
    """Return why the claim's address does not come for a Pod that runs with another one; None if it may.

    So it is after the claim of what the Pod has was removed by force, its finalizer with it.
    """
    other = other_address(ledger, pod)
    if not other or claim.address is None:
        return None
    return IpamError(
        f"Pod {pod} runs with {other}, which it keeps: {claim.address.ip} of VpcIPClaim {claim} comes with "
        "its next sandbox",
        advice="delete the Pod to have it so now",
    )
