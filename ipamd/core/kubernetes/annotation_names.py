"""The annotations by which a Pod asks for an EIP or a fixed address, and what is written by mistake. Pure."""

import difflib
import functools

PREFIX = "tke.cloud.tencent.com/"
NETWORKS = PREFIX + "networks"
EIP_ATTRIBUTES = PREFIX + "eip-attributes"
EIP_ID_LIST = PREFIX + "eip-id-list"
EIP_SELECTOR = PREFIX + "eip-selector"
EIP_POOL = PREFIX + "eip-pool"
EXISTING = (EIP_ID_LIST, EIP_SELECTOR, EIP_POOL)
"""Each names EIPs that there are, or a pool of them: a Pod has one of these."""
DELETE_POLICY = PREFIX + "eip-claim-delete-policy"
EXPIRED_DURATION = PREFIX + "claim-expired-duration"
EIP_ID = PREFIX + "eip-id"
EIP_PUBLIC_IP = PREFIX + "eip-public-ip"
"""The last two are written by the agent."""
VPC_IP_DELETE_POLICY = PREFIX + "vpc-ip-claim-delete-policy"
NOMINATED_VPC_IP = PREFIX + "nominated-vpc-ip"
NOMINATED_SUBNETS = PREFIX + "nominated-eni-subnets"
FIXED_IP = (VPC_IP_DELETE_POLICY, NOMINATED_VPC_IP, NOMINATED_SUBNETS)
"""The three concern the Pod's private address."""
WISHES = (EIP_ATTRIBUTES, *EXISTING, DELETE_POLICY, EXPIRED_DURATION, *FIXED_IP)
SUPER_NODE_PREFIX = "eks." + PREFIX
"""The same annotations for Pods on super nodes, whose EIPs are Tencent Cloud's own matter."""

_NAMES = {wish.removeprefix(PREFIX): wish for wish in WISHES}
_NEVER_MEANT = frozenset({EIP_ID, EIP_PUBLIC_IP})
"""Annotations in their own right that look like one of WISHES."""
_ALIKE = 0.85
"""Share of letters in common (`difflib`): one or two letters too many, missing or wrong."""


@functools.lru_cache(maxsize=1024)
def meant(key: str) -> str:
    """Return which of WISHES the key of an annotation was probably meant to be; empty for none.

    Under our prefix a name may be misspelt; under another one, or none, it has to be the very name.
    """
    if key in WISHES or key in _NEVER_MEANT:
        return ""
    prefix, slash, name = key.rpartition("/")
    if prefix + slash != PREFIX:
        return _NAMES.get(name, "")
    close = difflib.get_close_matches(name.lower(), _NAMES, n=1, cutoff=_ALIKE)
    return _NAMES[close[0]] if close else ""
