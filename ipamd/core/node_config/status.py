"""The status of a NodeENIConfig: whether it is followed, by how many nodes, what its own node has. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from ipamd.core.node_config.survey import ConfigRefusal
from ipamd.core.timing import timestamps

ACCEPTED: Final = "Accepted"
"""Condition: whether all nodes that it concerns follow it."""
VALID: Final = "Valid"


def wanted(
    obj: Mapping[str, Any], *, refusal: ConfigRefusal | None, nodes: int, own: Mapping[str, Any], now: float
) -> dict[str, Any] | None:
    """Return the merge patch of the object that makes its status true; None when it is.

    `nodes` is how many it concerns, `own` what the node of its name says that it has; `now` is Unix time.
    """
    status = obj.get("status")
    present = status if isinstance(status, Mapping) else {}
    condition = _condition(obj, refusal)
    before = _accepted(present)
    changed: dict[str, Any] = {}
    if {name: before.get(name) for name in condition} != condition:
        since = before.get("lastTransitionTime")
        same = before.get("status") == condition["status"] and since
        changed["conditions"] = [
            {**condition, "lastTransitionTime": since if same else timestamps.to_text(now)}
        ]
    if present.get("nodes") != nodes:
        changed["nodes"] = nodes
    if (present.get("node") or {}) != own:
        # A merge patch takes away only what it names.
        gone = dict.fromkeys(set(present.get("node") or {}) - set(own))
        changed["node"] = {**gone, **own} if own else None
    return {"status": changed} if changed else None


def is_accepted(obj: Mapping[str, Any]) -> bool:
    """Whether the object's status says that it is followed, or nothing yet."""
    status = obj.get("status")
    return _accepted(status if isinstance(status, Mapping) else {}).get("status") != "False"


def _condition(obj: Mapping[str, Any], refusal: ConfigRefusal | None) -> dict[str, Any]:
    return {
        "type": ACCEPTED,
        "status": "False" if refusal else "True",
        "reason": refusal.reason if refusal else VALID,
        "message": refusal.message if refusal else "the nodes that it concerns follow it",
        "observedGeneration": obj["metadata"].get("generation", 0),
    }


def _accepted(status: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = status.get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return next((c for c in found if isinstance(c, Mapping) and c.get("type") == ACCEPTED), {})
