"""What the agent keeps of a Pod object: enough to wire it, to know whether it still wants its address.

A Pod of the API is 5 to 20 KB of JSON; a node has up to 250 of them and the agent reads ten fields. `trim`
is what caches store, `PodView` what decisions are made on. Pure; input is taken as it comes and checked.
"""

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipamd.core import model
from ipamd.core.kubernetes import annotation_names, capacity, external_dns, fields, owners
from ipamd.core.timing import timestamps

_ASKS = [{"resources": {"requests": {capacity.EIP_RESOURCE: "1"}}}]
_READY = [{"type": "Ready", "status": "True"}]
FINISHED = ("Succeeded", "Failed")
"""Phases after which no container and no sandbox of the Pod is started again."""

AGENT_DAEMON_SET = "tke-eni-agent"
"""The DaemonSet whose Pods our agents are, in whatever namespace.

Who borrows its name gains nothing but EIPs for Pods that nobody wires.
"""
_STATIC_UIDS = ("kubernetes.io/config.mirror", "kubernetes.io/config.hash")
"""Annotations of a mirror Pod (kubelet, pkg/kubelet/types) with the UID of the static Pod."""
_FOREIGN = (*_STATIC_UIDS, *external_dns.TARGETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One incarnation of a Pod as the API server last told."""

    ref: model.PodRef
    node: str = ""
    phase: str = ""
    deleting: bool = False
    host_network: bool = False
    pod_ip: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those with our prefix only."""
    strays: tuple[str, ...] = ()
    """Keys of annotations that were probably meant to be ones that ask for an EIP."""
    requests_eip: bool = False
    """Whether a container requests the extended resource `tke.cloud.tencent.com/eip`."""
    generate_name: str = ""
    """The beginning of a name that was or could have been generated."""
    controller: owners.OwnerRef | None = None
    """What made it, for example a StatefulSet or a ReplicaSet."""
    created: float | None = None
    """When, in seconds since the epoch by the API server's clock; kept only of Pods that ask for an EIP."""
    static_uids: frozenset[str] = frozenset()
    """Of a mirror Pod: under which UIDs the kubelet runs the static Pod that it mirrors."""

    def is_called(self, uid: str) -> bool:
        """Whether a runtime that gives this UID, or none, means this incarnation.

        The kubelet has a static Pod's UID from its file; the mirror Pod that it shows to the API server has
        one of its own, and names the other in an annotation.
        """
        return uid in ("", self.ref.uid) or uid in self.static_uids

    @property
    def finished(self) -> bool:
        """Whether it has run to its end: it exists, and will never again have a network."""
        return self.phase in FINISHED

    @property
    def wants_sandbox(self) -> bool:
        """Whether the kubelet may still make a (further) sandbox for it."""
        return not self.deleting and not self.finished


def view(pod: Mapping[str, Any]) -> PodView:
    """Read a Pod object, trimmed or not; what is absent or of a wrong type counts as empty."""
    metadata, spec, status = (fields.mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    return PodView(
        ref=model.PodRef(
            namespace=fields.text(metadata.get("namespace")),
            name=fields.text(metadata.get("name")),
            uid=fields.text(metadata.get("uid")),
        ),
        node=fields.text(spec.get("nodeName")),
        phase=fields.text(status.get("phase")),
        deleting=bool(metadata.get("deletionTimestamp")),
        host_network=spec.get("hostNetwork") is True,
        pod_ip=fields.text(status.get("podIP")),
        annotations={**_own_annotations(metadata), **_only(metadata, external_dns.TARGETS)},
        strays=_strays(metadata),
        requests_eip=_requests(spec, capacity.EIP_RESOURCE),
        generate_name=fields.text(metadata.get("generateName")),
        controller=owners.controller_of(metadata),
        created=timestamps.from_text(fields.text(metadata.get("creationTimestamp"))),
        static_uids=frozenset(_only(metadata, _STATIC_UIDS).values()),
    )


def may_ask(pod: Mapping[str, Any]) -> bool:
    """Whether a trimmed Pod has anything by which it could ask for an EIP, or mean to; most have not."""
    return bool(pod["metadata"].get("annotations") or pod["spec"].get("containers"))


def runs_ready_agent(pod: Mapping[str, Any]) -> bool:
    """Whether a trimmed Pod is of our DaemonSet, and its agent ready."""
    status = pod["status"]
    return status.get("phase") not in FINISHED and bool(status.get("conditions"))


def is_agent(pod: Mapping[str, Any]) -> bool:
    """Whether a Pod, trimmed or not, is of our DaemonSet."""
    return _is_agent(owners.controller_of(fields.mapping(pod.get("metadata"))))


def trim(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Pod object that `view` and an object cache read.

    What the Pods of a workload or node have in common is kept once.
    """
    metadata, spec, status = (fields.mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    own = _own_annotations(metadata)
    asks = bool(own) or _requests(spec, capacity.EIP_RESOURCE)
    kept = (
        *("name", "uid", "resourceVersion", "deletionTimestamp"),
        *(("creationTimestamp",) if asks else ()),
    )
    controller = owners.controller_of(metadata)
    annotations = {
        **dict.fromkeys(_strays(metadata), ""),
        **own,
        **_only(metadata, _FOREIGN),
    }
    return {
        "metadata": {
            **{key: metadata[key] for key in kept if key in metadata},
            **{key: _shared(metadata[key]) for key in ("namespace", "generateName") if key in metadata},
            **({"annotations": annotations} if annotations else {}),
            **({"ownerReferences": _references(controller)} if controller else {}),
        },
        "spec": {
            **{key: _shared(spec[key]) for key in ("nodeName", "hostNetwork") if key in spec},
            **({"containers": _ASKS} if _requests(spec, capacity.EIP_RESOURCE) else {}),
        },
        "status": {
            **({"phase": _shared(status["phase"])} if "phase" in status else {}),
            **({"podIP": status["podIP"]} if "podIP" in status else {}),
            **({"conditions": _READY} if _is_ready_agent(controller, status) else {}),
        },
    }


def _requests(spec: Mapping[str, Any], resource: str) -> bool:
    """Whether a container requests or limits itself to some of an extended resource, where both are equal."""
    for kind in ("containers", "initContainers"):
        containers = spec.get(kind)
        for container in containers if isinstance(containers, list) else ():
            resources = fields.mapping(fields.mapping(container).get("resources"))
            for amounts in ("requests", "limits"):
                if str(fields.mapping(resources.get(amounts)).get(resource, "0")) not in ("0", ""):
                    return True
    return False


def _is_agent(controller: owners.OwnerRef | None) -> bool:
    return controller is not None and (controller.kind, controller.name) == ("DaemonSet", AGENT_DAEMON_SET)


def _is_ready_agent(controller: owners.OwnerRef | None, status: Mapping[str, Any]) -> bool:
    if not _is_agent(controller):
        return False
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return any(
        fields.mapping(c).get("type") == "Ready" and fields.mapping(c).get("status") == "True" for c in found
    )


def _own_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    annotations = fields.mapping(metadata.get("annotations"))
    return {
        sys.intern(key): _shared(fields.text(annotations[key]))
        for key in annotations
        if key.startswith(annotation_names.PREFIX)
    }


def _strays(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        sys.intern(key) for key in fields.mapping(metadata.get("annotations")) if annotation_names.meant(key)
    )


@functools.lru_cache(maxsize=4096)
def _references(controller: owners.OwnerRef) -> list[dict[str, Any]]:
    return [{**controller.reference(), "controller": True}]


def _shared(value: Any) -> Any:
    """Return one and the same object for equal texts."""
    return sys.intern(value) if isinstance(value, str) else value


def _only(metadata: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, str]:
    """Return those annotations that are there."""
    annotations = fields.mapping(metadata.get("annotations"))
    return {key: value for key in keys if (value := fields.text(annotations.get(key)))}
