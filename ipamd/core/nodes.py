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
    instance_id: str
    """The CVM, from spec.providerID (qcloud:///<zone>/ins-...); empty when it is not said."""


def view(node: Mapping[str, Any]) -> NodeView:
    """Read a Node object, trimmed or not."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    instance_id = str(spec.get("providerID") or "").rpartition("/")[2]
    return NodeView(
        name=node["metadata"]["name"],
        ready=any(c.get("status") == "True" for c in _ready_conditions(status)),
        instance_id=instance_id if _INSTANCE_ID.fullmatch(instance_id) else "",
    )


def trim(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Node object that `view` and an object cache read."""
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    ready = [{"type": "Ready", "status": c.get("status")} for c in _ready_conditions(status)]
    return {
        "metadata": {key: metadata[key] for key in ("name", "uid", "resourceVersion") if key in metadata},
        "spec": {"providerID": spec["providerID"]} if "providerID" in spec else {},
        "status": {"conditions": ready},
    }


def _ready_conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for c in status.get("conditions") or () if c.get("type") == "Ready"]
