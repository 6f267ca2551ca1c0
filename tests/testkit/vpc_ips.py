"""VpcIPClaims as the core sees them."""

import dataclasses
from typing import Any

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.kubernetes.annotation_names import NETWORKS, VPC_IP_DELETE_POLICY
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import vpcipclaim
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, FixedAddress, VpcIpClaim
from tests.testkit.pods import pod_view

KEPT = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER)
EXCLUSIVE = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, exclusive=True)
"""The wish for an ENI of the Pod's own that is kept."""
ADDRESS = FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", zone="ap-test-1", reservation_id="rsvip-1")
OWN_ENI = FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", zone="ap-test-1", eni_id="eni-own")
"""The same address as the primary one of an ENI of the claim's own."""
BINDING = AddressBinding(node="node-a", eni_id="eni-1", pod_uid="u1")


def fixed_claim(request: VpcIpRequest = KEPT, **changes: Any) -> VpcIpClaim:
    """Return the claim that was made for Pod default/web-0 on node-a, changed so."""
    obj = vpcipclaim.new_object(pod_view(nodeName="node-a"), request)
    obj["metadata"] |= {"uid": "claim-1", "resourceVersion": "7"}
    return dataclasses.replace(vpcipclaim.read(obj), **changes)


def pod_with_fixed_ip(network: str, *, uid: str = "u1", **spec: Any) -> PodView:
    """Return Pod default/web-0 that asks for a kept address on this network."""
    return pod_view({NETWORKS: network, VPC_IP_DELETE_POLICY: "Never"}, uid=uid, **spec)
