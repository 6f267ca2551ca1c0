"""What kube-proxy masquerades on a Pod's way out: who gets there, and who the other side sees.

A NodePort, a load balancer's address with externalTrafficPolicy Cluster, a ClusterIP with --cluster-cidr or
--masquerade-all: kube-proxy wants all of them to leave with the node's address, which the VPC drops on a
Pod's ENI.
"""

import contextlib
import socket

import pytest

from ipamd.net.model import DataPlaneConfig, PodEgress
from tests.net import kube_proxy
from tests.net.kube_proxy import Entry
from tests.net.service_ways import (
    BACKEND,
    BACKENDS,
    CLIENT,
    CLUSTER_IP,
    PORTS,
    TARGET_PORT,
    WAYS,
    begin,
    seen,
    spoofed,
    wanted,
)
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, NODE_IP, source_seen

pytestmark = pytest.mark.netns
MODES = ["iptables-nft", "iptables-legacy", "nftables"]
ENTRIES = [
    Entry(address, PORTS[name], f"{backend}:{TARGET_PORT}")
    for address in WAYS.values()
    for name, backend in BACKENDS.items()
]


@pytest.mark.parametrize(
    "config", [DataPlaneConfig(pod_egress=egress) for egress in PodEgress], ids=["node", "eni"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("eip", [False, True])
def test_a_pod_reaches_every_backend_by_every_masqueraded_way(world, config, mode, eip):
    """By its ENI with its own address; as the node where the packet leaves by no ENI."""
    kube_proxy.install(world.node, mode, ENTRIES)
    client = begin(world, eip=eip)

    assert seen(client) == wanted(config.pod_egress, eip=eip)
    assert spoofed(world) == 0


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_no_reverse_path_filter_drops_the_answers(world, rp_filter):
    world.node.run(
        "sysctl", "-qw", *(f"net.ipv4.conf.{link}.rp_filter={rp_filter}" for link in ("all", "eth1"))
    )
    kube_proxy.install(world.node, "iptables-nft", ENTRIES)
    client = world.add_pod(CLIENT)
    world.serve(world.neighbour, NEIGHBOUR_IP)

    assert source_seen(client, NODE_IP, PORTS["another node"]) == CLIENT


@pytest.mark.parametrize("mode", MODES)
def test_what_only_passes_the_node_is_masqueraded(world, mode):
    """A client elsewhere in the VPC asks this node's NodePort: the answer has to come back by this node."""
    kube_proxy.install(world.node, mode, ENTRIES)
    backend = world.add_pod(BACKEND)
    world.serve(backend, BACKEND)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(world.neighbour, NODE_IP, PORTS["this node"]) == NODE_IP
    assert source_seen(world.neighbour, NODE_IP, PORTS["outside"]) == NODE_IP
    assert spoofed(world) == 0


@pytest.mark.parametrize("config", [DataPlaneConfig(eip_source_nat_exemption=False)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["another node", "outside"])
def test_without_the_exemption_kube_proxy_still_loses_nobody(world, mode, name):
    """There ip-masq-agent alone decides about Pods with EIP, and knows nothing of Services."""
    kube_proxy.install(world.node, mode, ENTRIES)
    client = world.add_pod(CLIENT, eip=True)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(client, NODE_IP, PORTS[name]) == CLIENT


def test_the_node_itself_is_masqueraded_as_ever(world):
    kube_proxy.install(world.node, "iptables-nft", ENTRIES)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    backend = world.add_pod(BACKEND)
    world.serve(backend, BACKEND)

    assert source_seen(world.node, CLUSTER_IP, PORTS["another node"]) == NODE_IP
    assert source_seen(world.node, CLUSTER_IP, PORTS["this node"]) == NODE_IP


def test_two_connections_to_one_backend_from_one_port_both_work(world):
    """Directly and by the Service, at once, with the same source port: the second is given another one."""
    kube_proxy.install(world.node, "nftables", ENTRIES)
    client = world.add_pod(CLIENT)
    world.serve(world.neighbour, NEIGHBOUR_IP)

    def both():
        said = []
        with contextlib.ExitStack() as stack:
            for target in ((NEIGHBOUR_IP, 8080), (NODE_IP, PORTS["another node"])):
                connection = stack.enter_context(socket.socket())
                connection.settimeout(2.0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                connection.bind((CLIENT, 45000))
                connection.connect(target)
                said.append(connection.recv(64).decode())
        return said

    assert client.do(both) == [CLIENT, CLIENT]
