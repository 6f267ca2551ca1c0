"""Destinations outside the VPC that nobody masquerades: a peered VPC, CCN, one's own data centre."""

import pytest

from ipamd.net.model import DataPlaneConfig, PodEgress, Ranges
from testbed import masquerade as ip_masq_agent
from tests.net.world import DIRECT, INTERNET_IP, NODE_IP, source_seen

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"
PRIVATE = "203.0.113.0/24"
"""The far host stands for one that CCN leads to: it is no part of the VPC, and answers the Pod itself."""
BRIDGE, CONTAINER = "192.168.77.1", "192.168.77.2"


def masquerade_all_but(world, *cidrs):
    ip_masq_agent.install(world.node.name, vpc_cidrs=cidrs)


@pytest.mark.parametrize("eip", [False, True])
def test_a_pod_reaches_them_with_its_own_address(world, eip):
    masquerade_all_but(world, "10.0.0.0/16", PRIVATE)
    pod = world.add_pod(POD, eip=eip)
    world.serve(world.internet, INTERNET_IP)
    world.ensure_node(Ranges(DIRECT.direct, (PRIVATE,)))

    assert source_seen(pod, INTERNET_IP) == POD


def test_a_change_takes_effect_for_new_connections_both_ways(world):
    pod = world.add_pod(POD)
    world.serve(world.internet, INTERNET_IP)
    masquerade_all_but(world, "10.0.0.0/16")
    seen = []
    for unmasqueraded in ((), (PRIVATE,), ()):
        world.ensure_node(Ranges(DIRECT.direct, unmasqueraded))
        seen.append(source_seen(pod, INTERNET_IP))

    assert seen == [NODE_IP, POD, NODE_IP]


def test_all_of_the_internet_may_be_named(world):
    """Who has nobody masqueraded has a NAT gateway."""
    pod = world.add_pod(POD)
    world.serve(world.internet, INTERNET_IP)
    world.ensure_node(Ranges(DIRECT.direct, ("0.0.0.0/0",)))

    assert source_seen(pod, INTERNET_IP) == POD


def test_what_the_node_reaches_by_another_link_stays_the_nodes(world):
    """A bridge of containers, or Pods of another network, in a private range: they are behind no ENI."""
    pod, container = world.add_pod(POD), world.sandbox("box")
    world.node.run(
        "ip",
        "-batch",
        "-",
        stdin=f"""
        link add docker0 type veth peer name eth0 netns {container.name}
        address add {BRIDGE}/24 dev docker0
        link set docker0 up
    """,
    )
    container.run(
        "ip",
        "-batch",
        "-",
        stdin=f"""
        address add {CONTAINER}/24 dev eth0
        link set eth0 up
        route add default via {BRIDGE}
    """,
    )
    world.serve(container, CONTAINER)
    world.ensure_node(Ranges(DIRECT.direct, ("192.168.0.0/16", "10.0.0.0/8")))

    assert source_seen(pod, CONTAINER) == POD


def test_pods_of_the_node_and_the_node_itself_stay_near(world):
    pod, other = world.add_pod(POD), world.add_pod(OTHER)
    world.serve(other, OTHER)
    world.serve(world.node, NODE_IP)
    world.ensure_node(Ranges((), ("10.0.0.0/8",)))

    assert source_seen(pod, OTHER) == POD
    assert source_seen(pod, NODE_IP) == POD


@pytest.mark.parametrize("config", [DataPlaneConfig(pod_egress=PodEgress.ENI)])
def test_with_egress_by_eni_they_need_not_be_known(world):
    pod = world.add_pod(POD)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(pod, INTERNET_IP) == POD
