"""The value of the label by which an agent finds the EIPClaims of its node. Pure.

It is the node's name where that fits: a label's value has at most 63 characters, a node's name up to 253
(Kubernetes, "Labels and Selectors" and "Object Names and IDs"). A longer name is cut and ends with a digest,
so that two nodes whose names begin alike stay two.
"""

import hashlib

LONGEST = 63
_DIGEST = 16
"""Hexadecimal digits: 64 bits are enough for the nodes of a cluster."""


def label_value(node: str) -> str:
    """Return the value of the label for a node; what fits stays as it is."""
    if len(node) <= LONGEST:
        return node
    digest = hashlib.sha256(node.encode()).hexdigest()[:_DIGEST]
    return f"{node[: LONGEST - 1 - _DIGEST]}-{digest}"
