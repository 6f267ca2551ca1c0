"""Labels about nodes: by which an agent finds the claims of its node, and the subnets of a Node. Pure.

The value of the first is the node's name where that fits: a label's value has at most 63 characters, a
node's name up to 253 (Kubernetes, "Labels and Selectors" and "Object Names and IDs"). A longer name is cut
and ends with a digest, so that two nodes whose names begin alike stay two.
"""

import hashlib
from collections.abc import Mapping

SUBNET_PREFIX = "subnet.tke.cloud.tencent.com/"
"""A Node has one label for each subnet in which its agent has or may make ENIs: this and the subnet's id. The
value is empty; an affinity asks whether the label exists."""
LONGEST = 63
_DIGEST = 16
"""Hexadecimal digits: 64 bits are enough for the nodes of a cluster."""


def label_value(node: str) -> str:
    """Return the value of the label for a node; what fits stays as it is."""
    if len(node) <= LONGEST:
        return node
    digest = hashlib.sha256(node.encode()).hexdigest()[:_DIGEST]
    return f"{node[: LONGEST - 1 - _DIGEST]}-{digest}"


def subnet_label(subnet_id: str) -> str:
    """Return the key of the label of a Node whose Pods may have addresses of the subnet."""
    return SUBNET_PREFIX + subnet_id


def labelled_subnets(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the subnets that a Node's labels name, in the order of their ids."""
    return tuple(sorted(key.removeprefix(SUBNET_PREFIX) for key in labels if key.startswith(SUBNET_PREFIX)))
