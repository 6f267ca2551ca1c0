"""The taint of a Node that has no addresses for Pods yet, and when it is taken away or put there. Pure.

TKE registers its nodes with it, so that no Pod is scheduled there before the network components are ready,
and leaves it to those components to take it away; where they are switched off nobody does. TKE's provider for
Karpenter counts it among the taints that end by themselves (github.com/TencentCloud/karpenter-provider-tke).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

KEY: Final = "tke.cloud.tencent.com/eni-ip-unavailable"
EFFECT: Final = "NoSchedule"


class TaintMode(Enum):
    """What is done about the taint: the values of --node-taint."""

    OFF = "off"
    REMOVE = "remove"
    KEEP = "keep"


def is_tainted(node: Mapping[str, Any]) -> bool:
    """Whether the Node has the taint, with any value and effect."""
    return any(is_ours(taint) for taint in taints(node))


def is_ours(taint: object) -> bool:
    """Whether an entry of spec.taints is the taint."""
    return isinstance(taint, Mapping) and taint.get("key") == KEY


def taints(node: Mapping[str, Any]) -> list[Any]:
    """Return spec.taints."""
    spec = node.get("spec")
    found = spec.get("taints") if isinstance(spec, Mapping) else None
    return found if isinstance(found, list) else []


def without(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that takes the taint from this very version of the Node; others stay."""
    return _patch(node, [taint for taint in taints(node) if not is_ours(taint)])


def added(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that puts the taint on this very version of the Node."""
    return _patch(node, [*taints(node), {"key": KEY, "value": "true", "effect": EFFECT}])


def _patch(node: Mapping[str, Any], wanted: list[Any]) -> dict[str, Any]:
    # The list is atomic in the API: it is written as a whole, so only onto what it was read from.
    return {
        "metadata": {"resourceVersion": node["metadata"]["resourceVersion"]},
        "spec": {"taints": wanted or None},
    }
