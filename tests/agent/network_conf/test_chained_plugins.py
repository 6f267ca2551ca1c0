"""The whole chain of the flags, executed as a runtime does: portmap and bandwidth behind our plugin."""

import socket
import threading
import time

import pytest

from simulator.fabric import netns as namespaces
from testbed import leaks
from tests.agent.chain_node import ChainNode

WISHES = {
    "portMappings": [{"hostPort": 18080, "containerPort": 8080, "protocol": "tcp"}],
    "bandwidth": {
        "ingressRate": 8_000_000,
        "ingressBurst": 800_000,
        "egressRate": 8_000_000,
        "egressBurst": 800_000,
    },
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with ChainNode(tmp_path_factory.mktemp("chain")) as bed:
        yield bed.begin("--bandwidth")


def test_flags_make_the_chain_and_debian_s_plugins_its_versions(place):
    assert [plugin["type"] for plugin in place.network["plugins"]] == [
        "tke-route-eni",
        "portmap",
        "bandwidth",
    ]
    assert place.network["cniVersions"] == ["0.3.1", "0.4.0", "1.0.0"]


@pytest.mark.parametrize("knows", ["0.4.0", "1.0.0", "1.1.0"])
def test_a_pod_starts_is_checked_and_leaves_nothing_with_runtimes_old_and_new(place, knows):
    before = leaks.kernel_state(place.node.netns), nat(place)
    chain = place.chain(knows=knows)
    _, sandbox = place.pod_and_sandbox(f"pod-{knows.replace('.', '-')}")

    chain.add(sandbox, WISHES)
    # Without host ports: portmap 1.1 misses its own IPv6 rules for a Pod that has no IPv6.
    chain.check(sandbox, {"bandwidth": WISHES["bandwidth"]})
    assert "18080" in "".join(nat(place))

    chain.delete(sandbox, WISHES)
    chain.delete(sandbox, WISHES)
    place.eventually(
        "nothing is left", lambda: not leaks.left_behind(before[0], leaks.kernel_state(place.node.netns))
    )
    assert [line for line in nat(place) if "18080" in line] == []


def test_bandwidth_holds_what_a_pod_receives_and_sends_to_its_rate(place):
    """1 MB/s and a burst of 100 kB in each direction; without it the veth does hundreds."""
    chain = place.chain()
    sandboxes = {}
    for name in ("slow", "fast"):
        _, sandboxes[name] = place.pod_and_sandbox(name)
    ips = {
        name: chain.add(sandbox, WISHES if name == "slow" else {})["ips"][0]["address"].removesuffix("/32")
        for name, sandbox in sandboxes.items()
    }

    for sender, receiver in (("slow", "fast"), ("fast", "slow")):
        assert (
            0.3 < seconds_for(500_000, sandboxes[sender].netns, sandboxes[receiver].netns, ips[receiver]) < 5
        )


def seconds_for(octets, sender, receiver, ip):
    """Return how long so many octets take from one Pod to another."""
    with namespaces.run_in(receiver, lambda: socket.create_server((ip, 9000))) as listener:
        client = namespaces.run_in(sender, lambda: socket.create_connection((ip, 9000), 5))
        server, _ = listener.accept()
        with client, server:
            sending = threading.Thread(target=client.sendall, args=(bytes(octets),))
            server.settimeout(20)
            began = time.monotonic()
            sending.start()
            while octets:
                octets -= len(server.recv(65536))
            sending.join()
            return time.monotonic() - began


def nat(place):
    return place.on_node("iptables-save", "-t", "nat").splitlines()
