"""The bits of packet and connection marks that are ours, and which ENI has which mark. Pure.

A mark is a small number shifted into the mask: 1 is the primary ENI, the others take the lowest number that
is free. The number of an ENI must outlive the agent, because connections carry it: after a restart it is
read back from the policy rule that leads to the ENI's table.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ipamd.core import errors

KUBE_PROXY_MASQUERADE: Final = 0x4000
"""kube-proxy marks a Service's packet so that is to get the node's address (--iptables-masquerade-bit)."""
KUBE_PROXY: Final = KUBE_PROXY_MASQUERADE | 0x8000
"""kube-proxy's bits: 0x8000 is for what it drops."""
KUBE_ROUTER: Final = 0x10000 | 0x20000
"""kube-router's firewall, which k3s has built in too, marks so what a NetworkPolicy allows, and lets it pass
(pkg/controllers/netpol): a bit of ours there opened every policy for the Pods of an ENI."""
FIRST_TABLE: Final = 4000
"""A secondary ENI's table is this and its ifindex, as in TKE since v3.8.0 (below are tables of Cilium)."""
EXCLUSIVE_TABLE: Final = FIRST_TABLE
"""Has the routes to Pods with an ENI of their own: no ENI has the ifindex 0."""


@dataclass(frozen=True, slots=True)
class MarkMask:
    """Our bits: contiguous, and none of kube-proxy's."""

    mask: int

    def __post_init__(self) -> None:
        mask, low = self.mask, self.mask & -self.mask
        contiguous = 0 < mask <= 0xFFFFFFFF and (mask + low) & mask == 0
        if not contiguous or mask & KUBE_PROXY or mask // low < 3:
            raise errors.InvalidInputError(
                f"mark_mask is {mask:#x}",
                advice="at least two contiguous bits of 32, none of them 0x4000 or 0x8000: 0x3f000000",
            )

    @property
    def primary(self) -> int:
        """The mark of the primary ENI."""
        return self.mask & -self.mask

    def free(self, taken: Collection[int]) -> int:
        """Return the lowest mark of a secondary ENI that is not taken."""
        step = self.primary
        for mark in range(2 * step, self.mask + step, step):
            if mark not in taken:
                return mark
        raise errors.InvalidInputError(
            f"mark_mask {self.mask:#x} has room for {self.mask // step} ENIs and all are taken",
            advice="give it more bits, in the agent's configuration",
        )
