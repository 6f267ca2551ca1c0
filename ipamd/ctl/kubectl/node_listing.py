"""Asks the API server for what the rows of `nodes`, `claims` and `fixed-ips` are made of."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import vpcipclaim
from ipamd.ctl.kubectl import access, nodes
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS, VPCIPCLAIMS, Resource


def look(api: KubeClient) -> list[dict[str, Any]]:
    """Return the rows of all Nodes. Raises: KubeError."""
    objects = api.list(NODES).items
    # From the server's cache ("0"): cheap for it also with many thousand Pods.
    listed = api.scan(PODS, Selection(), resource_version="0")
    pods_on = Counter(pod["spec"]["nodeName"] for pod in listed if nodes.holds_address(pod))
    found = [eipclaim.read(obj) for obj in claim_objects(api, "")]
    fixed = [vpcipclaim.read(obj) for obj in fixed_ip_objects(api, "")]
    return nodes.rows(objects, access.agents(api), pods_on, found, fixed)


def claim_objects(api: KubeClient, namespace: str) -> list[dict[str, Any]]:
    """Return the EIPClaims of a namespace, or of all. Raises: KubeError."""
    return _claims(api, EIPCLAIMS, namespace)


def fixed_ip_objects(api: KubeClient, namespace: str) -> list[dict[str, Any]]:
    """Return the VpcIPClaims of a namespace, or of all. Raises: KubeError."""
    return _claims(api, VPCIPCLAIMS, namespace)


def pods_named(api: KubeClient, namespace: str, names: Collection[str]) -> dict[str, PodView]:
    """Return the Pods of these names (namespace/name), all of the namespace if one is given.

    Raises: KubeError.
    """
    if not names:
        return {}
    # From the server's cache ("0"), as above.
    found = (
        api.list(PODS, namespace).items if namespace else api.scan(PODS, Selection(), resource_version="0")
    )
    views = (pods.view(pod) for pod in found)
    return {str(view.ref): view for view in views if str(view.ref) in names}


def _claims(api: KubeClient, kind: Resource, namespace: str) -> list[dict[str, Any]]:
    try:
        return api.list(kind, namespace).items
    except NotFoundError:
        return []  # a cluster without the CRD has none
