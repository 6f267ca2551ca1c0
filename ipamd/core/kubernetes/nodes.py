"""What we keep of a Node object: whether it works, which CVM it is, and which agent serves it. Pure."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipamd.core.kubernetes import capacity, node_condition, node_taint

AGENT = "networking.tke.cloud.tencent.com/agent"
"""Annotation of a Node: the agent that serves it has written which Pod it runs in, as namespace/name.

Any other value is that of an agent outside of a Pod. It outlives the agent (ADR 15).
"""
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
"""Label; on TKE SUPER_NODE for a super node, which runs each Pod in a machine of its own and no agents."""

SUPER_NODE = "eklet"
"""Value of INSTANCE_TYPE."""

_TAINTED = [{"key": node_taint.KEY}]
_INSTANCE_ID = re.compile(r"ins-[0-9a-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One Node as the API server last told."""

    name: str
    ready: bool
    outage: str
    """What tells one time of not being ready from the next: the date that the API server gives for it, which
    is by the clock of another machine. Empty when the node is ready, and when nobody has said yet whether it
    is: the node controller says so of every Node that does not report."""
    instance_id: str
    """The CVM, from spec.providerID (qcloud:///<zone>/ins-...); empty when it is not said."""
    agent: str = ""
    """The value of the annotation AGENT; empty when no agent of ours ever served the Node."""
    instance_type: str = ""
    uid: str = ""
    condition: str = ""
    """Status of the condition TkeEniReady; empty when the Node has none."""
    tainted: bool = False
    """Whether it has the taint `node_taint.KEY`."""
    has_addresses: bool = False
    """Whether it offers addresses for Pods: an agent has written them, no kubelet has set them to zero."""

    @property
    def agent_pod(self) -> tuple[str, str] | None:
        """Namespace and name of the Pod in which the Node's agent runs; None when it runs in none."""
        namespace, slash, name = self.agent.partition("/")
        return (namespace, name) if slash else None


def view(node: Mapping[str, Any]) -> NodeView:
    """Read a Node object, trimmed or not."""
    metadata, spec, status = node["metadata"], _mapping(node.get("spec")), _mapping(node.get("status"))
    instance_id = str(spec.get("providerID") or "").rpartition("/")[2]
    conditions = _ready_conditions(status)
    ready = any(c.get("status") == "True" for c in conditions)
    changes = [str(c.get("lastTransitionTime")) for c in conditions]
    return NodeView(
        name=metadata["name"],
        ready=ready,
        outage="" if ready else " ".join(changes),
        instance_id=instance_id if _INSTANCE_ID.fullmatch(instance_id) else "",
        agent=_text(_mapping(metadata.get("annotations")).get(AGENT)),
        instance_type=_text(_mapping(metadata.get("labels")).get(INSTANCE_TYPE)),
        uid=_text(metadata.get("uid")),
        condition=_text(node_condition.shown(node).get("status")),
        tainted=node_taint.is_tainted(node),
        has_addresses=_mapping(status.get("allocatable")).get(capacity.ENI_IP_RESOURCE, "0") != "0",
    )


def trim(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Node object that `view` and an object cache read."""
    metadata, spec, status = node["metadata"], _mapping(node.get("spec")), _mapping(node.get("status"))
    kept = ("type", "status", "lastTransitionTime")
    ready = [{key: c[key] for key in kept if key in c} for c in _ready_conditions(status)]
    return {
        "metadata": {
            **{key: metadata[key] for key in ("name", "uid", "resourceVersion") if key in metadata},
            **_only(metadata, "annotations", AGENT),
            **_only(metadata, "labels", INSTANCE_TYPE),
        },
        "spec": {
            **({"providerID": spec["providerID"]} if "providerID" in spec else {}),
            **({"taints": _TAINTED} if node_taint.is_tainted(node) else {}),
        },
        "status": {
            "conditions": [*ready, *_own_condition(node)],
            **_only(status, "allocatable", capacity.ENI_IP_RESOURCE),
        },
    }


def _own_condition(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return our condition without its message, which nobody compares and which would be long."""
    condition = node_condition.shown(node)
    kept = ("type", "status", "reason", "lastTransitionTime")
    return [{key: condition[key] for key in kept if key in condition}] if condition else []


def _only(metadata: Mapping[str, Any], part: str, key: str) -> dict[str, dict[str, str]]:
    """Return the part of metadata or status with one of its entries, and nothing when that is not there."""
    value = _text(_mapping(metadata.get(part)).get(key))
    return {part: {key: sys.intern(value)}} if value else {}


def _ready_conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return [c for c in found if isinstance(c, Mapping) and c.get("type") == "Ready"]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
