"""How an EIP of ours is known again on the cloud, and how an order is made only once.

`tke-clusterId` and `tke-created-eip` are the tags that TKE's own component sets; the claim's UID is our
addition, so that an order whose answer was lost is found again. Names must stay: they outlive every release.
"""

import hashlib
import re
from collections.abc import Mapping

CLUSTER_ID = "tke-clusterId"
CREATED_EIP = "tke-created-eip"
CLAIM_UID = "tke-eipclaim-uid"
NAMESPACES = "tke-eip-namespaces"
"""On an EIP of the user's: the namespaces whose Pods may have it, as words; `*` stands for all."""

_TOKEN_LIMIT = 64
"""ASCII characters of a ClientToken (API page AllocateAddresses)."""


def of_claim(cluster_id: str, claim_uid: str) -> dict[str, str]:
    """Return the tags of an EIP that is created for a claim."""
    return {**of_cluster(cluster_id), CLAIM_UID: claim_uid}


def of_cluster(cluster_id: str) -> dict[str, str]:
    """Return the tags that all EIPs created for a cluster have."""
    return {CLUSTER_ID: cluster_id, CREATED_EIP: "true"}


def created_for(tags: Mapping[str, str], cluster_id: str, claim_uid: str) -> bool:
    """Whether these are the tags of an EIP that was created for this claim."""
    wanted = of_claim(cluster_id, claim_uid)
    return all(tags.get(key) == value for key, value in wanted.items())


def allows_namespace(tags: Mapping[str, str], namespace: str) -> bool:
    """Whether these are the tags of an EIP that Pods of the namespace may name in their `eip-id-list`."""
    words = re.split(r"[\s,;/+]+", tags.get(NAMESPACES, ""))
    return namespace in words or "*" in words


def client_token(claim_uid: str, attempt: int) -> str:
    """Return the ClientToken of an order: the same for each repeat of an attempt, never that of another."""
    token = f"eip-{claim_uid}-{attempt}"
    if len(token) <= _TOKEN_LIMIT and token.isascii():
        return token
    return hashlib.sha256(token.encode()).hexdigest()
