"""Pods as the core sees them: by their names, and read from an object of the API."""

from collections.abc import Mapping
from typing import Any

from ipamd.core.kubernetes import capacity, pods
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import PodRef


def pod_ref(name: str = "web-0", uid: str = "u1", *, namespace: str = "default") -> PodRef:
    return PodRef(namespace=namespace, name=name, uid=uid)


def pod_view(
    annotations: Mapping[str, str] | None = None,
    *,
    name: str = "web-0",
    uid: str = "u1",
    resource: str = "",
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> PodView:
    """Return what is read of a Pod with a sidecar and a container that requests so many EIPs."""
    amounts = {capacity.EIP_RESOURCE: resource} if resource else {}
    containers = [{"name": "sidecar"}, {"name": "main", "resources": {"requests": amounts}}]
    return pods.view(
        {
            "metadata": {
                "namespace": "default",
                "name": name,
                "uid": uid,
                "annotations": dict(annotations or {}),
                **(metadata or {}),
            },
            "spec": {"containers": containers, **spec},
        }
    )
