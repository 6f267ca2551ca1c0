"""Ways from a Pod to the backends of Services that kube-proxy masquerades, and who has to be seen there."""

from ipamd.net.model import PodEgress
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, NODE_IP, source_seen

CLIENT, BACKEND = "10.0.1.100", "10.0.1.101"
CLUSTER_IP, BALANCER_IP = "172.16.252.9", "10.0.9.9"
WAYS = {"NodePort": NODE_IP, "ClusterIP": CLUSTER_IP, "load balancer": BALANCER_IP}
BACKENDS = {"another node": NEIGHBOUR_IP, "this node": BACKEND, "the Pod": CLIENT, "outside": INTERNET_IP}
PORTS = {name: 30080 + number for number, name in enumerate(BACKENDS)}
"""By the backend; of the Service and of the node."""
TARGET_PORT = 8080


def begin(world, *, eip=False):
    """Start the client and all backends; return the client's namespace."""
    client, backend = world.add_pod(CLIENT, eip=eip), world.add_pod(BACKEND)
    for namespace, ip in (
        (world.neighbour, NEIGHBOUR_IP),
        (world.internet, INTERNET_IP),
        (backend, BACKEND),
        (client, CLIENT),
    ):
        world.serve(namespace, ip, TARGET_PORT)
    return client


def seen(client):
    """Return who each backend sees by each way; None where no answer comes."""
    return {
        (way, name): source_seen(client, address, PORTS[name])
        for way, address in WAYS.items()
        for name in BACKENDS
    }


def wanted(egress, *, eip):
    """Return who has to be seen: the Pod where the packet leaves by its ENI, the node elsewhere."""
    by_eni = eip or egress is PodEgress.ENI
    sources = {
        "another node": CLIENT,
        "this node": NODE_IP,
        "the Pod": NODE_IP,
        "outside": CLIENT if by_eni else NODE_IP,
    }
    return {(way, name): sources[name] for way in WAYS for name in BACKENDS}


def spoofed(world):
    """Return how many packets the VPC has dropped because their source was foreign at their ENI."""
    listed = world.vpc.run("nft", "list", "chain", "ip", "vpc", "arrived")
    return int(listed.split("counter packets ")[1].split()[0])
