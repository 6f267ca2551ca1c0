"""The VPC router: a network namespace with a port for each attached ENI and an uplink to the internet.

Routing needs no ARP towards a CVM: each address is a /32 route through the ENI's primary address, whose
neighbour entry is permanent, so that a CVM gets packets for secondary addresses that it has not configured.
Towards the router a CVM ARPs as usual: the router owns the gateway addresses and answers for every other
address that it has a route to (proxy ARP).

The kernel's view only: what is attached where is the caller's business (`vpc`). One thread lives in the
namespace and does all the work; methods may be called from any thread and return when the kernel is done.
"""

import contextlib
import errno
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from simulator.fabric import icmp_errors, internet, links, netns, ruleset
from simulator.fabric.api import EniPort, FabricError
from simulator.fabric.nft import Nft

T = TypeVar("T")

LOOPBACK = 1
"""The loopback device is the first one in every namespace."""
GATEWAY_MAC = "fe:ee:00:00:00:01"
"""What CVMs see as their gateway; every port is a link of its own, so one MAC serves all."""
MTU = 1500
ONLINK = 4
"""RTNH_F_ONLINK of linux/rtnetlink.h: the next hop is on the link whatever the routes say."""

_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
}


def link_name(eni_id: str) -> str:
    """Name the router's end of an ENI: its id, or a digest of it where that is too long for a link."""
    return eni_id if len(eni_id) <= 15 else "eni-" + hashlib.sha256(eni_id.encode()).hexdigest()[:11]


