"""A Pod that has an ENI as a whole: what it reaches and who reaches it, and how the link comes back."""

import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from ipamd.core.errors import KernelError, NetnsError, TryAgainError
from ipamd.net import listing
from ipamd.net.exclusive_eni import spare_name
from ipamd.net.model import DataPlaneConfig, OwnEni
from tests.net.world import GATEWAY, INTERNET_IP, NEIGHBOUR_IP, NODE_IP, source_seen

if TYPE_CHECKING:
    from ipamd.core.kernel.difference import Difference

pytestmark = pytest.mark.netns

MAC = "20:90:6f:00:00:22"
POD_IP = "10.0.1.50"
SERVICE_IP = "172.16.252.10"
METADATA = "169.254.0.23"
BY_NODE = (f"{NODE_IP}/32", "172.16.252.0/22", "169.254.0.0/16")
SHARED_IP = "10.0.1.100"


@pytest.fixture
def config():
    return DataPlaneConfig(link_wait=2.0, exclusive_source=NODE_IP, closed_to_pods=frozenset({METADATA}))


@pytest.fixture
def eni(world):
    """The node with an ENI more, which is put away."""
    world.attach_eni("p4", "eth2", MAC)
    world.own("p4", POD_IP, MAC)
    world.node.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
    assert world.on_node(lambda: world.dataplane.put_away_eni(MAC))
    return world


def wiring(world, sandbox, **changes):
    own = OwnEni(mac=MAC, gateway=GATEWAY, by_node=BY_NODE, node_ip=NODE_IP)
    return world.wiring(sandbox, POD_IP, **{"eni_mark": 0, "own_eni": own, **changes})


@pytest.fixture
def pod(eni):
    """The Pod's namespace."""
    sandbox = eni.sandbox()
    wired = wiring(eni, sandbox)
    eni.on_node(lambda: eni.dataplane.wire_pod(wired))
    eni.pods[POD_IP] = wired
    return sandbox


def links(namespace):
    found = (line.split(": ")[1].partition("@")[0] for line in namespace.run("ip", "-o", "link").splitlines())
    return set(found) - {"lo"}


@contextlib.contextmanager
def removed_routes(namespace):
    """Give a list that has, after the block, the routes that the kernel has removed meanwhile."""
    removed: list[listing.KernelRoute] = []
    family, kind, protocol = socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE
    with namespace.do(lambda: socket.socket(family, kind, protocol)) as heard:
        heard.bind((0, 0x40))  # RTMGRP_IPV4_ROUTE
        yield removed
        heard.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while message := heard.recv(65536):
                if struct.unpack_from("=H", message, 4)[0] == 25:  # RTM_DELROUTE
                    removed.append(listing.route(message))


def dnat(world, destination, to):
    """Lead what goes to a Service to a backend, as kube-proxy does."""
    world.node.run(
        "nft",
        "-f",
        "-",
        stdin=f"""
        table ip kube {{
          chain services {{
            type nat hook prerouting priority dstnat; policy accept;
            ip daddr {destination} tcp dport 80 dnat to {to}
          }}
          chain local {{
            type nat hook output priority -100; policy accept;
            ip daddr {destination} tcp dport 80 dnat to {to}
          }}
        }}
    """,
    )


def test_the_pod_s_own_traffic_leaves_by_the_eni_with_its_address(eni, pod):
    eni.serve(eni.internet, INTERNET_IP)
    eni.serve(eni.neighbour, NEIGHBOUR_IP)

    assert source_seen(pod, INTERNET_IP) == POD_IP
    assert source_seen(pod, NEIGHBOUR_IP) == POD_IP
    assert links(pod) == {"eth0", "veth1"}


def test_the_outside_reaches_the_pod(eni, pod):
    eni.serve(pod, POD_IP)

    assert source_seen(eni.neighbour, POD_IP) == NEIGHBOUR_IP
    assert source_seen(eni.internet, POD_IP) == INTERNET_IP


def test_the_node_and_the_pod_reach_each_other(eni, pod):
    eni.serve(pod, POD_IP)
    eni.serve(eni.node, NODE_IP)

    assert source_seen(eni.node, POD_IP) == NODE_IP, "as the kubelet probes"
    assert source_seen(pod, NODE_IP) == POD_IP


