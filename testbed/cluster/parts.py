"""Of which real parts a cluster's nodes are made, where there is a choice. Pure values."""

from dataclasses import dataclass
from typing import Literal, get_args

ContainerdLine = Literal["1", "2"]
ProxyMode = Literal["iptables", "nftables"]
PolicyEngine = Literal["none", "kube-router"]

CONTAINERD_LINES: tuple[ContainerdLine, ...] = get_args(ContainerdLine)
PROXY_MODES: tuple[ProxyMode, ...] = get_args(ProxyMode)
POLICY_ENGINES: tuple[PolicyEngine, ...] = get_args(PolicyEngine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One choice; the defaults are what `make e2e` takes."""

    containerd: ContainerdLine = "1"
    """Major version: Debian's, or the release that testbed/containerd builds."""
    proxy_mode: ProxyMode = "iptables"
    dns: bool = False
    """Whether CoreDNS answers at the cluster's DNS address."""
    policies: PolicyEngine = "none"
    """What enforces NetworkPolicies; none: nobody does."""
