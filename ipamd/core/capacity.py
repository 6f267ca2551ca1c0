"""How many Pod IPs and EIPs a node can have, from its instance type. Pure arithmetic.

Sources: the table "public IPs per CVM by vCPU" of document 1199/41648 (the formula fits every row of it; no
API returns the number), and TKE's page on Pod EIPs ("bind limit of the CVM minus one").
"""

from ipamd.core import model

EIP_RESOURCE = "tke.cloud.tencent.com/eip"
ENI_IP_RESOURCE = "tke.cloud.tencent.com/eni-ip"

MOST_PUBLIC_IPS = 10
"""The last row of the table: 48 vCPUs and more."""


def public_ips(vcpus: int) -> int:
    """Return how many public IPs a CVM of this size may have bound."""
    return min(MOST_PUBLIC_IPS, vcpus // 6 + 2)


def pod_eips(vcpus: int) -> int:
    """Return how many Pods of a node may have an EIP: one is left for the CVM itself."""
    return public_ips(vcpus) - 1


def pod_ips(limits: model.EniLimits) -> int:
    """Return how many Pods may have an IP: secondary addresses of secondary ENIs."""
    return max(0, limits.enis - 1) * max(0, limits.ips_per_eni - 1)


def resources(vcpus: int, limits: model.EniLimits) -> dict[str, int]:
    """Return the extended resources of the Node, by full name."""
    return {EIP_RESOURCE: pod_eips(vcpus), ENI_IP_RESOURCE: pod_ips(limits)}
