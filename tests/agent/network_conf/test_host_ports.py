"""hostPort, by the network configuration that the agent writes, the real portmap, and the built plugin."""

import contextlib
import socket
import subprocess
import sys

import pytest

from simulator.fabric import netns as namespaces
from tests.agent.chain_node import ChainNode
from tests.agent.conftest import REGION

PORT = 8080
HOST_PORTS = {"server": 18080, "server-eip": 18081}
MAPPINGS = {
    name: {
        "portMappings": [
            {"hostPort": port, "containerPort": PORT, "protocol": protocol} for protocol in ("tcp", "udp")
        ]
    }
    for name, port in HOST_PORTS.items()
}
TWO_NODES = {"instances": [*REGION["instances"], {"instance_type": "S5.16XLARGE256"}]}
ANSWER = """
import socket, sys, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", int(sys.argv[1])))
tcp = socket.create_server(("", int(sys.argv[1])))
def datagrams():
    while True:
        _, peer = udp.recvfrom(64)
        udp.sendto(peer[0].encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
print("ready", flush=True)
while True:
    client, peer = tcp.accept()
    client.sendall(peer[0].encode())
    client.close()
"""


@pytest.fixture(scope="module", params=["node", "eni"])
def place(request, tmp_path_factory):
    """Two Pods with hostPort, one of them with an EIP, and one of each kind that asks them."""
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(ChainNode(tmp_path_factory.mktemp("ports")))
        bed.begin(f"--pod-egress={request.param}", region=TWO_NODES)
        chain = bed.chain()
        for name in ("server", "server-eip", "client", "client-eip"):
            if name.endswith("eip"):
                _, sandbox, _ = bed.pod_with_eip(name)
            else:
                _, sandbox = bed.pod_and_sandbox(name)
            result = chain.add(sandbox, MAPPINGS.get(name, {}))
            bed.sandboxes[name] = sandbox
            bed.addresses[name] = result["ips"][0]["address"].removesuffix("/32")
        for name in HOST_PORTS:
            stack.enter_context(answering(bed.sandboxes[name].netns))
        yield bed


@contextlib.contextmanager
def answering(netns):
    """Tell everybody who asks at PORT, by TCP or UDP, the address that he is seen with."""
    command = ["ip", "netns", "exec", netns, sys.executable, "-c", ANSWER, str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield
        server.terminate()


def seen(netns, host, port, kind):
    """Return as whom the Pod behind a port sees somebody; empty without an answer."""
    with namespaces.run_in(netns, lambda: socket.socket(socket.AF_INET, kind)) as client:
        client.settimeout(3)
        with contextlib.suppress(OSError):
            client.connect((host, port))
            client.send(b"?")
            return client.recv(64).decode()
    return ""


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize("server", HOST_PORTS)
def test_a_host_port_is_reached_from_everywhere(place, server, kind):
    node, port = place.node, HOST_PORTS[server]
    other = place.region["instances"][1]
    before = place.admin.get("/spoof-drops")

    def from_pod(name):
        return seen(place.sandboxes[name].netns, node.private_ip, port, kind)

    assert {
        "a Pod of the node": from_pod("client"),
        "a Pod with EIP": from_pod("client-eip"),
        "itself": from_pod(server),
        "the node": seen(node.netns, node.private_ip, port, kind),
        "the node, 127.0.0.1": seen(node.netns, "127.0.0.1", port, kind),
        "another node": seen(other["netns"], node.private_ip, port, kind),
        "the internet": seen(place.internet_netns, node.public_ip, port, kind),
    } == {
        "a Pod of the node": place.addresses["client"],
        "a Pod with EIP": place.addresses["client-eip"],
        "itself": node.private_ip,
        "the node": node.private_ip,
        "the node, 127.0.0.1": node.private_ip,
        "another node": other["private_ip"],
        "the internet": place.internet_hosts[0],
    }
    assert place.admin.get("/spoof-drops") == before


def test_a_pod_with_a_host_port_reaches_the_other_s(place):
    source = seen(place.sandboxes["server"].netns, place.node.private_ip, 18081, socket.SOCK_STREAM)
    assert source == place.addresses["server"]
