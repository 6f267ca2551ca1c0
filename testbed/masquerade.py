"""The MASQUERADE rule that ip-masq-agent keeps on a TKE node, installed as it does: with iptables."""

import subprocess
from collections.abc import Sequence


def install(
    netns: str, *, vpc_cidrs: Sequence[str], masq_link_local: bool = False, iptables: str = "iptables"
) -> None:
    """Masquerade what leaves for other than `vpc_cidrs` and link-local, in the node's namespace only.

    `masq_link_local` is MasqLinkLocal of its configuration, which TKE ships as true.

    The chain and its order are ip-masq-agent's: RETURN for each of NonMasqueradeCIDRs, then MASQUERADE,
    hooked behind POSTROUTING for destinations that are not local.
    """
    untouched = vpc_cidrs if masq_link_local else ("169.254.0.0/16", *vpc_cidrs)
    _nat(
        netns,
        iptables,
        "-N IP-MASQ-AGENT",
        "-A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT",
        *(f"-A IP-MASQ-AGENT -d {cidr} -j RETURN" for cidr in untouched),
        "-A IP-MASQ-AGENT -j MASQUERADE",
    )


def exempt(netns: str, *, sources: Sequence[str], iptables: str = "iptables") -> None:
    """Do what ip-masq-agent of TKE does when it reads `sources` in NonMasqueradeSrcCIDRs."""
    _nat(netns, iptables, *(f"-I IP-MASQ-AGENT -s {cidr} -j RETURN" for cidr in sources))


def _nat(netns: str, iptables: str, *rules: str) -> None:
    for rule in rules:
        command = ["ip", "netns", "exec", netns, iptables, "-w", "-t", "nat", *rule.split()]
        subprocess.run(command, check=True, capture_output=True)
