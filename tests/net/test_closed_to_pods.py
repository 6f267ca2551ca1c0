"""What is closed to Pods, as the metadata service, is closed in every way; all else goes on as it was."""

import re

import pytest

from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig
from tests.net.world import DIRECT, NODE_IP, PRIMARY_MAC, source_seen

pytestmark = pytest.mark.netns
POD, WITH_EIP = "10.0.1.100", "10.0.1.101"
METADATA, TIME_SERVER, NODE_LOCAL_DNS = "169.254.0.23", "169.254.0.2", "169.254.20.10"
CLOSED = DataPlaneConfig(link_wait=2.0, closed_to_pods=frozenset({METADATA}))
OPEN = DataPlaneConfig(link_wait=2.0)
SERVICE = "192.168.77.1"


@pytest.fixture
def config():
    return CLOSED


@pytest.fixture
def pods(world):
    """Two Pods, one with EIP, on a node that masquerades link-local traffic too (MasqLinkLocal of TKE).

    The VPC serves its link-local addresses, NodeLocal DNSCache is the node's own.
    """
    for address in (METADATA, TIME_SERVER):
        world.own("p3", address, "20:90:6f:00:01:03")
        world.internet.run("ip", "address", "add", f"{address}/32", "dev", "eth0")
        world.serve(world.internet, address)
    world.node.run("ip", "address", "add", f"{NODE_LOCAL_DNS}/32", "dev", "lo")
    world.serve(world.node, NODE_LOCAL_DNS)
    nat(world, "POSTROUTING -o eth+ ! -d 10.0.0.0/16 -j MASQUERADE")
    return world.add_pod(POD), world.add_pod(WITH_EIP, eip=True)


def nat(world, rule):
    world.node.run("iptables-nft", "-t", "nat", "-A", *rule.split())


def reached(namespace, address, port=8080):
    """Who the other side sees; waits less for an answer that is not to come."""
    return source_seen(namespace, address, port, timeout=0.5)


def test_no_pod_reaches_the_metadata_service_and_the_node_does(world, pods):
    assert [reached(pod, METADATA) for pod in pods] == [None, None]
    assert reached(world.node, METADATA) == NODE_IP


def test_other_link_local_addresses_are_reached(pods):
    assert [source_seen(pod, TIME_SERVER) for pod in pods] == [NODE_IP, WITH_EIP]
    assert [source_seen(pod, NODE_LOCAL_DNS) for pod in pods] == [POD, WITH_EIP]


@pytest.mark.parametrize("config", [OPEN])
def test_pods_reach_it_where_nothing_is_closed(pods):
    assert [source_seen(pod, METADATA) for pod in pods] == [NODE_IP, WITH_EIP]


def test_a_service_does_not_lead_around_it(world, pods):
    nat(world, f"PREROUTING -d {SERVICE} -p tcp --dport 80 -j DNAT --to {METADATA}:8080")
    nat(world, f"PREROUTING -d {SERVICE} -p tcp --dport 81 -j DNAT --to {TIME_SERVER}:8080")

    assert [reached(pod, SERVICE, 80) for pod in pods] == [None, None]
    assert [source_seen(pod, SERVICE, 81) for pod in pods] == [NODE_IP, WITH_EIP]


def test_a_proxy_of_the_node_may_answer_in_its_place(world, pods):
    nat(world, f"PREROUTING -d {METADATA} -p tcp --dport 80 -j DNAT --to {NODE_LOCAL_DNS}:8080")

    assert [source_seen(pod, METADATA, 80) for pod in pods] == [POD, WITH_EIP]


@pytest.mark.parametrize("config", [OPEN])
def test_a_connection_from_before_it_was_closed_ends_too(world, pods):
    closing = DataPlane(CLOSED)
    with world.conversation(pods[1], METADATA) as say:
        assert say("before") == f"{WITH_EIP} before"

        world.on_node(lambda: closing.ensure_node(PRIMARY_MAC, DIRECT))

        with pytest.raises(TimeoutError):
            say("after")
    closing.close()


def test_a_rule_that_somebody_deleted_comes_back(world, pods):
    chain = world.node.run("nft", "-a", "list", "chain", "ip", "tke_eni", "prerouting")
    (handle,) = re.findall(rf"{re.escape(METADATA)}.* drop .*# handle (\d+)", chain)
    world.node.run("nft", "delete", "rule", "ip", "tke_eni", "prerouting", "handle", handle)
    assert reached(pods[0], METADATA) == NODE_IP, "the damage has to be one"

    world.ensure()

    assert [reached(pod, METADATA) for pod in pods] == [None, None]
    assert world.dataplane.mended == 1


def test_the_cost_is_one_rule_whatever_number_of_pods_and_addresses(world, pods):
    more = DataPlane(DataPlaneConfig(closed_to_pods=frozenset({METADATA, "169.254.0.99"})))
    chain = ("nft", "list", "chain", "ip", "tke_eni", "prerouting")
    before = world.node.run(*chain)
    world.add_pod("10.0.1.102")
    assert world.node.run(*chain) == before

    world.on_node(lambda: more.ensure_node(PRIMARY_MAC, DIRECT))
    more.close()

    assert world.node.run(*chain).count(" drop ") == 1
    assert [reached(pod, METADATA) for pod in pods] == [None, None]
