"""Whether a fixed address can be at a node: it is one of its subnet, and a subnet is in one zone. Pure."""

from ipamd.core.errors import IpamError
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
