"""What we keep of a Node object: whether it works, which CVM it is, and which agent serves it. Pure."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipamd.core.kubernetes import capacity, fields, node_condition, node_taint

AGENT = "networking.tke.cloud.tencent.com/agent"
"""Annotation of a Node: the agent that serves it has written which Pod it runs in, as namespace/name.

Any other value is that of an agent outside of a Pod. It outlives the agent (ADR 15).
"""
ENI_CONFIG = "networking.tke.cloud.tencent.com/node-eni-config"
"""Annotation of a Node: what all NodeENIConfigs say of it; the controller's (`node_config.note`)."""
ENI_STATE = "networking.tke.cloud.tencent.com/eni-state"
"""Annotation of a Node: what it has, and what is in force there; the agent's (`node_config.state`)."""
ANNOTATIONS = (AGENT, ENI_CONFIG, ENI_STATE)
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
    labels: Mapping[str, str] = field(default_factory=dict)
    eni_config: str | None = None
    """The annotation ENI_CONFIG; None when there is none."""
    eni_state: str = ""
    """The annotation ENI_STATE."""

    @property
    def agent_pod(self) -> tuple[str, str] | None:
        """Namespace and name of the Pod in which the Node's agent runs; None when it runs in none."""
        namespace, slash, name = self.agent.partition("/")
        return (namespace, name) if slash else None


def view(node: Mapping[str, Any]) -> NodeView:
    """Read a Node object, trimmed or not."""
    metadata, spec, status = (
        node["metadata"],
        fields.mapping(node.get("spec")),
        fields.mapping(node.get("status")),
    )
    instance_id = str(spec.get("providerID") or "").rpartition("/")[2]
    conditions, noted = _ready_conditions(status), fields.mapping(metadata.get("annotations"))
    labels = {str(k): v for k, v in fields.mapping(metadata.get("labels")).items() if isinstance(v, str)}
    ready = any(c.get("status") == "True" for c in conditions)
    changes = [str(c.get("lastTransitionTime")) for c in conditions]
    return NodeView(
        name=metadata["name"],
        ready=ready,
        outage="" if ready else " ".join(changes),
        instance_id=instance_id if _INSTANCE_ID.fullmatch(instance_id) else "",
        agent=fields.text(noted.get(AGENT)),
        instance_type=labels.get(INSTANCE_TYPE, ""),
        uid=fields.text(metadata.get("uid")),
        condition=fields.text(node_condition.shown(node).get("status")),
        tainted=node_taint.is_tainted(node),
        has_addresses=fields.mapping(status.get("allocatable")).get(capacity.ENI_IP_RESOURCE, "0") != "0",
        labels=labels,
        eni_config=fields.text(noted[ENI_CONFIG]) if ENI_CONFIG in noted else None,
        eni_state=fields.text(noted.get(ENI_STATE)),
    )


def trim(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a Node object that `view` and an object cache read."""
    metadata, spec, status = (
        node["metadata"],
        fields.mapping(node.get("spec")),
        fields.mapping(node.get("status")),
    )
    kept = ("type", "status", "lastTransitionTime")
    ready = [{key: c[key] for key in kept if key in c} for c in _ready_conditions(status)]
    return {
        "metadata": {
            **{key: metadata[key] for key in ("name", "uid", "resourceVersion") if key in metadata},
            **_texts(metadata, "annotations", ANNOTATIONS),
            **_texts(metadata, "labels", fields.mapping(metadata.get("labels"))),
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


def _only(status: Mapping[str, Any], part: str, key: str) -> dict[str, dict[str, str]]:
    """Return the part of the status with one of its entries, and nothing when that is not there."""
    value = fields.text(fields.mapping(status.get(part)).get(key))
    return {part: {key: sys.intern(value)}} if value else {}


def _texts(metadata: Mapping[str, Any], part: str, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the part of metadata with these of its entries, and nothing when none is there.

    Interned: thousands of Nodes have the same.
    """
    found = fields.mapping(metadata.get(part))
    kept = {sys.intern(key): sys.intern(value) for key in keys if isinstance(value := found.get(key), str)}
    return {part: kept} if kept else {}


def _ready_conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return [c for c in found if isinstance(c, Mapping) and c.get("type") == "Ready"]
