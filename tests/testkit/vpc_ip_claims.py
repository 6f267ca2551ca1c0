"""VpcIPClaims as tests of the rules need them, each with the parts that matter named."""

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, FixedAddress, VpcIpClaim

IP = "10.0.1.50"
SUBNET = "subnet-a"
UID = "claim-1"
ADDRESS = FixedAddress(ip=IP, subnet_id=SUBNET, zone="ap-guangzhou-3")
ON_A = AddressBinding(node="node-a", eni_id="eni-1", pod_uid="pod-1")
ON_B = AddressBinding(node="node-b", eni_id="eni-9", pod_uid="pod-1")
ASSIGNED_SAID = {"type": "Assigned", "status": "True", "reason": "Assigned"}


def vpc_ip_claim(**changes) -> VpcIpClaim:
    """A claim with an address, of a Pod on node-a, that no agent has begun to assign."""
    fields = {
        "namespace": "default",
        "name": "web-0",
        "uid": UID,
        "resource_version": "7",
        "held": True,
        "node": "node-a",
        "made_for": "pod-1",
        "request": VpcIpRequest(delete_policy=VpcIpPolicy.NEVER),
        "pod": ClaimPod(uid="pod-1", node="node-a"),
        "address": ADDRESS,
    }
    return VpcIpClaim(**{**fields, **changes})


def told_claim(**changes) -> VpcIpClaim:
    """The same, with what the agent writes once the address is at the node."""
    said = {"binding": ON_A, "assigned_ip": IP, "conditions": (ASSIGNED_SAID,)}
    return vpc_ip_claim(**{**said, **changes})
