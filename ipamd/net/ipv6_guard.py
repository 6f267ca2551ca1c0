"""Pods have IPv4 only: their links take no part in IPv6, and what they send of it is dropped.

    sysctl   net.ipv6.conf.<link>.disable_ipv6=1, on both ends of each Pod's link
    nft      table ip6 tke_eni: whatever comes from a Pod's link is dropped

Rules for IPv4, ours and an operator's, say nothing of IPv6, and a link-local address (fe80::/10) needs no
route: by it a Pod would reach every port of the node, and could give the node a route (router
advertisements, CVE-2020-10749). The setting of one end is undone by whoever writes
net.ipv6.conf.all.disable_ipv6; the table then stands alone until the repair. In the Pod, where NET_ADMIN
may undo it, it only keeps quiet who has nobody to talk to. The Pod's loopback (::1) stays.
"""

import errno
import logging
from typing import Any, Final

from ipamd.core import errors, names
from ipamd.core.kernel.difference import Difference
from ipamd.net import libnftables, nft_generation, table_listing
from ipamd.net.nft_elements import TABLE
from ipamd.net.sysctls import Sysctls

log = logging.getLogger(__name__)

_NAME: Final = {"family": "ip6", "name": TABLE}
_HERE: Final = {"family": "ip6", "table": TABLE}
_CHAIN: Final = "sources"
_HOOK: Final = {"type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"}
_FROM_A_POD: Final = {
    "match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": f"{names.HOST_VETH_PREFIX}*"}
}
_RULE: Final = {
    **_HERE,
    "chain": _CHAIN,
    "expr": [_FROM_A_POD, {"drop": None}],
    "comment": "Pods have IPv4 only",
}
_COMMANDS: Final[list[dict[str, Any]]] = [
    {"add": {"table": _NAME}},
    {"add": {"chain": {**_HERE, "name": _CHAIN, **_HOOK}}},
    {"flush": {"chain": {**_HERE, "name": _CHAIN}}},
    {"add": {"rule": _RULE}},
]


def close(link: str, sysctls: Sysctls) -> None:
    """Take a link that was just made out of IPv6, in the namespace of the calling thread."""
    # Without a look first: a new link has the default, and ADD is the hot path.
    sysctls.write(f"ipv6/conf/{link}/disable_ipv6", "1")


def ensure_closed(link: str, sysctls: Sysctls) -> None:
    """Take a link out of IPv6 unless it is out."""
    sysctls.ensure(f"ipv6/conf/{link}/disable_ipv6", "1")


class Ipv6Guard:
    """The table of one node.

    Invariant: `_right` is how the kernel listed the table right after it was written whole. Used under the
    data plane's lock, never by two threads at once, but for `listed` and `differences`.
    """

    def __init__(self, sysctls: Sysctls) -> None:
        self._sysctls = sysctls
        self.listed = nft_generation.GenerationCache(listed)
        self._right: list[dict[str, Any]] = []
        self._refused = False

    def differences(self) -> list[Difference]:
        """Return what somebody has changed since the table was written; changes nothing."""
        right = self._right
        if not right:
            return []
        known = self.listed()
        return table_listing.differences(
            TABLE, right, table_listing.fixed(known, ()) if known is not None else None, family="ip6"
        )

    def ensure(self) -> list[Difference]:
        """Make the table what it has to be, if there is IPv6; return what somebody had changed."""
        if self._refused or not self._sysctls.read("ipv6/conf/all/disable_ipv6"):
            return []
        changed = self.differences()
        if not self._right or changed:
            self._write()
        return changed

    def _write(self) -> None:
        try:
            libnftables.run(_COMMANDS, f"write nft table ip6 {TABLE}", "write_ipv6_guard")
        except errors.KernelError as e:
            if e.errno != errno.EOPNOTSUPP:
                raise
            log.warning("IPv6 of Pods is closed by sysctls alone, nftables of this kernel has none: %s", e)
            self._refused = True
            return
        now = self.listed() or []
        self._right = table_listing.fixed(now, ()) if table_listing.is_whole(now, _COMMANDS) else []

    def remove(self) -> None:
        """Remove the table."""
        if self.listed() is not None:
            command = [{"delete": {"table": _NAME}}]
            libnftables.run(command, f"remove nft table ip6 {TABLE}", "remove_ipv6_guard")


def listed() -> list[dict[str, Any]] | None:
    """Return the table as nft lists it, None when it does not exist."""
    try:
        return libnftables.run([{"list": {"table": _NAME}}], f"list nft table ip6 {TABLE}", "list_ipv6_guard")
    except errors.KernelError as e:
        if e.errno == errno.ENOENT:
            return None
        raise