class Router:
    """The namespace, its netlink socket and its nft session; invariant: both belong to the one thread."""

    def __init__(self, netns_name: str, *, vpc_cidrs: Sequence[str], services: Sequence[str]) -> None:
        """Set up a namespace that exists and is empty; `services` become addresses of the router itself."""
        self.netns_name = netns_name
        self._thread = netns.Resident(netns_name)
        self._ipr: Any = None
        self._nft: Nft | None = None
        self._ports: dict[str, int] = {}
        """Index of the link of each ENI."""
        self._indexes = itertools.count(links.FIRST_PORT_INDEX)
        try:
            self._do("the router cannot be set up", lambda: self._set_up(vpc_cidrs, services))
        except BaseException:
            self.close()
            raise

    def connect_internet(self, netns_name: str) -> None:
        """Make the uplink; the other end is configured by `internet`."""
        self._do("the uplink cannot be made", lambda: self._connect_internet(netns_name))

    def add_subnet(self, gateway: str) -> None:
        """Own the gateway address of a subnet."""
        self._do(
            f"gateway {gateway} cannot be added",
            lambda: self._ipr.addr("replace", index=LOOPBACK, address=gateway, prefixlen=32),
        )

    def add_port(self, port: EniPort, cvm_netns: str) -> None:
        """Make the ENI's link between the router and the CVM, with the routes to its addresses."""
        what = f"ENI {port.eni_id} cannot be connected to {cvm_netns} as eth{port.device_index}"
        self._do(what, lambda: self._add_port(port, cvm_netns))

    def return_port(self, port: EniPort, index: int, cvm_netns: str) -> bool:
        """Make a port's link anew if the one of this index was its own and is gone; say if it was so."""
        what = f"ENI {port.eni_id} cannot return to {cvm_netns}"
        return self._do(what, lambda: self._return_port(port, index, cvm_netns))

    def wait_for_port(self, port: EniPort) -> None:
        """Wait until the port transmits, once its other end is up."""
        self._do(
            f"the port of ENI {port.eni_id} is gone",
            lambda: links.wait_until_up(self._ipr, self._ports[port.eni_id]),
        )

    def wait_for_uplink(self) -> None:
        """Wait until the uplink transmits, once its other end is up."""
        self._do(
            "the uplink is gone",
            lambda: links.wait_until_up(self._ipr, links.index_of(self._ipr, ruleset.UPLINK)),
        )

    def remove_port(self, port: EniPort) -> None:
        """Remove the link, which takes neighbours and routes with it, in whatever namespace its end is.

        It may be gone: a veth ends with the namespace of its other end, or by `ip link delete` on the CVM.
        """
        self._do(f"ENI {port.eni_id} cannot be disconnected", lambda: self._remove_port(port))

    def add_route(self, port: EniPort, ip: str) -> None:
        """Send packets for an address to the port."""
        self._do(
            f"{ip} cannot be routed to ENI {port.eni_id}",
            lambda: self._add_route(self._ports[port.eni_id], port, ip),
        )

    def remove_route(self, ip: str) -> None:
        """Send them nowhere; the route is gone already when the link is."""
        self._do(f"the route to {ip} cannot be removed", lambda: self._remove_route(ip))

    def apply(self, script: str) -> None:
        """Run an nft script (see `ruleset`) as one transaction."""
        self._do("the rules cannot be changed", lambda: self._rules().run(script))

    def spoof_drops(self) -> dict[str, int]:
        """Packets dropped as spoofed, by link name."""
        elements = self._do(
            "the counters cannot be read", lambda: self._rules().list_elements(ruleset.TABLE, "ports")
        )
        return {element["val"]: element["counter"]["packets"] for element in elements}

    def close(self) -> None:
        """Close the sockets and end the thread; the namespace stays. Safe to repeat."""
        # Closed before: there is nothing left to tear down.
        with contextlib.suppress(FabricError):
            self._thread.call(self._tear_down)
        self._thread.close()

    def _do(self, what: str, call: Callable[[], T]) -> T:
        with links.explained(what):
            return self._thread.call(call)

    def _rules(self) -> Nft:
        if self._nft is None:
            raise FabricError(f"the router {self.netns_name} was not set up")
        return self._nft

    def _set_up(self, vpc_cidrs: Sequence[str], services: Sequence[str]) -> None:
        netns.write_sysctls(_SYSCTLS)
        self._ipr = IPRoute()
        self._nft = Nft()
        self._nft.run(ruleset.base())
        icmp_errors.install(
            ruleset.TABLE, ruleset.QUOTED_SOURCE, icmp_errors.QUOTED_SOURCE, address_map="private_of"
        )
        icmp_errors.install(
            ruleset.TABLE, ruleset.QUOTED_DESTINATION, icmp_errors.QUOTED_DESTINATION, address_map="eip_of"
        )
        for address in services:
            self._ipr.addr("add", index=LOOPBACK, address=address, prefixlen=32)
        for cidr in vpc_cidrs:
            # What is not assigned goes nowhere; without this it would follow the default route.
            self._ipr.route("add", dst=cidr, type="blackhole")

    def _tear_down(self) -> None:
        if self._ipr is not None:
            self._ipr.close()
        if self._nft is not None:
            self._nft.close()
        self._ipr = self._nft = None

    def _connect_internet(self, netns_name: str) -> None:
        with _descriptor(netns_name) as fd:
            peer = {"ifname": internet.LINK, "net_ns_fd": fd, "address": internet.MAC, "mtu": MTU}
            index = self._add_veth(ruleset.UPLINK, peer)
        self._ipr.addr("add", index=index, address=internet.ROUTER_ADDRESS, prefixlen=30)
        self._add_neighbour(index, internet.BORDER_ADDRESS, internet.MAC)
        self._ipr.route("add", dst="default", gateway=internet.BORDER_ADDRESS, oif=index)

    def _return_port(self, port: EniPort, index: int, cvm_netns: str) -> bool:
        if self._ports.get(port.eni_id) != index:
            return False
        # As the kernel names an interface whose name is taken where it returns to (net/core/dev.c).
        self._add_port(port, cvm_netns, f"dev{index}")
        return True

    def _add_port(self, port: EniPort, cvm_netns: str, ifname: str = "") -> None:
        name = link_name(port.eni_id)
        ifname = ifname or f"eth{port.device_index}"
        with _descriptor(cvm_netns) as fd:
            peer = {"ifname": ifname, "net_ns_fd": fd, "address": port.mac, "mtu": MTU}
            index = self._add_veth(name, peer)
        try:
            # Without proxy_delay = 0 the kernel waits up to 0.8 s before it answers for others.
            netns.write_sysctls(
                {f"net.ipv4.conf.{name}.proxy_arp": "1", f"net.ipv4.neigh.{name}.proxy_delay": "0"}
            )
            self._add_neighbour(index, port.primary_ip, port.mac)
            for ip in (port.primary_ip, *port.secondary_ips):
                self._add_route(index, port, ip)
        except BaseException:
            self._ipr.link("del", index=index)
            raise
        self._ports[port.eni_id] = index

    def _remove_port(self, port: EniPort) -> None:
        with _allowed(errno.ENODEV):
            self._ipr.link("del", index=self._ports[port.eni_id])
        del self._ports[port.eni_id]

    def _remove_route(self, ip: str) -> None:
        with _allowed(errno.ESRCH):
            self._ipr.route("del", dst=f"{ip}/32")

    def _add_veth(self, name: str, peer: dict[str, Any]) -> int:
        index = next(self._indexes)
        settings = {"address": GATEWAY_MAC, "mtu": MTU, "state": "up", "peer": peer}
        self._ipr.link("add", ifname=name, index=index, kind="veth", **settings)
        return index

    def _add_neighbour(self, index: int, address: str, mac: str) -> None:
        self._ipr.neigh("replace", ifindex=index, dst=address, lladdr=mac, state=links.PERMANENT)

    def _add_route(self, index: int, port: EniPort, ip: str) -> None:
        self._ipr.route("replace", dst=f"{ip}/32", gateway=port.primary_ip, oif=index, flags=ONLINK)


@contextlib.contextmanager
def _allowed(code: int) -> Iterator[None]:
    try:
        yield
    except NetlinkError as e:
        if e.code != code:
            raise


@contextlib.contextmanager
def _descriptor(netns_name: str) -> Iterator[int]:
    try:
        fd = os.open(netns.DIRECTORY / netns_name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        raise FabricError(f"network namespace {netns_name} cannot be opened: {e.strerror}") from e
    try:
        yield fd
    finally:
        os.close(fd)
