"""What the agent keeps of a Pod object: enough to wire it, to know whether it still wants its address.

A Pod of the API is 5 to 20 KB of JSON; a node has up to 250 of them and the agent reads ten fields. `trim`
is what caches store, `PodView` what decisions are made on. Pure; input is taken as it comes and checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipamd.core import model

ANNOTATION_PREFIX = "tke.cloud.tencent.com/"
FINISHED = ("Succeeded", "Failed")
"""Phases after which no container and no sandbox of the Pod is started again."""


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

    @property
    def wants_sandbox(self) -> bool:
        """Whether the kubelet may still make a (further) sandbox for it."""
        return not self.deleting and self.phase not in FINISHED


def view(pod: Mapping[str, Any]) -> PodView:
    """Read a Pod object, trimmed or not; what is absent or of a wrong type counts as empty."""
    metadata, spec, status = (_mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    return PodView(
        ref=model.PodRef(
            namespace=_text(metadata.get("namespace")),
            name=_text(metadata.get("name")),
            uid=_text(metadata.get("uid")),
        ),
        node=_text(spec.get("nodeName")),
        phase=_text(status.get("phase")),
        deleting=bool(metadata.get("deletionTimestamp")),
        host_network=spec.get("hostNetwork") is True,
        pod_ip=_text(status.get("podIP")),
        annotations=_own_annotations(metadata),
    )


def trim(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Pod object that `view` and an object cache read."""
    metadata, spec, status = (_mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    kept = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
    return {
        "metadata": {
            **{key: metadata[key] for key in kept if key in metadata},
            "annotations": _own_annotations(metadata),
        },
        "spec": {key: spec[key] for key in ("nodeName", "hostNetwork") if key in spec},
        "status": {key: status[key] for key in ("phase", "podIP") if key in status},
    }


def _own_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    annotations = _mapping(metadata.get("annotations"))
    return {key: _text(annotations[key]) for key in annotations if key.startswith(ANNOTATION_PREFIX)}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
