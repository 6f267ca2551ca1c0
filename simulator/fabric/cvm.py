"""A CVM as it comes out of the image: what is configured in its namespace before anything of ours runs there.

The primary ENI is up with its address and default route, as DHCP leaves it. Secondary ENIs are links that are
down and have no address. Kernel parameters are those of a CentOS-like image: no forwarding, strict reverse
path.
"""

import contextlib
from ipaddress import IPv4Network

from pyroute2 import IPRoute

from simulator.fabric import links, netns
from simulator.fabric.api import EniPort

_SYSCTLS = {
    "net.ipv4.ip_forward": "0",
    "net.ipv4.conf.all.rp_filter": "1",
    "net.ipv4.conf.default.rp_filter": "1",
    # Link-local IPv6 addresses are there with the link and not a second later: what a look at the CVM shows
    # must not depend on when it is taken.
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
}
PROTO_DHCP = 16
"""RTPROT_DHCP of linux/rtnetlink.h."""


def boot(netns_name: str) -> None:
    """Set the kernel parameters of the image."""
    netns.run_in(netns_name, lambda: netns.write_sysctls(_SYSCTLS))


def configure_primary(netns_name: str, port: EniPort) -> None:
    """Bring the primary ENI up with address, subnet route and default route."""

    def body() -> None:
        what = f"the primary ENI {port.eni_id} cannot be configured in {netns_name}"
        with links.explained(what), contextlib.closing(IPRoute()) as ipr:
            index = links.index_of(ipr, f"eth{port.device_index}")
            ipr.link("set", index=index, state="up")
            links.wait_until_up(ipr, index)
            prefix = IPv4Network(port.subnet_cidr).prefixlen
            ipr.addr("add", index=index, address=port.primary_ip, prefixlen=prefix)
            ipr.route("add", dst="default", gateway=port.gateway, oif=index, proto=PROTO_DHCP)

    netns.run_in(netns_name, body)
