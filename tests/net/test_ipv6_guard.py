"""No Pod gets past the rules of IPv4 by IPv6: each of two bars holds alone, and both come back."""

import socket
import struct

import pytest

from ipamd.net.ipv6_guard import Ipv6Guard
from ipamd.net.sysctls import Sysctls
from tests.testkit.eventually import comes_about, eventually

pytestmark = pytest.mark.netns
POD = "10.0.1.100"
PORT = 10250
ALL_NODES = "ff02::1"


@pytest.fixture
def pod(world):
    return world.add_pod(POD)


@pytest.fixture
def veth(world, pod):
    return world.pods[POD].host_veth


def open_pod(pod):
    """What who has NET_ADMIN in the Pod may do."""
    pod.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=0")
    pod.run("ip", "-6", "address", "add", "fe80::2/64", "dev", "eth0", "nodad")


def open_node(world, veth):
    """What `sysctl -w net.ipv6.conf.all.disable_ipv6=0` does to each link, and an address at once."""
    world.node.run("sysctl", "-qw", f"net.ipv6.conf.{veth}.disable_ipv6=0")
    world.node.run("ip", "-6", "address", "add", "fe80::1/64", "dev", veth, "nodad")


def take_table_away(world):
    world.node.run("nft", "delete", "table", "ip6", "tke_eni")


def reached(world, pod):
    """Whether the Pod connects to a server of the node, by the address that the link would have."""
    mac = [int(byte, 16) for byte in world.snapshot().links[0].mac.split(":")]
    own = f"fe80::{mac[0] ^ 2:02x}{mac[1]:02x}:{mac[2]:02x}ff:fe{mac[3]:02x}:{mac[4]:02x}{mac[5]:02x}"
    server = world.node.do(lambda: socket.create_server(("::", PORT), family=socket.AF_INET6))
    try:
        for address in ("fe80::1", own):
            try:
                pod.do(
                    lambda address=address: socket.create_connection((f"{address}%eth0", PORT), 0.5)
                ).close()
            except OSError:
                continue
            return True
        return False
    finally:
        server.close()


def test_with_both_bars_away_there_is_a_way(world, pod, veth):
    """So that the other tests mean something."""
    open_pod(pod)
    open_node(world, veth)
    take_table_away(world)

    assert reached(world, pod)


@pytest.mark.parametrize("bar", ["sysctl", "table", "both"])
def test_each_bar_holds_alone(world, pod, veth, bar):
    open_pod(pod)
    if bar == "table":
        open_node(world, veth)
    if bar == "sysctl":
        take_table_away(world)

    assert not reached(world, pod)


def test_nobody_speaks_ipv6_on_a_new_link(world, pod, veth):
    assert pod.run("ip", "-6", "address", "show", "dev", "eth0") == ""
    assert world.node.run("ip", "-6", "address", "show", "dev", veth) == ""


def test_the_loopback_of_the_pod_stays(world, pod):
    server = pod.do(lambda: socket.create_server(("::1", PORT), family=socket.AF_INET6))
    with server:
        pod.do(lambda: socket.create_connection(("::1", PORT), 1.0)).close()


def test_a_server_of_the_pod_that_listens_on_every_address_is_reached_by_ipv4(world, pod):
    server = pod.do(lambda: socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True))
    with server:
        world.node.do(lambda: socket.create_connection((POD, PORT), 1.0)).close()


def test_a_router_advertisement_of_a_pod_gives_the_node_nothing(world, pod, veth):
    world.node.run("sysctl", "-qw", f"net.ipv6.conf.{veth}.accept_ra=2")
    open_pod(pod)
    open_node(world, veth)
    prefix = (
        struct.pack("!BBBBII", 3, 4, 64, 0xC0, 3600, 3600)
        + bytes(4)
        + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
    )
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix

    def advertise():
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as channel:
            channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            channel.sendto(advertisement, (ALL_NODES, 0, 0, socket.if_nametoindex("eth0")))

    def believed():
        return "2001:db8:bad" in world.node.run("ip", "-6", "route")

    pod.do(advertise)
    assert not comes_about(believed, 0.5)
    take_table_away(world)
    pod.do(advertise)
    eventually(believed), "the advertisement has to be one that is believed without the table"


@pytest.mark.parametrize(
    "damage",
    ["nft delete table ip6 tke_eni", "nft flush chain ip6 tke_eni sources", "nft flush ruleset"],
)
def test_a_table_that_was_changed_comes_back(world, pod, damage):
    whole = world.node.run("nft", "-s", "list", "table", "ip6", "tke_eni")
    before = world.dataplane.mended
    world.node.run(*damage.split())

    world.ensure()

    assert world.node.run("nft", "-s", "list", "table", "ip6", "tke_eni") == whole
    assert world.dataplane.mended > before
    counted = world.dataplane.mended
    world.ensure()
    assert world.dataplane.mended == counted


def test_a_link_that_takes_part_again_leaves_it(world, pod, veth):
    open_node(world, veth)
    assert not world.snapshot().links[0].whole

    assert world.on_node(lambda: world.dataplane.connect_pod(world.pods[POD]))

    assert world.snapshot().links[0].whole
    assert world.node.run("ip", "-6", "address", "show", "dev", veth) == ""


def test_nothing_of_it_is_left_after_removal(world):
    assert world.snapshot().ipv6_guard
    world.on_node(world.dataplane.remove_all)

    assert not world.snapshot().ipv6_guard
    assert "ip6" not in world.node.run("nft", "list", "tables")


def test_a_node_without_ipv6_needs_nothing(world, tmp_path):
    """`ipv6.disable=1`: the kernel has none of these settings."""
    (tmp_path / "net").mkdir()
    guard = Ipv6Guard(Sysctls(tmp_path))
    world.on_node(world.dataplane.remove_all)

    assert not world.on_node(guard.ensure)
    assert not world.snapshot().ipv6_guard
