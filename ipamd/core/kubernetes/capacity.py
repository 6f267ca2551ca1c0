"""How many Pod IPs and EIPs a node can have, from its instance type. Pure arithmetic.

Sources: the table "public IPs per CVM by vCPU" of document 1199/41648 (the formula fits every row of it; no
API returns the number), and TKE's page on Pod EIPs ("bind limit of the CVM minus one").
"""

from ipamd.core import model

EIP_RESOURCE = "tke.cloud.tencent.com/eip"
ENI_IP_RESOURCE = "tke.cloud.tencent.com/eni-ip"
DIRECT_ENI_RESOURCE = "tke.cloud.tencent.com/direct-eni"

MOST_PUBLIC_IPS = 10
"""The last row of the table: 48 vCPUs and more."""


def public_ips(vcpus: int) -> int:
    """Return how many public IPs a CVM of this size may have bound."""
    return min(MOST_PUBLIC_IPS, vcpus // 6 + 2)


def pod_eips(vcpus: int, others: int = 0) -> int:
    """Return how many Pods of a node may have an EIP: one is left for the CVM itself.

    `others` public IPs are bound to the CVM and are no Pod's: its own, and what people have bound to its
    ENIs. Each takes a place that the cloud has for the CVM, and the first has the one that is left for it.
    """
    return max(0, public_ips(vcpus) - max(1, others))


def pod_ips(limits: model.EniLimits) -> int:
    """Return how many Pods may have an IP: secondary addresses of secondary ENIs.

    ENIs that are not ours have to be left out of the limits. What is free in the subnets does not count here:
    it belongs to all nodes at once, so no node can promise a part of it.
    """
    return max(0, limits.enis - 1) * max(0, limits.ips_per_eni - 1)


def resources(vcpus: int, limits: model.EniLimits, other_public_ips: int = 0) -> dict[str, int]:
    """Return the extended resources of the Node, by full name."""
    return {EIP_RESOURCE: pod_eips(vcpus, other_public_ips), ENI_IP_RESOURCE: pod_ips(limits)}
