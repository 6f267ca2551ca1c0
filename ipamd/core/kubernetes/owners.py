"""Who owns a Pod, by its `metadata.ownerReferences`, and which workload its claim may die with. Pure.

The workload of a Pod is its controller; of a Pod of a ReplicaSet it is what controls the ReplicaSet (a
Deployment, or for example an Argo Rollout), which outlives each roll-out. A CronJob is not the workload of
its Jobs' Pods: a Job's Pods never come back under their names, so what is kept for them goes with the Job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRef:
    """An object of the Pod's namespace (or of the cluster) by kind, name and incarnation."""

    api_version: str
    kind: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def reference(self) -> dict[str, str]:
        """Return the ownerReference of a dependent that neither is controlled nor holds the owner back."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name, "uid": self.uid}


@dataclass(frozen=True, slots=True)
class Workload:
    """What a live look at a Pod's owners has found."""

    owner: OwnerRef | None
    """The workload; None when the Pod has none."""
    leaving: bool = False
    """Whether one of the owners on the way is deleted or being deleted: the Pod's days are numbered."""


def controller_of(metadata: Mapping[str, Any]) -> OwnerRef | None:
    """Return the one owner of an object that is its controller, None when there is none."""
    references = metadata.get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, Mapping) and reference.get("controller") is True:
            fields = [reference.get(name) for name in ("apiVersion", "kind", "name", "uid")]
            api_version, kind, name, uid = (field if isinstance(field, str) else "" for field in fields)
            return OwnerRef(api_version=api_version, kind=kind, name=name, uid=uid) if uid else None
    return None


def passes_on(owner: OwnerRef) -> bool:
    """Whether the workload is not this owner but the controller of it, if there is one."""
    return owner.kind == "ReplicaSet" and owner.api_version.partition("/")[0] == "apps"
