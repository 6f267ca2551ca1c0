"""EIPs as the cloud lists them, with the tags that the controller gives to those that it orders."""

from ipamd.core import tags
from ipamd.core.model import Eip, EipStatus


def listed_eip(
    eip_id="eip-1", status=EipStatus.UNBIND, *, claim="", cluster="cls-1", public_ip="198.18.0.1", **fields
):
    """Return the EIP of the claim with this UID; without one it is somebody's, and has no tags of ours."""
    ours = {"tags": tags.of_claim(cluster, claim)} if claim else {}
    return Eip(**{"eip_id": eip_id, "public_ip": public_ip, "status": status, **ours, **fields})