def test_an_address_on_the_node_s_lo_is_not_the_source_of_what_the_node_sends(eni, pod):
    """As LVS direct routing has one: the kernel takes it for what leaves by a link without address."""
    eni.node.run("ip", "address", "add", "10.9.9.9/32", "dev", "lo")
    eni.serve(pod, POD_IP)
    dnat(eni, SERVICE_IP, f"{POD_IP}:8080")

    assert source_seen(eni.node, POD_IP) == NODE_IP, "as the kubelet probes, and a Pod of the host's network"
    assert source_seen(eni.node, SERVICE_IP, 80) == NODE_IP
    assert eni.on_node(lambda: eni.dataplane.check_pod(eni.pods[POD_IP])) == []


def test_a_source_that_the_sender_has_chosen_stays(eni, pod):
    """As NodeLocal DNS answers from its link-local address."""
    eni.node.run("ip", "address", "add", "169.254.20.10/32", "dev", "lo")
    server = pod.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client = eni.node.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with server, client:
        server.bind((POD_IP, 8080))
        server.settimeout(5.0)
        client.bind(("169.254.20.10", 0))
        client.sendto(b"x", (POD_IP, 8080))

        assert server.recvfrom(1)[1][0] == "169.254.20.10"


def route_of(world):
    return world.node.run("ip", "route", "show", "table", "4000", POD_IP).strip()


def as_the_release_before(world):
    """Lead to the Pod as agents did before the node's address was in the route."""
    veth = world.pods[POD_IP].host_veth
    world.node.run(*f"ip route replace {POD_IP} dev {veth} scope link proto 116 table 4000".split())
    assert "src" not in route_of(world)


def test_a_route_without_the_node_s_address_is_told_and_replaced_without_a_gap(eni, pod):
    as_the_release_before(eni)
    wired = eni.pods[POD_IP]
    expected = f"table 4000 has no route {POD_IP}/32 dev {wired.host_veth} src {NODE_IP}"
    assert eni.on_node(lambda: eni.dataplane.check_pod(wired)) == [expected]

    with removed_routes(eni.node) as removed:
        eni.on_node(lambda: eni.dataplane.connect_pod(wired))

    assert f"src {NODE_IP}" in route_of(eni)
    assert removed == []
    assert eni.on_node(lambda: eni.dataplane.check_pod(wired)) == []


def test_a_start_gives_the_node_s_address_to_the_routes_of_running_pods(eni, pod):
    as_the_release_before(eni)
    told: list[Difference] = []
    eni.restart_agent(told.append)
    eni.ensure()

    assert f"src {NODE_IP}" in route_of(eni)
    assert told == [], "an upgrade is no repair"
    assert eni.dataplane.changes, "what was listed before is old"


def test_the_route_outlives_the_node_s_address(eni, pod):
    """As when a DHCP client takes it off and gives it again."""
    eni.node.run("ip", "address", "del", f"{NODE_IP}/24", "dev", "eth0")
    eni.node.run("ip", "address", "add", f"{NODE_IP}/24", "dev", "eth0")
    eni.serve(pod, POD_IP)

    assert source_seen(eni.node, POD_IP) == NODE_IP


def test_a_service_leads_the_pod_to_another_node_with_the_node_s_address(eni, pod):
    eni.serve(eni.neighbour, NEIGHBOUR_IP)
    dnat(eni, SERVICE_IP, f"{NEIGHBOUR_IP}:8080")

    assert source_seen(pod, SERVICE_IP, 80) == NODE_IP


def test_a_service_leads_the_pod_to_a_pod_of_the_node_as_itself(eni, pod):
    shared = eni.add_pod(SHARED_IP)
    eni.serve(shared, SHARED_IP)
    dnat(eni, SERVICE_IP, f"{SHARED_IP}:8080")

    assert source_seen(pod, SERVICE_IP, 80) == POD_IP


@pytest.mark.parametrize("client", ["a Pod of the node", "another node", "itself", "the node"])
def test_a_service_leads_to_the_pod(eni, pod, client):
    eni.serve(pod, POD_IP)
    shared = eni.add_pod(SHARED_IP)
    dnat(eni, SERVICE_IP, f"{POD_IP}:8080")
    node_port = NODE_IP if client == "another node" else SERVICE_IP
    if client == "another node":
        eni.node.run("nft", "flush chain ip kube services")
        eni.node.run(
            "nft", f"add rule ip kube services ip daddr {NODE_IP} tcp dport 80 dnat to {POD_IP}:8080"
        )

    where = {"a Pod of the node": shared, "another node": eni.neighbour, "itself": pod, "the node": eni.node}
    # A Pod of a shared ENI gets there by its ENI, as to every Pod of the VPC.
    seen = SHARED_IP if client == "a Pod of the node" else NODE_IP
    assert source_seen(where[client], node_port, 80) == seen


