"""Pods that end-to-end tests start: busybox that serves its Pod's name at port 80. Pure."""

from collections.abc import Mapping
from typing import Any

ANNOTATION = "tke.cloud.tencent.com/"
EIP = "tke.cloud.tencent.com/eip"
ENI_IP = "tke.cloud.tencent.com/eni-ip"
DIRECT_ENI = "tke.cloud.tencent.com/direct-eni"
DIRECT = {"networks": "tke-direct-eni"}
"""The annotation of a Pod that has an ENI of its own."""
SERVE = "mkdir /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www"
Json = dict[str, Any]


def plain_pod(name: str, *, node: str = "") -> Json:
    """Give a Pod without an EIP; with `node` the scheduler may take that one only."""
    return {"apiVersion": "v1", "kind": "Pod", **_pod({"name": name}, {ENI_IP: "1"}, node)}


def direct_pod(name: str, *, node: str = "") -> Json:
    """Give a Pod with an ENI of its own and no EIP."""
    metadata = {"name": name, "annotations": _annotations(DIRECT)}
    return {"apiVersion": "v1", "kind": "Pod", **_pod(metadata, {DIRECT_ENI: "1"}, node)}


def eip_pod(name: str, *, annotations: Mapping[str, str] | None = None, node: str = "") -> Json:
    """Give a Pod with an EIP; `annotations` without their prefix, by default an EIP with defaults."""
    wishes = {"eip-attributes": "", **(annotations or {})}
    metadata = {"name": name, "annotations": _annotations(wishes)}
    return {"apiVersion": "v1", "kind": "Pod", **_pod(metadata, _with_eip(wishes), node)}


def forgetful_pod(name: str, *, annotations: Mapping[str, str] | None = None) -> Json:
    """Give a Pod with the annotations of `eip_pod` and none of the resources."""
    wishes = {"eip-attributes": "", **(annotations or {})}
    metadata = {"name": name, "annotations": _annotations(wishes)}
    return {"apiVersion": "v1", "kind": "Pod", **_pod(metadata, {}, "")}


def eip_stateful_set(name: str, replicas: int, *, annotations: Mapping[str, str] | None = None) -> Json:
    """Give a StatefulSet whose Pods have EIPs; `annotations` as for `eip_pod`."""
    wishes = {"eip-attributes": "", **(annotations or {})}
    return eip_workload("StatefulSet", name, wishes, replicas=replicas, podManagementPolicy="Parallel")


def eip_workload(kind: str, name: str, wishes: Mapping[str, str], *, replicas: int = 1, **spec: Any) -> Json:
    """Give a workload of the group apps whose Pods have just these annotations, without their prefix."""
    labels = {"app": name}
    metadata = {"labels": labels, "annotations": _annotations(wishes)}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": _pod(metadata, _with_eip(wishes), ""),
            **spec,
        },
    }


def _with_eip(wishes: Mapping[str, str]) -> dict[str, str]:
    """The resources of a Pod with EIP, in the mode that it wishes."""
    own_eni = wishes.get("networks") == DIRECT["networks"]
    return {DIRECT_ENI if own_eni else ENI_IP: "1", EIP: "1"}


def _annotations(wishes: Mapping[str, str]) -> dict[str, str]:
    wishes = {"networks": "tke-route-eni", **wishes}
    return {f"{ANNOTATION}{key}": value for key, value in wishes.items()}


def _pod(metadata: Mapping[str, Any], resources: Mapping[str, str], node: str) -> Json:
    container = {
        "name": "web",
        "image": "busybox",
        "command": ["sh", "-c", SERVE],
        "resources": {"requests": dict(resources), "limits": dict(resources)},
    }
    spec: Json = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {"metadata": dict(metadata), "spec": spec}
