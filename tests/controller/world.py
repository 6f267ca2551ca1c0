"""A simulated cluster and region with controllers in this process; and users, kubelets and agents."""

import itertools
import time
from collections.abc import Callable
from typing import Any

import urllib3

from ipamd.core.claim import eipclaim
from ipamd.core.claim import status as claim_status
from ipamd.core.claim.eipclaim import Claim, ClaimBinding
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.kubernetes import nodes
from ipamd.core.model import EipOrder
from ipamd.core.timing import timestamps
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import EIPCLAIMS, EVENTS, NODES, PODS, Resource
from simulator.cloud import CloudRegion
from simulator.kube import KubeServer
from tests.controller.replica import Replica

PREFIX = "tke.cloud.tencent.com/"


class World:
    """The outside of the controller."""

    def __init__(self, kube: KubeServer, region: CloudRegion, cloud_url: str):
        self.kube = kube
        self.region = region
        self.cloud_url = cloud_url
        self.client = KubeClient(
            Connection(server=kube.url), component="test", gate=RequestGate(rate=1e4, burst=1000)
        )
        self.replicas: list[Replica] = []
        self.elapsed = 0.0
        self._numbers = itertools.count(1)
        self.add_node("node-a")

    def close(self) -> None:
        self.kube.heal()
        self.region.faults.clear()
        for replica in self.replicas:
            replica.stop()
        self.client.close()

    def steady(self) -> float:
        """The steady clock of the controllers."""
        return time.monotonic() + self.elapsed

    def new_controller(self, **options: Any) -> Replica:
        options = {"steady": self.steady, **options}
        replica = Replica(self, f"ctl-{next(self._numbers)}", **options)
        self.replicas.append(replica)
        return replica

    def start_controller(self, **options: Any) -> Replica:
        replica = self.new_controller(**options)
        replica.start()
        return replica

    def stop_controller(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        replica.stop()

    # -- users, scheduler, kubelet

    def add_node(
        self,
        name: str,
        *,
        ready: bool | None = True,
        instance_id: str = "",
        since: float | None = None,
        agent: str = "no-pod",
        instance_type: str = "S5.MEDIUM4",
    ) -> None:
        """A Node; `since` says for how many seconds it is as it is, `agent` in which Pod its agent runs.

        With `ready` None nobody has said yet whether it is.
        """
        changed = {"lastTransitionTime": timestamps.to_text(time.time() - since)} if since else {}
        condition = {"type": "Ready", "status": "True" if ready else "Unknown", **changed}
        self.client.create(
            NODES,
            {
                "metadata": {
                    "name": name,
                    "labels": {"node.kubernetes.io/instance-type": instance_type},
                    "annotations": {nodes.AGENT: agent} if agent else {},
                },
                "spec": {"providerID": f"qcloud:///100003/{instance_id}"} if instance_id else {},
                "status": {"conditions": [] if ready is None else [condition]},
            },
        )

    def create_pod(
        self,
        name: str,
        annotations: dict[str, str] | None = None,
        *,
        node: str = "node-a",
        resource: bool = False,
        never: bool = False,
        host_network: bool = False,
        owner: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        if annotations is None and not resource:
            annotations = {"eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'}
        policy = {"eip-claim-delete-policy": "Never"} if never else {}
        amounts = {f"{PREFIX}eip": "1"} if resource else {}
        return self.client.create(
            PODS,
            {
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    **({"ownerReferences": [reference_to(owner)]} if owner else {}),
                    "annotations": {PREFIX + k: v for k, v in {**(annotations or {}), **policy}.items()},
                },
                "spec": {
                    "nodeName": node,
                    "hostNetwork": host_network,
                    "containers": [
                        {"name": "m", "image": "x", "resources": {"requests": amounts, "limits": amounts}}
                    ],
                },
            },
        )

    def create_workload(
        self, resource: Resource, name: str, *, owner: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """A workload whose controller is the test."""
        labels = {"app": name}
        container = {"name": "m", "image": "x"}
        references = {"ownerReferences": [reference_to(owner)]} if owner else {}
        spec: dict[str, Any] = {
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        }
        if resource.group == "apps":
            spec |= {"selector": {"matchLabels": labels}, "serviceName": ""}
        else:
            spec["template"]["spec"]["restartPolicy"] = "Never"
        return self.client.create(
            resource,
            {"metadata": {"name": name, "namespace": "default", **references}, "spec": spec},
        )

    def delete_workload(self, resource: Resource, name: str, *, cascade: str = "Background") -> None:
        """What `kubectl delete --cascade=...` does."""
        path = f"{resource.path('default', name)}?propagationPolicy={cascade}"
        response = urllib3.request("DELETE", self.kube.url + path, retries=False)
        assert response.status == 200, response.data

    def miss_since(self, name: str, seconds: float) -> None:
        """Let the claim's Pod have been gone for so long, as its date says and the controllers have seen."""
        self.elapsed += seconds
        seen = timestamps.to_text(time.time() - seconds)
        self._write(
            name,
            lambda claim: {
                "metadata": {"resourceVersion": claim.resource_version},
                "status": {"pod": {"lastSeen": seen}},
            },
        )

    def schedule(self, name: str, node: str) -> None:
        """What the scheduler does."""
        binding = {"metadata": {"name": name}, "target": {"apiVersion": "v1", "kind": "Node", "name": node}}
        path = PODS.path("default", name, "binding")
        response = urllib3.request("POST", self.kube.url + path, json=binding, retries=False)
        assert response.status == 201, response.data

    def remove_pod(self, name: str) -> None:
        """What the kubelet does last: the Pod is gone from the API."""
        path = PODS.path("default", name) + "?gracePeriodSeconds=0"
        response = urllib3.request("DELETE", self.kube.url + path, retries=False)
        assert response.status == 200, response.data

    def end_pod(self, name: str, phase: str) -> None:
        self.client.patch(PODS, name, {"status": {"phase": phase}}, "default", subresource="status")

    def delete_claim(self, name: str) -> None:
        self.client.delete(EIPCLAIMS, name, "default")

    def users_eip(self, **tags: str) -> str:
        """An EIP that a person allocated in the console."""
        cloud = self.replicas[-1].cloud
        token = f"by-hand-{next(self._numbers)}"
        eip_id = cloud.allocate_eip(EipOrder(bandwidth_mbps=1), {"team": "a", **tags}, token).eip_id
        self.wait_eip(eip_id, "UNBIND")
        return eip_id

    # -- an agent

    def bind(self, name: str, *, eni_id: str, ip: str, node: str = "node-a") -> None:
        """What the agent of a node does for a Pod whose claim is provisioned."""
        claim = self.claim(name)
        assert claim
        assert claim.address
        cloud = self.replicas[-1].cloud
        cloud.associate_eip(claim.address.eip_id, eni_id, ip)
        self.wait_eip(claim.address.eip_id, "BIND")
        binding = ClaimBinding(node=node, eni_id=eni_id, private_ip=ip, pod_uid=claim.pod_uid)
        self._write(name, lambda c: claim_status.bound(c, binding, time.time()))

    def refuse_bind(self, name: str, reason: Reason) -> None:
        """What the agent writes when the cloud does not bind the EIP."""

        def refused(claim: Claim) -> dict[str, Any]:
            patch = claim_status.bind_failed(claim, reason, "refused", time.time())
            assert patch
            return patch

        self._write(name, refused)

    def unbind(self, name: str) -> None:
        """What the agent does when the claim is deleted or leaves its node."""
        claim = self.claim(name)
        assert claim
        assert claim.address
        cloud = self.replicas[-1].cloud
        cloud.disassociate_eip(claim.address.eip_id)
        self.wait_eip(claim.address.eip_id, "UNBIND")
        self.tell_unbound(name)

    def tell_unbound(self, name: str) -> None:
        """What the agent writes when it has seen the EIP unbound."""
        self._write(name, lambda c: claim_status.unbound(c, Reason.UNBOUND, "Pod is gone", time.time()))

    def leave_bound(self, name: str) -> None:
        """What the agent does when the ENI of the Pod's own has left its node with the EIP."""
        self._write(name, lambda c: claim_status.unbound(c, Reason.UNBOUND, "it left", time.time()))

    def skip_attempt_window(self, name: str) -> None:
        """Let the order look as if it had been begun long ago."""
        allocation = {"startedAt": timestamps.to_text(time.time() - ATTEMPT_WINDOW - SETTLE)}
        self._write(
            name,
            lambda claim: {
                "metadata": {"resourceVersion": claim.resource_version},
                "status": {"allocation": allocation},
            },
        )

    def age_claim(self, name: str) -> None:
        """Let the claim look as if it had its EIP for an hour."""
        hour_ago = timestamps.to_text(time.time() - 3600)

        def aged(claim: Claim) -> dict[str, Any]:
            conditions = [{**c, "lastTransitionTime": hour_ago} for c in claim.conditions]
            return {
                "metadata": {"resourceVersion": claim.resource_version},
                "status": {"allocation": {"startedAt": hour_ago}, "conditions": conditions},
            }

        self._write(name, aged)

    def write_address(self, name: str, eip_id: str) -> None:
        """What an earlier leader has written."""
        self._write(
            name,
            lambda claim: {
                "metadata": {"resourceVersion": claim.resource_version},
                "status": {"address": {"id": eip_id, "ip": "198.18.9.9", "owned": False}},
            },
        )

    def _write(self, name: str, revise: Callable[[Claim], dict[str, Any]]) -> None:
        while True:
            claim = self.claim(name)
            assert claim
            try:
                self.client.patch(EIPCLAIMS, name, revise(claim), "default", subresource="status")
            except errors.ConflictError:
                continue
            return

    # -- what can be seen

    def claim_object(self, name: str) -> dict[str, Any]:
        try:
            return self.client.get(EIPCLAIMS, name, "default")
        except errors.NotFoundError:
            return {}

    def claim(self, name: str) -> Claim | None:
        obj = self.claim_object(name)
        return eipclaim.read(obj) if obj else None

    def condition(self, name: str) -> dict[str, Any]:
        claim = self.claim(name)
        return dict(eipclaim.condition(claim.conditions, "Provisioned")) if claim else {}

    def eips(self) -> dict[str, dict[str, Any]]:
        return dict(self.region.snapshot()["addresses"])

    def orders(self) -> int:
        """How many EIPs were ever created."""
        return sum(
            1
            for entry in self.region.audit.writes()
            if entry.action == "AllocateAddresses" and not entry.code and not entry.replayed
        )

    def events(self, reason: str) -> list[dict[str, Any]]:
        return [event for event in self.client.list(EVENTS).items if event["reason"] == reason]

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Return what the condition is when it holds; a machine with other work has a minute."""
        end = time.monotonic() + 60.0
        while not (value := condition()):
            assert time.monotonic() < end, f"not in time; claims: {self.client.list(EIPCLAIMS).items}"
            time.sleep(0.02)
        return value

    def wait_provisioned(self, name: str) -> Claim:
        claim: Claim = self.wait(lambda: (claim := self.claim(name)) and claim.address and claim)
        return claim

    def wait_gone(self, name: str) -> None:
        self.wait(lambda: not self.claim_object(name))

    def wait_eip(self, eip_id: str, status: str) -> None:
        self.wait(lambda: self.eips()[eip_id]["status"].value == status)


def reference_to(owner: dict[str, Any]) -> dict[str, Any]:
    """The reference of what an object controls."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
