"""A Pod's address on a link of the node is taken off; what is the node's own stays."""

import pytest

from tests.net.world import DIRECT, INTERNET_IP, NEIGHBOUR_IP, NODE_IP, PRIMARY_MAC, source_seen

pytestmark = pytest.mark.netns
POD, POOL = "10.0.1.100", "10.0.1.101"
OURS = (POD, POOL)


def take_off(world):
    return {(a.ip, a.link) for a in world.on_node(lambda: world.dataplane.take_off_links(OURS))}


@pytest.mark.parametrize("length", [32, 24])
@pytest.mark.parametrize("link", ["eth0", "eth1", "lo"])
def test_an_address_of_a_pod_is_taken_off_and_the_pod_works(world, link, length):
    world.serve(world.internet, INTERNET_IP)
    pod = world.add_pod(POD, eip=True)
    world.node.run("ip", "address", "add", f"{POD}/{length}", "dev", link)
    assert source_seen(pod, INTERNET_IP, timeout=0.5) is None, "the damage has to be one"
    found = world.on_node(lambda: world.dataplane.check_pod(world.pods[POD]))
    assert found == [f"{POD} is an address of the node's own link {link} too"]

    assert take_off(world) == {(POD, link)}

    world.ensure()
    assert source_seen(pod, INTERNET_IP) == POD
    assert world.on_node(lambda: world.dataplane.check_pod(world.pods[POD])) == []
    assert take_off(world) == set()


def test_one_that_was_there_before_the_pod_is_taken_off_too(world):
    world.serve(world.neighbour, NEIGHBOUR_IP)
    world.node.run("ip", "address", "add", f"{POD}/24", "dev", "eth1")
    pod = world.add_pod(POD)

    assert take_off(world) == {(POD, "eth1")}

    world.ensure()
    assert source_seen(pod, NEIGHBOUR_IP) == POD


@pytest.mark.parametrize("promote", [0, 1])
def test_the_nodes_own_address_stays_though_the_kernel_ties_it_to_the_first_of_the_subnet(world, promote):
    world.node.run("sysctl", "-qw", f"net.ipv4.conf.eth0.promote_secondaries={promote}")
    world.node.run("ip", "address", "delete", f"{NODE_IP}/24", "dev", "eth0")
    for ip in (POOL, NODE_IP, "10.0.1.9"):
        world.node.run("ip", "address", "add", f"{ip}/24", "dev", "eth0")

    assert take_off(world) == {(POOL, "eth0")}

    shown = world.node.run("ip", "-4", "address", "show", "dev", "eth0")
    assert f"inet {NODE_IP}/24" in shown
    assert "inet 10.0.1.9/24" in shown
    assert f"inet {POOL}/" not in shown


def test_other_addresses_of_the_node_stay(world):
    world.node.run("ip", "address", "add", "10.0.1.250/32", "dev", "eth1")
    before = world.node.run("ip", "-4", "address")

    assert take_off(world) == set()
    assert world.node.run("ip", "-4", "address") == before


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        (f"from {POD} lookup 99", True),  # the kernel puts it before all but the first: priority 511
        (f"from {POD} lookup 99 priority 1537", False),
        (f"from {POD} lookup 99 priority 100", True),
        (f"from {POD} blackhole priority 100", True),
        ("from 10.0.1.0/24 lookup 99 priority 1536", True),
        (f"to {POD} lookup 99 priority 100", True),
        (f"to {POD} lookup main priority 100", False),
        (f"from {POD} fwmark 0x1/0x1 lookup 99 priority 100", False),
        ("from 192.0.2.1 lookup 99 priority 100", False),
    ],
)
def test_a_foreign_rule_that_takes_pods_packets_is_told_and_left(world, rule, is_told):
    world.node.run("ip", "rule", "add", *rule.split())
    before = world.node.run("ip", "rule")

    assert bool(world.on_node(lambda: world.dataplane.foreign_rules(OURS))) == is_told
    world.on_node(lambda: world.dataplane.ensure_node(PRIMARY_MAC, DIRECT))
    assert world.node.run("ip", "rule") == before


def test_a_pod_on_the_primary_eni_works(world):
    """Its address is a secondary one of the primary ENI, whose packets have the node's own routing."""
    world.serve(world.neighbour, NEIGHBOUR_IP)
    world.serve(world.internet, INTERNET_IP)
    pod = world.add_pod("10.0.1.50", eni_mark=world.enis["eth0"].mark, eip=True)
    world.own("p0", "10.0.1.50", PRIMARY_MAC)
    world.vpc.run("nft", "delete element ip vpc owned { p1 . 10.0.1.50 }")

    assert source_seen(pod, NEIGHBOUR_IP) == "10.0.1.50"
    assert source_seen(pod, INTERNET_IP) == "10.0.1.50"
