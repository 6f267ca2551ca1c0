"""The parts of a bundle that the API server has: Nodes, claims, Events, settings.

An agent may read Nodes, Pods and claims, and no Events: the reason stands in their place then.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ipamd.core.errors import IpamError
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import archive
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import (
    CONFIGMAPS,
    DAEMONSETS,
    DEPLOYMENTS,
    EIPCLAIMS,
    EVENTS,
    LEASES,
    NODES,
    PODS,
    VPCIPCLAIMS,
    VPCIPS,
    Resource,
)

COMPONENTS: Final = ("tke-eni-agent", "tke-eni-ipamd")
"""Who writes our Events, as they name their source."""
_SECONDS: Final = 4.0
_LEAST_SECONDS: Final = 1.0
_EVENTS: Final = 2000
"""The youngest; a cluster keeps them for an hour."""
_PLACES: Final[Mapping[str, tuple[Resource, str, str]]] = {
    "settings.json": (CONFIGMAPS, "tke-eni-settings", cluster_settings.NAMESPACE),
    "defaults.json": (CONFIGMAPS, "tke-eni-defaults", cluster_settings.NAMESPACE),
    "ip-masq-agent-config.json": (CONFIGMAPS, "ip-masq-agent-config", cluster_settings.NAMESPACE),
    "daemonset.json": (DAEMONSETS, "tke-eni-agent", cluster_settings.NAMESPACE),
    "deployment.json": (DEPLOYMENTS, "tke-eni-ipamd", cluster_settings.NAMESPACE),
    "lease.json": (LEASES, "tke-eni-ipamd", cluster_settings.NAMESPACE),
}


def of_node(kubeconfig: str, environ: Mapping[str, str], deadline: Deadline) -> Iterator[tuple[str, str]]:
    """Yield claims, Node and Events as far as this place may read them, and until the deadline."""
    seconds = max(_LEAST_SECONDS, deadline.cap(_SECONDS))
    try:
        api = KubeClient(config.load(kubeconfig, environ), component="ipamctl", timeout=seconds)
    except IpamError as e:
        yield "cluster/none.txt", f"{e}\n"
        return
    try:
        for name, text in lists(api):
            yield name, text
            if api.reachability.unanswered:
                yield "cluster/none.txt", f"the rest was not asked for: {api.reachability.unanswered}\n"
                return
    finally:
        api.close()


def lists(api: KubeClient) -> Iterator[tuple[str, str]]:
    """Yield all Nodes and claims, our Pods, and the Events that agents and controller wrote."""
    yield "cluster/nodes.json", _listed(api, NODES)
    yield "cluster/claims.json", _listed(api, EIPCLAIMS)
    yield "cluster/vpcipclaims.json", _listed(api, VPCIPCLAIMS)
    yield "cluster/vpcips.json", _listed(api, VPCIPS)
    yield "cluster/events.json", _listed(api, EVENTS, keep=ours)
    labels = "app.kubernetes.io/part-of=tke-eni"
    yield "cluster/pods.json", _listed(api, PODS, namespace=cluster_settings.NAMESPACE, labels=labels)


def settings(api: KubeClient) -> Iterator[tuple[str, str]]:
    """Yield what the installation is set to, and who leads."""
    for name, (resource, called, namespace) in _PLACES.items():
        try:
            found = api.get(resource, called, namespace)
        except IpamError as e:
            yield f"cluster/{name}", f"{e}\n"
        else:
            yield f"cluster/{name}", json.dumps(_bare(found), indent=1)


def ours(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the youngest Events that agents and controller wrote, in order of time."""
    found = [event for event in events if (event.get("source") or {}).get("component") in COMPONENTS]
    return sorted(found, key=lambda event: str(event.get("lastTimestamp")))[-_EVENTS:]


def _listed(
    api: KubeClient, resource: Resource, *, namespace: str = "", labels: str = "", keep: Any = list
) -> str:
    try:
        found = api.list(resource, namespace, label_selector=labels).items
    except IpamError as e:
        return f"{e}\n"
    return archive.cut(json.dumps([_bare(obj) for obj in keep(found)], indent=1))


def _bare(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without what only the API server needs."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
