"""How an EIP of ours is known again on the cloud, and how an order is made only once.

`tke-clusterId` and `tke-created-eip` are the tags that TKE's own component sets; the claim's UID is our
addition, so that an order whose answer was lost is found again. Each claim makes a value of its own, and an
account may have so many values of a tag's key; so the UID stands in the EIP's name, too, by which an EIP is
known that the account gave without the tag. Names must stay: they outlive every release.
"""

import hashlib
import re
from collections.abc import Mapping

CLUSTER_ID = "tke-clusterId"
CREATED_EIP = "tke-created-eip"
CLAIM_UID = "tke-eipclaim-uid"
NODE = "tke-eni-node"
"""On every ENI that we create: the id of the CVM it was created for. It tells leftovers from others' ENIs."""
EXCLUSIVE_NODE = "tke-eni-exclusive-node"
"""The same, in the place of NODE, on an ENI that one Pod is to have as a whole: a release that does not know
the mode takes it for somebody else's."""
POOL_UID = "tke-eippool-uid"
"""On an EIP that was created for an EIPPool, beside the cluster's id; it has no `tke-created-eip`, so what
looks for EIPs of claims (the orphan sweep, `ipamctl eip cleanup`) leaves it alone."""
NAMESPACES = "tke-eip-namespaces"
"""On an EIP of the user's: the namespaces whose Pods may have it, as words; `*` stands for all."""
VPC_IP_CLAIM_UID = "tke-vpcipclaim-uid"
"""On a reservation of a private address, or on an ENI that moves as a whole: the UID of the VpcIPClaim that
it is for, beside the cluster's id. No EIP has it, and neither of the two has another tag of ours."""
BEFORE_VPC_IP_CLAIM = "tke-vpcip/"
"""In the description of an address of an ENI, what stands before the UID of the VpcIPClaim that it is for."""

_NAME_LIMIT = 128
"""Characters of an AddressName (API page ModifyAddressAttribute)."""
BEFORE_UID = "-eipclaim-"
"""In the name of an EIP of ours, what stands before the UID of its claim."""
_TOKEN_LIMIT = 64
"""ASCII characters of a ClientToken (API page AllocateAddresses)."""


def of_claim(cluster_id: str, claim_uid: str) -> dict[str, str]:
    """Return the tags of an EIP that is created for a claim."""
    return {**of_cluster(cluster_id), CLAIM_UID: claim_uid}


def of_cluster(cluster_id: str) -> dict[str, str]:
    """Return the tags that all EIPs created for a cluster have."""
    return {CLUSTER_ID: cluster_id, CREATED_EIP: "true"}


def of_pool(cluster_id: str, pool_uid: str) -> dict[str, str]:
    """Return the tags of an EIP that is created for an EIPPool."""
    return {CLUSTER_ID: cluster_id, POOL_UID: pool_uid}


def of_vpc_ip_claim(cluster_id: str, claim_uid: str) -> dict[str, str]:
    """Return the tags of a reservation, or of an ENI, that is made for a VpcIPClaim."""
    return {CLUSTER_ID: cluster_id, VPC_IP_CLAIM_UID: claim_uid}


def address_description(claim_uid: str) -> str:
    """Return the description of an address that is assigned for a VpcIPClaim."""
    return f"{BEFORE_VPC_IP_CLAIM}{claim_uid}"


def described_claim(description: str) -> str:
    """Return the UID of the VpcIPClaim that an address was assigned for; empty for none."""
    uid = description.removeprefix(BEFORE_VPC_IP_CLAIM)
    return uid if uid != description else ""


def name_of(namespace: str, name: str, claim_uid: str) -> str:
    """Return the name of an EIP that is created for a claim; its end is the UID."""
    end = f"{BEFORE_UID}{claim_uid}"
    return f"{namespace}-{name}"[: _NAME_LIMIT - len(end)] + end


def names_claim(name: str) -> bool:
    """Whether a name is one by which an EIP of a claim may be known."""
    return BEFORE_UID in name


def name_for_pool(name: str, pool_uid: str) -> str:
    """Return the name of an EIP that is created for an EIPPool."""
    end = f"-eippool-{pool_uid}"
    return name[: _NAME_LIMIT - len(end)] + end


def claim_of(tags: Mapping[str, str], name: str) -> str:
    """Return the UID of the claim that an EIP was created for, by tag or else by name; empty for none."""
    if CLAIM_UID in tags:
        return tags[CLAIM_UID]
    return name.rpartition(BEFORE_UID)[2] if names_claim(name) else ""


def created_for(tags: Mapping[str, str], name: str, cluster_id: str, claim_uid: str) -> bool:
    """Whether these are the tags and the name of an EIP that was created for this claim.

    One without the tag of the UID may lack the cluster's tags as well, but not have another cluster's.
    """
    ours = of_cluster(cluster_id)
    present = {key: tags[key] for key in ours if key in tags}
    return claim_of(tags, name) == claim_uid and (present == ours or (not present and CLAIM_UID not in tags))


def allows_namespace(tags: Mapping[str, str], namespace: str) -> bool:
    """Whether these are the tags of an EIP that Pods of the namespace may name in their `eip-id-list`."""
    words = re.split(r"[\s,;/+]+", tags.get(NAMESPACES, ""))
    return namespace in words or "*" in words


def client_token(uid: str, attempt: int) -> str:
    """Return the ClientToken of an order: the same for each repeat of an attempt, never that of another.

    The UID is that of the claim or pool for which is ordered.
    """
    return _token(f"eip-{uid}-{attempt}")


def reservation_token(claim_uid: str, attempt: int) -> str:
    """Return the ClientToken of a reservation, as `client_token` does for an order."""
    return _token(f"rsvip-{claim_uid}-{attempt}")


def fixed_eni_token(claim_uid: str, attempt: int) -> str:
    """Return the ClientToken of an ENI that is made for a VpcIPClaim, as `client_token` does for an order."""
    return _token(f"eni-{claim_uid}-{attempt}")


def _token(token: str) -> str:
    if len(token) <= _TOKEN_LIMIT and token.isascii():
        return token
    return hashlib.sha256(token.encode()).hexdigest()
