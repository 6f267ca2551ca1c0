"""The annotations with which a Pod asks for an EIP, and what is written in their place by mistake. Pure."""

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
WISHES = (EIP_ATTRIBUTES, *EXISTING, DELETE_POLICY, EXPIRED_DURATION)
SUPER_NODE_PREFIX = "eks." + PREFIX
"""The same annotations for Pods on super nodes, whose EIPs are Tencent Cloud's own matter."""

_NAMES = {wish.removeprefix(PREFIX): wish for wish in WISHES}
_NEVER_MEANT = frozenset({EIP_ID, EIP_PUBLIC_IP, PREFIX + "vpc-ip-claim-delete-policy"})
"""Annotations in their own right that look like one of WISHES; the last is TKE's for private IPs."""
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
