"""The objects of a large cluster, as the API server and the cloud have them. Pure.

Claims are written by the product's own functions, so they are what controller and agents would have left.
Pods are as long as real ones: most of what an API server sends of a Pod concerns nobody here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ipamd.core import tags
from ipamd.core.annotations import eip as annotations_eip
from ipamd.core.claim import eipclaim, status
from ipamd.core.claim.eipclaim import Claim, ClaimAddress, ClaimBinding, ClaimPod
from ipamd.core.claim.reason import Reason
from ipamd.core.eip import egress
from ipamd.core.kubernetes import nodes, pods
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import RouteTable

NAMESPACE = "default"
CLUSTER_ID = "cls-scale"
_PREFIX = "tke.cloud.tencent.com/"
_SINCE = "2026-11-29T00:00:00Z"
_PROBE = {
    "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
    "timeoutSeconds": 1,
    "periodSeconds": 10,
}
_FIELDS = {
    "f:metadata": {
        "f:annotations": {},
        "f:labels": {f"f:label-{n}": {} for n in range(8)},
        "f:ownerReferences": {},
    },
    "f:spec": {
        f"f:{name}": {}
        for name in (
            "containers",
            "dnsPolicy",
            "enableServiceLinks",
            "restartPolicy",
            "schedulerName",
            "volumes",
        )
    },
    "f:status": {
        f"f:conditions-{n}": {"f:lastProbeTime": {}, "f:status": {}, "f:type": {}} for n in range(12)
    },
}
_CONTAINER = {
    "image": "registry.example.com/team/service@sha256:" + "0123456789abcdef" * 4,
    "imagePullPolicy": "IfNotPresent",
    "env": [{"name": f"SETTING_{n}", "value": f"value-of-setting-{n}"} for n in range(24)],
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "terminationMessagePath": "/dev/termination-log",
    "volumeMounts": [
        {"name": f"volume-{n}", "mountPath": f"/etc/volume-{n}", "readOnly": True} for n in range(6)
    ],
}
_SHARED_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "serviceAccountName": "default",
    "terminationGracePeriodSeconds": 30,
    "tolerations": [{"key": f"node.kubernetes.io/taint-{n}", "operator": "Exists"} for n in range(4)],
    "volumes": [{"name": f"volume-{n}", "configMap": {"name": f"settings-{n}"}} for n in range(6)],
}
_EGRESS = egress.judge(
    "subnet-demo0001", RouteTable(route_table_id="rtb-demo0001", vpc_id="vpc-demo0001", routes=())
)
"""What the controller finds of the simulated region's route table."""
_CONDITIONS = [
    {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": _SINCE}
    for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
]


@dataclass(frozen=True, slots=True)
class Place:
    """A node and the ENI on which its Pods with EIP are; numbers make names and addresses."""

    number: int

    @property
    def node(self) -> str:
        """Name of the Node."""
        return f"node-{self.number:05d}"

    @property
    def instance_id(self) -> str:
        """The CVM."""
        return f"ins-{self.number:08d}"

    @property
    def eni_id(self) -> str:
        """Its secondary ENI."""
        return f"eni-{self.number:08d}"

    def ip(self, index: int) -> str:
        """Return an address of the ENI; index 0 is its own."""
        offset = self.number * 8 + index
        return f"10.{offset // 65536}.{offset // 256 % 256}.{offset % 256}"


def node(place: Place) -> dict[str, Any]:
    """Return a Node that works and that an agent of ours serves."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": place.node,
            "uid": f"uid-{place.node}",
            "creationTimestamp": _SINCE,
            "annotations": {nodes.AGENT: "scale"},
        },
        "spec": {"providerID": f"qcloud:///100003/{place.instance_id}"},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": _SINCE}]},
    }


def pod(name: str, place: Place, *, eip: bool) -> dict[str, Any]:
    """Return a running Pod of some 6 KB."""
    amounts = {f"{_PREFIX}eip": "1"} if eip else {}
    container = {**_CONTAINER, "name": "main", "resources": {"requests": amounts, "limits": amounts}}
    annotations = {"kubernetes.io/config.source": "api", **({EIP_ATTRIBUTES: ""} if eip else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "generateName": "service-5d4f8c7b9-",
            "creationTimestamp": _SINCE,
            "annotations": annotations,
            "labels": {f"label-{n}": f"value-{n}" for n in range(8)},
            "managedFields": [
                {
                    "manager": manager,
                    "operation": "Update",
                    "apiVersion": "v1",
                    "time": _SINCE,
                    "fieldsV1": _FIELDS,
                }
                for manager in ("kube-controller-manager", "kubelet")
            ],
        },
        "spec": {**_SHARED_SPEC, "nodeName": place.node, "containers": [container]},
        "status": {"phase": "Running", "podIP": place.ip(1), "conditions": _CONDITIONS},
    }


def bound_claim(
    pod_object: Mapping[str, Any], place: Place, *, eip_id: str, ip: str, index: int, now: float
) -> dict[str, Any]:
    """Return the claim of a Pod whose EIP is bound, as controller and agent leave it."""
    view = pods.view(pod_object)
    claim = eipclaim.new_object(view, annotations_eip.request_of(view))
    claim["metadata"] |= {"uid": claim_uid(view.ref.name), "creationTimestamp": _SINCE, "generation": 1}
    address = ClaimAddress(eip_id=eip_id, public_ip=ip, owned=True)
    binding = ClaimBinding(
        node=place.node,
        eni_id=place.eni_id,
        private_ip=place.ip(index),
        pod_uid=view.ref.uid,
        sandbox="s" * 64,
    )
    writes: tuple[Callable[[Claim], dict[str, Any]], ...] = (
        lambda c: status.serve(c, ClaimPod(uid=view.ref.uid, node=place.node)),
        lambda c: status.begin_attempt(c, 1, now),
        lambda c: status.provisioned(c, address, Reason.ALLOCATED, now),
        lambda c: status.bound(c, binding, now),
        lambda c: egress.patch(c, _EGRESS, now),
    )
    for write in writes:
        claim["status"] = {**claim.get("status", {}), **write(eipclaim.read(claim))["status"]}
    return claim


def claim_uid(name: str) -> str:
    """Return the UID of the claim of this name."""
    return f"uid-claim-{name}"


def eip_tags(name: str) -> dict[str, str]:
    """Return the tags of the EIP that was ordered for the claim of this name."""
    return tags.of_claim(CLUSTER_ID, claim_uid(name))
