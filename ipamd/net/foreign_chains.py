"""The chains of others that Pods' packets come by before or beside ours: listed, and judged by the core.

Only chains with a hook are listed first; the rules of a table only where its hook matters. What is no part of
nftables is read by `iptables_legacy`.
"""

from collections.abc import Iterator
from typing import Any, Final

from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel import foreign_chains
from ipamd.core.kernel.difference import Difference
from ipamd.core.kernel.foreign_chains import BaseChain, ChainVerdict, PodPacket
from ipamd.net import iptables_legacy, libnftables
from ipamd.net.nft_elements import TABLE

_OURS_BEFORE: Final = 99
"""The priority of our postrouting chain; kube-proxy and ip-masq-agent have 100."""
_FAMILIES: Final = ("ip", "inet")


def differences(packet: PodPacket) -> list[Difference]:
    """Return what others do to a Pod's first packet that they must not. Raises: KernelError."""
    listing = libnftables.run([{"list": {"chains": None}}], "list the chains of nftables", "list_chains")
    found = [
        difference
        for base in foreign_chains.base_chains(listing)
        if base.family in _FAMILIES and (base.family, base.table) != ("ip", TABLE)
        for difference in _of_chain(base, packet)
    ]
    if iptables_legacy.forward_drops(packet):
        found.append(_drops("FORWARD of iptables-legacy", iptables_legacy.FORWARD_CHAIN))
    return found


def _of_chain(base: BaseChain, packet: PodPacket) -> Iterator[Difference]:
    name = f"{base.family} {base.table} {base.name}"
    if base.hook == "forward" and base.kind == "filter":
        if foreign_chains.fate(base, _table(base), packet) is ChainVerdict.DROPPED:
            yield _drops(str(base), name)
    elif (base.hook, base.kind) == ("postrouting", "nat") and base.priority <= _OURS_BEFORE:
        if foreign_chains.fate(base, _table(base), packet) is not ChainVerdict.TRANSLATED:
            return
        text = f"{base} gives packets of Pods another source before our rules are asked"
        yield Difference(code=FindingCode.NAT_BEFORE_OURS, subject=f"chain/{name}", text=text)


def _drops(what: str, name: str) -> Difference:
    text = f"{what} drops what Pods send beyond the node"
    return Difference(code=FindingCode.FORWARD_DROP, subject=f"chain/{name}", text=text)


def _table(base: BaseChain) -> list[dict[str, Any]]:
    table = {"family": base.family, "name": base.table}
    return libnftables.run(
        [{"list": {"table": table}}], f"list nft table {base.family} {base.table}", "list_foreign_table"
    )
