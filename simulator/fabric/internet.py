"""The internet: a namespace whose hosts reach the region's public addresses through the VPC router.

It is also where packets between two public addresses of the region turn round, as at a real border: they
leave translated and come in again. Every other destination is answered by nobody.
"""

import contextlib
from collections.abc import Sequence

from pyroute2 import IPRoute

from simulator.fabric import links, netns

LINK = "region"
"""Its link to the router; 198.51.100.0/24 is documentation space (RFC 5737)."""
MAC = "fe:ee:00:00:00:02"
ROUTER_ADDRESS = "198.51.100.1"
BORDER_ADDRESS = "198.51.100.2"

_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
}


def configure(netns_name: str, hosts: Sequence[str], router_mac: str) -> None:
    """Give the namespace the hosts' addresses and its way to the region; the link must be there."""

    def body() -> None:
        netns.write_sysctls(_SYSCTLS)
        with links.explained(f"{netns_name} cannot be configured"), contextlib.closing(IPRoute()) as ipr:
            for host in hosts:
                ipr.addr("add", index=1, address=host, prefixlen=32)
            index = links.index_of(ipr, LINK)
            ipr.link("set", index=index, state="up")
            links.wait_until_up(ipr, index)
            ipr.addr("add", index=index, address=BORDER_ADDRESS, prefixlen=30)
            ipr.neigh("replace", ifindex=index, dst=ROUTER_ADDRESS, lladdr=router_mac, state=links.PERMANENT)
            ipr.route("add", dst="default", gateway=ROUTER_ADDRESS, oif=index, prefsrc=hosts[0])

    netns.run_in(netns_name, body)
