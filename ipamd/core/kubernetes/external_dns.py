"""The annotation from which external-dns makes a DNS record of a Pod's public IP. Pure.

Of a headless Service external-dns takes, for each of its Pods, this annotation instead of the Pod's IP
(kubernetes-sigs/external-dns, docs/sources/service.md). Its prefix has changed with v0.22
(--annotation-prefix).
"""

from enum import Enum


class ExternalDns(Enum):
    """For whom the annotation is written: the values of --external-dns."""

    OFF = "off"
    ALPHA = "external-dns.alpha.kubernetes.io"
    STABLE = "external-dns.kubernetes.io"

    @property
    def target(self) -> str:
        """The annotation's key; empty for OFF."""
        return "" if self is ExternalDns.OFF else f"{self.value}/target"


TARGETS = tuple(dns.target for dns in ExternalDns if dns.target)