def test_a_service_without_nat_of_netfilter_leads_to_the_pod_from_the_node_s_address(eni, pod):
    """As kube-proxy's IPVS does it: the connection is never marked as changed by a rule for NAT."""
    change = f"ip daddr {SERVICE_IP} udp dport 80 ip daddr set {POD_IP} udp dport set 8080"
    eni.node.run("nft", "add table ip ipvs")
    hook = "{ type filter hook prerouting priority mangle ; }"
    eni.node.run("nft", f"add chain ip ipvs services {hook}")
    eni.node.run("nft", f"add rule ip ipvs services {change}")
    server = pod.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client = pod.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with server, client:
        server.bind((POD_IP, 8080))
        server.settimeout(5.0)
        client.sendto(b"x", (SERVICE_IP, 80))

        assert server.recvfrom(1)[1][0] == NODE_IP


def test_pods_of_both_modes_reach_each_other(eni, pod):
    shared = eni.add_pod(SHARED_IP)
    eni.serve(shared, SHARED_IP)
    eni.serve(pod, POD_IP)

    assert source_seen(pod, SHARED_IP) == POD_IP
    assert source_seen(shared, POD_IP) == SHARED_IP


def test_the_metadata_service_is_closed(eni, pod):
    eni.node.run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
    eni.serve(eni.node, METADATA, 80)

    assert source_seen(eni.node, METADATA, 80) == METADATA
    assert source_seen(pod, METADATA, 80, timeout=0.5) is None


def test_check_finds_nothing_wrong_with_a_pod_that_is_right(eni, pod):
    assert eni.on_node(lambda: eni.dataplane.check_pod(eni.pods[POD_IP])) == []


@pytest.mark.parametrize(
    ("where", "command", "told"),
    [
        ("pod", "ip link set eth0 down", "interface eth0 of the Pod is down"),
        ("pod", "ip address flush dev eth0", "interface eth0 of the Pod has no address 10.0.1.50/32"),
        ("pod", "ip route del default", "the Pod has no default route via 10.0.1.1 dev eth0"),
        ("pod", "ip link set veth1 down", "interface veth1 of the Pod, which leads to the node, is down"),
        ("pod", "ip route del 172.16.252.0/22", "the Pod has no route 172.16.252.0/22 dev veth1"),
        (
            "node",
            "nft flush set ip tke_eni exclusive_pods",
            "10.0.1.50 is missing from nft set tke_eni exclusive_pods",
        ),
    ],
)
def test_check_names_what_differs(eni, pod, where, command, told):
    {"pod": pod, "node": eni.node}[where].run(*command.split())

    found = eni.on_node(lambda: eni.dataplane.check_pod(eni.pods[POD_IP]))

    assert told in found


def test_check_tells_that_the_eni_is_away(eni, pod):
    pod.run("ip", "link", "set", "eth0", "down")
    pod.run("ip", "link", "set", "eth0", "name", "mine")

    found = eni.on_node(lambda: eni.dataplane.check_pod(eni.pods[POD_IP]))

    assert f"the Pod's ENI with MAC {MAC} is called mine, not eth0" in found


def test_the_routes_that_a_link_has_lost_are_made_again(eni, pod):
    for link in ("eth0", "veth1"):
        pod.run("ip", "link", "set", link, "down")
        pod.run("ip", "link", "set", link, "up")
    wired = eni.pods[POD_IP]
    assert eni.on_node(lambda: eni.dataplane.pods_inside([wired]))

    (lost,) = eni.on_node(lambda: eni.dataplane.mend_pod_sides([wired]))
    eni.on_node(lambda: eni.dataplane.connect_pod(wired))

    assert "default route via 10.0.1.1 dev eth0" in lost
    assert eni.on_node(lambda: eni.dataplane.check_pod(wired)) == []


def test_the_node_side_is_mended(eni, pod):
    eni.node.run("nft", "flush", "set", "ip", "tke_eni", "exclusive_pods")
    eni.node.run("ip", "route", "del", f"{POD_IP}/32", "table", "4000")
    wired = eni.pods[POD_IP]

    assert eni.on_node(lambda: eni.dataplane.connect_pod(wired))

    assert eni.on_node(lambda: eni.dataplane.check_pod(wired)) == []


