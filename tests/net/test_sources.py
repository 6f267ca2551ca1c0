"""The set that lets Pods' packets in without a look at routes: who is in it, who must not, who need not."""

import pytest

from ipamd.core import names
from ipamd.net.nft_elements import Element, Elements, add
from tests.net.frames import IP, arrived, frame, ip_packet, watched
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, end_of, source_seen

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"
SET = ("ip", "tke_eni", "pod_sources")


def ifindex_of(world, ip):
    path = f"/sys/class/net/{world.pods[ip].host_veth}/ifindex"
    return int(world.node.run("cat", path))


def sources(world):
    return world.snapshot().pod_sources


def let_in(world, ip, ifindex):
    """Put an element in as nobody does who means well; nft itself takes only links that there are."""

    def put():
        elements = Elements()
        elements.apply([add("pod_sources", Element(ip, ifindex=ifindex))])
        elements.close()

    world.on_node(put)


def differences(world, ip):
    return world.on_node(lambda: world.dataplane.check_pod(world.pods[ip]))


def connect(world, ip):
    return world.on_node(lambda: world.dataplane.connect_pod(world.pods[ip]))


def spoofs(world, attacker, owner):
    """Whether a packet of the attacker with another Pod's address arrives."""
    with watched(world.neighbour) as seen:
        frame(attacker, IP, ip_packet(owner, NEIGHBOUR_IP), end_of(POD).mac)
        return arrived(seen, owner)


def test_a_pod_is_let_in_by_its_own_link_for_as_long_as_it_is_wired(world):
    world.add_pod(POD)
    world.add_pod(OTHER)
    assert sources(world) == {ip: {ifindex_of(world, ip)} for ip in (POD, OTHER)}
    shown = world.node.run("nft", "list", "set", *SET)
    assert f'"{world.pods[POD].host_veth}" . {POD}' in shown

    world.on_node(lambda: world.dataplane.unwire_pod(POD, world.pods[POD].host_end))
    world.on_node(lambda: world.dataplane.cut_pod(OTHER, world.pods[OTHER].host_end))

    assert sources(world) == {}


def test_without_its_element_a_pod_speaks_and_nobody_speaks_as_another(world):
    attacker = world.add_pod(POD)
    world.add_pod(OTHER)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    world.node.run("nft", "flush", "set", *SET)

    assert source_seen(attacker, NEIGHBOUR_IP) == POD
    assert not spoofs(world, attacker, OTHER)
    assert differences(world, POD) == [
        f"{POD} by {world.pods[POD].host_veth} is missing from nft set tke_eni pod_sources"
    ]
    assert connect(world, POD)
    assert differences(world, POD) == []


def test_what_is_left_of_a_link_whose_index_another_pod_has_is_found_and_taken_away(world):
    attacker = world.add_pod(POD)
    world.add_pod(OTHER)
    index = ifindex_of(world, POD)
    let_in(world, OTHER, index)
    assert spoofs(world, attacker, OTHER), "the element has to be one that lets in"

    assert differences(world, OTHER) == [
        f"nft set tke_eni pod_sources has {OTHER} by link {index}, which is not its Pod's"
    ]
    assert connect(world, OTHER)

    assert not spoofs(world, attacker, OTHER)
    assert differences(world, OTHER) == []
    assert sources(world) == {ip: {ifindex_of(world, ip)} for ip in (POD, OTHER)}


@pytest.mark.parametrize("end", ["repair", "DEL", "ADD"])
def test_nothing_is_left_of_a_link_that_has_vanished(world, end):
    world.add_pod(POD)
    before = ifindex_of(world, POD)
    world.node.run("ip", "link", "delete", world.pods[POD].host_veth)
    assert sources(world) == {POD: {before}}

    match end:
        case "repair":
            assert not connect(world, POD)
        case "DEL":
            world.on_node(lambda: world.dataplane.cut_pod(POD, world.pods[POD].host_end))
        case "ADD":
            world.on_node(lambda: world.dataplane.wire_pod(world.pods[POD]))
            assert differences(world, POD) == []

    assert before not in sources(world).get(POD, set())


def test_an_address_that_is_taken_over_is_let_in_by_the_new_link_alone(world):
    old = world.add_pod(POD, eip=True)
    new = world.sandbox()
    end = names.host_end("another", "eth0")
    wiring = world.wiring(new, POD, host_veth=end.name, host_mac=end.mac, eip=True)

    def take_over():
        with world.dataplane.prepared_pod(wiring) as made:
            between = world.dataplane.snapshot().pod_sources
            world.dataplane.swap_pod(wiring, made)
            return between, made.host_ifindex

    between, index = world.on_node(take_over)

    assert between == {POD: {ifindex_of(world, POD)}}
    assert sources(world) == {POD: {index}}
    with watched(world.internet) as seen:
        frame(old, IP, ip_packet(POD, INTERNET_IP), end_of(POD).mac)
        assert not arrived(seen, POD)
        frame(new, IP, ip_packet(POD, INTERNET_IP), end.mac)
        assert arrived(seen, POD, 5.0), "its owner's does: the watch works"


def as_a_release_before(world):
    """Give table and links the form of a release that went by routes alone."""
    world.node.run("nft", "flush", "chain", "ip", "tke_eni", "sources")
    world.node.run("nft", "delete", "set", *SET)
    rule = 'iifname "eni*" fib saddr . iif oif missing drop'
    world.node.run("nft", "add", "rule", "ip", "tke_eni", "sources", rule)
    for wiring in world.pods.values():
        world.node.run("sysctl", "-qw", f"net.ipv4.conf.{wiring.host_veth}.accept_local=0")


def test_pods_of_a_release_before_are_let_in_from_the_start_and_nothing_is_told_of_it(world):
    pod = world.add_pod(POD)
    world.add_pod(OTHER)
    right = sources(world)
    as_a_release_before(world)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    assert source_seen(pod, NEIGHBOUR_IP) == POD
    world.restart_agent()

    world.ensure()

    assert sources(world) == right
    assert world.dataplane.mended == 0
    for ip, wiring in world.pods.items():
        assert differences(world, ip) == []
        setting = world.node.run("sysctl", "-n", f"net.ipv4.conf.{wiring.host_veth}.accept_local")
        assert setting.strip() == "1"
    assert not spoofs(world, pod, OTHER)


def test_a_start_after_a_roll_back_forgets_links_that_are_gone_and_knows_those_that_came(world):
    """The release before adds and removes no elements: the set is as old as its start."""
    world.add_pod(POD)
    world.add_pod(OTHER)
    right = sources(world)
    world.node.run("nft", "flush", "set", *SET)
    let_in(world, OTHER, ifindex_of(world, POD))
    let_in(world, "10.0.1.109", 4711)
    world.restart_agent()

    world.ensure()

    assert sources(world) == right


def test_a_packet_of_a_known_connection_keeps_the_marks_of_others(world):
    """Ours is put beside them: the ENI is found by our bits alone."""
    pod = world.add_pod(POD, eip=True)
    theirs = """
        table ip theirs {
          chain before { type filter hook prerouting priority mangle; meta mark set 0x1000; }
          chain after { type filter hook postrouting priority mangle;
            oifname "eth1" meta mark & 0x1000 == 0 drop
            oifname "eth1" meta mark & 0x3f000000 != 0x2000000 drop
          }
        }
    """
    world.node.run("nft", "-f", "-", stdin=theirs)
    with world.conversation(pod, INTERNET_IP) as say:
        assert [say(text) for text in ("one", "two")] == [f"{POD} one", f"{POD} two"]
