"""A cluster and region with Nodes on CVMs that have ENIs, and agents that assign fixed addresses."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.kubernetes import nodes
from ipamd.core.kubernetes.node_labels import subnet_label
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.resources import NODES, VPCIPCLAIMS, VPCIPS
from tests.controller.replica import CLUSTER
from tests.controller.world import World

SUBNET = "subnet-demo0001"
VPC = "vpc-demo0001"
NEVER = {"vpc-ip-claim-delete-policy": "Never"}
EXCLUSIVE = {"vpc_ip_claim_delete_policy": "Never", "networks": "tke-direct-eni"}
"""The wish for an ENI of the Pod's own, as keyword arguments of `create_pod`."""


class FixedWorld:
    """What users do with fixed addresses, and what agents do about them; the rest is in `world`."""

    def __init__(self, world: World, cluster_id: str = CLUSTER) -> None:
        self.world = world
        self.cluster_id = cluster_id
        self.enis: dict[str, str] = {}
        self.instances: dict[str, str] = {}

    @property
    def cloud(self) -> Any:
        return self.world.replicas[-1].cloud

    def add_node(self, name: str, *, subnet_id: str = SUBNET) -> None:
        """A Node on a CVM, with a label of its subnet and one ENI there; after a controller is made."""
        instance = self.world.region.create_instance()
        self.instances[name] = instance.instance_id
        labels = {subnet_label(subnet_id): ""}
        self.world.client.create(
            NODES,
            {
                "metadata": {"name": name, "labels": labels, "annotations": {nodes.AGENT: "no-pod"}},
                "spec": {"providerID": f"qcloud:///100003/{instance.instance_id}"},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
        )
        request = model.EniRequest(
            instance_id=instance.instance_id,
            vpc_id=VPC,
            subnet_id=subnet_id,
            security_groups=(),
            secondary_ips=0,
        )
        made = self.cloud.create_and_attach_eni(request, f"eni-of-{self.cluster_id}-{name}", _deadline())
        self.enis[name] = made.eni_id

    def create_pod(self, name: str, node: str = "node-1", **annotations: str) -> dict[str, Any]:
        wish = {key.replace("_", "-"): value for key, value in annotations.items()} or NEVER
        return self.world.create_pod(name, wish, node=node)

    def schedule(self, name: str, node: str) -> None:
        self.world.schedule(name, node)

    # -- an agent

    def assign(self, name: str, node: str = "node-1") -> str:
        """What the agent of a node does for a Pod whose claim has an address; return the address."""
        claim = self.wait_address(name)
        assert claim.address
        ip, eni_id = claim.address.ip, self.enis[node]
        binding = AddressBinding(node=node, eni_id=eni_id, pod_uid=claim.pod_uid)
        self.write(name, lambda c: status.assigning(c, binding, time.time()))
        description = tags.address_description(claim.uid)
        self.cloud.assign_named_ip(eni_id, ip, description, f"{claim.uid}-{time.monotonic_ns()}", _deadline())
        self.write(name, lambda c: status.assigned(c, binding, time.time()))
        return ip

    def unassign(self, name: str) -> None:
        """What the agent does when the Pod is gone and the address is not held, or the Pod is elsewhere."""
        claim = self.claim(name)
        assert claim
        assert claim.address
        assert claim.binding
        self.cloud.unassign_ips(claim.binding.eni_id, [claim.address.ip], _deadline())
        self.write(
            name, lambda c: status.unassigned(c, VpcIpReason.UNASSIGNED, "the Pod is gone", time.time())
        )

    def attach(self, name: str, node: str = "node-1") -> str:
        """What the agent of a node does for a Pod whose claim has an ENI of its own; return the ENI."""
        claim = self.wait_address(name)
        assert claim.address
        eni_id = claim.address.eni_id
        binding = AddressBinding(node=node, eni_id=eni_id, pod_uid=claim.pod_uid)
        self.write(name, lambda c: status.assigning(c, binding, time.time()))
        self.cloud.attach_eni(eni_id, self.instances[node], _deadline())
        self.write(name, lambda c: status.assigned(c, binding, time.time()))
        return eni_id

    def detach(self, name: str, node: str = "node-1") -> None:
        """What the agent does when the Pod is gone and the ENI is not held, or the Pod is elsewhere."""
        claim = self.claim(name)
        assert claim
        assert claim.binding
        self.cloud.detach_eni(claim.binding.eni_id, self.instances[node], _deadline())
        self.write(
            name, lambda c: status.unassigned(c, VpcIpReason.UNASSIGNED, "the Pod is gone", time.time())
        )

    def try_assign(self, name: str, node: str = "node-1") -> CloudError:
        """What the agent does when the cloud does not assign the address; return what that said."""
        claim = self.wait_address(name)
        assert claim.address
        ip, eni_id = claim.address.ip, self.enis[node]
        with pytest.raises(CloudError) as refused:
            self.cloud.assign_named_ip(eni_id, ip, tags.address_description(claim.uid), "token", _deadline())
        self.write(name, lambda c: status.address_in_use(c, str(refused.value), time.time()))
        return refused.value

    def lose(self, ip: str, node: str = "node-2") -> None:
        """Somebody names the address in the console, for an ENI of another node."""
        self.cloud.assign_named_ip(self.enis[node], ip, "", f"console {ip}", _deadline())

    def find_in_use(self, name: str) -> None:
        """What the agent says when the cloud does not assign the address."""
        self.write(name, lambda c: status.address_in_use(c, "ResourceInUse", time.time()))

    def write(self, name: str, revise: Callable[[VpcIpClaim], dict[str, Any]]) -> None:
        while True:
            claim = self.claim(name)
            assert claim
            try:
                self.world.client.patch(VPCIPCLAIMS, name, revise(claim), "default", subresource="status")
            except errors.ConflictError:
                continue
            return

    # -- people

    def delete_claim(self, name: str) -> None:
        self.world.client.delete(VPCIPCLAIMS, name, "default")

    def annotate(self, resource: Any, name: str, namespace: str, **annotations: str) -> None:
        body = {
            "metadata": {"annotations": {f"tke.cloud.tencent.com/{k}": v for k, v in annotations.items()}}
        }
        self.world.client.patch(resource, name, body, namespace)

    def miss_since(self, name: str, seconds: float) -> None:
        """Let the claim's Pod have been gone for so long, as its date says and the controllers have seen."""
        self.world.elapsed += seconds
        gone = time.time() - seconds

        def missed(claim: VpcIpClaim) -> dict[str, Any]:
            assert claim.pod
            return status.serve(
                claim, type(claim.pod)(uid=claim.pod.uid, node=claim.pod.node, last_seen=gone)
            )

        self.write(name, missed)

    # -- what can be seen

    def claim(self, name: str) -> VpcIpClaim | None:
        try:
            return vpcipclaim.read(self.world.client.get(VPCIPCLAIMS, name, "default"))
        except errors.NotFoundError:
            return None

    def lines(self) -> dict[str, VpcIp]:
        return {obj["metadata"]["name"]: vpcip.read(obj) for obj in self.world.client.list(VPCIPS).items}

    def reservations(self) -> dict[str, model.Reservation]:
        found = self.cloud.describe_reservations(tags={tags.CLUSTER_ID: self.cluster_id})
        return {one.reservation_id: one for one in found}

    def own_enis(self) -> dict[str, model.Eni]:
        found = self.cloud.find_enis({tags.CLUSTER_ID: self.cluster_id})
        return {eni.eni_id: eni for eni in found if tags.VPC_IP_CLAIM_UID in eni.tags}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        claim = self.claim(name)
        return dict(vpcipclaim_condition(claim, kind)) if claim else {}

    def wait_address(self, name: str) -> VpcIpClaim:
        claim: VpcIpClaim = self.world.wait(lambda: (c := self.claim(name)) and c.address and c)
        return claim

    def wait_gone(self, name: str) -> None:
        self.world.wait(lambda: self.claim(name) is None)


def vpcipclaim_condition(claim: VpcIpClaim, kind: str) -> Any:
    return next((c for c in claim.conditions if c.get("type") == kind), {})


def _deadline() -> Deadline:
    return Deadline.after(20.0, time.monotonic)
