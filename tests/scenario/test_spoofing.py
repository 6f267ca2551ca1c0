"""Whoever shares a node with a Pod that has an EIP: the internet never takes it for that Pod.

The attacker may do anything in its own namespace (NET_ADMIN, NET_RAW). The node's own reverse path filter is
off, as many a node's is, and the VPC gives each packet from the victim's address the victim's EIP: what left
the node with that address would carry it.
"""

import contextlib
import socket
import subprocess

import pytest

from ipamd.core import names
from simulator.fabric import netns as namespaces
from testbed import masquerade, probes
from testbed.bed import Bed
from tests.net.frames import IP, arrived, frame, ip_packet, watched

pytestmark = [pytest.mark.scenario, pytest.mark.netns]


class Inside:
    """A namespace of the bed."""

    def __init__(self, name):
        self.name = name

    def do(self, function):
        return namespaces.run_in(self.name, function)

    def run(self, *command):
        inside = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(inside, check=True, capture_output=True, text=True).stdout


class Party:
    """A Pod as its owner sees it."""

    def __init__(self, sandbox, outcome):
        self.sandbox = sandbox
        self.ip = outcome.ip()
        self.inside = Inside(sandbox.netns)

    def sends(self, source, destination):
        """Let it put a packet with any source onto its wire."""
        frame(
            self.inside, IP, ip_packet(source, destination), names.host_mac(self.sandbox.container_id, "eth0")
        )


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("spoofing")) as bed:
        bed.start_region()
        filters = [f"net.ipv4.conf.{link}.rp_filter=0" for link in ("all", "default", "eth0")]
        Inside(bed.node.netns).run("sysctl", "-qw", *filters)
        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"])
        bed.start_controller()
        bed.start_agent(options=["--repair-interval=1s"])
        bed.wait_until_ready()
        yield bed


@pytest.fixture
def host(bed):
    """A host of the internet that tells whom it sees."""
    with probes.SourceReporter(bed.internet_netns):
        yield bed.internet_hosts[0]


@pytest.fixture
def parties(bed):
    """The attacker, the victim, and the victim's EIP."""
    victim = Party(*bed.add_pod("victim", annotations={"eip-attributes": ""}, eip=True))
    attacker = Party(*bed.add_pod("attacker"))
    key = "tke.cloud.tencent.com/eip-public-ip"
    bed.wait_until("the EIP is told", lambda: key in bed.workloads.pod("victim")["metadata"]["annotations"])
    yield attacker, victim, bed.workloads.pod("victim")["metadata"]["annotations"][key]
    for party in (attacker, victim):
        bed.delete_pod(party.sandbox)


def test_no_host_of_the_internet_sees_the_eip_in_what_another_pod_sends(bed, host, parties):
    attacker, victim, eip = parties
    attacker.inside.run("ip", "address", "add", f"{victim.ip}/32", "dev", "eth0")
    with watched(Inside(bed.internet_netns)) as sources:
        for source in (victim.ip, eip):
            attacker.sends(source, host)
        for protocol in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            attacker.inside.do(lambda protocol=protocol: speak_as(victim.ip, host, protocol))
        assert not arrived(sources, eip, 1.0)

        # What it sends as itself arrives, as the node's; what the owner sends, with the EIP: the watch works.
        attacker.sends(attacker.ip, host)
        assert arrived(sources, bed.node.public_ip, 2.0)
        victim.sends(victim.ip, host)
        assert arrived(sources, eip, 2.0)
    assert probes.seen_source(attacker.sandbox.netns, host) == bed.node.public_ip
    assert probes.seen_source(victim.sandbox.netns, host) == eip


def speak_as(source, host, protocol):
    """Speak to the host by an honest socket that is bound to an address of the interface."""
    with socket.socket(socket.AF_INET, protocol) as client:
        client.settimeout(0.5)
        client.bind((source, 0))
        with contextlib.suppress(TimeoutError):
            client.connect((host, 8080))
            client.send(b"spoof")


def test_without_the_node_s_rule_the_host_would_be_deceived_until_it_is_repaired(bed, host, parties):
    """What the other test does not see is kept away by the node's rule, and the agent watches over that."""
    attacker, victim, eip = parties
    node = Inside(bed.node.netns)
    chain = ("chain", "ip", "tke_eni", "sources")
    rule = node.run("nft", "-s", "list", *chain)
    with watched(Inside(bed.internet_netns)) as sources:

        def deceived():
            attacker.sends(victim.ip, host)
            return arrived(sources, eip, 0.2)

        def deceived_without_rule():
            node.run("nft", "flush", *chain)
            return deceived()

        bed.wait_until("the host is deceived", deceived_without_rule)
        bed.wait_until("the rule is back", lambda: node.run("nft", "-s", "list", *chain) == rule)
        sources()
        assert not any(deceived() for _ in range(5))