def test_the_eni_comes_back_whatever_it_is_called(eni, pod):
    pod.run("ip", "link", "set", "eth0", "down")
    pod.run("ip", "link", "set", "eth0", "name", "mine")

    assert eni.on_node(lambda: eni.dataplane.bring_back_eni(MAC, pod.path))

    assert links(pod) == {"veth1"}
    shown = (
        eni.node.run("ip", "-o", "address", "show"),
        eni.node.run("ip", "-o", "link", "show", spare_name(MAC)),
    )
    assert POD_IP not in shown[0]
    assert "state DOWN" in shown[1]


def test_bringing_back_again_and_without_namespace_is_no_error(eni, pod):
    def bring(path):
        return eni.on_node(lambda: eni.dataplane.bring_back_eni(MAC, path))

    assert bring(pod.path)
    assert bring(pod.path)
    assert bring("/run/netns/gone")
    eni.vpc.run("ip", "link", "delete", "p4")
    assert not bring("/run/netns/gone"), "not on the node yet"


def test_what_the_kernel_brought_back_up_or_renamed_is_put_away(eni):
    eni.node.run("ip", "link", "set", spare_name(MAC), "name", "dev7")
    eni.node.run("ip", "link", "set", "dev7", "up")

    assert eni.on_node(lambda: eni.dataplane.put_away_eni(MAC))

    assert "state DOWN" in eni.node.run("ip", "-o", "link", "show", spare_name(MAC))


def test_a_second_add_of_a_sandbox_makes_everything_again(eni, pod):
    eni.on_node(lambda: eni.dataplane.wire_pod(eni.pods[POD_IP]))

    assert eni.on_node(lambda: eni.dataplane.check_pod(eni.pods[POD_IP])) == []


def test_a_newer_sandbox_takes_the_eni_over(eni, pod):
    newer = eni.sandbox()
    wired = wiring(eni, newer, host_veth="eni0123456789a", host_mac="0a:e2:00:00:00:02")

    def take_over():
        with eni.dataplane.prepared_pod(wired) as made:
            eni.dataplane.bring_back_eni(MAC, pod.path)
            eni.dataplane.swap_pod(wired, made)

    eni.on_node(take_over)

    assert links(newer) == {"eth0", "veth1"}
    assert eni.on_node(lambda: eni.dataplane.check_pod(wired)) == []
    eni.serve(newer, POD_IP)
    assert source_seen(eni.node, POD_IP) == NODE_IP


@pytest.mark.parametrize("trouble", ["no ENI", "a name that is taken"])
def test_a_failed_wiring_leaves_nothing(eni, trouble):
    sandbox = eni.sandbox()
    if trouble == "no ENI":
        eni.vpc.run("ip", "link", "delete", "p4")
    else:
        sandbox.run("ip", "link", "add", "eth0", "type", "veth")
    before = links(sandbox)

    with pytest.raises((TryAgainError, KernelError)):
        eni.on_node(lambda: eni.dataplane.wire_pod(wiring(eni, sandbox)))

    assert links(sandbox) == before
    assert eni.snapshot().links == ()
    assert POD_IP not in eni.snapshot().of_pods
    if trouble != "no ENI":
        assert "state DOWN" in eni.node.run("ip", "-o", "link", "show", spare_name(MAC))


def test_a_refused_namespace_moves_nothing(eni):
    with pytest.raises(NetnsError):
        eni.on_node(lambda: eni.dataplane.wire_pod(wiring(eni, eni.node)))

    assert "state DOWN" in eni.node.run("ip", "-o", "link", "show", spare_name(MAC))


def test_unwiring_takes_the_address_out_of_the_table(eni, pod):
    wired = eni.pods[POD_IP]
    eni.on_node(lambda: eni.dataplane.bring_back_eni(MAC, pod.path))
    eni.on_node(lambda: eni.dataplane.unwire_pod(POD_IP, wired.host_end))

    assert POD_IP not in eni.snapshot().of_pods
    assert eni.snapshot().links == ()


def test_without_the_mode_the_table_has_nothing_of_it(bare_world):
    bare_world._config = DataPlaneConfig(link_wait=2.0)
    bare_world.restart_agent()
    bare_world.ensure()

    assert "exclusive" not in bare_world.generation()
