"""The rules that ip-masq-agent keeps on a TKE node, written as it does.

Sources: the README of kubernetes-sigs/ip-masq-agent (its chain IP-MASQ-AGENT, the jump from POSTROUTING for
destinations that are not local, RETURN for link-local addresses and for each of NonMasqueradeCIDRs, then
MASQUERADE; read again every 60 s); the page "IP Masquerade Agent User Guide" of the Kubernetes documentation
(the listing of the chain); TKE's page on Pod EIPs (NonMasqueradeSrcCIDRs). A resync gives iptables-restore
the whole chain: it is emptied and filled in one transaction. The jump is appended when it is not there.
"""

import subprocess
from collections.abc import Sequence

_CHAIN = "IP-MASQ-AGENT"
_JUMP = ("POSTROUTING", "-m", "addrtype", "!", "--dst-type", "LOCAL", "-j", _CHAIN)
_LINK_LOCAL = "169.254.0.0/16"


def install(
    netns: str,
    *,
    vpc_cidrs: Sequence[str],
    masq_link_local: bool = False,
    sources: Sequence[str] = (),
    iptables: str = "iptables",
) -> None:
    """Masquerade what leaves for other than `vpc_cidrs` and link-local, in the node's namespace only.

    Called again it is a resync, with the same or another configuration. `vpc_cidrs` are NonMasqueradeCIDRs,
    `sources` NonMasqueradeSrcCIDRs; `masq_link_local` is MasqLinkLocal, which TKE ships as true. `iptables`
    is the program of one back end: iptables-legacy, iptables-nft, or whichever is the machine's.
    """
    untouched = vpc_cidrs if masq_link_local else (_LINK_LOCAL, *vpc_cidrs)
    rules = [
        "*nat",
        f":{_CHAIN} - [0:0]",
        *(f"-A {_CHAIN} -s {cidr} -j RETURN" for cidr in sources),
        *(f"-A {_CHAIN} -d {cidr} -j RETURN" for cidr in untouched),
        f"-A {_CHAIN} -j MASQUERADE",
        "COMMIT",
        "",
    ]
    _run(netns, f"{iptables}-restore", "-w", "--noflush", text="\n".join(rules))
    if not _succeeds(netns, iptables, "-w", "-t", "nat", "-C", *_JUMP):
        _run(netns, iptables, "-w", "-t", "nat", "-A", *_JUMP)


def empty(netns: str, *, iptables: str = "iptables") -> None:
    """Empty the chain, as at the worst moment of a resync that is no transaction."""
    _run(netns, iptables, "-w", "-t", "nat", "-F", _CHAIN)


def _inside(netns: str, command: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", netns, *command]


def _run(netns: str, *command: str, text: str | None = None) -> None:
    subprocess.run(_inside(netns, command), input=text, text=True, check=True, capture_output=True)


def _succeeds(netns: str, *command: str) -> bool:
    return subprocess.run(_inside(netns, command), check=False, capture_output=True).returncode == 0
