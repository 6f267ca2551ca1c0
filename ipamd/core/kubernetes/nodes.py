"""What the controller keeps of a Node object: whether it works, and which CVM it is. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_INSTANCE_ID = re.compile(r"ins-[0-9a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One Node as the API server last told."""

    name: str
    ready: bool
    outage: str
    """What tells one time of not being ready from the next: the date that the API server gives for it, which
    is by the clock of another machine. Empty when the node is ready."""
    instance_id: str
    """The CVM, from spec.providerID (qcloud:///<zone>/ins-...); empty when it is not said."""


def view(node: Mapping[str, Any]) -> NodeView:
    """Read a Node object, trimmed or not."""
    spec, status = _mapping(node.get("spec")), _mapping(node.get("status"))
    instance_id = str(spec.get("providerID") or "").rpartition("/")[2]
    conditions = _ready_conditions(status)
    ready = any(c.get("status") == "True" for c in conditions)
    changes = [str(c.get("lastTransitionTime")) for c in conditions]
    return NodeView(
        name=node["metadata"]["name"],
        ready=ready,
        outage="" if ready else " ".join(changes) or "not said",
        instance_id=instance_id if _INSTANCE_ID.fullmatch(instance_id) else "",
    )


def trim(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Node object that `view` and an object cache read."""
    metadata, spec, status = node["metadata"], _mapping(node.get("spec")), _mapping(node.get("status"))
    kept = ("type", "status", "lastTransitionTime")
    ready = [{key: c[key] for key in kept if key in c} for c in _ready_conditions(status)]
    return {
        "metadata": {key: metadata[key] for key in ("name", "uid", "resourceVersion") if key in metadata},
        "spec": {"providerID": spec["providerID"]} if "providerID" in spec else {},
        "status": {"conditions": ready},
    }


def _ready_conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return [c for c in found if isinstance(c, Mapping) and c.get("type") == "Ready"]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
