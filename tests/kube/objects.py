"""Objects that the tests of the Kubernetes adapter share."""

from typing import Any

AGENT = "tke-eni-agent"


def pod(name: str, *, node: str = "node-a", namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "busybox"}]},
    }


def claim(name: str, *, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {
            "attributes": {"bandwidthMbps": 100, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
            "deletePolicy": "Delete",
        },
    }
