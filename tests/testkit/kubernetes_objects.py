"""Kubernetes objects as JSON, the least that an API server takes; what matters is named by the test."""

from typing import Any

Obj = dict[str, Any]


def pod(name: str, *, node: str = "", **metadata: Any) -> Obj:
    spec: Obj = {"containers": [{"name": "main", "image": "registry.example/app:1"}]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def claim(name: str, **metadata: Any) -> Obj:
    attributes = {"bandwidthMbps": 100, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
    return {
        "apiVersion": "networking.tke.cloud.tencent.com/v1",
        "kind": "EIPClaim",
        "metadata": {"name": name, **metadata},
        "spec": {"attributes": attributes, "deletePolicy": "Delete"},
    }


def config_map(name: str, **metadata: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": {"key": "1"},
    }
