"""Asks the API server for what the rows of `nodes`, `claims` and `fixed-ips` are made of."""

from collections import Counter
from collections.abc import Collection, Iterator
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
    found = [eipclaim.read(obj) for obj in claim_objects(api, "")]
    fixed = [vpcipclaim.read(obj) for obj in fixed_ip_objects(api, "")]
    names = {str(claim) for claim in fixed}
    pods_on: Counter[str] = Counter()
    fixed_pods = {}
    for pod in _all_pods(api):
        pods_on[pod.node] += nodes.holds_address(pod)
        if str(pod.ref) in names:
            fixed_pods[str(pod.ref)] = pod
    return nodes.rows(objects, access.agents(api), pods_on, found, fixed, fixed_pods)


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
    found = map(pods.view, api.list(PODS, namespace).items) if namespace else _all_pods(api)
    return {str(pod.ref): pod for pod in found if str(pod.ref) in names}


def _all_pods(api: KubeClient) -> Iterator[PodView]:
    """Yield the Pods of the cluster, from the server's cache ("0"): cheap for it also with many thousand."""
    return map(pods.view, api.scan(PODS, Selection(), resource_version="0"))


def _claims(api: KubeClient, kind: Resource, namespace: str) -> list[dict[str, Any]]:
    try:
        return api.list(kind, namespace).items
    except NotFoundError:
        return []  # a cluster without the CRD has none
