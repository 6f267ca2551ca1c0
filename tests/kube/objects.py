"""Objects and waits that the tests of the Kubernetes adapter share."""

import time
from collections.abc import Callable
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


def wait_for(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait until the condition holds; fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.005)
