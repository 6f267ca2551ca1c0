"""An EIP is translated one to one in both directions while it is bound, and not a packet longer."""

import json
import socket
import subprocess

import pytest

from simulator.fabric import netns

pytestmark = pytest.mark.netns

EIP = "198.18.0.1"
HOST, OTHER_HOST = "203.0.113.10", "203.0.113.20"


@pytest.fixture
def a(lab):
    lab.reporter(lab.internet)
    cvm = lab.cvm(10)
    lab.reporter(cvm.netns)
    return cvm


def test_without_an_eip_nothing_leaves_and_nothing_comes_in(lab, a):
    assert lab.tcp_source(a.netns, HOST) == ""
    assert lab.udp_source(a.netns, HOST) == ""
    assert not lab.ping(a.netns, HOST)
    assert not lab.ping(lab.internet, EIP)
    assert not lab.ping(lab.internet, a.ip)


def test_the_internet_sees_the_eip_and_reaches_it(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)

    assert lab.tcp_source(a.netns, HOST) == EIP
    assert lab.udp_source(a.netns, OTHER_HOST) == EIP
    assert lab.ping(a.netns, HOST)
    assert lab.tcp_source(lab.internet, EIP, bind=OTHER_HOST) == OTHER_HOST
    assert lab.udp_source(lab.internet, EIP) == HOST
    assert lab.ping(lab.internet, EIP)


def test_private_traffic_keeps_its_private_addresses(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)
    b = lab.cvm(20)
    lab.reporter(b.netns)

    assert lab.tcp_source(a.netns, b.ip) == a.ip
    assert lab.tcp_source(b.netns, a.ip) == b.ip


def test_a_secondary_address_has_an_eip_of_its_own(lab, a):
    lab.fabric.attach_eni(lab.port(11, a.instance_id, device_index=1))
    lab.fabric.add_ip("eni-00000011", "10.0.1.50")
    lab.own_address(a, "10.0.1.50", link="eth1")
    lab.fabric.bind_eip(EIP, a.ip)
    lab.fabric.bind_eip("198.18.0.2", "10.0.1.50")

    assert lab.tcp_source(a.netns, HOST, bind=a.ip) == EIP
    assert lab.tcp_source(a.netns, HOST, bind="10.0.1.50") == "198.18.0.2"


def test_two_eips_of_the_region_see_each_other_as_the_internet_does(lab, a):
    b = lab.cvm(20)
    lab.reporter(b.netns)
    lab.fabric.bind_eip(EIP, a.ip)
    lab.fabric.bind_eip("198.18.0.2", b.ip)

    assert lab.tcp_source(a.netns, "198.18.0.2") == EIP
    assert lab.udp_source(b.netns, EIP) == "198.18.0.2"


def test_unbind_cuts_an_open_connection_with_the_next_packet(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)
    with netns.listening_socket(lab.internet, HOST, 9000) as listener:
        client = netns.run_in(a.netns, lambda: socket.create_connection((HOST, 9000), 2))
        server, _ = listener.accept()
        with client, server:
            client.sendall(b"before")
            assert server.recv(16) == b"before"

            lab.fabric.unbind_eip(EIP)

            server.settimeout(0.4)
            client.settimeout(0.4)
            client.sendall(b"after")
            server.sendall(b"after")
            for end in (client, server):
                with pytest.raises(TimeoutError):
                    end.recv(16)


def test_a_connection_goes_on_when_the_same_binding_comes_back(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)
    with netns.listening_socket(lab.internet, HOST, 9000) as listener:
        client = netns.run_in(a.netns, lambda: socket.create_connection((HOST, 9000), 2))
        server, _ = listener.accept()
        with client, server:
            lab.fabric.unbind_eip(EIP)
            lab.fabric.bind_eip(EIP, a.ip)

            client.sendall(b"still here")
            server.settimeout(2)
            assert server.recv(16) == b"still here"


def test_an_eip_that_moves_leads_to_its_new_address_only(lab, a):
    b = lab.cvm(20)
    lab.reporter(b.netns)
    lab.fabric.bind_eip(EIP, a.ip)

    lab.fabric.bind_eip(EIP, b.ip)

    assert lab.tcp_source(b.netns, HOST) == EIP
    assert lab.tcp_source(a.netns, HOST) == ""


def test_an_address_that_gets_another_eip_loses_the_first(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)

    lab.fabric.bind_eip("198.18.0.2", a.ip)

    assert lab.tcp_source(a.netns, HOST) == "198.18.0.2"
    assert not lab.ping(lab.internet, EIP)


def test_an_eip_on_an_address_that_nobody_has_answers_to_nobody(lab, a):
    lab.fabric.bind_eip(EIP, "10.0.1.77")

    assert not lab.ping(lab.internet, EIP)


def test_icmp_errors_find_the_socket_in_both_directions(lab, fabric):
    cvm = lab.cvm(10)
    fabric.bind_eip(EIP, cvm.ip)

    assert lab.udp_source(cvm.netns, HOST) == "refused", "the host has no such port"
    assert lab.udp_source(lab.internet, EIP) == "refused", "the CVM has no such port"


def test_the_internet_cannot_pretend_to_be_inside(lab, a):
    lab.fabric.bind_eip(EIP, a.ip)
    subprocess.run(["ip", "-netns", lab.internet, "addr", "add", "10.0.1.20/32", "dev", "lo"], check=True)

    def received(source: str) -> bool:
        def send() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((source, 0))
                client.sendto(b"hello", (EIP, 9000))

        with netns.run_in(a.netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
            server.bind(("0.0.0.0", 9000))
            server.settimeout(0.4)
            netns.run_in(lab.internet, send)
            try:
                return server.recv(16) == b"hello"
            except TimeoutError:
                return False

    assert received(HOST)
    assert not received("10.0.1.20")
    assert lab.tcp_source(lab.internet, a.ip) == "", "a private address is not routed from outside"


def test_the_arp_and_rule_count_do_not_grow_with_addresses(lab, fabric):
    cvm = lab.cvm(10)
    before = _rules_and_neighbours(fabric)

    for number in range(100, 160):
        fabric.add_ip(cvm.eni_id, f"10.0.1.{number}")
        fabric.bind_eip(f"198.18.0.{number}", f"10.0.1.{number}")

    assert _rules_and_neighbours(fabric) == before


def _rules_and_neighbours(fabric):
    def output(*command):
        return json.loads(
            subprocess.run(
                ["ip", "netns", "exec", fabric.router_netns, *command], check=True, capture_output=True
            ).stdout
        )

    rules = [item for item in output("nft", "-j", "list", "ruleset")["nftables"] if "rule" in item]
    neighbours = [entry for entry in output("ip", "-j", "neigh") if entry["state"] == ["PERMANENT"]]
    return len(rules), len(output("ip", "-j", "rule")), len(neighbours)
