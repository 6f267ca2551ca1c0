"""A live look at what a Pod belongs to: its controller, or for a ReplicaSet the controller of that.

Only kinds that this process may read are looked at. Of any other kind (a custom resource, say) the reference
is used as it stands, and whether that owner is being deleted stays unknown; Kubernetes' garbage collector
deletes what belongs to an owner that does not exist.
Thread safety: any thread may call any method.
"""

from typing import Any

from ipamd.core.kubernetes import owners
from ipamd.core.kubernetes.owners import OwnerRef, Workload
from ipamd.core.kubernetes.pods import PodView
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import DAEMONSETS, DEPLOYMENTS, JOBS, REPLICASETS, STATEFULSETS

_READABLE = {
    (resource.group, resource.kind): resource
    for resource in (REPLICASETS, DEPLOYMENTS, STATEFULSETS, DAEMONSETS, JOBS)
}


class Owners:
    """Finds workloads."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def workload_of(self, pod: PodView) -> Workload:
        """Return what the Pod belongs to, and whether that is leaving. Raises: KubeError."""
        owner = pod.controller
        while owner is not None:
            obj, leaving = self._look(owner, pod.ref.namespace)
            if leaving:
                return Workload(owner, leaving=True)
            above = owners.controller_of(obj["metadata"]) if obj and owners.passes_on(owner) else None
            if above is None:
                return Workload(owner)
            owner = above
        return Workload(None)

    def _look(self, owner: OwnerRef, namespace: str) -> tuple[dict[str, Any] | None, bool]:
        """Return the owner if it can be read, and whether it is gone, replaced or being deleted."""
        resource = _READABLE.get((owner.api_version.rpartition("/")[0], owner.kind))
        if resource is None:
            return None, False
        try:
            obj = self._client.get(resource, owner.name, namespace)
        except errors.NotFoundError:
            return None, True
        except errors.ForbiddenError:
            return None, False
        metadata = obj["metadata"]
        return obj, metadata.get("uid") != owner.uid or bool(metadata.get("deletionTimestamp"))
