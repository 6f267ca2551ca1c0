"""A Pod that may do anything in its own namespace cannot speak, or be spoken to, as somebody else.

With NET_ADMIN and NET_RAW a Pod can give itself any address, send any frame and answer any ARP request.
Watched is what comes out on the other side, by a socket that sees every IP packet there.
"""

import contextlib
import ipaddress
import socket
import struct

import pytest

from ipamd.core import names
from tests.net.frames import ARP, EXPERIMENT, IP, arrived, frame, ip_packet, mac, watched
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, NODE_IP, Server, end_of, source_seen

pytestmark = pytest.mark.netns
ATTACKER, VICTIM = "10.0.1.100", "10.0.1.101"
TARGETS = {"internet": INTERNET_IP, "neighbour": NEIGHBOUR_IP}


def gateway_of(ip):
    return end_of(ip).mac


def pod_mac(ip):
    return names.pod_mac(end_of(ip).mac)


def pods(world, *, victim_eip):
    """The attacker without, and the victim with or without an EIP."""
    return world.add_pod(ATTACKER), world.add_pod(VICTIM, eip=victim_eip)


@pytest.mark.parametrize("eip", [False, True], ids=["no EIP", "EIP"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_packet_with_the_address_of_another_pod_does_not_leave(world, target, eip):
    attacker, victim = pods(world, victim_eip=eip)
    with watched(getattr(world, target)) as sources:
        send = ip_packet(VICTIM, TARGETS[target])

        frame(attacker, IP, send, gateway_of(ATTACKER))
        assert not arrived(sources, VICTIM)

        # The same packet from its owner does, or is masqueraded: the watch works.
        frame(victim, IP, send, gateway_of(VICTIM))
        assert arrived(sources, VICTIM) or not eip


@pytest.mark.parametrize("source", [VICTIM, NODE_IP, NEIGHBOUR_IP, "10.0.1.1", "198.51.100.7", "127.0.0.1"])
def test_nobody_on_the_node_hears_a_packet_with_a_source_that_is_not_the_pods(world, source):
    attacker, victim = pods(world, victim_eip=True)
    for listener, address in ((victim, VICTIM), (world.node, NODE_IP)):
        if address == source:
            continue
        with watched(listener) as sources:
            frame(attacker, IP, ip_packet(source, address), gateway_of(ATTACKER))
            # On the node the frame itself is seen, as it comes out of the veth; nobody gets it.
            assert listener is world.node or not arrived(sources, source)
    with received(world.node, NODE_IP) as packets:
        frame(attacker, IP, ip_packet(source, NODE_IP), gateway_of(ATTACKER))
        frame(attacker, IP, ip_packet(ATTACKER, NODE_IP), gateway_of(ATTACKER))
        assert packets() == {ATTACKER}


@contextlib.contextmanager
def received(namespace, ip):
    """Give a function that returns the sources of all packets of the protocol that a program would get."""
    listener = namespace.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, EXPERIMENT))
    with listener:
        listener.bind((ip, 0))
        listener.settimeout(0.5)

        def sources():
            found = set()
            with contextlib.suppress(TimeoutError):
                while True:
                    found.add(listener.recvfrom(2048)[1][0])
            return found

        yield sources


def test_a_pod_that_gives_itself_the_address_of_another_reaches_nobody_with_it(world):
    attacker, _ = pods(world, victim_eip=True)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    attacker.run("ip", "address", "add", f"{VICTIM}/32", "dev", "eth0")

    for target in TARGETS.values():
        with pytest.raises(OSError, match="timed out"):
            attacker.do(
                lambda target=target: socket.create_connection(
                    (target, 8080), 0.5, source_address=(VICTIM, 0)
                )
            )
    assert source_seen(attacker, NEIGHBOUR_IP) == ATTACKER


def test_a_pod_does_not_get_what_is_sent_to_another_by_claiming_its_address(world):
    attacker, victim = pods(world, victim_eip=True)
    client = world.add_pod("10.0.1.102")
    attacker.run("ip", "address", "add", f"{VICTIM}/32", "dev", "eth0")
    stolen = Server(attacker, VICTIM, 8080)
    owned = Server(victim, VICTIM, 8080)
    try:
        for _ in range(3):
            claim(attacker, VICTIM, NODE_IP)
            claim(attacker, "169.254.1.1", VICTIM)
            for who in (client, world.node, world.neighbour):
                assert source_seen(who, VICTIM) is not None
        neighbours = world.node.run("ip", "neigh", "show", VICTIM)
        owner = end_of(VICTIM).name
        assert pod_mac(VICTIM) in next(line for line in neighbours.splitlines() if owner in line)
        attackers_link = end_of(ATTACKER).name
        route = world.node.run("ip", "route", "get", VICTIM)
        assert owner in route
        assert attackers_link not in route
    finally:
        stolen.close()
        owned.close()


def claim(attacker, ip, told):
    """Tell the node by ARP, unasked and as an answer, that an address is at the Pod."""
    mine, node = mac(pod_mac(ATTACKER)), mac(gateway_of(ATTACKER))
    for operation in (1, 2):
        arp = struct.pack("!HHBBH", 1, IP, 6, 4, operation)
        arp += mine + ipaddress.IPv4Address(ip).packed + node + ipaddress.IPv4Address(told).packed
        for destination in ("ff:ff:ff:ff:ff:ff", gateway_of(ATTACKER)):
            frame(attacker, ARP, arp, destination)


def test_a_pod_with_the_mac_of_another_takes_nothing_from_it(world):
    attacker, victim = pods(world, victim_eip=True)
    world.serve(victim, VICTIM)
    attacker.run("ip", "link", "set", "eth0", "address", pod_mac(VICTIM))

    assert source_seen(world.neighbour, VICTIM) == NEIGHBOUR_IP
    with watched(world.internet) as sources:
        frame(attacker, IP, ip_packet(VICTIM, INTERNET_IP), gateway_of(ATTACKER))
        assert not arrived(sources, VICTIM)


def test_the_check_is_one_rule_however_many_pods_there_are(world):
    before = world.node.run("nft", "list", "chain", "ip", "tke_eni", "sources")
    for number in range(3):
        world.add_pod(f"10.0.1.{110 + number}")
    assert world.node.run("nft", "list", "chain", "ip", "tke_eni", "sources") == before


def test_without_the_rule_the_packets_would_leave(world):
    """What the other tests see is the rule's doing and nobody else's."""
    attacker, _ = pods(world, victim_eip=True)
    world.node.run("nft", "flush", "chain", "ip", "tke_eni", "sources")
    with watched(world.internet) as sources:
        frame(attacker, IP, ip_packet(VICTIM, INTERNET_IP), gateway_of(ATTACKER))
        assert arrived(sources, VICTIM, 2.0)


@pytest.mark.parametrize("closed", [True, False], ids=["as it is", "without the rule"])
def test_a_pod_does_not_reach_the_node_s_loopback_also_when_its_link_may(world, closed):
    """Portmap sets route_localnet on Pods' links, for its answers to 127.0.0.1 (CVE-2020-8558)."""
    attacker, _ = pods(world, victim_eip=False)
    veth = world.pods[ATTACKER].host_veth
    world.node.run("sysctl", "-qw", f"net.ipv4.conf.{veth}.route_localnet=1")
    if not closed:
        world.node.run("nft", "flush", "chain", "ip", "tke_eni", "sources")

    with received(world.node, "127.0.0.1") as packets:
        frame(attacker, IP, ip_packet(ATTACKER, "127.0.0.1"), gateway_of(ATTACKER))
        assert packets() == (set() if closed else {ATTACKER})


def test_a_pod_speaks_as_the_node_at_most_while_the_table_is_away(world):
    """That moment is what `accept_local` costs: without it the kernel itself refuses this one source."""
    attacker, _ = pods(world, victim_eip=False)

    def heard():
        with received(world.node, NODE_IP) as packets:
            frame(attacker, IP, ip_packet(NODE_IP, NODE_IP), gateway_of(ATTACKER))
            return packets()

    assert heard() == set()
    world.node.run("nft", "delete", "table", "ip", "tke_eni")
    assert heard() == {NODE_IP}

    world.ensure()

    assert heard() == set()
